/*
 * shape.h - the named shapes of a load, as the stages that make them (rank 2). Pure.
 *
 *	increasing	from the base to the peak in one straight line
 *	triangle	to the peak at half of the time, and back
 *	spike		40 % of the time at the base, 20 % at the peak, 40 % at the base; jumps
 *between
 *	random		equal steps of about a second or more, at most 49, each at a level drawn
 *evenly between base and peak from splitmix64 of the seed
 *
 * A shape is of a rate or of a number of users; what comes out is plain stages, which is all that
 * loaders know.
 *
 *	struct ramp r;
 *	if (shape_make("triangle", 10, 100, 60000, seed, &r) == 0)
 *		...
 */
#ifndef PLIMSOLL_MEASURE_SHAPE_H
#define PLIMSOLL_MEASURE_SHAPE_H

#include <stdint.h>

#include "common/base/bug.h"
#include "common/measure/ramp.h"

#define SHAPE_WORDS "increasing random triangle spike"
#define SHAPE_BASE_RATIO 0.1 /* of the peak: the base, where none is given */

/* -EINVAL: a name that is not known. */
MUST_CHECK int shape_make(const char *name, double base, double peak, int64_t duration_ms,
			  uint64_t seed, struct ramp *out);

#endif
