#!/usr/bin/env bash
# A SWaT export into Kafka, and everything that is in the topic on into InfluxDB.
# Needs KAFKA_BROKER, INFLUX_URL, INFLUX_ORG, INFLUX_TOKEN, and a bucket swat_db (or INFLUX_BUCKET).
set -euo pipefail

# In place of an export of your own: synthetic readings in the same format, one a second.
ucs sample swat --rows 10000 --output swat.csv

ucs produce --preset swat --file swat.csv --rows all --pause 0

# From cron or CI: reads what is there when it starts, and ends. Exit code 0: all of it is stored. 3: some of it is in ./dead-letters.
ucs kafka-to-influx --until-end --json > result.json

echo "stored: $(grep -o '"written":[0-9]*' result.json)"
