#!/usr/bin/env bash
# Load over HTTP with wrk: telemetry of many devices from many connections; fails when a request does.
# Beside a fresh server of its own (PORTICO_BIN, by default the development build, which is no measure of anything), or
# against yours: SERVER_URL=… SERVER_ADMIN=… SERVER_PASSWORD=… load.sh --here   (raise its http.rate_limits first).
# LOAD_DEVICES (50), LOAD_CONNECTIONS (64), LOAD_SECONDS (10).
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

command -v wrk >/dev/null || scripts/setup-apt.sh load
if [ "${1:-}" = --here ]; then exec scripts/load/run.sh; fi
exec scripts/with-server.sh scripts/load/run.sh
