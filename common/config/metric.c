/* metric.c - metrics: and objectives:. */
#include "common/config/metric.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"
#include "common/config/read.h"

#define GATES_MAX 3 /* more gates would make Holm's correction blind */
#define FIGURE_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-"

const struct metric_info metric_table[] = {
#define X(name, unit, is_points, doc) {name, unit, is_points, doc},
	METRICS(X)
#undef X
};
const size_t metric_table_count = ARRAY_LEN(metric_table);

const struct metric_info *metric_find(const char *name)
{
	for (size_t i = 0; i < metric_table_count; i++) {
		if (strcmp(metric_table[i].name, name) == 0)
			return &metric_table[i];
	}
	return NULL;
}

static const struct metric_info *find_or_tell(struct reader *r, const char *name,
					      struct config_place at)
{
	const struct metric_info *m = metric_find(name);
	const char *names[ARRAY_LEN(metric_table)];
	struct buf near = BUF_INIT(256);

	if (m)
		return m;
	for (size_t i = 0; i < metric_table_count; i++)
		names[i] = metric_table[i].name;
	add_nearest(name, names, metric_table_count, &near);
	config_errors_add(
		r->errs, at,
		"unknown metric \"%.60s\"%s, expected response_, service_, billed_, init_, "
		"cold_response_, restore_ or restored_response_ with p50, p90, p95, p99 or max, or "
		"memory_p50, memory_max, "
		"cost_per_million, error_ratio, throttle_ratio",
		name, buf_str(&near));
	buf_release(&near);
	return NULL;
}

static const struct config_metric *metric_of(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->metric_count; i++) {
		if (strcmp(c->metrics[i].name, name) == 0)
			return &c->metrics[i];
	}
	return NULL;
}

static void add_metric(struct config *c, struct config_metric m)
{
	c->metrics = x_realloc(c->metrics, c->metric_count + 1, sizeof(*c->metrics));
	c->metrics[c->metric_count++] = m;
}

static void read_tolerance(struct reader *r, const struct metric_info *m, const struct yaml_node *v)
{
	struct config_metric out = {.is_gate = true, .is_points = m->is_points};
	const char *expected = m->is_points ? "points such as 0.5pp, above 0 up to 100pp"
					    : "a ratio such as 10%, above 0 up to 1000%";
	struct buf is = BUF_INIT(512);
	int rc = -EINVAL;

	if (is_word_text(v))
		rc = m->is_points ? unit_parse_points(v->text, &out.tolerance)
				  : unit_parse_ratio(v->text, &out.tolerance);
	if (rc || out.tolerance <= 0 || out.tolerance > (m->is_points ? 1 : 10)) {
		yaml_describe(v, &is);
		config_errors_add(r->errs, v->place, "tolerance of %s is %s, expected %s", m->name,
				  buf_str(&is), expected);
	} else {
		out.name = x_strdup(m->name);
		add_metric(r->config, out);
	}
	buf_release(&is);
}

static void read_gates(struct reader *r, const struct yaml_node *node)
{
	if (!is_map(r, node, "gate"))
		return;
	if (node->count == 0 || node->count > GATES_MAX)
		config_errors_add(r->errs, node->place, "gate names %zu metrics, expected 1 to %d",
				  node->count, GATES_MAX);
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct metric_info *m = find_or_tell(r, e->key, e->place);
		const struct entry_label label = {"gate", e->key, e->place};

		if (!is_map(r, e->value, e->key))
			continue;
		check_keys(r, &section_gate, e->value, NULL, &label);
		if (m && yaml_get(e->value, "tolerance"))
			read_tolerance(r, m, yaml_get(e->value, "tolerance"));
	}
}

static void read_report(struct reader *r, const struct yaml_node *node)
{
	if (!is_list(r, node, "report", "a list of metrics such as [response_p95]"))
		return;
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *v = node->entries[i].value;
		const struct metric_info *m;

		if (!is_word_text(v)) {
			config_errors_add(
				r->errs, v->place,
				"report holds no name, expected a metric such as response_p95");
			continue;
		}
		m = find_or_tell(r, v->text, v->place);
		if (m && metric_of(r->config, m->name))
			config_errors_add(r->errs, v->place,
					  "%s stands in metrics already, expected it once",
					  m->name);
		else if (m)
			add_metric(r->config, (struct config_metric){.name = x_strdup(m->name),
								     .is_points = m->is_points});
	}
}

