#!/usr/bin/env bash
# Measures the release build on this machine: a table on the terminal, JSON in bench.json of the target directory (or --out FILE).
# Options go to portico-bench (--help lists them; --only check,lock,log for access control alone). With
# PORTICO_TEST_POSTGRES_URL set it measures PostgreSQL too.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

scripts/build.sh
cargo build --release --package portico-simulator --bin portico-bench
say "measuring, about fifteen minutes when all of it; leave the machine alone meanwhile"
exec "$CARGO_TARGET_DIR/release/portico-bench" \
    --portico "$CARGO_TARGET_DIR/release/portico" --site "$PORTICO_SITE" \
    --out "$CARGO_TARGET_DIR/bench.json" "$@"
