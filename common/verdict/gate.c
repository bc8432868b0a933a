/* gate.c - intervals against tolerances, Holm over the gates; the rules: docs/MEASURING.md. */
#include <math.h>

#include "common/verdict/gate.h"

#define ENVIRONMENTS_MIN 4 /* fewer: only beyond twice the tolerance (docs/MEASURING.md) */

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		VERDICTS(X)
#undef X
	};

	return names[v];
}

enum verdict gate_verdict_of(const struct bounds *b, double limit, bool is_higher_better,
			     size_t environments)
{
	double low = is_higher_better ? -b->high : b->low;
	double high = is_higher_better ? -b->low : b->high;
	bool are_few = environments > 0 && environments < ENVIRONMENTS_MIN;
	double far = are_few ? 2 * limit : limit;

	if (isnan(low) || isnan(high))
		return VERDICT_CANNOT_TELL;
	if (low > far)
		return VERDICT_WORSE;
	if (high < -far)
		return VERDICT_BETTER;
	if (!are_few && low >= -limit && high <= limit)
		return VERDICT_SAME;
	return VERDICT_CANNOT_TELL;
}

/* 0 when the metric does not rest on environments. */
static size_t environments_of(const struct estimate *e)
{
	return e->basis == BASIS_ENVIRONMENTS ? MIN_OF(e->environments_old, e->environments_new)
					      : 0;
}

enum verdict gate_verdict(const struct gate *g, double alpha)
{
	struct bounds b;

	if (g->est->cannot || g->est->basis == BASIS_NONE)
		return VERDICT_CANNOT_TELL;
	estimate_bounds(g->est, 1 - alpha, &b);
	return gate_verdict_of(&b, g->limit, g->is_higher_better, environments_of(g->est));
}

const char *gate_open_reason(const struct gate *g)
{
	size_t environments = environments_of(g->est);

	if (g->est->cannot)
		return g->est->cannot;
	if (environments > 0 && environments < ENVIRONMENTS_MIN)
		return "few-environments";
	return "interval-too-wide";
}

static bool is_decided(size_t i, double alpha, void *ctx)
{
	const struct gate *gates = ctx;

	return gate_verdict(&gates[i], alpha) != VERDICT_CANNOT_TELL;
}

void gates_decide(const struct gate *gates, size_t count, struct holm_answer *out)
{
	BUG_ON(count > GATES_MAX);
	holm_run(count, 1 - VERDICT_LEVEL, is_decided, (void *)gates, out);
}