static void default_gates(struct config *c)
{
	add_metric(c, (struct config_metric){x_strdup("response_p50"), true, false, 0.1});
	add_metric(c, (struct config_metric){x_strdup("error_ratio"), true, true, 0.005});
}

static void default_report(struct config *c)
{
	static const char *const names[] = {"response_p95",    "init_p50",   "cold_response_p50",
					    "restore_p50",     "billed_p50", "memory_max",
					    "cost_per_million"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!metric_of(c, names[i]))
			add_metric(c, (struct config_metric){.name = x_strdup(names[i])});
	}
}

void read_metrics(struct reader *r, const struct yaml_node *node)
{
	const struct yaml_node *gate = yaml_get(node, "gate"), *report = yaml_get(node, "report");
	struct config *c = r->config;

	if (node && is_map(r, node, "metrics")) {
		for (size_t i = 0; i < node->count; i++) {
			const struct yaml_entry *e = &node->entries[i];
			const char *const names[] = {"gate", "report"};
			struct buf near = BUF_INIT(128);

			add_nearest(e->key, names, 2, &near);
			if (strcmp(e->key, "gate") != 0 && strcmp(e->key, "report") != 0)
				config_errors_add(
					r->errs, e->place,
					"unknown key \"%.60s\"%s, expected gate or report", e->key,
					buf_str(&near));
			buf_release(&near);
		}
	}
	if (gate)
		read_gates(r, gate);
	else
		default_gates(c);
	if (report)
		read_report(r, report);
	else
		default_report(c);
}

/* unit NULL: a figure of somebody else, in whatever unit they tell it. */
static int parse_limit(const char *text, const char *unit, double *out)
{
	int64_t whole = 0;
	uint64_t size = 0;
	int rc;

	if (!unit) {
		rc = unit_parse_double(text, out);
	} else if (strcmp(unit, "us") == 0) {
		rc = unit_parse_duration_ns(text, &whole);
		*out = (double)whole / 1e3;
	} else if (strcmp(unit, "KiB") == 0) {
		rc = unit_parse_size(text, &size);
		*out = (double)size / 1024;
	} else if (strcmp(unit, "usd") == 0) {
		rc = unit_parse_money(text, &whole);
		*out = (double)whole / 1e6;
	} else {
		rc = unit_parse_ratio(text, out);
	}
	return rc;
}

static const char *limit_expected(const char *unit)
{
	if (!unit)
		return "a plain number such as 80, in the unit that the figure is told in";
	if (strcmp(unit, "us") == 0)
		return "a duration such as 300ms";
	if (strcmp(unit, "KiB") == 0)
		return "a size such as 100MiB";
	if (strcmp(unit, "usd") == 0)
		return "an amount such as 2.50 USD";
	return "a ratio such as 0.1%";
}

/* TOOL/NAME. What the provider counts is known beforehand; what a source tells is not. */
static bool check_figure(struct reader *r, const struct yaml_node *v, const char *name)
{
	static const char cloud[] = "cloudwatch/";
	size_t tool_len = strcspn(name, "/"), len = strlen(name);
	const char *figure = name + tool_len + 1;

	if (tool_len == 0 || !*figure || len > CONFIG_FIGURE_MAX_BYTES ||
	    strspn(name, FIGURE_CHARS "/") < len || strchr(figure, '/')) {
		config_errors_add(
			r->errs, v->place,
			"\"%.60s\" is no figure, expected TOOL/NAME of letters, digits, \".\", "
			"\"_\", \"-\" and \":\", %d characters at most, such as sonar/coverage",
			name, CONFIG_FIGURE_MAX_BYTES);
		return false;
	}
	if (strncmp(name, cloud, strlen(cloud)) == 0 && !has_word(CONFIG_CLOUD_FIGURES, figure)) {
		config_errors_add(r->errs, place_in(v, tool_len + 1),
				  "cloudwatch has no figure \"%.40s\", expected one of %s", figure,
				  CONFIG_CLOUD_FIGURES);
		return false;
	}
	return true;
}

