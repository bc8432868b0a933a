/*
 * boot.h - the block bootstrap, and its widening by the host lottery (rank 2).
 *
 * Calls near each other in time are not independent; blocks of some seconds nearly are. Each draw
 * takes as many blocks as there are, with replacement, and asks for the statistic of what it drew.
 * The draws are a pure function of the seed, so a result is recomputable to the bit.
 *
 *	struct boot b;
 *	boot_run(&b, block_count, boot_seed(run_id), statistic, ctx);
 *	boot_bounds(&b, 0.95, &low, &high);
 *	boot_widen(0.95, 0.05, 16, estimate, &low, &high);
 *	boot_release(&b);
 */
#ifndef PLIMSOLL_STATS_BOOT_H
#define PLIMSOLL_STATS_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bug.h"

#define BOOT_DRAWS 10000

/* times[i]: how often block i was drawn. Not finite = this draw has no value and is left out. */
typedef double boot_statistic_fn(const uint32_t *times, size_t block_count, void *ctx);

struct boot {
	double *values; /* owned, sorted */
	size_t count;
};

void boot_run(struct boot *b, size_t block_count, uint64_t seed, boot_statistic_fn *statistic,
	      void *ctx);
/* The percentile interval. -EDOM when fewer than half of the draws had a value. */
MUST_CHECK int boot_bounds(const struct boot *b, double level, double *low, double *high);
void boot_release(struct boot *b);

/*
 * Each half of the interval becomes sqrt(half^2 + (z * lottery * sqrt(2 / environments))^2), z =
 * 1.96 at 0.95: versions of equal code differ by the machines they landed on, which blocks cannot
 * show. lottery is the spread from host to host in the statistic's own scale.
 */
void boot_widen(double level, double lottery, double environments, double estimate, double *low,
		double *high);

/* FNV-1a over the text, then one step of splitmix64. */
uint64_t boot_seed(const char *text);

struct boot_value {
	double value;
	uint32_t block;
};

/* The values of one side, made ready for the same question of many draws. */
struct boot_sample {
	struct boot_value *sorted; /* owned */
	size_t count, block_count;
	double q;
	size_t start;		/* the quantile of a draw lies near this one */
	uint32_t *in_block;	/* how many values block b has */
	uint32_t *before_start; /* ... and how many of them stand before start */
};

/* Takes the values, in any order; every block is below block_count. */
void boot_sample_init(struct boot_sample *s, struct boot_value *values_take, size_t count,
		      size_t block_count, double q);
void boot_sample_release(struct boot_sample *s);
/* The weighted quantile q (lower of the middle two is averaged with the upper); NAN when empty.
 * times NULL counts each block once. */
double boot_sample_quantile(const struct boot_sample *s, const uint32_t *times);
double boot_sample_mean(const struct boot_sample *s, const uint32_t *times);

#endif
