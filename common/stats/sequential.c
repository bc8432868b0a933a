/*
 * sequential.c - boundaries by numerical integration.
 *
 * The walk S(t) is a Brownian motion that is seen at the looks and ends where |S| > c * sqrt(t).
 * Its density between the bounds is carried from look to look on a grid, by Simpson's rule.
 */
#include <math.h>

#include "common/base/bug.h"
#include "common/stats/sequential.h"

#define GRID 400 /* even; twice as many move z in the sixth digit */
#define BISECTIONS 60
#define Z_MAX 38.0 /* beyond it double has no tail left */

struct density {
	double edge; /* the grid lies from -edge to edge */
	double at[GRID + 1];
};

/* P(N(0, 1) > x) */
static double tail(double x)
{
	return erfc(x / M_SQRT2) / 2;
}

static double spent(double alpha, double t)
{
	double low = 0, high = Z_MAX;

	for (int i = 0; i < BISECTIONS; i++) {
		double z = (low + high) / 2;

		*(tail(z) > alpha / 4 ? &low : &high) = z;
	}
	return MIN_OF(4 * tail(low / sqrt(t)), alpha);
}

static double place(const struct density *d, size_t i)
{
	return d->edge * (2.0 * (double)i / GRID - 1);
}

static double weight(const struct density *d, size_t i)
{
	double h = 2 * d->edge / GRID / 3;

	return i == 0 || i == GRID ? h : i % 2 ? 4 * h : 2 * h;
}

/* That the walk, inside until now, is beyond +-edge after a step of this deviation. */
static double crosses(const struct density *d, double deviation, double edge)
{
	double sum = 0;

	if (!(d->edge > 0)) /* at the start, in one point */
		return 2 * tail(edge / deviation);
	for (size_t i = 0; i <= GRID; i++) {
		double x = place(d, i);

		sum += weight(d, i) * d->at[i] *
		       (tail((edge - x) / deviation) + tail((edge + x) / deviation));
	}
	return sum;
}

static double find_edge(const struct density *d, double deviation, double probability)
{
	double low = 0, high = Z_MAX;

	for (int i = 0; i < BISECTIONS; i++) {
		double edge = (low + high) / 2;

		*(crosses(d, deviation, edge) > probability ? &low : &high) = edge;
	}
	return high;
}

static void step(struct density *d, double deviation, double edge)
{
	struct density next = {.edge = edge};
	double scale = 1 / (deviation * sqrt(2 * M_PI));

	for (size_t i = 0; i <= GRID; i++) {
		double y = place(&next, i);

		if (!(d->edge > 0)) {
			next.at[i] = scale * exp(-y * y / (2 * deviation * deviation));
			continue;
		}
		for (size_t k = 0; k <= GRID; k++) {
			double by = (y - place(d, k)) / deviation;

			next.at[i] += weight(d, k) * d->at[k] * scale * exp(-by * by / 2);
		}
	}
	*d = next;
}

double sequential_alpha(double alpha, const double *fractions, size_t look)
{
	struct density d = {.edge = 0};
	double before = 0, spent_before = 0, edge = 0;

	BUG_ON(look >= SEQUENTIAL_LOOKS_MAX || !(alpha > 0 && alpha < 1));
	for (size_t i = 0; i <= look; i++) {
		double now = fractions[i], deviation = sqrt(now - before);
		double so_far = spent(alpha, now);

		BUG_ON(!(now > before && now <= 1));
		edge = find_edge(&d, deviation, so_far - spent_before);
		if (i < look)
			step(&d, deviation, edge);
		before = now;
		spent_before = so_far;
	}
	return 2 * tail(edge / sqrt(before));
}
