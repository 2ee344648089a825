#!/usr/bin/env bash
# Runs a command with PORTICO_TEST_POSTGRES_URL naming a PostgreSQL of its own: made in a temporary folder on a free port,
# not durable, gone when the command ends. Usage: with-postgres.sh COMMAND [ARGUMENT...]
set -euo pipefail
. "$(dirname "$0")/env.sh"
[ $# -gt 0 ] || die "usage: with-postgres.sh COMMAND [ARGUMENT...]"

if [ -n "${PORTICO_TEST_POSTGRES_URL:-}" ]; then exec "$@"; fi

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || die "no PostgreSQL found: run scripts/setup-apt.sh test")")

# A PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/portico-postgres.XXXXXX")
stop() {
    as_postgres "$bin/pg_ctl" stop --silent -D "$folder/data" -m immediate >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi

as_postgres "$bin/initdb" -D "$folder/data" -U postgres --auth=trust --encoding=UTF8 --no-locale --no-sync >"$folder.log" 2>&1 ||
    { cat "$folder.log" >&2; die "initdb failed"; }
rm -f "$folder.log"

start() {
    as_postgres "$bin/pg_ctl" start --silent --wait --timeout 60 -D "$folder/data" -l "$folder/data/log" -o "-p $1 \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c max_connections=300 -c shared_buffers=128MB \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_wal_size=4GB" >/dev/null
}
port=
for _ in 1 2 3 4 5; do
    candidate=$((20000 + RANDOM % 12000))
    if start "$candidate"; then
        port=$candidate
        break
    fi
done
[ -n "$port" ] || { tail -20 "$folder/data/log" >&2; die "PostgreSQL did not start"; }

export PORTICO_TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port/postgres
"$@"
