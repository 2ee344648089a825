# Sourced by every script: where things are, and how scripts speak. Nothing here installs or builds.
# shellcheck shell=bash

PORTICO_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PORTICO_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/portico
# Build output stays outside the clone, so that several clones and a fresh one share it.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PORTICO_CACHE/target}
# Programs built for building (wasm-bindgen), by name and version.
export PORTICO_TOOLS=${PORTICO_TOOLS:-$PORTICO_CACHE/tools}
# The web site's files, as scripts/site.sh leaves them and `portico serve` reads them.
export PORTICO_SITE=${PORTICO_SITE:-$CARGO_TARGET_DIR/site}
export PATH=$PORTICO_TOOLS/bin:$HOME/.cargo/bin:$PATH

WASM_TARGET=wasm32-unknown-unknown
# Splits the browser's module; it goes with the wasm_split_helpers that leptos brings.
export WASM_SPLIT_VERSION=0.2.4
DEBIAN_WASM_LIB=/usr/lib/rustlib/$WASM_TARGET/lib

say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Runs a command as root, for the few steps that change the system.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this step needs root and there is no sudo; run as root: $*"
    fi
}

# The exact version of a dependency pinned with `=` in the root Cargo.toml.
pinned_version() {
    sed -n "s/^$1 = \"=\([0-9.]*\)\"\$/\1/p" "$PORTICO_ROOT/Cargo.toml"
}

# What the Debian way of building for wasm was made with; another compiler needs another library.
debian_rustc_stamp() { /usr/bin/rustc --version --verbose; }

rustup_has_wasm() { [ -d "$(rustc --print sysroot)/lib/rustlib/$WASM_TARGET/lib" ]; }

debian_has_wasm() {
    [ -x /usr/bin/rustc ] && [ -f "$DEBIAN_WASM_LIB/portico-stamp" ] &&
        [ "$(cat "$DEBIAN_WASM_LIB/portico-stamp")" = "$(debian_rustc_stamp)" ] &&
        rustc +debian --version >/dev/null 2>&1
}
