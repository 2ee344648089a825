#!/usr/bin/env bash
# The browser tests: the real server (PORTICO_BIN, by default the development build) in a real Chromium.
# Beside it must lie `portico-stripe-double`, which the payments' tests start.
# Arguments go to Playwright: `scripts/e2e.sh login.spec.ts --headed`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

scripts/setup.sh run test
scripts/site.sh
if [ -z "${PORTICO_BIN:-}" ]; then
    cargo build --quiet --package portico-server --package portico-stripe-double
    export PORTICO_BIN=$CARGO_TARGET_DIR/debug/portico
fi
export PORTICO_SITE_DIR=$PORTICO_SITE
cd end2end
exec npx --no-install playwright test "$@"
