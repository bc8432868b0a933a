/* workload.c - how calls are made: stages, and values of a workload that exclude others. */
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"
#include "common/config/read.h"

#define SHAPE_BASE_RATIO 0.1 /* of the highest: the lowest of a shape */

static bool is_executor(const struct config_test *t, const char *name)
{
	return t->executor && strcmp(t->executor, name) == 0;
}

static bool is_open(const struct config_test *t)
{
	return is_executor(t, "replay") || (t->executor && strstr(t->executor, "arrival-rate"));
}

static bool is_ramp(const struct config_test *t)
{
	return t->executor && strncmp(t->executor, "ramping", 7) == 0;
}

/* ---- values ---- */

void read_file_name(struct reader *r, const struct setting *s, const struct yaml_node *v,
		    void *target)
{
	char **field = (char **)(void *)((char *)target + s->offset);
	bool is_good = is_word_text(v) && v->text[0] && v->text[0] != '/' &&
		       strlen(v->text) < 256 && strncmp(v->text, "../", 3) != 0 &&
		       !strstr(v->text, "/../");

	if (!is_good) {
		wrong_value(r, s, v);
		return;
	}
	free(*field);
	*field = x_strdup(v->text);
}

static bool read_target(const char *text, struct config_stage *out)
{
	uint64_t users;

	out->is_rate = unit_parse_rate(text, &out->target) == 0;
	if (out->is_rate)
		return out->target >= 0 && out->target <= 100000;
	if (unit_parse_u64(text, &users) || users > 100000)
		return false;
	out->target = (double)users;
	return true;
}

static bool read_stage(const struct yaml_node *v, struct config_stage *out)
{
	const struct yaml_node *target = yaml_get(v, "target"), *duration = yaml_get(v, "duration");

	return v->type == YAML_T_MAP && v->count == 2 && target && duration &&
	       is_word_text(target) && is_word_text(duration) && read_target(target->text, out) &&
	       !unit_parse_duration_ms(duration->text, &out->duration_ms) &&
	       out->duration_ms >= 0 && out->duration_ms <= 86400000;
}

void read_stages(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target)
{
	struct config_test *t = target;

	if (!is_setting_list(r, s, v))
		return;
	if (v->count == 0 || v->count > CONFIG_STAGES_MAX) {
		config_errors_add(r->errs, v->place, "stages holds %zu, expected 1 to %d", v->count,
				  CONFIG_STAGES_MAX);
		return;
	}
	for (size_t i = 0; i < v->count; i++) {
		const struct yaml_node *e = v->entries[i].value;

		if (read_stage(e, &t->stages[i]))
			continue;
		config_errors_add(r->errs, e->place,
				  "stage %zu is none, expected {target: 100/s, duration: 30s}, or "
				  "of users {target: 50, duration: 30s}",
				  i + 1);
		return;
	}
	t->stage_count = v->count;
}

/* ---- what goes together ---- */

static void check_arrival(struct reader *r, struct config_test *t, const struct yaml_node *workload)
{
	const struct yaml_node *arrival = yaml_get(workload, "arrival");
	bool is_burst = t->arrival && strcmp(t->arrival, "burst") == 0;

	if (arrival && !is_burst && !yaml_get(workload, "spread"))
		t->spread = 0;
	if (arrival && t->arrival && is_burst != (t->spread > 0))
		config_errors_add(r->errs, arrival->place,
				  "arrival is %s with %s spread, expected burst with a spread, or "
				  "uniform or poisson with spread: off",
				  t->arrival, t->spread ? "a" : "no");
	if (!t->arrival)
		t->arrival = x_strdup(t->spread ? "burst" : "uniform");
}

/* On average: of calls that come all the time, of stages, or of a shape (about half of it). */
static double mean_rate_per_s(const struct config_test *t)
{
	double from = t->start_rate_per_s, sum = 0;

	if (t->stage_count == 0)
		return t->shape ? (from + t->rate_per_s) / 2 : t->rate_per_s;
	for (size_t i = 0; i < t->stage_count; i++) {
		sum += (from + t->stages[i].target) / 2 * (double)t->stages[i].duration_ms;
		from = t->stages[i].target;
	}
	return sum / (double)MAX_OF(t->duration_ms, INT64_C(1));
}

