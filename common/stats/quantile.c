/*
 * quantile.c - sort and interpolate.
 */
#include <math.h>
#include <stdlib.h>

#include "common/stats/quantile.h"

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void quantile_sort(double *v, size_t count)
{
	if (count > 0)
		qsort(v, count, sizeof(*v), by_size);
}

double quantile_of_sorted(const double *sorted, size_t count, double q)
{
	if (count == 0)
		return (double)NAN;
	double place = q * (double)(count - 1);
	size_t below = (size_t)place;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

double quantile_in_place(double *v, size_t count, double q)
{
	quantile_sort(v, count);
	return quantile_of_sorted(v, count, q);
}
