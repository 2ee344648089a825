#!/usr/bin/env bash
# Installs the contract fuzzer (schemathesis, from PyPI) into a virtual environment of its own, exactly as locked.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

lock=scripts/schemathesis/requirements.txt
venv=$PORTICO_CACHE/schemathesis
if [ -x "$venv/bin/schemathesis" ] && cmp -s "$lock" "$venv/portico-lock"; then exit 0; fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "schemathesis needs Python 3.11 or later"
say "installing schemathesis"
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement "$lock"
cp "$lock" "$venv/portico-lock"
