#!/usr/bin/env bash
# The contract fuzzer against the real server (PORTICO_BIN, by default the development build): no server error, no status,
# type or body that the OpenAPI document does not tell, as an administrator, as a user and as a device.
# Usage: schemathesis.sh [PATH-REGEX]   (such as '/telemetry'; without one, all operations)
# FUZZ_SECONDS bounds the time (150); FUZZ_SEED makes other cases.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

scripts/setup-schemathesis.sh
exec scripts/with-server.sh scripts/schemathesis/run.sh "$@"
