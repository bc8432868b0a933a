/*
 * plan.h - the pure core: (event, configuration, ledger) -> decisions. No I/O, no clock.
 *
 * One change gives one plan for each test that its rule names; a plan says test, skip or refuse,
 * with the reason in words and figures. The event's time is the only "now".
 *
 *	struct plan_list list = {0};
 *	plan_make(&input, &list);
 *	for (size_t i = 0; i < list.count; i++)
 *		emit(&list.items[i]);
 *	plan_list_release(&list);
 *
 * DIAGNOSTICS
 *	There is no failure: what cannot be planned is a plan that skips or refuses and says why.
 */
#ifndef PLIMSOLL_PLANNER_PLAN_H
#define PLIMSOLL_PLANNER_PLAN_H

#include "common/config/config.h"
#include "common/digest/digest.h"
#include "common/event/event.h"

enum decision { DECIDE_TEST, DECIDE_SKIP, DECIDE_REFUSE };

struct plan_options { /* of the command line; all may be empty */
	const char *old_qualifier, *new_qualifier;
	const char *test;     /* instead of what the rule names */
	const char *purpose;  /* "manual", "confirm", "calibrate"; NULL = by the change's kind */
	const char *confirms; /* the run that a confirm repeats */
	const char *payload;  /* instead of the rule's; NULL = none given */
	size_t payload_bytes;
	bool is_dry_run; /* decide and estimate, but nothing is to run */
};

struct plan_input {		   /* all borrowed */
	const struct event *event; /* function.changed; with a run: that run is to be confirmed */
	const struct config *config;
	const struct plan_options *options;
	const char *endpoint;	       /* of the account's Lambda; NULL for http */
	const struct json *past;       /* what was planned for this function before; ledger.h */
	const struct json *history;    /* what was measured before; ledger.h */
	const struct json *accepted;   /* the baseline that a person accepted; NULL = none */
	const struct json *calibrated; /* what calibrate measured; NULL = nothing */
	double call_ms;		       /* how long a call took in the last run; 0 = not known */
	int64_t spent_micro_usd;       /* on the day of the event, by the ledger */
};

struct plan {
	char run_id[DIGEST_ID_SIZE];
	enum decision decision;
	char *test;	      /* name */
	struct json *run;     /* data of run.planned */
	struct json **shards; /* data of shard.planned, by index; none unless it is to run */
	size_t shard_count;
	int64_t cost_micro_usd;	 /* to be reserved; 0 unless it is to run */
	int64_t spent_micro_usd; /* of the day, when it was planned */
	bool is_day_spent;	 /* refused: the day's money would not do */
	bool is_repeat;		 /* planned before, by the same cause: reserved already */
};

struct plan_list {
	struct plan *items;
	size_t count;
};

void plan_make(const struct plan_input *in, struct plan_list *out);
void plan_list_release(struct plan_list *list);

#endif
