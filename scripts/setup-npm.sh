#!/usr/bin/env bash
# Installs the npm packages of the given folders (default: all that have a lock file), exactly as locked.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

command -v npm >/dev/null || die "npm is missing: install Node.js (20 or later) with npm first"
[ $# -gt 0 ] || set -- frontend end2end
for dir in "$@"; do
    stamp=$dir/node_modules/.portico-lock
    if cmp -s "$dir/package-lock.json" "$stamp"; then continue; fi
    say "installing npm packages of $dir/"
    (cd "$dir" && npm ci --no-audit --no-fund --loglevel=error)
    cp "$dir/package-lock.json" "$stamp"
done
