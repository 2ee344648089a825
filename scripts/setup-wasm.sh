#!/usr/bin/env bash
# Makes a compiler for wasm32-unknown-unknown available: rustup's own target if it can be fetched, else Debian's compiler
# with the standard library built from Debian's sources (then `cargo +debian` is the one to call; see wasm_cargo in site.sh).
set -euo pipefail
. "$(dirname "$0")/env.sh"

command -v rustup >/dev/null || die "rustup is missing: install Rust with rustup first"
if rustup_has_wasm || debian_has_wasm; then exit 0; fi

say "adding the Rust target $WASM_TARGET"
if [ "${PORTICO_WASM:-}" != debian ] && timeout 180 rustup target add "$WASM_TARGET"; then exit 0; fi

say "rustup cannot fetch it; building it with Debian's compiler (about two minutes)"
"$PORTICO_ROOT/scripts/setup-apt.sh" wasm

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
: >"$work/src/lib.rs"
printf '[package]\nname = "wasm-std"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' >"$work/Cargo.toml"
# Without the bitcode, `lto = true` later fails with "can't find section .llvmbc".
(cd "$work" && env -u RUSTFLAGS -u RUSTUP_TOOLCHAIN RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target" \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Cembed-bitcode=yes -Zforce-unstable-if-unmarked" \
    /usr/bin/cargo build --release --target "$WASM_TARGET" -Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test)

host_bin=/usr/lib/rustlib/$(/usr/bin/rustc --version --verbose | sed -n 's/^host: //p')/bin
as_root mkdir -p "$DEBIAN_WASM_LIB" "$host_bin"
as_root find "$DEBIAN_WASM_LIB" -name '*.rlib' -delete
find "$work/target/$WASM_TARGET/release/deps" -name 'lib*.rlib' ! -name 'libwasm_std-*' -print0 |
    as_root xargs -0 cp -t "$DEBIAN_WASM_LIB"
as_root ln -sf /usr/lib/llvm-22/bin/lld "$host_bin/rust-lld"
rustup toolchain link debian /usr
debian_rustc_stamp >"$work/stamp"
as_root cp "$work/stamp" "$DEBIAN_WASM_LIB/portico-stamp"
debian_has_wasm || die "the Debian toolchain for $WASM_TARGET is incomplete"
say "ready: cargo +debian build --target $WASM_TARGET"
