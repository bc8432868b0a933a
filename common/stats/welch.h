/*
 * welch.h - Student's t, and Welch's interval for the difference of two means (rank 2).
 *
 * B. L. Welch, "The generalization of Student's problem when several different population
 * variances are involved", Biometrika 34 (1947). The samples here are the medians of execution
 * environments: few, of unequal spread, roughly normal.
 *
 *	struct welch w;
 *	welch_init(&w, old, 4, new, 4);			// -EDOM: fewer than two on a side
 *	welch_bounds(&w, 0.95, &low, &high);
 */
#ifndef PLIMSOLL_STATS_WELCH_H
#define PLIMSOLL_STATS_WELCH_H

#include <stddef.h>

#include "common/base/bug.h"

struct welch {
	double diff; /* mean(b) - mean(a) */
	double se;   /* its standard error */
	double df;   /* Welch-Satterthwaite; infinite when se is 0 */
};

/* -EDOM when a side has fewer than two values or one is not finite. */
MUST_CHECK int welch_init(struct welch *w, const double *a, size_t a_count, const double *b,
			  size_t b_count);
/* The two-sided interval at this level (0.95). */
void welch_bounds(const struct welch *w, double level, double *low, double *high);

/* P(T <= t) for df > 0 degrees of freedom; df may be fractional or infinite (then normal). */
double student_cdf(double t, double df);
/* The t with student_cdf(t, df) == p, 0 < p < 1; exact to about 1e-10 of its size. */
double student_quantile(double p, double df);
/* The two-sided factor: 1.96 at 0.95 for df = INFINITY. */
double student_factor(double level, double df);

#endif
