#!/usr/bin/env bash
# Installs what bench/run.ts compares ucs with, into ${UCS_PEERS:-$HOME/.cache/ucs-peers}. Needs Go and Python with venv.
set -euo pipefail
peers=${UCS_PEERS:-$HOME/.cache/ucs-peers} telegraf=github.com/influxdata/telegraf@v1.37.2
mkdir -p "$peers"

if ! "$peers/telegraf" --usage promql > /dev/null 2>&1; then
  source=$(mktemp -d)
  trap 'rm -rf "$source"' EXIT
  folder=$(go mod download -json "$telegraf" | sed -n 's/.*"Dir": "\(.*\)",*$/\1/p')
  cp -r "$folder/." "$source"
  chmod -R u+w "$source"
  # Only the plugins of the comparison: all of them take half an hour to compile.
  (cd "$source" && go build -buildvcs=false -tags custom,inputs.kafka_consumer,inputs.promql,outputs.influxdb_v2,parsers.json,serializers.influx \
    -o "$peers/telegraf" ./cmd/telegraf)
fi

if [ ! -x "$peers/python/bin/python" ]; then
  python3 -m venv "$peers/python"
  "$peers/python/bin/pip" install --quiet kafka-python==2.0.2
fi
