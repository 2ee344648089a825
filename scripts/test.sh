#!/usr/bin/env bash
# Everything that must be green: installs what is missing, checks, then all tests. Stops at the first failure.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

step() {
    local name=$1 began=$SECONDS
    shift
    say "$name"
    "$@" || die "failed: $name (after $((SECONDS - began)) s)"
    say "$name: ok, $((SECONDS - began)) s"
}

rust_tests() {
    # Built first, so that the database lives only as long as the tests; with --all-targets, so that the program for the
    # browser tests is built here too: alone it would be another feature set, and its dependencies built once more.
    cargo build --all-targets
    scripts/with-postgres.sh cargo test
}

step "Set-up" scripts/setup.sh run test
step "Checks" scripts/check.sh
step "Web site" scripts/site.sh
step "Rust tests" rust_tests
export PORTICO_BIN=$CARGO_TARGET_DIR/debug/portico
step "Contract fuzzer" scripts/schemathesis.sh
step "TypeScript client" scripts/client-typescript.sh
step "Postman collection" scripts/postman.sh "$CARGO_TARGET_DIR/portico.postman_collection.json"
step "Deployment files" scripts/deploy.sh
step "Browser tests" scripts/e2e.sh
say "everything passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
