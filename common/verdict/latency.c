/*
 * latency.c - the difference in time (memory, cost) between the variants, with its interval.
 *
 * Values are centred on their round first, so that drift and noisy minutes, which hit both
 * variants alike, fall out. Then the environments' statistics are compared where environments are
 * known, else blocks are drawn (docs/MEASURING.md).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/verdict/metric.h"
#include "common/stats/quantile.h"

/* An environment counts for a median once it has given this many values (docs/MEASURING.md). */
#define ENVIRONMENT_CALLS_MIN 5
/* ... and for a higher quantile once this many lie beyond it. */
#define ENVIRONMENT_BEYOND_MIN 1.0
/* Under this mean the ids are no environments: every call has its own. */
#define ENVIRONMENT_MEAN_MIN 3.0
/* Environments are known when this share of the calls names one. */
#define ENVIRONMENT_KNOWN_SHARE 0.9
#define BOOT_BLOCKS_MIN 24

enum scale { SCALE_LOG, SCALE_ABS, SCALE_COUNT };

struct point {
	double value[SCALE_COUNT];
	uint32_t round, block, environment;
};

struct side {
	struct point *points;
	size_t count;
};

struct sides {
	struct side of[VARIANT_COUNT];
};

/* Calls that count for this figure. Cold starts happen before the measured part too. */
static bool counts(const struct measured *m, const struct metric_spec *spec, const struct sample *s)
{
	if (s->outcome != OUT_OK || s->value[spec->figure] <= 0)
		return false;
	if (figure_is_start(spec->figure))
		return true;
	return !s->is_warmup && measured_is_on_basis(m, s->temperature);
}

static void collect(const struct measured *m, const struct metric_spec *spec, struct sides *out)
{
	for (int v = 0; v < VARIANT_COUNT; v++)
		out->of[v].points = x_calloc(m->count + 1, sizeof(struct point));
	for (size_t i = 0; i < m->count; i++) {
		const struct sample *s = &m->samples[i];
		struct side *side = &out->of[s->variant];
		double value = s->value[spec->figure];

		if (counts(m, spec, s))
			side->points[side->count++] = (struct point){
				{log(value), value}, s->round, s->block, s->environment};
	}
}

static int by_round(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	if (x->round != y->round)
		return x->round < y->round ? -1 : 1;
	return (x->value[SCALE_ABS] > y->value[SCALE_ABS]) -
	       (x->value[SCALE_ABS] < y->value[SCALE_ABS]);
}

/* The median of each round, by round number; NAN where the variant has no call in it. */
static double *round_medians(struct side *side, size_t round_count, enum scale scale)
{
	double *medians = x_calloc(round_count + 1, sizeof(*medians));
	double *values = x_calloc(side->count + 1, sizeof(*values));

	for (size_t i = 0; i < round_count; i++)
		medians[i] = (double)NAN;
	qsort(side->points, side->count, sizeof(*side->points), by_round);
	for (size_t i = 0, k; i < side->count; i = k) {
		for (k = i; k < side->count && side->points[k].round == side->points[i].round; k++)
			values[k - i] = side->points[k].value[scale];
		medians[side->points[i].round] = quantile_of_sorted(values, k - i, 0.5);
	}
	free(values);
	return medians;
}

/*
 * The centre of a round is the middle between the two variants' medians, not the median of all
 * its calls: with versions far apart that one jumps from the one group to the other with every
 * call that is missing. docs/decisions/0011-centre-of-a-round.md.
 */
static void centre_on(struct sides *sides, enum scale scale, size_t round_count)
{
	double *old = round_medians(&sides->of[VARIANT_OLD], round_count, scale);
	double *new = round_medians(&sides->of[VARIANT_NEW], round_count, scale);

	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct side *side = &sides->of[v];

		for (size_t i = 0; i < side->count; i++) {
			uint32_t r = side->points[i].round;

			side->points[i].value[scale] -= (old[r] + new[r]) / 2;
		}
	}
	free(old);
	free(new);
}

/* Calls of rounds in which the other variant has none have no centre. */
static void drop_uncentred(struct sides *sides)
{
	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct side *side = &sides->of[v];
		size_t kept = 0;

		for (size_t i = 0; i < side->count; i++) {
			if (!isnan(side->points[i].value[SCALE_ABS]))
				side->points[kept++] = side->points[i];
		}
		side->count = kept;
	}
}

