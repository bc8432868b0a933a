/*
 * boot.c - draws of blocks, and quantiles of a draw.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/stats/boot.h"
#include "common/stats/quantile.h"
#include "common/stats/welch.h"

void boot_run(struct boot *b, size_t block_count, uint64_t seed, boot_statistic_fn *statistic,
	      void *ctx)
{
	struct rng rng = {seed};
	uint32_t *times = x_calloc(block_count + 1, sizeof(*times));

	*b = (struct boot){.values = x_calloc(BOOT_DRAWS, sizeof(*b->values))};
	for (int draw = 0; block_count > 0 && draw < BOOT_DRAWS; draw++) {
		memset(times, 0, block_count * sizeof(*times));
		for (size_t i = 0; i < block_count; i++)
			times[rng_below(&rng, block_count)]++;
		double value = statistic(times, block_count, ctx);

		if (isfinite(value))
			b->values[b->count++] = value;
	}
	quantile_sort(b->values, b->count);
	free(times);
}

int boot_bounds(const struct boot *b, double level, double *low, double *high)
{
	if (b->count < BOOT_DRAWS / 2)
		return -EDOM;
	*low = quantile_of_sorted(b->values, b->count, (1 - level) / 2);
	*high = quantile_of_sorted(b->values, b->count, (1 + level) / 2);
	return 0;
}

void boot_release(struct boot *b)
{
	free(b->values);
	*b = (struct boot){0};
}

void boot_widen(double level, double lottery, double environments, double estimate, double *low,
		double *high)
{
	double term = student_factor(level, (double)INFINITY) * lottery * sqrt(2 / environments);
	/* A skewed sample can leave the estimate outside of its own interval. */
	double below = fmax(estimate - *low, 0), above = fmax(*high - estimate, 0);

	*low = estimate - sqrt(below * below + term * term);
	*high = estimate + sqrt(above * above + term * term);
}

uint64_t boot_seed(const char *text)
{
	struct rng rng = {UINT64_C(0xcbf29ce484222325)};

	for (const char *c = text; *c; c++)
		rng.state = (rng.state ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	return rng_next(&rng);
}

static int by_value(const void *a, const void *b)
{
	const struct boot_value *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return (x->block > y->block) - (x->block < y->block);
}

void boot_sample_init(struct boot_sample *s, struct boot_value *values_take, size_t count,
		      size_t block_count, double q)
{
	*s = (struct boot_sample){.sorted = values_take, .count = count, .q = q};
	s->block_count = block_count;
	s->in_block = x_calloc(block_count + 1, sizeof(*s->in_block));
	s->before_start = x_calloc(block_count + 1, sizeof(*s->before_start));
	if (count == 0)
		return;
	qsort(s->sorted, count, sizeof(*s->sorted), by_value);
	s->start = (size_t)(q * (double)(count - 1));
	for (size_t i = 0; i < count; i++) {
		BUG_ON(s->sorted[i].block >= block_count);
		s->in_block[s->sorted[i].block]++;
		s->before_start[s->sorted[i].block] += i < s->start;
	}
}

void boot_sample_release(struct boot_sample *s)
{
	free(s->sorted);
	free(s->in_block);
	free(s->before_start);
	*s = (struct boot_sample){0};
}

static uint64_t weight_of(const struct boot_value *v, const uint32_t *times)
{
	return times ? times[v->block] : 1;
}

/* How many values a draw has of those that are counted by block. */
static uint64_t drawn(const struct boot_sample *s, const uint32_t *counts, const uint32_t *times)
{
	uint64_t sum = 0;

	for (size_t b = 0; b < s->block_count; b++)
		sum += (uint64_t)counts[b] * (times ? times[b] : 1);
	return sum;
}

/*
 * The value at a place of the drawn sample lies near the one at the same share of the whole
 * sample, so the search goes up or down from there: a few steps instead of half of all values.
 * seen is left at the number of drawn values up to and with that one.
 */
static size_t at_place(const struct boot_sample *s, const uint32_t *times, uint64_t place,
		       uint64_t *seen)
{
	size_t i = s->start;

	*seen = drawn(s, s->before_start, times);
	while (*seen > place)
		*seen -= weight_of(&s->sorted[--i], times);
	while ((*seen += weight_of(&s->sorted[i], times)) <= place)
		i++;
	return i;
}

double boot_sample_quantile(const struct boot_sample *s, const uint32_t *times)
{
	uint64_t total = drawn(s, s->in_block, times), seen;

	if (total == 0)
		return (double)NAN;
	/* The place in the drawn sample, as quantile_of_sorted has it: between two neighbours. */
	double place = s->q * (double)(total - 1);
	uint64_t below = (uint64_t)place;
	double between = place - (double)below;
	size_t i = at_place(s, times, below, &seen);
	double low = s->sorted[i].value;

	if (between <= 0 || seen > below + 1)
		return low;
	for (i++; weight_of(&s->sorted[i], times) == 0;)
		i++;
	return low + between * (s->sorted[i].value - low);
}

double boot_sample_mean(const struct boot_sample *s, const uint32_t *times)
{
	uint64_t total = 0;
	double sum = 0;

	for (size_t i = 0; i < s->count; i++) {
		uint64_t weight = weight_of(&s->sorted[i], times);

		total += weight;
		sum += (double)weight * s->sorted[i].value;
	}
	return total == 0 ? (double)NAN : sum / (double)total;
}