static void check_rate(struct reader *r, const struct config_test *t, const struct config_place *at)
{
	double mean = mean_rate_per_s(t), round_s = 2.0 * t->spread / mean;

	if (t->rate_per_s > r->config->limits.rate_per_s)
		config_errors_add(r->errs, *at,
				  "rate %g/s is above limits.rate, expected at most %g/s",
				  t->rate_per_s, r->config->limits.rate_per_s);
	else if (round_s * 1000 > (double)t->duration_ms)
		config_errors_add(
			r->errs, *at,
			"one round of 2 x %u calls at %g/s lasts %g s, expected no longer "
			"than the duration of %g s",
			t->spread, mean, round_s, (double)t->duration_ms / 1000);
}

/* Defaults give way to what the file says: a low limit, or a rate that makes rounds long. */
static void fit_defaults(const struct reader *r, struct config_test *t,
			 const struct yaml_node *workload)
{
	double limit = r->config->limits.rate_per_s;
	double most;

	if (!yaml_get(workload, "rate") && t->stage_count == 0)
		t->rate_per_s = MIN_OF(t->rate_per_s, limit);
	if (t->shape && !yaml_get(workload, "start_rate"))
		t->start_rate_per_s = t->rate_per_s * SHAPE_BASE_RATIO;
	most = mean_rate_per_s(t) * (double)t->duration_ms / 1000 / 2;
	if (!yaml_get(workload, "spread") && t->spread > most)
		t->spread = most >= 1 ? (uint32_t)most : 0;
}

/* Stages say how much and how long: the figures that are given without them follow. */
static void settle_stages(struct reader *r, struct config_test *t, const struct yaml_node *workload)
{
	static const char *const others[] = {"rate", "vus", "duration", "shape"};
	const struct yaml_node *list = yaml_get(workload, "stages");
	bool is_open_ramp = is_open(t);
	double most = is_open_ramp ? t->start_rate_per_s : t->start_vus;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (yaml_get(workload, others[i]))
			config_errors_add(r->errs, yaml_get(workload, others[i])->place,
					  "%s beside stages, expected one of the two", others[i]);
	t->duration_ms = 0;
	for (size_t i = 0; i < t->stage_count; i++) {
		const struct config_stage *stage = &t->stages[i];

		if (stage->is_rate != is_open_ramp)
			config_errors_add(r->errs, list->place,
					  "stage %zu is of %s, expected targets such as %s", i + 1,
					  stage->is_rate ? "a rate" : "users",
					  is_open_ramp ? "100/s" : "50");
		most = MAX_OF(most, stage->target);
		t->duration_ms += stage->duration_ms;
	}
	if (most <= 0 || t->duration_ms < 1000)
		config_errors_add(
			r->errs, list->place,
			"the stages %s, expected more than nothing for a second or longer",
			most <= 0 ? "have no target above 0" : "are too short");
	t->rate_per_s = is_open_ramp ? most : 0;
	t->vus = is_open_ramp ? 0 : (uint32_t)most;
}

static void check_ramp(struct reader *r, struct config_test *t, const struct yaml_node *workload)
{
	bool is_of_users = is_executor(t, "ramping-vus");

	if (is_of_users && !yaml_get(workload, "start_vus"))
		t->start_vus = t->stage_count ? 1 : MAX_OF(t->vus / 10, 1u);
	if (t->stage_count)
		settle_stages(r, t, workload);
	else if (!yaml_get(workload, "shape") && !yaml_get(workload, "stages"))
		config_errors_add(r->errs, workload->place,
				  "workload has no stages and no shape, expected one of the two");
	else if (is_of_users && t->shape && !t->vus)
		config_errors_add(r->errs, workload->place,
				  "workload has no vus, expected vus: the most users of the shape");
}

/* Settles what a default depends on; node is NULL for the test that no file names. */
void check_test(struct reader *r, struct config_test *t, const struct yaml_node *node)
{
	const struct yaml_node *workload = yaml_get(node, "workload"), *rate;
	bool has_rate = is_open(t) && !is_executor(t, "replay");

	if (is_ramp(t))
		check_ramp(r, t, workload);
	if (is_executor(t, "replay") && !yaml_get(workload, "duration"))
		t->duration_ms = 0;
	if (!has_rate) {
		t->rate_per_s = 0;
		t->spread = 0;
		if (!t->arrival)
			t->arrival = x_strdup("uniform");
		return;
	}
	fit_defaults(r, t, workload);
	check_arrival(r, t, workload);
	rate = yaml_get(workload, "rate");
	check_rate(r, t, rate ? &rate->place : workload ? &workload->place : &t->place);
}
