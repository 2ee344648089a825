#!/usr/bin/env bash
# Checks what lies in deploy/ against a real server: Grafana's dashboards, the compose files, Prometheus.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$PORTICO_ROOT"

# It brings a YAML parser.
scripts/setup-schemathesis.sh
exec scripts/with-server.sh "$PORTICO_CACHE/schemathesis/bin/python" scripts/deploy/check.py
