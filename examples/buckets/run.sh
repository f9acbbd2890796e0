#!/usr/bin/env bash
# The buckets of a site from one file: made where they are missing, compared where they are there.
# Needs INFLUX_URL, INFLUX_ORG and INFLUX_TOKEN, a token that may read and write buckets.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

ucs buckets create "$here/buckets.json" --dry-run

# From cron, CI or a container's start: any number of times, also by several at once.
ucs buckets create "$here/buckets.json" --quiet

# Nothing is left to do, and this proves it: every bucket is skipped.
ucs buckets create "$here/buckets.json" --update --json | grep -o '"skipped":\[[^]]*\]'

# What is there, as a file for the next server.
ucs buckets export --output site.json
