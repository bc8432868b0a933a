/*
 * planned.h - runs that were planned and have not come back yet.
 *
 * The planner also says what will not run; the collector answers every plan with run.finished.
 * What has no answer at the end of the input gets one from us, so that every sink hears how it
 * ended and no old green verdict survives: a plan to test is incomplete, a refusal refused.
 *
 *	struct planned p = {0};
 *	planned_add(&p, ev);			// run.planned
 *	planned_remove(&p, run_id);		// run.finished
 *	while (planned_next(&p, now, &finished)) { ... event_release(&finished); }
 *	planned_release(&p);
 */
#ifndef PLIMSOLL_SINK_PLANNED_H
#define PLIMSOLL_SINK_PLANNED_H

#include "common/base/strmap.h"
#include "common/event/event.h"

struct planned {
	struct strmap open; /* run id -> struct json *, subject and data in short */
};

void planned_add(struct planned *p, const struct event *ev);
void planned_remove(struct planned *p, const char *run);
/* How many wait; those that are to be tested alone. */
size_t planned_count(const struct planned *p);
/* Takes the oldest out and makes its run.finished, released by the caller. False: none is left. */
bool planned_next(struct planned *p, struct wall now, struct event *out);
void planned_release(struct planned *p);

#endif
