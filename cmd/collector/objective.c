/*
 * objective.c - the owner's limits (SLO) against the new version's own figures.
 *
 * No data is never green: an objective of a run that is not valid, or with too few calls for its
 * percentile, is neither met nor missed.
 */
#include <math.h>
#include <string.h>

#include "cmd/collector/judge.h"

#define OBJECTIVE_CALLS_MIN 10
/* So many calls must lie beyond a percentile for it to be more than one odd call. */
#define OBJECTIVE_BEYOND_MIN 2.0

static bool has_calls_enough(const struct metric_spec *spec, size_t n)
{
	double needed = OBJECTIVE_CALLS_MIN;

	if (figure_is_start(spec->figure) && spec->stat == STAT_QUANTILE && spec->q <= 0.5)
		needed = 1; /* there is one start an environment, and no more */
	else if (spec->stat == STAT_QUANTILE)
		needed = fmax(needed, ceil(OBJECTIVE_BEYOND_MIN / (1 - spec->q) - 1e-9));
	return (double)n >= needed;
}

static int compare(double value, const char *op, double limit)
{
	static const struct {
		const char *op;
		int below, equal, above;
	} ops[] = {{"<", 1, 0, 0}, {"<=", 1, 1, 0}, {">", 0, 0, 1}, {">=", 0, 1, 1}};

	for (size_t i = 0; op && i < ARRAY_LEN(ops); i++) {
		if (strcmp(op, ops[i].op) == 0)
			return value < limit   ? ops[i].below
			       : value > limit ? ops[i].above
					       : ops[i].equal;
	}
	return -1;
}

static void judge_one(const struct json *planned, const struct gathered *g, bool is_valid,
		      struct judged_objective *o)
{
	struct estimate_options opts = {.has_old = false};
	struct measured measured = gathered_measured(g);
	struct metric_spec spec;
	struct estimate est;

	*o = (struct judged_objective){.name = json_get_str(planned, "name"),
				       .metric = json_get_str(planned, "metric"),
				       .op = json_get_str(planned, "op"),
				       .unit = json_get_str(planned, "unit"),
				       .limit = json_get_real(planned, "limit", 0),
				       .is_met = -1};
	if (metric_parse(o->metric, &spec) != 0)
		return;
	estimate_make(&measured, o->metric, &spec, &opts, &est);
	o->has_value = est.has_new;
	o->value = est.new;
	if (is_valid && est.has_new && has_calls_enough(&spec, est.n_new))
		o->is_met = compare(o->value, o->op, o->limit);
	estimate_release(&est);
}

void objectives_judge(const struct json *plan, const struct gathered *g, bool is_valid,
		      struct judgement *j)
{
	const struct json *list = json_get(plan, "objectives");

	j->objective_count = MIN_OF(json_len(list), (size_t)JUDGE_OBJECTIVES_MAX);
	for (size_t i = 0; i < j->objective_count; i++)
		judge_one(json_elem(list, i), g, is_valid, &j->objectives[i]);
}
