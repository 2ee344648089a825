#!/usr/bin/env bash
# Runs the property tests, which feed parsers and rules what strangers might send, with many more cases than `make test`.
# Usage: fuzz.sh [CASES]   (default 20000 a property; a failing input is kept under proptest-regressions/)
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

export PROPTEST_CASES=${1:-20000}
say "$PROPTEST_CASES cases for each property"
cargo test --package portico-model --package portico-platform --package portico-devices --package portico-simulator --lib
