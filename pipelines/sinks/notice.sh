#!/bin/sh
# A sink in ten lines of shell: a line a finished run, to a file or wherever you like.
#
#	plimsoll-sink --to exec=pipelines/sinks/notice.sh < results.ndjson
#
# Plimsoll starts it for every run.finished, with the event on standard input; a run that is amended comes again
# with a higher rev. Anything but exit code 0 is tried again, three times in all. Its environment is clean: say here
# where things are.
set -eu
jq -r '"\(.time) \(.subject): \(.data.verdict // .data.outcome) (run \(.plimsollrun))"' \
	>>"${XDG_STATE_HOME:-$HOME/.local/state}/plimsoll-notices"
