#!/usr/bin/env bash
# Installs what is missing, by purpose: `run` for building and running Portico, `test` for the tests as well.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

[ $# -gt 0 ] || set -- run
for group in "$@"; do
    case $group in
    run)
        scripts/setup-apt.sh run
        command -v cargo >/dev/null || die "cargo is missing: install Rust with rustup first"
        scripts/setup-wasm.sh
        scripts/setup-wasm-bindgen.sh
        scripts/setup-wasm-split.sh
        scripts/setup-npm.sh frontend
        ;;
    test)
        scripts/setup-apt.sh test
        scripts/setup-npm.sh end2end
        scripts/setup-schemathesis.sh
        for component in clippy rustfmt; do
            cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
        done
        ;;
    *) die "unknown group '$group' (run, test)" ;;
    esac
done