static bool is_centred(const struct metric_spec *spec)
{
	return spec->stat == STAT_QUANTILE && !figure_is_start(spec->figure);
}

static void centre(const struct measured *m, struct sides *sides)
{
	centre_on(sides, SCALE_LOG, m->round_count);
	centre_on(sides, SCALE_ABS, m->round_count);
	drop_uncentred(sides);
}

static int by_environment(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	return (x->environment > y->environment) - (x->environment < y->environment);
}

/* Enough calls name one, and each has answered often enough to be one. */
static bool are_environments(struct side *side)
{
	size_t known = 0, distinct = 0;
	uint32_t last = 0;

	qsort(side->points, side->count, sizeof(*side->points), by_environment);
	for (size_t i = 0; i < side->count; i++) {
		uint32_t e = side->points[i].environment;

		known += e != 0;
		distinct += e != 0 && e != last;
		last = e;
	}
	return known > 0 && (double)known >= ENVIRONMENT_KNOWN_SHARE * (double)side->count &&
	       (double)known / (double)distinct >= ENVIRONMENT_MEAN_MIN;
}

/* The statistic of these points, in both scales. */
static void statistic_of(const struct metric_spec *spec, const struct point *points, size_t count,
			 double out[SCALE_COUNT])
{
	double *values = x_calloc(count + 1, sizeof(*values));
	double sum = 0;

	if (spec->stat == STAT_MEAN) {
		for (size_t i = 0; i < count; i++)
			sum += points[i].value[SCALE_ABS];
		out[SCALE_ABS] = sum / (double)count;
		out[SCALE_LOG] = log(out[SCALE_ABS]);
	} else {
		for (int s = 0; s < SCALE_COUNT; s++) {
			for (size_t i = 0; i < count; i++)
				values[i] = points[i].value[s];
			out[s] = quantile_in_place(values, count, spec->q);
		}
	}
	free(values);
}

static size_t calls_needed(const struct metric_spec *spec)
{
	/* One start is all that an environment ever has. */
	if (figure_is_start(spec->figure))
		return 1;
	if (spec->stat == STAT_MEAN)
		return ENVIRONMENT_CALLS_MIN;
	return MAX_OF(ENVIRONMENT_CALLS_MIN,
		      (size_t)ceil(ENVIRONMENT_BEYOND_MIN / (1 - spec->q) - 1e-9));
}

/* One value an environment with calls enough; returns how many. side is in their order. */
static size_t environment_values(const struct metric_spec *spec, const struct side *side,
				 double *log_values, double *abs_values)
{
	bool each_alone = figure_is_start(spec->figure);
	size_t count = 0;

	for (size_t i = 0, k; i < side->count; i = k) {
		uint32_t e = side->points[i].environment;
		double value[SCALE_COUNT];

		for (k = i + 1; k < side->count && !each_alone; k++) {
			if (side->points[k].environment != e)
				break;
		}
		if ((e == 0 && !each_alone) || k - i < calls_needed(spec))
			continue;
		statistic_of(spec, &side->points[i], k - i, value);
		log_values[count] = value[SCALE_LOG];
		abs_values[count++] = value[SCALE_ABS];
	}
	return count;
}

static bool by_environments(const struct metric_spec *spec, struct sides *sides, struct estimate *e)
{
	double *values[VARIANT_COUNT][SCALE_COUNT];
	size_t count[VARIANT_COUNT];
	bool is_done = false;

	for (int v = 0; v < VARIANT_COUNT; v++) {
		const struct side *side = &sides->of[v];

		for (int s = 0; s < SCALE_COUNT; s++)
			values[v][s] = x_calloc(side->count + 1, sizeof(double));
		count[v] =
			environment_values(spec, side, values[v][SCALE_LOG], values[v][SCALE_ABS]);
	}
	e->environments_old = count[VARIANT_OLD];
	e->environments_new = count[VARIANT_NEW];
	if (welch_init(&e->log_welch, values[VARIANT_OLD][SCALE_LOG], count[VARIANT_OLD],
		       values[VARIANT_NEW][SCALE_LOG], count[VARIANT_NEW]) == 0 &&
	    welch_init(&e->abs_welch, values[VARIANT_OLD][SCALE_ABS], count[VARIANT_OLD],
		       values[VARIANT_NEW][SCALE_ABS], count[VARIANT_NEW]) == 0) {
		e->basis = BASIS_ENVIRONMENTS;
		e->diff = expm1(e->log_welch.diff);
		e->diff_abs = e->abs_welch.diff;
		is_done = true;
	}
	for (int v = 0; v < VARIANT_COUNT; v++) {
		for (int s = 0; s < SCALE_COUNT; s++)
			free(values[v][s]);
	}
	return is_done;
}

