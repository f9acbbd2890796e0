#!/usr/bin/env bash
# The pipeline of an etl.yaml: what its keys mean, then one cycle of it.
# INFLUXDB_TOKEN has to be set; PROMETHEUS_URL, INFLUXDB_URL, INFLUXDB_ORG and INFLUXDB_BUCKET override the file.
set -euo pipefail
cd "$(dirname "$0")"

ucs config show prom-to-influx --config etl.yaml --origin

ucs prom-to-influx --config etl.yaml --once

# For dashboards: availability.flux, request-rate.flux, latency.flux and error-rate.flux beside this script.
