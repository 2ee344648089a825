#!/usr/bin/env bash
# Makes the TypeScript client from docs/openapi.json and tests it against a fresh server of its own.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

scripts/setup-npm.sh clients/typescript
npm --prefix clients/typescript run --silent build
exec scripts/with-server.sh node --test --test-reporter=dot "$PORTICO_ROOT/clients/typescript/dist/test/client.test.js"
