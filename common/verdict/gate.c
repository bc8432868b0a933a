/* gate.c - intervals against tolerances, Holm over the gates; the rules: docs/MEASURING.md. */
#include <math.h>

#include "common/stats/welch.h"
#include "common/verdict/gate.h"

#define ENVIRONMENTS_MIN 4 /* fewer: only beyond twice the tolerance (docs/MEASURING.md) */
/* An interval of a bootstrap needs so many of its draws beyond each end. */
#define DRAWS_BEYOND_MIN 2
#define POWER 0.8 /* as the planner's (estimate.h) */

struct looks looks_read(const struct json *plan)
{
	const struct json *list = json_at(plan, "stop.looks");
	struct looks l = {.count = MIN_OF(json_len(list), (size_t)SEQUENTIAL_LOOKS_MAX)};
	double before = 0;

	for (size_t i = 0; i < l.count; i++) {
		l.fractions[i] = json_real(json_elem(list, i));
		if (!(l.fractions[i] > before && l.fractions[i] <= 1))
			return (struct looks){.count = 0};
		before = l.fractions[i];
	}
	return l;
}

double look_alpha(const struct looks *l, double alpha)
{
	return l->count > 0 ? sequential_alpha(alpha, l->fractions, l->at) : alpha;
}

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		VERDICTS(X)
#undef X
	};

	return names[v];
}

/* Beyond this a difference counts. */
static double edge_of(double limit, size_t environments)
{
	return environments > 0 && environments < ENVIRONMENTS_MIN ? 2 * limit : limit;
}

enum verdict gate_verdict_of(const struct bounds *b, double limit, bool is_higher_better,
			     size_t environments)
{
	double low = is_higher_better ? -b->high : b->low;
	double high = is_higher_better ? -b->low : b->high;
	bool are_few = environments > 0 && environments < ENVIRONMENTS_MIN;
	double far = edge_of(limit, environments);

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

/* False: there is no interval that counts. */
static bool bounds_of(const struct gate *g, double alpha, struct bounds *b)
{
	if (g->est->cannot || g->est->basis == BASIS_NONE)
		return false;
	if (g->est->basis == BASIS_BLOCKS_WIDENED && alpha / 2 * BOOT_DRAWS < DRAWS_BEYOND_MIN)
		return false;
	estimate_bounds(g->est, 1 - alpha, b);
	return true;
}

enum verdict gate_verdict(const struct gate *g, double alpha)
{
	struct bounds b;

	if (!bounds_of(g, alpha, &b))
		return VERDICT_CANNOT_TELL;
	return gate_verdict_of(&b, g->limit, g->is_higher_better, environments_of(g->est));
}

/* A difference where differences add up, so that an error is as large everywhere. */
static double to_scale(double diff, bool is_points)
{
	return is_points ? diff : log1p(diff);
}

double gate_detectable(const struct gate *g, double alpha)
{
	double reach = 1 + student_quantile(POWER, (double)INFINITY) /
				   student_factor(1 - alpha, (double)INFINITY);
	bool is_points = g->est->is_points, is_rise = !g->is_higher_better;
	double edge = edge_of(g->limit, environments_of(g->est)), half, worse;
	struct bounds b;

	if (!isnan(g->est->upper_old) || !bounds_of(g, alpha, &b))
		return NAN;
	half = fabs(to_scale(g->est->diff, is_points) -
		    to_scale(is_rise ? b.low : b.high, is_points));
	worse = to_scale(is_rise ? edge : -edge, is_points) + (is_rise ? 1 : -1) * half * reach;
	return fabs(is_points ? worse : expm1(worse));
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

struct question {
	const struct gate *gates;
	const struct looks *looks;
};

static bool is_decided(size_t i, double alpha, void *ctx)
{
	const struct question *q = ctx;

	return gate_verdict(&q->gates[i], look_alpha(q->looks, alpha)) != VERDICT_CANNOT_TELL;
}

void gates_decide(const struct gate *gates, size_t count, const struct looks *l,
		  struct holm_answer *out)
{
	struct question q = {gates, l};

	BUG_ON(count > GATES_MAX);
	holm_run(count, 1 - VERDICT_LEVEL, is_decided, &q, out);
}
