/*
 * slice.h - a run cut into shards, one for each loader that is to carry it. Pure.
 *
 * Every shard calls both versions. Whole numbers are divided so that the sums are right, the
 * remainders go to the first shards. With a spread each shard has the share of the rate that it
 * has of the spread: then the rounds of all shards last equally long and fall together, and as
 * many environments answer at once as of one loader.
 *
 *	uint32_t of = slice_count(&shape);
 *	for (uint32_t i = 0; i < of; i++)
 *		slice_cut(&shape, i, of, &slice);
 */
#ifndef PLIMSOLL_PLANNER_SLICE_H
#define PLIMSOLL_PLANNER_SLICE_H

#include "cmd/planner/estimate.h"

#define SLICES_MAX 16 /* as settings allow for shards: */

struct slice {
	struct config_test test; /* the run's with a share of its figures; texts are borrowed */
	struct shape shape;	 /* its test is the one above: not to be copied apart from it */
};

/*
 * How many shards the test asks for, less where there is too little to share: each needs an
 * environment of each version, or a round of calls, or a user of each. At least 1.
 */
uint32_t slice_count(const struct shape *s);
void slice_cut(const struct shape *s, uint32_t index, uint32_t of, struct slice *out);
/* What all shards together will take. */
void slices_estimate(const struct shape *s, uint32_t of, const struct call_time *call,
		     const struct price *price, struct estimate *out);

#endif
