#!/usr/bin/env bash
# What needs no test run: formatting, lints, the dependency rules, the scripts themselves.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

shellcheck scripts/*.sh scripts/*/*.sh .ci/run
cargo metadata --no-deps --format-version 1 | node scripts/check-deps.mjs
(cd end2end && npm run --silent check)
cargo fmt --all --check
cargo clippy --quiet --all-targets -- --deny warnings
# The browser's half of the app has code that the server's half does not compile. Clippy needs rustup's own target.
if rustup_has_wasm; then
    cargo clippy --quiet --package portico-frontend --package portico-app --features portico-app/hydrate \
        --target "$WASM_TARGET" -- --deny warnings
fi
