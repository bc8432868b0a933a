/*
 * ledger.h - what the planner remembers: money of the day, and the last plan of every test. Pure
 * documents; planner.c keeps them under the state's keys.
 *
 *	planner/spent			{"day": "2026-11-22", "micro_usd": 12345}
 *	planner/functions/ACCOUNT/NAME	{"tests": {"compare": {"at": "2026-...Z", "run": "r..."}}}
 *					(and "confirms", the run that it repeats; "spent_micro_usd",
 *					what the day had spent before, to cut a repeat alike)
 *	durations/ACCOUNT/NAME		{"call_ms": 61.0}	written by the collector
 *	history/ACCOUNT/NAME		{"tests": {"compare": [{"run", "verdict", "metrics"}, ...]}}
 *					written by the collector: its valid runs, the oldest first
 *	calibrated/ACCOUNT/NAME		{"lottery": 0.07, "runs": 10}
 *					written by plimsoll calibrate
 *	accepted/ACCOUNT/NAME		{"version": "2", "code_sha256": "...", "run": "r..."}
 *					written by plimsoll accept: the baseline until the next one
 *
 * Days are UTC days of the events, so that a recorded input spends the same again. What a run
 * really cost is not seen in a pipe: the estimate stays booked.
 */
#ifndef PLIMSOLL_PLANNER_LEDGER_H
#define PLIMSOLL_PLANNER_LEDGER_H

#include "cmd/planner/plan.h"

#define LEDGER_SPENT_KEY "planner/spent"
#define LEDGER_KEY_SIZE 192

/* "planner/functions/prod/hello" of LEDGER_FUNCTIONS and a subject. */
#define LEDGER_FUNCTIONS "planner/functions"
#define LEDGER_DURATIONS "durations"
#define LEDGER_HISTORY "history"
#define LEDGER_ACCEPTED "accepted"
#define LEDGER_CALIBRATED "calibrated"
void ledger_key(const char *folder, const char *subject, char out[LEDGER_KEY_SIZE]);

/* Micro-dollars booked on that time's day; 0 for another day. doc may be NULL. */
int64_t ledger_spent(const struct json *doc, struct wall at);
/* The document with so much more booked; a new day starts at 0. The caller's to free. */
struct json *ledger_spend(const struct json *doc, struct wall at, int64_t micro_usd);
/* The function's document with this plan in it. The caller's to free. */
struct json *ledger_note_plan(const struct json *doc, struct wall at, const struct plan *plan);
/* What a confirmation of run has to know of it (past.h of the collector); borrowed, or NULL. */
const struct json *ledger_first(const struct json *history, const char *test, const char *run);
/*
 * The runs of this test that a further one can be held against, the caller's: none that was worse,
 * unless a person accepted it, and none before the one that was accepted last. Both may be NULL.
 */
struct json *ledger_past(const struct json *history, const struct json *accepted, const char *test);

#endif
