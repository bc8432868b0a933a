/*
 * objective.c - the owner's limits (SLO) against the new version's own figures.
 *
 * No data is never green: an objective of a run that is not valid, or with too few calls for its
 * percentile, is neither met nor missed. Nor is one whose figure another tool has not told yet.
 */
#include <math.h>
#include <stdio.h>
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

/* How long the tool's name of TOOL/NAME is; 0 of a metric of our own. */
static int tool_len_of(const char *metric)
{
	const char *slash = metric ? strchr(metric, '/') : NULL;

	return slash ? (int)(slash - metric) : 0;
}

static void say_no_figure(const char *metric, char out[JUDGE_REASON_SIZE])
{
	snprintf(out, JUDGE_REASON_SIZE, "no figure from %.*s", tool_len_of(metric), metric);
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
	if (tool_len_of(o->metric) > 0)
		say_no_figure(o->metric, o->reason);
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

/* What was told of one figure so far: the value that is furthest from met. */
struct figure_told {
	const struct json *objective;
	const struct json *value; /* NULL = nothing */
	const char *unit;
	int is_met;
};

static void hold_against(struct figure_told *t, const struct json *value, const char *unit)
{
	int is_met;

	if (!json_is_num(value))
		return;
	is_met = compare(json_real(value), json_get_str(t->objective, "op"),
			 json_get_real(t->objective, "limit", 0));
	if (t->value && is_met >= t->is_met)
		return;
	t->value = value;
	t->unit = unit;
	t->is_met = is_met;
}

static bool is_of_tool(const struct json *o, const char *key, const char *metric, int tool_len)
{
	const char *tool = json_get_str(o, key);

	return tool && strlen(tool) == (size_t)tool_len &&
	       strncmp(tool, metric, (size_t)tool_len) == 0;
}

static void look_for(struct figure_told *t, const struct json *data, const char *metric,
		     int tool_len)
{
	const struct json *external = json_get(data, "external"), *cloud = json_get(data, "cloud");
	const char *figure = metric + tool_len + 1;

	if (is_of_tool(cloud, "source", metric, tool_len))
		hold_against(t, json_get(cloud, figure), NULL);
	for (size_t i = 0; i < json_len(external); i++) {
		const struct json *list = json_get(json_elem(external, i), "metrics");

		if (!is_of_tool(json_elem(external, i), "tool", metric, tool_len))
			continue;
		for (size_t k = 0; k < json_len(list); k++) {
			const struct json *m = json_elem(list, k);
			const char *name = json_get_str(m, "name");

			if (name && strcmp(name, figure) == 0)
				hold_against(t, json_get(m, "value"), json_get_str(m, "unit"));
		}
	}
}

static void judge_figure(struct json *o, const struct json *data, bool is_valid)
{
	const char *metric = json_get_str(o, "metric");
	struct figure_told t = {.objective = o, .is_met = -1};
	char reason[JUDGE_REASON_SIZE] = "";

	look_for(&t, data, metric, tool_len_of(metric));
	if (!t.value)
		say_no_figure(metric, reason);
	else if (!is_valid)
		snprintf(reason, sizeof(reason), "the run is not valid");
	json_del(o, "value");
	if (t.value)
		json_put(o, "value", json_copy(t.value));
	if (t.unit)
		json_put_str(o, "unit", t.unit);
	json_put(o, "is_met",
		 reason[0] || t.is_met < 0 ? json_new_null() : json_new_bool(t.is_met));
	json_del(o, "reason");
	if (reason[0])
		json_put_str(o, "reason", reason);
}

void objectives_judge_figures(struct json *data)
{
	const struct json *list = json_get(data, "objectives");
	const char *outcome = json_get_str(data, "outcome");
	bool is_valid = outcome && strcmp(outcome, run_outcome_name(RUN_VALID)) == 0;

	for (size_t i = 0; i < json_len(list); i++) {
		struct json *o = json_elem(list, i);

		if (tool_len_of(json_get_str(o, "metric")) > 0)
			judge_figure(o, data, is_valid);
	}
}
