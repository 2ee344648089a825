#!/usr/bin/env bash
# Runs a command beside a fresh Portico of its own (PORTICO_BIN, by default the development build): in a temporary folder, on
# free ports, without limits on the rate of requests, gone when the command ends. The command finds SERVER_URL, SERVER_MQTT,
# SERVER_LOG, and the administrator's SERVER_ADMIN and SERVER_PASSWORD.
# Usage: with-server.sh COMMAND [ARGUMENT...]
set -euo pipefail
. "$(dirname "$0")/env.sh"
[ $# -gt 0 ] || die "usage: with-server.sh COMMAND [ARGUMENT...]"

if [ -z "${PORTICO_BIN:-}" ]; then
    (cd "$PORTICO_ROOT" && cargo build --quiet --package portico-server)
    PORTICO_BIN=$CARGO_TARGET_DIR/debug/portico
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/portico-server.XXXXXX")
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export PORTICO_BIN SERVER_ADMIN=ada SERVER_PASSWORD="walnut drawer under 5 stairs" SERVER_LOG=$folder/log
mkdir "$folder/data"
portico=("$PORTICO_BIN" --data-dir "$folder/data" --set log_filter=warn)
"${portico[@]}" admin create "$SERVER_ADMIN" ada@example.com --password-stdin <<<"$SERVER_PASSWORD" >/dev/null
"${portico[@]}" --http-addr 127.0.0.1:0 --mqtt-addr 127.0.0.1:0 --set http.rate_limits.enabled=false --set signup=open \
    --set devices.max_devices_per_user=100000 --set identity.lockout_failures=1000000 \
    --set identity.account_failures=1000000 serve --ready-file "$folder/ready" >"$SERVER_LOG" 2>&1 &
server=$!
for _ in $(seq 300); do
    [ -f "$folder/ready" ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
[ -f "$folder/ready" ] || { cat "$SERVER_LOG" >&2; die "the server did not start"; }
SERVER_URL=http://$(sed 's/.*"http":"\([^"]*\)".*/\1/' "$folder/ready")
SERVER_MQTT=$(sed 's/.*"mqtt":"\([^"]*\)".*/\1/' "$folder/ready")
export SERVER_URL SERVER_MQTT
"$@"
