/*
 * finish.h - the data of run.finished.
 *
 * Pure. Every function returns a new object that the caller owns (or gives to event_new).
 */
#ifndef PLIMSOLL_COLLECTOR_FINISH_H
#define PLIMSOLL_COLLECTOR_FINISH_H

#include "cmd/collector/judge.h"

/* A run that was measured. now = the time of the last event used. */
struct json *finish_judged(const struct json *plan, const struct gathered *g,
			   const struct judgement *j, struct wall now);
/* A run that never began: decision skip or refuse. */
struct json *finish_unrun(const struct json *plan, enum run_outcome outcome, struct wall now);
/* Its shards say what run.finished cannot hold; data is what was to be told, of which rev stays. */
struct json *finish_untellable(const struct json *plan, const struct json *data, const char *why,
			       struct wall now);
/* The same run, told again: copies data and sets finished_at and the next rev. */
struct json *finish_amended(const struct json *data, struct wall now);

/* What the calls of this run cost, from their billed time, in USD; NAN where there is no price. */
double finish_cost_usd(const struct gathered *g);

#endif
