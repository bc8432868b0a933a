/* plan.c - members of run.planned to options. */
#include <math.h>
#include <string.h>

#include "common/verdict/plan.h"

/* NULL: not compared with past runs, or there are too few of them for any word. */
static const struct json *past_of(const struct json *plan)
{
	const char *compare = json_get_str(plan, "compare");
	const struct json *past = json_get(plan, "past");

	if (!compare || strcmp(compare, "stored") != 0 || json_len(past) < STORED_RUNS_MIN)
		return NULL;
	return past;
}

struct estimate_options plan_options(const struct json *plan)
{
	const char *compare = json_get_str(plan, "compare"),
		   *run = json_str(json_at(plan, "run.id"));

	return (struct estimate_options){
		.has_old = compare && strcmp(compare, "interleaved") == 0,
		.past = past_of(plan),
		.environments = json_get_real(plan, "environments", 1),
		.lottery = json_get_real(plan, "lottery", LOTTERY_DEFAULT),
		.seed = boot_seed(run ? run : ""),
	};
}

struct gate plan_gate(const struct json *metric, const struct estimate *est)
{
	const char *direction = json_get_str(metric, "direction");
	const struct json *tolerance = json_get(metric, "tolerance");

	return (struct gate){
		.est = est,
		.limit = fmax(json_get_real(tolerance, est->is_points ? "points" : "ratio", 0), 0),
		.is_higher_better = direction && strcmp(direction, "higher") == 0,
	};
}
