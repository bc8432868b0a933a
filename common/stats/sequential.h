/*
 * sequential.h - looking at a run several times without more false alarms (rank 2).
 *
 * A run that is looked at four times, each time at 5 %, is wrong in 13 %. Here the 5 % are spent
 * over the looks by a function of the share t of the run that is in:
 *
 *	spent(t) = 4 * (1 - Phi(z(1 - alpha/4) / sqrt(t)))
 *
 * (K. K. G. Lan, D. L. DeMets, Biometrika 70 (1983), the O'Brien-Fleming type: next to nothing at
 * first, nearly all at the end). What each look may use follows from the distribution of a sum of
 * independent increments that has not crossed before (P. Armitage, C. K. McPherson, B. C. Rowe, J.
 * R. Statist. Soc. A 132 (1969)). Estimates that hang together more than that, as those of the same
 * hosts do, cross less often.
 *
 * An interval at level 1 - sequential_alpha() at each look is a repeated confidence interval (C.
 * Jennison, B. W. Turnbull, J. R. Statist. Soc. B 51 (1989)): all of them together hold the truth
 * with 1 - alpha, whatever made the run stop.
 *
 *	const double looks[] = {0.25, 0.5, 0.75, 1};
 *	sequential_alpha(0.05, looks, 0);		// 0.0000147 (z 4.333)
 *	sequential_alpha(0.05, looks, 3);		// 0.0440 (z 2.014)
 */
#ifndef PLIMSOLL_STATS_SEQUENTIAL_H
#define PLIMSOLL_STATS_SEQUENTIAL_H

#include <stddef.h>

#define SEQUENTIAL_LOOKS_MAX 10

/*
 * The two-sided alpha of one look. fractions ascend within (0, 1]; those behind look are not read.
 * 0 < alpha < 1.
 */
double sequential_alpha(double alpha, const double *fractions, size_t look);

#endif
