/*
 * diff.h - the pure core of the watcher: what changed, is it quiet, is it gone. No I/O, no clock.
 *
 *	uint32_t causes = diff_causes(&known, &now);	// bits of enum cause
 *	if (!causes && diff_is_deployed_again(&known, &now))
 *		causes = DIFF_BIT(CAUSE_CODE);
 *	const char *kind = diff_kind(causes);
 */
#ifndef PLIMSOLL_CMD_WATCHER_DIFF_H
#define PLIMSOLL_CMD_WATCHER_DIFF_H

#include "cmd/watcher/known.h"
#include "common/config/config.h"

#define DIFF_BIT(cause) (1u << (cause))

/* False: nothing at all happened to it since; what a list tells is enough to know. */
bool diff_is_touched(const struct known *old, const struct lambda_function *now);
/* Bits of enum cause: everything that differs. A handler or package type counts as code. */
uint32_t diff_causes(const struct known *old, const struct lambda_function *now);
/*
 * Equal settings, and yet a new deployment: changed from A to B and back to A, deleted and made
 * again, or the same bytes uploaded once more. An edit of the description and its like is none.
 */
bool diff_is_deployed_again(const struct known *old, const struct lambda_function *now);
/* function.changed data.change.kind of these causes: "added", "code", "config" or "alias". */
const char *diff_kind(uint32_t causes);

/*
 * How long to wait until quiet_ms have passed since the last edit: 0 = it is quiet. The service's
 * clock is believed only as far as the wait stays within 0 and quiet_ms.
 */
int64_t diff_quiet_left_ms(struct wall modified_at, struct wall now, int64_t quiet_ms);

/* X: what to do about a function that a whole list did not hold */
enum diff_gone {
	DIFF_GONE_REMEMBER, /* the first time: remember when */
	DIFF_GONE_WAIT,	    /* not long enough ago */
	DIFF_GONE_CONFIRM,  /* ask for it by name, then say that it is removed */
};
enum diff_gone diff_gone(const struct known *old, struct wall now, int64_t not_found_after_ms);

#endif
