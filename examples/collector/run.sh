#!/usr/bin/env bash
# The collector's own .env and config/queries.yaml, as they are: what they mean, one cycle, and a check that both sides have the same.
# SERVER_A_URL, SERVER_A_TOKEN, SERVER_B_URL, SERVER_B_TOKEN, INFLUXDB_CENTRAL_URL and INFLUXDB_CENTRAL_TOKEN override the file.
set -euo pipefail
cd "$(dirname "$0")"

ucs config show collect --origin

ucs collect --once

ucs collect verify --window 1h
