#!/usr/bin/env bash
# Installs wasm-bindgen's program in exactly the version of the wasm-bindgen crate (another one refuses to work).
set -euo pipefail
. "$(dirname "$0")/env.sh"

version=$(pinned_version wasm-bindgen)
[ -n "$version" ] || die "Cargo.toml pins no wasm-bindgen (wasm-bindgen = \"=X.Y.Z\")"
if [ "$("$PORTICO_TOOLS/bin/wasm-bindgen" --version 2>/dev/null || true)" = "wasm-bindgen $version" ]; then exit 0; fi

say "installing wasm-bindgen $version (a few minutes)"
install_tool() {
    env -u CARGO_TARGET_DIR cargo install wasm-bindgen-cli --version "=$version" --root "$PORTICO_TOOLS" --force "$@"
}
if ! install_tool --locked; then
    say "its own lock file names versions that this registry does not serve; resolving anew"
    install_tool
fi