/* What a draw of blocks is asked. */
struct drawn {
	const struct metric_spec *spec;
	struct boot_sample of[VARIANT_COUNT];
	enum scale scale;
};

static double drawn_difference(const uint32_t *times, size_t block_count, void *ctx)
{
	const struct drawn *d = ctx;
	double of[VARIANT_COUNT];

	(void)block_count;
	for (int v = 0; v < VARIANT_COUNT; v++) {
		if (d->spec->stat == STAT_MEAN)
			of[v] = boot_sample_mean(&d->of[v], times);
		else
			of[v] = boot_sample_quantile(&d->of[v], times);
		/* The mean is taken before its logarithm. */
		if (d->spec->stat == STAT_MEAN && d->scale == SCALE_LOG)
			of[v] = log(of[v]);
	}
	return of[VARIANT_NEW] - of[VARIANT_OLD];
}

/* Returns the difference without drawing; fills the draws when there are blocks enough. */
static double draw(const struct measured *m, const struct metric_spec *spec,
		   const struct sides *sides, enum scale scale, uint64_t seed, struct boot *out)
{
	struct drawn d = {.spec = spec, .scale = scale};
	enum scale taken = spec->stat == STAT_MEAN ? SCALE_ABS : scale;
	double diff;

	for (int v = 0; v < VARIANT_COUNT; v++) {
		const struct side *side = &sides->of[v];
		struct boot_value *values = x_calloc(side->count + 1, sizeof(*values));

		for (size_t i = 0; i < side->count; i++)
			values[i] = (struct boot_value){side->points[i].value[taken],
							side->points[i].block};
		boot_sample_init(&d.of[v], values, side->count, m->block_count, spec->q);
	}
	diff = drawn_difference(NULL, 0, &d);
	if (m->block_count >= BOOT_BLOCKS_MIN)
		boot_run(out, m->block_count, seed, drawn_difference, &d);
	for (int v = 0; v < VARIANT_COUNT; v++)
		boot_sample_release(&d.of[v]);
	return diff;
}

static void by_blocks(const struct measured *m, const struct metric_spec *spec,
		      const struct estimate_options *opts, const struct sides *sides,
		      struct estimate *e)
{
	e->diff = expm1(draw(m, spec, sides, SCALE_LOG, opts->seed, &e->log_boot));
	e->diff_abs = draw(m, spec, sides, SCALE_ABS, opts->seed, &e->abs_boot);
	e->lottery = opts->lottery;
	e->lottery_environments = fmax(opts->environments, 1);
	e->scale = (e->old + e->new) / 2;
	if (m->block_count < BOOT_BLOCKS_MIN)
		e->cannot = "few-blocks";
	else
		e->basis = BASIS_BLOCKS_WIDENED;
}

void latency_estimate(const struct measured *m, const struct metric_spec *spec,
		      const struct estimate_options *opts, struct estimate *e)
{
	struct sides sides = {0};
	bool is_middle = spec->stat == STAT_MEAN || spec->q <= 0.5, are_known;
	bool is_start = figure_is_start(spec->figure);

	collect(m, spec, &sides);
	if (is_centred(spec))
		centre(m, &sides);
	if (sides.of[VARIANT_OLD].count == 0 || sides.of[VARIANT_NEW].count == 0) {
		e->cannot = "no-data";
		goto out;
	}
	/* Both are asked, since the question puts the points in the order of environments. */
	are_known = are_environments(&sides.of[VARIANT_OLD]);
	are_known = are_environments(&sides.of[VARIANT_NEW]) && are_known;
	if (is_start || are_known) {
		if (by_environments(spec, &sides, e))
			goto out;
		/* Too few for a middle stays too few; a high quantile may still rest on blocks. */
		e->cannot = "few-environments";
		if (is_middle || is_start)
			goto out;
	}
	by_blocks(m, spec, opts, &sides, e);
	if (e->basis != BASIS_NONE)
		e->cannot = NULL;
out:
	for (int v = 0; v < VARIANT_COUNT; v++)
		free(sides.of[v].points);
}
