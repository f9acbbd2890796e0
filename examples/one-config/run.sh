#!/usr/bin/env bash
# Values of several commands in one file, and where each value comes from.
set -euo pipefail
cd "$(dirname "$0")"

export PLANT=north # used by the file

ucs config show kafka-to-influx --config ucs.yaml --origin

# A variable is stronger than the file, a flag stronger than both.
BATCH_SIZE=500 ucs config show kafka-to-influx --config ucs.yaml --topic line-2 --origin | grep -E '^(batch-size|topic) '
