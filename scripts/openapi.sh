#!/usr/bin/env bash
# Writes the published description of the REST API, docs/openapi.json, from the program (PORTICO_BIN, by default the
# development build). A test fails while it is not current.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

if [ -z "${PORTICO_BIN:-}" ]; then
    cargo build --quiet --package portico-server
    PORTICO_BIN=$CARGO_TARGET_DIR/debug/portico
fi
"$PORTICO_BIN" openapi >docs/openapi.json.part
mv docs/openapi.json.part docs/openapi.json
