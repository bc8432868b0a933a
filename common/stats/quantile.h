/*
 * quantile.h - medians and quantiles of small samples (rank 2).
 *
 * The definition of Hyndman and Fan's type 7 (what R and numpy give by default): linear between
 * the two neighbours.
 *
 *	double middle = quantile_in_place(values, count, 0.5);
 */
#ifndef PLIMSOLL_STATS_QUANTILE_H
#define PLIMSOLL_STATS_QUANTILE_H

#include <stddef.h>

void quantile_sort(double *v, size_t count); /* ascending */
/* q from 0 to 1; NAN when empty. */
double quantile_of_sorted(const double *sorted, size_t count, double q);
/* Sorts v. */
double quantile_in_place(double *v, size_t count, double q);

#endif
