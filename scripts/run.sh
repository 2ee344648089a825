#!/usr/bin/env bash
# Builds what has changed and starts Portico with a demo building. Arguments go to `portico serve`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

scripts/build.sh
exec "$CARGO_TARGET_DIR/release/portico" serve "${@:---demo}"
