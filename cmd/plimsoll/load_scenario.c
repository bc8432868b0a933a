/* load_scenario.c - see load_scenario.h. */
#include "cmd/plimsoll/load_scenario.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/strmap.h"
#include "common/base/unit.h"
#include "common/config/yaml.h"
#include "common/event/event.h"

#define DAY_MS (24 * 3600 * MS_PER_S)
#define MAX_DURATION_MS (600 * MS_PER_S) /* k6's maxDuration */

enum kind { K_EXECUTOR, K_NUMBER, K_COUNT, K_DURATION, K_STAGES };

struct raw { /* as in the file, with k6's defaults */
	const char *executor;
	double rate, start_rate;
	uint64_t vus, start_vus, iterations, pre_allocated_vus, max_vus;
	int64_t time_unit_ms, duration_ms, max_duration_ms, start_time_ms;
	struct ramp ramp;
};

/* Which executors take a key, and which must have it. */
enum {
	CAR = 1,
	RAR = 2,
	CV = 4,
	RV = 8,
	SI = 16,
	PVI = 32,
	OPEN = CAR | RAR,
	ALL = 63,
};

static const struct {
	const char *name;
	unsigned bit;
} executors[] = {
	{"constant-arrival-rate", CAR}, {"ramping-arrival-rate", RAR},
	{"constant-vus", CV},		{"ramping-vus", RV},
	{"shared-iterations", SI},	{"per-vu-iterations", PVI},
};

#define R(field) offsetof(struct raw, field)
static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	unsigned takes, needs;
	double min, max;
} keys[] = {
	{"executor", K_EXECUTOR, R(executor), ALL, ALL, 0, 0},
	{"rate", K_NUMBER, R(rate), CAR, CAR, 1e-6, 1e6},
	{"startRate", K_NUMBER, R(start_rate), RAR, 0, 0, 1e6},
	{"timeUnit", K_DURATION, R(time_unit_ms), OPEN, 0, 1, DAY_MS},
	{"duration", K_DURATION, R(duration_ms), CAR | CV, CAR | CV, 1, 7 * DAY_MS},
	{"maxDuration", K_DURATION, R(max_duration_ms), SI | PVI, 0, 1, 7 * DAY_MS},
	{"preAllocatedVUs", K_COUNT, R(pre_allocated_vus), OPEN, 0, 0, LOAD_CONNECTIONS_MAX},
	{"maxVUs", K_COUNT, R(max_vus), OPEN, 0, 0, LOAD_CONNECTIONS_MAX},
	{"vus", K_COUNT, R(vus), CV | SI | PVI, 0, 1, LOAD_CONNECTIONS_MAX},
	{"startVUs", K_COUNT, R(start_vus), RV, 0, 0, LOAD_CONNECTIONS_MAX},
	{"iterations", K_COUNT, R(iterations), SI | PVI, 0, 1, 1e9},
	{"startTime", K_DURATION, R(start_time_ms), ALL, 0, 0, LOAD_START_MS_MAX},
	{"stages", K_STAGES, R(ramp), RAR | RV, RAR | RV, 0, 0},
};
#undef R

struct reader {
	struct config_errors *errs;
	struct load_plan *plan;
};

/* ---- values ---- */

static void wrong(const struct reader *r, const struct yaml_node *v, const char *key,
		  const char *expected)
{
	struct buf is = BUF_INIT(512);

	yaml_describe(v, &is);
	config_errors_add(r->errs, v->place, "%s is %s, expected %s", key, buf_str(&is), expected);
	buf_release(&is);
}

static bool is_in_range(const struct key *k, double value)
{
	return value >= k->min && value <= k->max;
}

static void read_number(const struct reader *r, const struct key *k, const struct yaml_node *v,
			void *field)
{
	char expected[96];
	double value = 0;
	bool is_text = v->type == YAML_T_SCALAR;
	bool is_count = k->kind == K_COUNT;

	if (!is_text || unit_parse_double(v->text, &value) || !is_in_range(k, value) ||
	    (is_count && value != floor(value))) {
		snprintf(expected, sizeof(expected), "a %snumber from %g to %.0f",
			 is_count ? "whole " : "", k->min, k->max);
		wrong(r, v, k->name, expected);
	} else if (is_count) {
		*(uint64_t *)field = (uint64_t)value;
	} else {
		*(double *)field = value;
	}
}

