/*
 * insist.h - the first signal asks us to stop, a later one insists.
 *
 * timeout(1) and some terminals send the same signal twice, to the process and to its group: what
 * comes within INSIST_AFTER_NS of the first is its echo.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_INSIST_H
#define PLIMSOLL_CMD_PLIMSOLL_INSIST_H

#include "common/base/clock.h"

#define INSIST_AFTER_NS (300 * NS_PER_MS)

enum insist { INSIST_FIRST, INSIST_ECHO, INSIST_AGAIN };

/* first is zeroed at the start. */
static inline enum insist insist_on(struct mono *first)
{
	struct mono now = mono_now();

	if (!first->ns) {
		*first = now;
		return INSIST_FIRST;
	}
	return mono_diff_ns(now, *first) < INSIST_AFTER_NS ? INSIST_ECHO : INSIST_AGAIN;
}

#endif
