#!/usr/bin/env bash
# k6-loader.sh - k6 in the place of plimsoll-loader (http targets).
#
#	... | plimsoll-planner | pipelines/k6-loader.sh | plimsoll-collector | plimsoll-sink
#
# Both variants run at the same time, each at half the planned rate, open model. k6 says how long
# each call took; it does not say which calls were late, so the run ends as suspect/no-self-check
# and is compared when both variants bring at least 200 samples. Calls that k6 left out because all
# its users were waiting are told on standard error: the slower variant then looks better than it
# is. Tried with k6 v1.8.1.
set -euo pipefail
here=$(dirname "$0")
k6=${K6:-k6}
command -v "$k6" >/dev/null || { echo "k6-loader: k6 is not installed; set K6=/path/to/k6" >&2; exit 100; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

measure() { # the event on stdin, shard.finished on stdout
  cat >"$work/shard.json"
  rm -f "$work/points.json"
  PLAN=$work/shard.json "$k6" run --quiet --no-usage-report --out "json=$work/points.json" "$here/k6-loader.js" >&2 </dev/null || true
  jq -sr 'map(select(.type == "Point" and .metric == "dropped_iterations") | .data.value) | add // 0
    | select(. > 0) | "k6-loader: k6 left out \(.) calls that were due; give it more in flight"' "$work/points.json" >&2
  jq -sc --slurpfile e "$work/shard.json" --arg version "$("$k6" version | cut -d' ' -f2)" '
    map(select(.type == "Point" and .metric == "http_req_duration" and .data.tags.expected_response == "true"))
    | group_by(.data.tags.scenario)
    | map({variant: .[0].data.tags.scenario, temperature: "unknown", samples_ms: (map(.data.value) | .[:10000])}) as $series
    | $e[0] | .type = "plimsoll.shard.finished.v1" | .id += ".0" | .source = "k6"
    | .data = {run: .data.run, shard: .data.shard, attempt: 0, tool: {name: "k6", version: $version},
               outcome: (if ($series | length) > 0 then "complete" else "error" end),
               reason: (if ($series | length) > 0 then "" else "k6 measured no good answer" end), series: $series}' "$work/points.json"
}

while IFS= read -r ev; do
  case $ev in
    *'"plimsoll.shard.planned.v1"'*) measure <<<"$ev" ;;
    *) printf '%s\n' "$ev" ;;
  esac
done
