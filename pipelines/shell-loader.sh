#!/usr/bin/env bash
# shell-loader.sh - a loader in a few lines of shell, in the place of plimsoll-loader (http targets).
#
#	... | plimsoll-planner | pipelines/shell-loader.sh | plimsoll-collector | ...
#
# It measures one variant, one call after the other, and cannot check itself: the run ends as
# suspect/no-self-check. It shows what a loader has to say, not how to measure.
while IFS= read -r ev; do case $ev in *'"plimsoll.shard.planned.v1"'*) ;; *) printf '%s\n' "$ev"; continue ;; esac
  url=$(jq -r '.data.targets[-1].url' <<<"$ev")
  for _ in {1..20}; do curl -so /dev/null -w '%{time_total}\n' "$url"; done | jq -sc --argjson e "$ev" 'map(. * 1000) as $ms | $e
    | .type = "plimsoll.shard.finished.v1" | .id += ".0" | .source = "sh"
    | .data = {run: .data.run, shard: .data.shard, attempt: 0, outcome: "complete", series: [{variant: "new", temperature: "unknown", samples_ms: $ms}]}'
done
