#!/usr/bin/env bash
# A release build. `build.sh` leaves program and site in the target directory (what `make run` starts);
# `build.sh --dist` also puts them into dist/, self-contained: dist/portico and dist/site/.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

scripts/setup.sh run

# Both at once: the site's last step uses one core only.
scripts/site.sh &
site=$!
trap 'kill "$site" 2>/dev/null || true' EXIT
cargo build --release --package portico-server
wait "$site"
trap - EXIT

if [ "${1:-}" = --dist ]; then
    rm -rf dist
    mkdir dist
    # Line tables are for profiling here; names stay, so that a panic still tells where.
    strip --strip-debug -o dist/portico "$CARGO_TARGET_DIR/release/portico"
    cp -r "$PORTICO_SITE" dist/site
    say "dist/portico ($(du -h dist/portico | cut -f1)) and dist/site/ ($(du -sh dist/site | cut -f1))"
fi