static void read_duration(const struct reader *r, const struct key *k, const struct yaml_node *v,
			  void *field)
{
	char expected[96], most[UNIT_TEXT_SIZE];
	int64_t ms;

	if (v->type == YAML_T_SCALAR && !unit_parse_duration_ms(v->text, &ms) &&
	    is_in_range(k, (double)ms)) {
		*(int64_t *)field = ms;
		return;
	}
	unit_format_duration_ns((int64_t)k->max * NS_PER_MS, most);
	snprintf(expected, sizeof(expected), "a duration such as 30s, at most %s", most);
	wrong(r, v, k->name, expected);
}

static void read_executor(const struct reader *r, const struct key *k, const struct yaml_node *v,
			  void *field)
{
	for (size_t i = 0; v->type == YAML_T_SCALAR && i < ARRAY_LEN(executors); i++)
		if (!strcmp(executors[i].name, v->text))
			*(const char **)field = executors[i].name;
	if (!*(const char **)field)
		wrong(r, v, k->name,
		      "constant-arrival-rate, ramping-arrival-rate, constant-vus, ramping-vus, "
		      "shared-iterations or per-vu-iterations");
}

static void read_stage(const struct reader *r, const struct yaml_node *v, struct ramp_stage *out)
{
	static const struct key stage_keys[] = {
		{"target", K_NUMBER, 0, 0, 0, 0, 1e6},
		{"duration", K_DURATION, 0, 0, 0, 0, 7 * DAY_MS},
	};
	const struct yaml_node *target = yaml_get(v, "target"), *time = yaml_get(v, "duration");

	if (v->type != YAML_T_MAP || !target || !time || v->count != 2) {
		wrong(r, v, "a stage", "{target: NUMBER, duration: TIME}");
		return;
	}
	read_number(r, &stage_keys[0], target, &out->target);
	read_duration(r, &stage_keys[1], time, &out->duration_ms);
}

static void read_stages(const struct reader *r, const struct yaml_node *v, struct raw *raw)
{
	if (v->type != YAML_T_LIST || v->count == 0 || v->count > RAMP_STAGES_MAX) {
		wrong(r, v, "stages", "a list of 1 to 100 of {target: NUMBER, duration: TIME}");
		return;
	}
	for (size_t i = 0; i < v->count; i++)
		read_stage(r, v->entries[i].value, &raw->ramp.stages[raw->ramp.count++]);
}

static void read_value(const struct reader *r, const struct key *k, const struct yaml_node *v,
		       struct raw *raw)
{
	void *field = (char *)raw + k->offset;

	switch (k->kind) {
	case K_EXECUTOR:
		read_executor(r, k, v, field);
		break;
	case K_NUMBER:
	case K_COUNT:
		read_number(r, k, v, field);
		break;
	case K_DURATION:
		read_duration(r, k, v, field);
		break;
	case K_STAGES:
		read_stages(r, v, raw);
		break;
	}
}

/* ---- a scenario ---- */

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

/* Keys of k6 that mean nothing here. */
static const struct {
	const char *name, *why;
} left_out[] = {
	{"exec", "scripts are k6's own"},
	{"env", "scripts are k6's own"},
	{"tags", "each scenario is reported under its name"},
	{"options", "a browser is k6's own"},
	{"gracefulStop", "a call in flight ends with its answer or its timeout"},
	{"gracefulRampDown", "a user that is too many ends its call first"},
};

static bool is_left_out(const struct reader *r, const struct yaml_entry *e)
{
	for (size_t i = 0; i < ARRAY_LEN(left_out); i++) {
		if (strcmp(left_out[i].name, e->key) != 0)
			continue;
		config_errors_add(r->errs, e->place,
				  "%s is not known here (%s), expected it to be "
				  "left out",
				  e->key, left_out[i].why);
		return true;
	}
	return false;
}

static void unknown_key(const struct reader *r, const struct yaml_entry *e)
{
	const char *names[ARRAY_LEN(keys)], *near;

	if (is_left_out(r, e))
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	near = nearest_name(e->key, names, ARRAY_LEN(names));
	config_errors_add(r->errs, e->place,
			  "unknown key \"%s\"%s%s%s, expected k6's keys of a "
			  "scenario",
			  e->key, near ? " (did you mean \"" : "", near ? near : "",
			  near ? "\"?)" : "");
}

static unsigned bit_of(const char *executor)
{
	for (size_t i = 0; i < ARRAY_LEN(executors); i++)
		if (!strcmp(executors[i].name, executor))
			return executors[i].bit;
	return 0;
}

