/*
 * holm.c - with k questions left each is tried at alpha / k; those decided leave, and it starts
 * again; when none is decided all that are left stay open. This is Holm's procedure: the smallest
 * p-value must pass alpha / m, the next alpha / (m - 1), and so on until the first failure.
 */
#include "common/stats/holm.h"

void holm_run(size_t count, double alpha, holm_test_fn *is_decided, void *ctx,
	      struct holm_answer *out)
{
	size_t left = count, before;

	for (size_t i = 0; i < count; i++)
		out[i] = (struct holm_answer){false, alpha};
	do {
		double each = alpha / (double)(left > 0 ? left : 1);

		before = left;
		for (size_t i = 0; i < count; i++) {
			if (out[i].is_decided)
				continue;
			out[i].alpha = each;
			out[i].is_decided = is_decided(i, each, ctx);
			left -= out[i].is_decided ? 1 : 0;
		}
	} while (left > 0 && left < before);
}
