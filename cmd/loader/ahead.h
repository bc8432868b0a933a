/*
 * ahead.h - calls of an open schedule, and their requests, before they are due.
 *
 * Where every call has bytes of its own, rendering and signing them takes tens of microseconds that
 * must not stand between a due time and its send. So places are drawn ahead into a bounded ring and
 * their requests prepared in idle moments, dated by the second they are due in. What was not
 * prepared in time is prepared at once and counted as late.
 *
 *	ahead_init(&a, &schedule, &lanes, index_of);
 *	while (ahead_step(&a, now_ns)) ...		// one request each, while there is time
 *	if (ahead_next(&a, &place, &request)) ...	// request NULL: lanes_get() it now
 *	ahead_release(&a);
 *
 * Without such calls the ring is empty, and ahead_next() draws from the schedule as it always did.
 */
#ifndef PLIMSOLL_LOADER_AHEAD_H
#define PLIMSOLL_LOADER_AHEAD_H

#include "cmd/loader/lanes.h"
#include "cmd/loader/schedule.h"

struct ahead_item {
	struct place place;
	struct prepared *request; /* NULL: shared with others, or it could not be prepared */
};

struct ahead {
	struct schedule *schedule;
	struct lanes *lanes;
	const uint8_t *index_of;  /* variant -> target */
	struct wall origin;	  /* when the measured part begins: set before the first step */
	struct ahead_item *items; /* owned ring */
	uint32_t cap, first, count;
	uint32_t fresh; /* the first so many are signed with the keys of generation */
	uint64_t generation;
	bool is_at_end;
	int64_t step_ns; /* what a step takes, about: the caller's to keep */
	uint64_t late;	 /* calls that were due before their request was prepared */
};

/* Nothing is drawn yet. All are borrowed. */
void ahead_init(struct ahead *a, struct schedule *s, struct lanes *lanes,
		const uint8_t index_of[VARIANT_COUNT]);
/*
 * Prepares one more; now_ns since the start of the measured part. False when there is nothing to
 * do: the ring is full, reaches far enough, or the schedule is at its end. Where keys were changed
 * those that were signed with the old ones are signed again, the first that is due first.
 */
bool ahead_step(struct ahead *a, int64_t now_ns);
/* The next call; its request is the caller's to lanes_put(). False at the end. */
bool ahead_next(struct ahead *a, struct place *place, struct prepared **request);
/*
 * The request of a call that is sent now: the one prepared ahead if it is still good, else one
 * prepared now. prepared is given back when it is not used.
 */
MUST_CHECK int ahead_request(struct ahead *a, const struct place *place, struct wall due,
			     struct prepared *prepared, struct prepared **out,
			     char why[SHARD_WHY_SIZE]);
void ahead_release(struct ahead *a);

#endif
