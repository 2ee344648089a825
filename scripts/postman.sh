#!/usr/bin/env bash
# Makes a Postman collection from docs/openapi.json: dist/portico.postman_collection.json, or the file that is named.
# Its variables: baseUrl, bearerToken (from POST /api/v1/auth/login) and apiKey (a device's or a service's key).
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

out=$(realpath -m "${1:-dist/portico.postman_collection.json}")
scripts/setup-npm.sh clients/postman
mkdir -p "$(dirname "$out")"
node clients/postman/convert.mjs docs/openapi.json "$out"
say "$out"
