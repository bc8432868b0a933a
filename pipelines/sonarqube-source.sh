#!/usr/bin/env bash
# sonarqube-source.sh - a collector source: run.planned on stdin, one measurement a line on stdout.
#
#	sources: {sonar: {exec: pipelines/sonarqube-source.sh, secrets: {SONAR_TOKEN_FILE: credential:sonar}}}
#
# SONAR is the server; the token is read from the file that the collector names, never from argv.
set -euo pipefail
[ -z "${SONAR_TOKEN_FILE:-}" ] || SONAR_TOKEN=$(<"$SONAR_TOKEN_FILE")
key=$(jq -r '.subject | sub("/"; ":")')
curl -fsS -K <(printf 'user = "%s:"\n' "$SONAR_TOKEN") "$SONAR/api/measures/component?component=$key&metricKeys=coverage,code_smells" |
  jq -c '.component.measures[] | {name: .metric, value: (.value|tonumber), unit: "1"}'
