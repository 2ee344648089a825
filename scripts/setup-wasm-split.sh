#!/usr/bin/env bash
# Installs the program that splits the browser's WASM into one module a page.
set -euo pipefail
. "$(dirname "$0")/env.sh"

stamp=$PORTICO_TOOLS/wasm-split-version
if [ -x "$PORTICO_TOOLS/bin/wasm-split-cli" ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$WASM_SPLIT_VERSION" ]; then exit 0; fi

say "installing wasm-split-cli $WASM_SPLIT_VERSION (a minute or two)"
install_tool() {
    env -u CARGO_TARGET_DIR cargo install wasm_split_cli_support --version "=$WASM_SPLIT_VERSION" --features build-binary \
        --root "$PORTICO_TOOLS" --force "$@"
}
install_tool --locked || install_tool
printf '%s\n' "$WASM_SPLIT_VERSION" >"$stamp"
