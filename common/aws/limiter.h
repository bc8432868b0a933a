/*
 * limiter.h - one rate limit shared by all processes that call one account (rank 3).
 *
 * A file of 64 bytes under flock holds the time of the next free slot (CLOCK_BOOTTIME, so that
 * processes agree). Each take reserves the next slot and says how long to wait for it. Without a
 * folder the limit holds for this process only.
 *
 *	struct limiter *l;
 *	rc = limiter_open("/var/lib/plimsoll", "prod", 3.0, &l);
 *	int64_t wait_ns = limiter_reserve(l);	// never blocks longer than the flock
 *	rc = limiter_wait(l, is_stopped, ctx);	// or: reserve and sleep
 *
 * DIAGNOSTICS
 *	limiter_open: -errno when the folder or file cannot be made. A file that is damaged or from
 *	an earlier boot is started anew. limiter_wait: -ECANCELED when stopped.
 */
#ifndef PLIMSOLL_AWS_LIMITER_H
#define PLIMSOLL_AWS_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bug.h"

#define LIMITER_PER_S 3.0 /* calls a second and account, docs/CREDENTIALS.md */

struct limiter;

/* dir may be NULL (this process only). The file is <dir>/limit-<account>. The caller closes it. */
MUST_CHECK int limiter_open(const char *dir, const char *account, double per_s,
			    struct limiter **out);
void limiter_close(struct limiter *l);
/* Takes the next slot; nanoseconds until it begins (0 = now). */
int64_t limiter_reserve(struct limiter *l);
/* The service said "slow down": nobody gets a slot for this long. At most a minute. */
void limiter_penalise(struct limiter *l, int64_t for_ms);
/* Reserves and sleeps until the slot, asking is_stopped (may be NULL) at least every 100 ms. */
MUST_CHECK int limiter_wait(struct limiter *l, bool (*is_stopped)(void *ctx), void *ctx);

#endif
