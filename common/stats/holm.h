/*
 * holm.h - Holm's step-down: several questions asked of one run (rank 2).
 *
 * S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
 * Statistics 6 (1979). The questions are answered by intervals, so instead of p-values the caller
 * says whether question i is decided at a given alpha (that is, by its interval at level 1 -
 * alpha); a question decided at some alpha must be decided at every larger one.
 *
 *	struct holm_answer answers[3];
 *	holm_run(count, 0.05, is_decided, ctx, answers);
 *	// answers[i].alpha is the alpha to report its interval at
 */
#ifndef PLIMSOLL_STATS_HOLM_H
#define PLIMSOLL_STATS_HOLM_H

#include <stdbool.h>
#include <stddef.h>

typedef bool holm_test_fn(size_t i, double alpha, void *ctx);

struct holm_answer {
	bool is_decided;
	double alpha; /* where it was decided, or the last one tried */
};

void holm_run(size_t count, double alpha, holm_test_fn *is_decided, void *ctx,
	      struct holm_answer *out);

#endif