/* Keys of another executor, and keys that this one cannot do without. */
static void check_keys(const struct reader *r, const struct yaml_entry *scenario,
		       const struct raw *raw)
{
	const struct yaml_node *v = scenario->value;
	unsigned bit = bit_of(raw->executor);

	for (size_t i = 0; i < v->count; i++) {
		const struct key *k = find_key(v->entries[i].key);

		if (k && !(k->takes & bit))
			config_errors_add(r->errs, v->entries[i].place,
					  "%s is not a key of %s, expected it to be left out",
					  k->name, raw->executor);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if ((keys[i].needs & bit) && !yaml_entry(v, keys[i].name))
			config_errors_add(r->errs, scenario->place, "%s has no %s, expected one",
					  scenario->key, keys[i].name);
}

static void take_open(const struct raw *raw, struct load_work *w)
{
	double unit_s = (double)raw->time_unit_ms / 1e3;

	w->rate_per_s = raw->rate / unit_s;
	w->ramp.start = raw->start_rate / unit_s;
	for (size_t i = 0; i < w->ramp.count; i++)
		w->ramp.stages[i].target /= unit_s;
	w->in_flight = (uint32_t)MAX_OF(raw->max_vus, raw->pre_allocated_vus);
}

static void take_closed(const struct raw *raw, struct load_work *w)
{
	w->vus = (uint32_t)raw->vus;
	w->iterations = raw->iterations;
	w->ramp.start = (double)raw->start_vus;
	if (w->ramp.count)
		w->vus = (uint32_t)ramp_peak(&w->ramp);
}

static void take(const struct raw *raw, const char *name, struct load_work *w)
{
	unsigned bit = bit_of(raw->executor);

	snprintf(w->name, sizeof(w->name), "%s", name);
	w->executor = load_executor(raw->executor);
	w->arrival = "uniform";
	w->start_ms = raw->start_time_ms;
	w->duration_ms = bit & (SI | PVI) ? raw->max_duration_ms : raw->duration_ms;
	w->ramp = raw->ramp;
	w->duration_ms += ramp_duration_ms(&w->ramp);
	if (bit & OPEN)
		take_open(raw, w);
	else
		take_closed(raw, w);
	if (!(bit & (SI | PVI)))
		w->iterations = 0;
}

static void read_scenario(const struct reader *r, const struct yaml_entry *e)
{
	struct raw raw = {
		.vus = 1,
		.start_vus = 1,
		.iterations = 1,
		.time_unit_ms = MS_PER_S,
		.max_duration_ms = MAX_DURATION_MS,
	};
	size_t before = r->errs->count;

	if (!name_is_valid(e->key))
		config_errors_add(r->errs, e->place,
				  "the name \"%s\", expected letters, digits and . _ -, at most 64",
				  e->key);
	if (e->value->type != YAML_T_MAP) {
		wrong(r, e->value, e->key, "the keys of a scenario");
		return;
	}
	for (size_t i = 0; i < e->value->count; i++) {
		const struct yaml_entry *one = &e->value->entries[i];
		const struct key *k = find_key(one->key);

		if (k)
			read_value(r, k, one->value, &raw);
		else
			unknown_key(r, one);
	}
	if (raw.executor)
		check_keys(r, e, &raw);
	else if (!yaml_entry(e->value, "executor"))
		config_errors_add(r->errs, e->place, "%s has no executor, expected one", e->key);
	if (r->errs->count == before)
		take(&raw, e->key, &r->plan->works[r->plan->work_count++]);
}

static void read_root(const struct reader *r, const char *path, const struct yaml_node *root)
{
	const struct yaml_node *list = yaml_get(root, "scenarios");

	for (size_t i = 0; root && root->type == YAML_T_MAP && i < root->count; i++)
		if (strcmp(root->entries[i].key, "scenarios") != 0)
			config_errors_add(r->errs, root->entries[i].place,
					  "unknown key \"%s\", expected scenarios",
					  root->entries[i].key);
	if (!list || list->type != YAML_T_MAP || !list->count) {
		config_errors_add(r->errs, list ? list->place : (struct config_place){path, 1, 1},
				  "no scenarios, expected scenarios: {NAME: {executor: ...}}");
		return;
	}
	if (list->count > LOAD_WORKS_MAX) {
		config_errors_add(r->errs, list->place, "%zu scenarios, expected at most %d",
				  list->count, LOAD_WORKS_MAX);
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		read_scenario(r, &list->entries[i]);
}

int load_scenario_parse(const char *path, const char *text, size_t len_bytes, struct load_plan *out,
			struct config_errors *errs)
{
	struct reader r = {errs, out};
	struct yaml_tree tree = {0};

	if (!yaml_parse(&tree, path, text, len_bytes, errs))
		read_root(&r, path, tree.root);
	yaml_release(&tree);
	config_errors_sort(errs);
	return errs->count ? -EINVAL : 0;
}