/* The metric of an objective and its unit, NULL of a figure. False after telling. */
static bool check_objective_metric(struct reader *r, const struct yaml_node *v, const char *name,
				   const char **unit)
{
	const struct metric_info *m;

	*unit = NULL;
	if (strchr(name, '/'))
		return check_figure(r, v, name);
	m = find_or_tell(r, name, v->place);
	*unit = m ? m->unit : NULL;
	return m != NULL;
}

/* METRIC OP LIMIT. False after telling, at the part that is wrong. */
static bool parse_objective(struct reader *r, const struct yaml_node *v, struct config_objective *o)
{
	const char *p = v->text, *op, *limit;
	size_t metric_len = strcspn(p, " <>=!"), op_len;
	bool is_fine;

	op = p + metric_len + strspn(p + metric_len, " ");
	op_len = strspn(op, "<>=!");
	limit = op + op_len + strspn(op + op_len, " ");
	if (metric_len == 0) {
		config_errors_add(r->errs, v->place,
				  "objective \"%.60s\" begins with no metric, expected one such as "
				  "response_p95 < 300ms",
				  p);
		return false;
	}
	if (strlen(p) > CONFIG_OBJECTIVE_MAX_BYTES) {
		config_errors_add(r->errs, v->place,
				  "objective of %zu characters, expected at most %d", strlen(p),
				  CONFIG_OBJECTIVE_MAX_BYTES);
		return false;
	}
	o->metric = x_strndup(p, metric_len);
	is_fine = check_objective_metric(r, v, o->metric, &o->unit);
	snprintf(o->op, sizeof(o->op), "%.*s", (int)op_len, op);
	if (op_len == 0 || op_len > 2 || !has_word("< <= > >=", o->op)) {
		config_errors_add(r->errs, place_in(v, (size_t)(op - p)),
				  "\"%.20s\" is no comparison, expected <, <=, > or >=", op);
		return false;
	}
	if (!is_fine)
		return false;
	if (parse_limit(limit, o->unit, &o->limit)) {
		config_errors_add(r->errs, place_in(v, (size_t)(limit - p)),
				  "limit of %s is \"%.40s\", expected %s", o->metric, limit,
				  limit_expected(o->unit));
		return false;
	}
	o->text = x_strdup(p);
	return true;
}

static void read_objective(struct reader *r, const struct yaml_node *v, const char *account,
			   const char *pattern)
{
	struct config *c = r->config;
	struct config_objective o = {.place = v->place};

	if (!is_word_text(v)) {
		config_errors_add(r->errs, v->place,
				  "objectives hold no text here, expected one such as "
				  "response_p95 < 300ms");
		return;
	}
	if (!parse_objective(r, v, &o)) {
		free(o.metric);
		return;
	}
	o.account = x_strdup(account);
	o.pattern = x_strdup(pattern);
	c->objectives = x_realloc(c->objectives, c->objective_count + 1, sizeof(*c->objectives));
	c->objectives[c->objective_count++] = o;
}

void read_objectives(struct reader *r, const struct yaml_node *node)
{
	if (!node || !is_map(r, node, "objectives"))
		return;
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		char *account = NULL, *pattern = NULL;

		if (!is_list(r, e->value, e->key, "a list such as [response_p95 < 300ms]"))
			continue;
		if (e->value->count > CONFIG_OBJECTIVES_MAX)
			config_errors_add(r->errs, e->value->place,
					  "%zu objectives, expected at most %d for a function",
					  e->value->count, CONFIG_OBJECTIVES_MAX);
		if (!split_pattern(r, e, &account, &pattern))
			continue;
		for (size_t k = 0; k < e->value->count; k++)
			read_objective(r, e->value->entries[k].value, account, pattern);
		free(account);
		free(pattern);
	}
}
