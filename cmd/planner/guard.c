/* guard.c - concurrency and money; every refusal carries its figures. */
#include "cmd/planner/guard.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/unit.h"

#define GUESSED_CALL_MS 1000.0 /* for calls in flight, while only the timeout is known */

PRINTF_LIKE(3, 4) static void lower(struct room *room, int64_t calls, const char *fmt, ...)
{
	va_list ap;

	calls = MAX_OF(calls, INT64_C(0));
	if (calls >= room->calls)
		return;
	room->calls = (uint32_t)calls;
	va_start(ap, fmt);
	vsnprintf(room->because, sizeof(room->because), fmt, ap);
	va_end(ap);
}

void guard_room(const struct config_limits *limits, const struct concurrency *c, struct room *out)
{
	double share = 1 - limits->keep_free_ratio;
	double keep_percent = limits->keep_free_ratio * 100;
	int64_t in_use = MAX_OF(c->in_use, INT64_C(0));

	*out = (struct room){.calls = limits->concurrency, .of_account = ROOM_UNBOUND};
	snprintf(out->because, sizeof(out->because), "limits.concurrency is %u",
		 limits->concurrency);
	if (c->reserved >= 0)
		lower(out, (int64_t)floor((double)c->reserved * share),
		      "the function has %lld reserved, %g %% of it kept free",
		      (long long)c->reserved, keep_percent);
	if (c->reserved >= 0 || c->unreserved < 0)
		return;
	out->of_account =
		MAX_OF((int64_t)floor((double)c->unreserved * share) - in_use, INT64_C(0));
	lower(out, out->of_account,
	      "the account has %lld unreserved, %g %% of it kept free, %lld in use",
	      (long long)c->unreserved, keep_percent, (long long)in_use);
}

static int fit_spread(struct shape *s, const struct room *room, char why[GUARD_WHY_SIZE])
{
	uint32_t fits = room->calls / s->variants;

	if (s->variants > 1 && MIN_OF(s->spread, fits) < 2) {
		snprintf(why, GUARD_WHY_SIZE,
			 "a spread of %u cannot be judged: it needs at least 2 environments a "
			 "side, 4 "
			 "calls at once; free are %u (%s)",
			 MIN_OF(s->spread, fits), room->calls, room->because);
		return -EDQUOT;
	}
	if (fits == 0) {
		snprintf(why, GUARD_WHY_SIZE, "no call can be made: free are 0 (%s)",
			 room->because);
		return -EDQUOT;
	}
	s->spread = MIN_OF(s->spread, fits);
	return 0;
}

static int fit_others(const struct shape *s, const struct room *room, const struct call_time *call,
		      char why[GUARD_WHY_SIZE])
{
	bool is_guess = strcmp(call->basis, "timeout") == 0;
	double peak = shape_peak(s, call->ms);

	/* From the timeout alone too much would be refused; in_flight bounds it anyway. */
	if (shape_is_open(s) && is_guess)
		peak = s->variants;
	if (peak <= room->calls)
		return 0;
	snprintf(why, GUARD_WHY_SIZE, "it needs %.0f calls at once; free are %u (%s)", peak,
		 room->calls, room->because);
	return -EDQUOT;
}

/*
 * Room for twice a round, and for calls twice as slow as the last ones. More would let cold starts
 * of the warm-up pile up into environments that the plan did not ask for.
 */
static double wanted_in_flight(const struct shape *s, const struct call_time *call)
{
	bool is_guess = strcmp(call->basis, "timeout") == 0;
	double slow_ms = is_guess ? MIN_OF(call->ms, GUESSED_CALL_MS) : 2 * call->ms;

	if (!shape_is_open(s))
		return shape_peak(s, slow_ms);
	return MAX_OF(shape_peak(s, slow_ms), 2.0 * shape_round_calls(s));
}

int guard_fit(struct shape *s, const struct room *room, const struct call_time *call,
	      char why[GUARD_WHY_SIZE])
{
	bool is_burst = shape_is_open(s) && s->spread;
	int rc = is_burst ? fit_spread(s, room, why) : fit_others(s, room, call, why);

	s->in_flight = (uint32_t)MIN_OF(wanted_in_flight(s, call), (double)room->calls);
	return rc;
}

int guard_money(const struct config_limits *limits, const struct estimate *e,
		int64_t spent_micro_usd, char why[GUARD_WHY_SIZE])
{
	char cost[UNIT_TEXT_SIZE], limit[UNIT_TEXT_SIZE], spent[UNIT_TEXT_SIZE];

	unit_format_money(e->cost_micro_usd, cost);
	unit_format_money(spent_micro_usd, spent);
	if (e->requests > GUARD_CALLS_MAX) {
		snprintf(why, GUARD_WHY_SIZE, "%llu calls are more than one run may make (%llu)",
			 (unsigned long long)e->requests, (unsigned long long)GUARD_CALLS_MAX);
		return -EDQUOT;
	}
	if (e->cost_micro_usd > limits->cost_per_run_micro_usd) {
		unit_format_money(limits->cost_per_run_micro_usd, limit);
		snprintf(why, GUARD_WHY_SIZE,
			 "%llu calls of %g ms (%s) would cost %s, above limits.cost_per_run of %s",
			 (unsigned long long)e->requests, e->call.ms, e->call.basis, cost, limit);
		return -EDQUOT;
	}
	if (spent_micro_usd + e->cost_micro_usd > limits->cost_per_day_micro_usd) {
		unit_format_money(limits->cost_per_day_micro_usd, limit);
		snprintf(why, GUARD_WHY_SIZE,
			 "it would cost %s, and %s of limits.cost_per_day (%s) are spent already",
			 cost, spent, limit);
		return -ENOSPC;
	}
	return 0;
}

int64_t guard_left(const struct config_limits *limits, int64_t spent_micro_usd)
{
	return MAX_OF(MIN_OF(limits->cost_per_run_micro_usd,
			     limits->cost_per_day_micro_usd - spent_micro_usd),
		      INT64_C(0));
}

bool guard_is_paid(const struct estimate *e, int64_t left_micro_usd)
{
	return e->requests <= GUARD_CALLS_MAX && e->cost_micro_usd <= left_micro_usd;
}
