#!/usr/bin/env bash
# What scripts/load.sh runs beside a server (SERVER_URL, SERVER_ADMIN, SERVER_PASSWORD).
set -euo pipefail
. "$(dirname "$0")/../env.sh"
cd "$PORTICO_ROOT"

LOAD_KEYS=$(mktemp)
export LOAD_KEYS
trap 'rm -f "$LOAD_KEYS"' EXIT
post() { curl --silent --show-error --fail-with-body --header 'Content-Type: application/json' "$@"; }
token=$(post "$SERVER_URL/api/v1/auth/login" --data "{\"username\": \"$SERVER_ADMIN\", \"password\": \"$SERVER_PASSWORD\"}" |
    sed 's/.*"access_token":"\([^"]*\)".*/\1/')
say "registering ${LOAD_DEVICES:-50} devices"
for number in $(seq "${LOAD_DEVICES:-50}"); do
    post "$SERVER_URL/api/v1/devices/register" --header "Authorization: Bearer $token" \
        --data "{\"name\": \"Load $$ $number\", \"device_type\": \"sensor\"}" |
        sed 's/.*"api_key":"\([^"]*\)".*/\1/' >>"$LOAD_KEYS"
    echo >>"$LOAD_KEYS"
done
sed -i '/^$/d' "$LOAD_KEYS"
say "POST /api/v1/telemetry, ${LOAD_CONNECTIONS:-64} connections, ${LOAD_SECONDS:-10} s"
result=$(wrk --threads 2 --connections "${LOAD_CONNECTIONS:-64}" --duration "${LOAD_SECONDS:-10}s" --latency \
    --script scripts/load/post.lua "$SERVER_URL" | tee /dev/stderr | tail -1)
case $result in
*'"failed": 0}') ;;
*) die "some requests failed: $result" ;;
esac
