/*
 * guard.h - how much may be done at once, and what it may cost. Pure.
 *
 *	struct room room;
 *	guard_room(&limits, &concurrency, &room);
 *	rc = guard_fit(&shape, &room, why);	// may lower the spread; -EDQUOT: refused, why says
 */
#ifndef PLIMSOLL_PLANNER_GUARD_H
#define PLIMSOLL_PLANNER_GUARD_H

#include "cmd/planner/estimate.h"
#include "common/config/config.h"

#define GUARD_WHY_SIZE 400
#define ROOM_WHY_SIZE 160

struct concurrency { /* as the event says; -1 = not said */
	int64_t unreserved, reserved, in_use;
};

#define ROOM_UNBOUND (-1)

struct room {
	uint32_t calls;		     /* that may be in flight at once */
	int64_t of_account;	     /* of these, what all runs of the account share; or UNBOUND */
	char because[ROOM_WHY_SIZE]; /* "32 by limits.concurrency" */
};

/* The smallest of: the configuration's limit, what the account (or the function's reservation)
 * has, less what is to be kept free. */
void guard_room(const struct config_limits *limits, const struct concurrency *c, struct room *out);

/*
 * Makes the shape fit: a spread is lowered, and in_flight set. -EDQUOT with why when even the
 * least that can be judged does not fit.
 */
MUST_CHECK int guard_fit(struct shape *s, const struct room *room, const struct call_time *call,
			 char why[GUARD_WHY_SIZE]);

#define GUARD_CALLS_MAX UINT64_C(4000000) /* what one loader takes */

/* -EDQUOT with why when the plan costs more than a limit leaves; -ENOSPC: than the day leaves. */
MUST_CHECK int guard_money(const struct config_limits *limits, const struct estimate *e,
			   int64_t spent_micro_usd, char why[GUARD_WHY_SIZE]);
/* What the limits leave for one run. */
int64_t guard_left(const struct config_limits *limits, int64_t spent_micro_usd);
/* Whether so much money, and a loader, do for it. */
bool guard_is_paid(const struct estimate *e, int64_t left_micro_usd);

#endif
