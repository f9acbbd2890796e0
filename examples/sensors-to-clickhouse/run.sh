#!/usr/bin/env bash
# A sensor CSV into the embedded ClickHouse engine, without any server. One row is broken on purpose.
set -euo pipefail

ucs sample sensors --rows 3000 --output sensors.csv
echo '"1.594512094E9","00:0f:00:70:91:0a","0.0049"' >> sensors.csv

# Exit code 3: all but the bad records are sent.
ucs produce --file sensors.csv --device all --rows all --pause 0 --output - > events.ndjson || [ $? -eq 3 ]

ucs kafka-to-clickhouse --input - --embedded ./clickhouse < events.ndjson

# The row that was left out, with the reason.
cat dead-letters/produce.ndjson
