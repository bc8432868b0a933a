/*
 * rate.h - the difference of two shares (errors, throttles) with its interval (rank 2).
 *
 * Newcombe's hybrid of two Wilson score intervals (Statistics in Medicine 17 (1998), method 10),
 * which keeps its coverage near 0 and 1 where a bootstrap of few events collapses. Events come in
 * clusters (a bad minute), so the counts are first divided by the design effect that the blocks
 * show, and Student's factor for the number of blocks stands in the place of the normal one.
 * Why: docs/decisions/0010-shares-of-calls.md.
 *
 *	struct rate_block old[12], new[12];		// due and bad per block
 *	struct rate_diff d;
 *	rate_diff_init(&d, old, 12, new, 12);
 *	rate_diff_bounds(&d, 0.95, &low, &high);
 */
#ifndef PLIMSOLL_STATS_RATE_H
#define PLIMSOLL_STATS_RATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bug.h"

struct rate_block {
	uint32_t due, bad; /* bad <= due; blocks without calls are left out */
};

struct rate_side {
	double due, bad;
	double share;
	size_t blocks; /* with calls */
};

struct rate_diff {
	struct rate_side old, new;
	double design_effect; /* at least 1; what both counts are divided by */
	double df;	      /* of Student's factor */
};

/* -EDOM when a side has no calls, or fewer than two blocks. */
MUST_CHECK int rate_diff_init(struct rate_diff *d, const struct rate_block *old, size_t old_count,
			      const struct rate_block *new, size_t new_count);
void rate_diff_bounds(const struct rate_diff *d, double level, double *low, double *high);
/* The one-sided upper bound of a share of which no event was seen in due calls: the exact form of
 * the "rule of three". 1 for no calls. */
double rate_upper_of_none(double due, double level);

#endif
