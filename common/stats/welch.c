/*
 * welch.c - Student's distribution by the incomplete beta function, quantiles by bisection.
 */
#include <errno.h>
#include <math.h>

#include "common/stats/welch.h"

/*
 * The continued fraction of the incomplete beta function, evaluated by Lentz's method:
 * NIST Digital Library of Mathematical Functions, 8.17.22.
 */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), f;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	f = d;
	for (int m = 1; m < 10000; m++) {
		double steps[2] = {
			m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
			-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
		};
		double factor = 1;

		for (int i = 0; i < 2; i++) {
			d = 1 + steps[i] * d;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = 1 + steps[i] / c;
			c = fabs(c) < tiny ? tiny : c;
			factor = c * d;
			f *= factor;
		}
		if (fabs(factor - 1) < 1e-15)
			break;
	}
	return f;
}

/* I_x(a, b), regularized. */
static double beta_regularized(double a, double b, double x)
{
	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));

	/* The fraction converges fast on this side of the mean only. */
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* P(T > t) for t >= 0: the tail itself, so that it keeps its digits when small. */
static double upper_tail(double t, double df)
{
	if (isinf(df) || df > 1e8)
		return erfc(t / sqrt(2)) / 2;
	return beta_regularized(df / 2, 0.5, df / (df + t * t)) / 2;
}

double student_cdf(double t, double df)
{
	return t >= 0 ? 1 - upper_tail(t, df) : upper_tail(-t, df);
}

double student_quantile(double p, double df)
{
	double tail = p < 0.5 ? p : 1 - p;
	double low = 0, high = 1;

	while (upper_tail(high, df) > tail && high < 1e300)
		high *= 2;
	for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
		double middle = low + (high - low) / 2;

		if (upper_tail(middle, df) > tail)
			low = middle;
		else
			high = middle;
	}
	return p < 0.5 ? -high : high;
}

double student_factor(double level, double df)
{
	return -student_quantile((1 - level) / 2, df);
}

static int mean_and_variance(const double *v, size_t count, double *mean, double *variance)
{
	double sum = 0, squares = 0;

	if (count < 2)
		return -EDOM;
	for (size_t i = 0; i < count; i++)
		sum += v[i];
	*mean = sum / (double)count;
	for (size_t i = 0; i < count; i++)
		squares += (v[i] - *mean) * (v[i] - *mean);
	*variance = squares / (double)(count - 1);
	return isfinite(squares) ? 0 : -EDOM;
}

int welch_init(struct welch *w, const double *a, size_t a_count, const double *b, size_t b_count)
{
	double mean_a, mean_b, var_a, var_b;

	if (mean_and_variance(a, a_count, &mean_a, &var_a) != 0 ||
	    mean_and_variance(b, b_count, &mean_b, &var_b) != 0)
		return -EDOM;
	double qa = var_a / (double)a_count, qb = var_b / (double)b_count;
	double below = qa * qa / (double)(a_count - 1) + qb * qb / (double)(b_count - 1);

	w->diff = mean_b - mean_a;
	w->se = sqrt(qa + qb);
	w->df = below > 0 ? (qa + qb) * (qa + qb) / below : (double)INFINITY;
	return 0;
}

void welch_bounds(const struct welch *w, double level, double *low, double *high)
{
	double half = w->se > 0 ? student_factor(level, w->df) * w->se : 0;

	*low = w->diff - half;
	*high = w->diff + half;
}
