#include "common/stats/change.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/rng.h"

#define SIDE_MIN 2 /* values on each side of a split */

struct search {
	const double *values;
	double *shuffled; /* scratch */
	struct rng rng;
	struct change_point *out;
	size_t found;
};

struct split {
	size_t at;
	double f;
};

static double sum_of(const double *v, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += v[i];
	return sum;
}

/* Sum of squares about the mean. */
static double spread_of(const double *v, size_t count)
{
	double mean = sum_of(v, count) / (double)count, sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (v[i] - mean) * (v[i] - mean);
	return sum;
}

/* All splits share the total sum of squares: it falls into that between the parts and the rest. */
static struct split best_split(const double *v, size_t count, double total, double spread)
{
	struct split best = {0, -1};
	double left = 0;

	for (size_t k = 1; k + SIDE_MIN <= count; k++) {
		double n = (double)count, a = (double)k, difference, between, f;

		left += v[k - 1];
		if (k < SIDE_MIN)
			continue;
		difference = left / a - (total - left) / (n - a);
		between = difference * difference * a * (n - a) / n;
		f = between / fmax(spread - between, 1e-12 * spread);
		if (f > best.f)
			best = (struct split){k, f};
	}
	return best;
}

static void shuffle(struct rng *r, double *v, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t k = (size_t)rng_below(r, i);
		double kept = v[k];

		v[k] = v[i - 1];
		v[i - 1] = kept;
	}
}

/* The p-value, or 1 as soon as it is known to be above the level. */
static double chance_of(struct search *s, const double *v, size_t count, const struct split *seen)
{
	double total = sum_of(v, count), spread = spread_of(v, count);
	unsigned as_changed = 1; /* the order that was seen is one of them */

	memcpy(s->shuffled, v, count * sizeof(*v));
	for (unsigned i = 0; i < CHANGE_DRAWS; i++) {
		shuffle(&s->rng, s->shuffled, count);
		as_changed += best_split(s->shuffled, count, total, spread).f >= seen->f;
		if (as_changed >= CHANGE_LEVEL * (CHANGE_DRAWS + 1))
			return 1;
	}
	return (double)as_changed / (CHANGE_DRAWS + 1);
}

static void look(struct search *s, size_t from, size_t to)
{
	const double *v = s->values + from;
	size_t count = to - from, mine = s->found;
	double spread;
	struct split best;
	double p;

	if (count < 2 * SIDE_MIN || s->found == CHANGE_POINTS_MAX)
		return;
	spread = spread_of(v, count);
	if (!(spread > 0))
		return;
	best = best_split(v, count, sum_of(v, count), spread);
	p = chance_of(s, v, count, &best);
	if (p >= 1)
		return;
	s->out[s->found++] = (struct change_point){.at = from + best.at, .p = p};
	look(s, from, s->out[mine].at);
	look(s, s->out[mine].at, to);
}

static int by_place(const void *a, const void *b)
{
	const struct change_point *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

size_t change_points(const double *values, size_t count, uint64_t seed,
		     struct change_point out[CHANGE_POINTS_MAX])
{
	struct search s = {.values = values, .rng = {seed}, .out = out};

	BUG_ON(count > CHANGE_SERIES_MAX);
	s.shuffled = x_calloc(count + 1, sizeof(*s.shuffled));
	look(&s, 0, count);
	free(s.shuffled);
	qsort(out, s.found, sizeof(*out), by_place);
	for (size_t i = 0; i < s.found; i++) {
		size_t begin = i ? out[i - 1].at : 0, at = out[i].at;
		size_t end = i + 1 < s.found ? out[i + 1].at : count;

		out[i].before = sum_of(values + begin, at - begin) / (double)(at - begin);
		out[i].after = sum_of(values + at, end - at) / (double)(end - at);
	}
	return s.found;
}
