/*
 * rate.c - Newcombe's interval on counts thinned by the design effect of the blocks.
 */
#include <errno.h>
#include <math.h>

#include "common/stats/rate.h"
#include "common/stats/welch.h"

static struct rate_side sum_up(const struct rate_block *b, size_t count)
{
	struct rate_side s = {0};

	for (size_t i = 0; i < count; i++) {
		s.due += b[i].due;
		s.bad += b[i].bad;
		s.blocks += b[i].due > 0 ? 1 : 0;
	}
	s.share = s.due > 0 ? s.bad / s.due : 0;
	return s;
}

/*
 * How many times the variance of the share is what independent calls would give: the ratio
 * estimator's variance over blocks (Cochran, Sampling Techniques, 6.3) against p(1-p)/n.
 */
static double design_effect(const struct rate_block *b, size_t count, const struct rate_side *s)
{
	double squares = 0, independent = s->share * (1 - s->share) * s->due;

	if (independent <= 0)
		return 1;
	for (size_t i = 0; i < count; i++) {
		double off = b[i].bad - s->share * b[i].due;

		squares += off * off;
	}
	double blocks = (double)s->blocks;

	return fmax(1, squares * blocks / (blocks - 1) / independent);
}

int rate_diff_init(struct rate_diff *d, const struct rate_block *old, size_t old_count,
		   const struct rate_block *new, size_t new_count)
{
	d->old = sum_up(old, old_count);
	d->new = sum_up(new, new_count);
	if (d->old.blocks < 2 || d->new.blocks < 2)
		return -EDOM;
	/* A side without events says nothing of its clusters: the other one speaks for both. */
	d->design_effect = fmax(design_effect(old, old_count, &d->old),
				design_effect(new, new_count, &d->new));
	d->df = (double)(d->old.blocks + d->new.blocks - 2);
	return 0;
}

static void wilson(double share, double n, double z, double *low, double *high)
{
	double z2 = z * z, middle = (share + z2 / (2 * n)) / (1 + z2 / n);
	double half = z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n));

	/* Rounding must not push a bound past the share itself. */
	*low = fmin(fmax(middle - half, 0), share);
	*high = fmax(fmin(middle + half, 1), share);
}

void rate_diff_bounds(const struct rate_diff *d, double level, double *low, double *high)
{
	double z = student_factor(level, d->df), diff = d->new.share - d->old.share;
	double old_low, old_high, new_low, new_high;

	wilson(d->old.share, d->old.due / d->design_effect, z, &old_low, &old_high);
	wilson(d->new.share, d->new.due / d->design_effect, z, &new_low, &new_high);
	*low = diff - hypot(d->new.share - new_low, old_high - d->old.share);
	*high = diff + hypot(new_high - d->new.share, d->old.share - old_low);
}

double rate_upper_of_none(double due, double level)
{
	return due > 0 ? -expm1(log1p(-level) / due) : 1;
}
