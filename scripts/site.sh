#!/usr/bin/env bash
# Builds the web site's files into $PORTICO_SITE (default: site/ in the target directory): the frontend as WASM, split by
# page (app/src/root.rs), the style sheets in one file, uPlot, and everything in public/, with content hashes in the names and .br and .gz beside each file.
# What has not changed is not built again. PORTICO_SITE_PROFILE=dev leaves optimisation out, for quick trials.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

profile=${PORTICO_SITE_PROFILE:-wasm-release}
npm_dir=frontend/node_modules
work=$CARGO_TARGET_DIR/site-work/$profile
wasm=$CARGO_TARGET_DIR/$WASM_TARGET/${profile/#dev/debug}/portico_frontend.wasm
mkdir -p "$work"

inputs_hash() {
    {
        find frontend/src frontend/Cargo.toml frontend/package-lock.json app crates/model style public Cargo.toml Cargo.lock \
            scripts/env.sh scripts/site.sh scripts/site.mjs -type f -print0 2>/dev/null | sort -z | xargs -0 sha256sum
        rustc --version
    } | sha256sum | cut -d' ' -f1
}

# Debian's compiler only where rustup has no such target.
wasm_cargo() {
    if rustup_has_wasm; then
        cargo "$@"
    elif debian_has_wasm; then
        cargo +debian "$@"
    else
        die "no compiler for $WASM_TARGET: run scripts/setup-wasm.sh"
    fi
}

inputs=$(inputs_hash)
if [ -f "$PORTICO_SITE/hash.txt" ] && [ "$(cat "$PORTICO_SITE.inputs" 2>/dev/null || true)" = "$profile $inputs" ]; then exit 0; fi

say "building the web site ($profile)"
wasm_cargo build --package portico-frontend --target "$WASM_TARGET" --profile "$profile"

# The same module gives the same output: only a changed one goes through the slow optimiser.
module=$({ sha256sum <"$wasm" && pinned_version wasm-bindgen && echo "$WASM_SPLIT_VERSION" && sha256sum <frontend/package-lock.json && sha256sum <scripts/site.sh; } | sha256sum | cut -d' ' -f1)
if [ "$(cat "$work/.module" 2>/dev/null || true)" != "$module" ]; then
    rm -rf "$work/pkg" "$work/.module"
    # What only one page needs becomes a module of its own, loaded with that page.
    wasm-split-cli "$wasm" "$work/pkg" --out-name portico >/dev/null
    mv "$work/pkg/portico.wasm" "$work/main.wasm"
    wasm-bindgen --target web --no-typescript --keep-lld-exports --no-demangle --out-dir "$work/pkg" --out-name portico "$work/main.wasm"
    if [ "$profile" = wasm-release ]; then
        say "optimising $(cat "$work"/pkg/*.wasm | wc -c) bytes of WASM"
        # The features are named because `strip` has dropped the section that tells them.
        find "$work/pkg" -name '*.wasm' -print0 | xargs -0 -P 2 -I {} "$npm_dir/.bin/wasm-opt" -Oz --enable-bulk-memory \
            --enable-bulk-memory-opt --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
            --enable-reference-types --enable-multivalue -o {} {}
    fi
    printf '%s\n' "$module" >"$work/.module"
fi

rm -rf "$PORTICO_SITE.new" "$PORTICO_SITE.inputs"
node scripts/site.mjs "$work" "$npm_dir" "$PORTICO_SITE.new"
rm -rf "$PORTICO_SITE.old"
if [ -e "$PORTICO_SITE" ]; then mv "$PORTICO_SITE" "$PORTICO_SITE.old"; fi
mv "$PORTICO_SITE.new" "$PORTICO_SITE"
rm -rf "$PORTICO_SITE.old"
printf '%s %s\n' "$profile" "$inputs" >"$PORTICO_SITE.inputs"

# The program looks for `site` beside itself, whichever way it was built.
for folder in debug release; do
    mkdir -p "$CARGO_TARGET_DIR/$folder"
    ln -sfn "$PORTICO_SITE" "$CARGO_TARGET_DIR/$folder/site"
done
