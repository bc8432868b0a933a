/*
 * change.h - where a series of figures changed its level (rank 2).
 *
 * Binary segmentation: the split with the largest between-group F statistic is looked at; it counts
 * when a random order of the same values reaches it in less than CHANGE_LEVEL of the draws, and
 * then both parts are looked at. Being a permutation test of the maximum over all splits it keeps
 * its level whatever the distribution of the values and however long the series: a flat series
 * gives a point in CHANGE_LEVEL of all cases. The idea is that of E-divisive (Matteson and James,
 * 2014) as used by Hunter (Fleming et al., 2023), with an F statistic in the place of the energy
 * distance. Values that hang together in time give more points than that.
 *
 * A pure function of the values and the seed.
 *
 *	struct change_point points[CHANGE_POINTS_MAX];
 *	size_t n = change_points(log_values, count, seed, points);
 */
#ifndef PLIMSOLL_STATS_CHANGE_H
#define PLIMSOLL_STATS_CHANGE_H

#include <stddef.h>
#include <stdint.h>

#define CHANGE_LEVEL 0.03
#define CHANGE_DRAWS 999
#define CHANGE_POINTS_MAX 64
#define CHANGE_SERIES_MAX 1000 /* longer ones: the last so many */

struct change_point {
	size_t at;	      /* the first value of the new level */
	double p;	      /* share of random orders that look as changed */
	double before, after; /* means of the two levels, in the scale of the values */
};

/* In the order of the series; count is at most CHANGE_SERIES_MAX. Returns how many. */
size_t change_points(const double *values, size_t count, uint64_t seed,
		     struct change_point out[CHANGE_POINTS_MAX]);

#endif
