#!/usr/bin/env bash
# one-shot.sh - one function, once, through plain pipes; what passes between the stages is kept.
#
#	pipelines/one-shot.sh prod/hello [plimsoll.yaml] [folder]
#
# Leaves FOLDER/1-watcher.ndjson ... 4-collector.ndjson, each a recording that the next stage can be
# fed again: plimsoll-collector <FOLDER/3-loader.ndjson says the same run.finished as before.
set -euo pipefail
function=${1:?which function? prod/hello}
config=${2:-plimsoll.yaml}
folder=${3:-one-shot}
bin=${PLIMSOLL_BIN:-$(dirname "$0")/../build/release}
mkdir -p "$folder"
"$bin/plimsoll-watcher" --once --config "$config" --state "$folder/state" "$function" | tee "$folder/1-watcher.ndjson" |
  "$bin/plimsoll-planner" --config "$config" --state "$folder/state" | tee "$folder/2-planner.ndjson" |
  "$bin/plimsoll-loader" --config "$config" --state "$folder/state" | tee "$folder/3-loader.ndjson" |
  "$bin/plimsoll-collector" --config "$config" | tee "$folder/4-collector.ndjson" |
  "$bin/plimsoll-sink" --to terminal
