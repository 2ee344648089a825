#!/usr/bin/env bash
# What scripts/schemathesis.sh runs beside a fresh server.
set -euo pipefail
. "$(dirname "$0")/../env.sh"
cd "$PORTICO_ROOT"

seconds=${FUZZ_SECONDS:-150}
seed=${FUZZ_SEED:-7}
filter=()
[ $# -eq 0 ] || filter=(--include-path-regex "$1")
folder=$(mktemp -d "${TMPDIR:-/tmp}/portico-fuzz.XXXXXX")
trap 'rm -rf "$folder"' EXIT

# Prints the value at a path of keys in the JSON on standard input.
field() { python3 -c 'import functools, json, sys; print(functools.reduce(lambda at, key: at[key], sys.argv[1:], json.load(sys.stdin)))' "$@"; }
post() { curl --silent --show-error --fail-with-body --header 'Content-Type: application/json' "$@"; }
sign_in() { post "$SERVER_URL/api/v1/auth/login" --data "{\"username\": \"$1\", \"password\": \"$SERVER_PASSWORD\"}"; }

sign_in "$SERVER_ADMIN" >"$folder/admin"
post "$SERVER_URL/api/v1/users" --header "Authorization: Bearer $(field access_token <"$folder/admin")" \
    --data "{\"username\": \"ursula\", \"email\": \"ursula@example.com\", \"password\": \"$SERVER_PASSWORD\"}" >/dev/null
sign_in ursula >"$folder/user"
post "$SERVER_URL/api/v1/devices/register" --header "Authorization: Bearer $(field access_token <"$folder/user")" \
    --data '{"name": "Fuzzed thermometer", "device_type": "sensor"}' >"$folder/device"
FUZZ_DEVICE_KEY=$(field device api_key <"$folder/device")
FUZZ_PROTECTED=$(field user id <"$folder/admin"),$(field user id <"$folder/user"),$(field device id <"$folder/device")
export FUZZ_DEVICE_KEY FUZZ_PROTECTED
post "$SERVER_URL/api/v1/telemetry" --header "X-API-Key: $FUZZ_DEVICE_KEY" --data '{"data": {"temperature": 21.5}}' >/dev/null

failed=
fuzz() { # NAME SECONDS OPTIONS...
    local name=$1 share=$2
    shift 2
    say "as $name: $*"
    # In the temporary folder, where it leaves what it remembers.
    (cd "$folder" && FUZZ_USER=$name SCHEMATHESIS_HOOKS=$PORTICO_ROOT/scripts/schemathesis/hooks.py \
        "$PORTICO_CACHE/schemathesis/bin/schemathesis" \
        --config-file "$PORTICO_ROOT/scripts/schemathesis/schemathesis.toml" run "$SERVER_URL/api/v1/openapi.json" --seed "$seed" --max-time "$share" --no-color \
        --generation-database none "${filter[@]}" "$@" >report 2>&1) || { cat "$folder/report"; failed=1; }
    sed -n '/^Test cases:/{n;p}' "$folder/report" >&2
}

# The device speaks for itself in each of them, where an operation is for devices.
fuzz "$SERVER_ADMIN" $((seconds * 4 / 10)) --phases examples,coverage
fuzz "$SERVER_ADMIN" $((seconds * 4 / 10)) --phases fuzzing,stateful --max-examples 30
fuzz ursula $((seconds * 2 / 10)) --phases examples,fuzzing --max-examples 10
# What a client was told to be our fault is in the log, with its cause.
if grep -m 20 ' ERROR ' "$SERVER_LOG" >&2; then failed=1; fi
[ -z "$failed" ] || die "the API does not keep to its description (seed $seed)"
