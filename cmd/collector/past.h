/*
 * past.h - what the last runs of a function measured, kept for runs that have no old version to
 * call: document history/ACCOUNT/NAME of the state, written here, put into plans by the planner
 * (run.planned: past).
 *
 *	{"tests": {"compare": [{"run": "r…", "at": "…", "verdict": "no-difference",
 *		"metrics": {"response_p50": {"value": 61000, "n": 150}}}, …]}}	the oldest first
 *
 * Of a run that is to be confirmed its entry has "first" too, for the plan of its confirmation:
 * {"ended_at": "…", "environments": {"old": ["…"], "new": ["…"]}}; the next run of the test takes
 * it away again.
 *
 * n: the calls behind a value; of a share value * n of them counted. Only valid runs are kept, the
 * last PAST_RUNS_MAX of a test.
 */
#ifndef PLIMSOLL_COLLECTOR_PAST_H
#define PLIMSOLL_COLLECTOR_PAST_H

#include "cmd/collector/judge.h"

#define PAST_RUNS_MAX 20
#define PAST_TESTS_MAX 16

/* The document with this run in it, the caller's; doc may be NULL. NULL when the run does not
 * count: nothing changes. A run that is in it already takes the place of its former self. */
struct json *past_add(const struct json *doc, const struct json *plan, const struct gathered *g,
		      const struct judgement *j, struct wall at);

#endif
