/*
 * lottery.h - how much versions of equal code differ by the hosts they landed on, measured with
 * runs of two copies of the same code (rank 2).
 *
 * The true difference of such runs is 0, so what they show is lottery and noise. With E
 * environments a side and a lottery of l from host to host (in log time) a difference has the
 * variance 2 l^2 / E + b^2, b its error within the run:
 *
 *	environments known	Welch's standard error is the spread between environments already:
 *				l^2 = mean(se^2 E / 2)
 *	unknown			b from the bootstrap over blocks: l^2 = mean((d^2 - b^2) E / 2),
 *				not below 0. Environments that live on from run to run show their
 *				one draw again and again: few fresh ones say little.
 *
 *	struct lottery_run runs[10];
 *	lottery = lottery_of(runs, 10);
 */
#ifndef PLIMSOLL_STATS_LOTTERY_H
#define PLIMSOLL_STATS_LOTTERY_H

#include <stdbool.h>
#include <stddef.h>

struct lottery_run {
	double diff; /* log of the ratio; truth 0 */
	double se;   /* its standard error within the run */
	double environments;
	bool are_known; /* se comes from the spread between environments */
};

/* NAN without runs. */
double lottery_of(const struct lottery_run *runs, size_t count);
/* How far off a difference of such runs is by the lottery alone (one standard deviation). */
double lottery_error(double lottery, double environments);

#endif
