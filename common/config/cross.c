/* cross.c - what one setting cannot know of another: references, and values that exclude others. */
#include <stdlib.h>
#include <string.h>

#include "common/base/strmap.h"
#include "common/config/read.h"
#include "common/json/json.h"

#define CHECKS_MAX 30 /* of headers and values; the loader takes two more */

static bool is_arrival_rate(const struct config_test *t)
{
	return t->executor && strstr(t->executor, "arrival-rate") != NULL;
}

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

static void check_rate(struct reader *r, const struct config_test *t, const struct config_place *at)
{
	double round_s = 2.0 * t->spread / t->rate_per_s;

	if (t->rate_per_s > r->config->limits.rate_per_s)
		config_errors_add(r->errs, *at,
				  "rate %g/s is above limits.rate, expected at most %g/s",
				  t->rate_per_s, r->config->limits.rate_per_s);
	else if (round_s * 1000 > (double)t->duration_ms)
		config_errors_add(
			r->errs, *at,
			"one round of 2 x %u calls at %g/s lasts %g s, expected no longer "
			"than the duration of %g s",
			t->spread, t->rate_per_s, round_s, (double)t->duration_ms / 1000);
}

/* Defaults give way to what the file says: a low limit, or a rate that makes rounds long. */
static void fit_defaults(const struct reader *r, struct config_test *t,
			 const struct yaml_node *workload)
{
	double limit = r->config->limits.rate_per_s;
	double most;

	if (!yaml_get(workload, "rate"))
		t->rate_per_s = MIN_OF(t->rate_per_s, limit);
	most = t->rate_per_s * (double)t->duration_ms / 1000 / 2;
	if (!yaml_get(workload, "spread") && t->spread > most)
		t->spread = most >= 1 ? (uint32_t)most : 0;
}

/* Settles what a default depends on; node is NULL for the test that no file names. */
void check_test(struct reader *r, struct config_test *t, const struct yaml_node *node)
{
	const struct yaml_node *workload = yaml_get(node, "workload"), *rate;

	if (!is_arrival_rate(t)) {
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

static void check_test_names(struct reader *r, const struct config_function *f,
			     const struct yaml_node *list)
{
	const struct config *c = r->config;
	const char **names = x_calloc(c->test_count + 1, sizeof(char *));
	struct buf known = BUF_INIT(1024);

	for (size_t i = 0; i < c->test_count; i++) {
		names[i] = c->tests[i].name;
		if (i < 8)
			buf_addf(&known, "%s%s", i ? ", " : "", names[i]);
	}
	for (size_t i = 0; i < f->test_count && !r->is_partial; i++) {
		struct config_place at = list->place;
		struct buf near = BUF_INIT(256);

		if (config_test(c, f->tests[i]))
			continue;
		for (size_t k = 0; k < list->count; k++) {
			const struct yaml_node *v = list->entries[k].value;

			if (v->type == YAML_T_SCALAR && strcmp(v->text, f->tests[i]) == 0)
				at = v->place;
		}
		add_nearest(f->tests[i], names, c->test_count, &near);
		config_errors_add(r->errs, at, "unknown test \"%.64s\"%s, expected one of %s",
				  f->tests[i], buf_str(&near), buf_str(&known));
		buf_release(&near);
	}
	buf_release(&known);
	free(names);
}

bool config_is_allowed(const struct config_account *a, const char *url)
{
	const char *host = strstr(url, "://");
	size_t len, name_len;

	if (!host)
		return false;
	host += 3;
	len = strcspn(host, "/?#");
	name_len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	for (size_t i = 0; i < a->allow_count; i++) {
		size_t allowed = strlen(a->allow[i]);

		if ((allowed == len || allowed == name_len) &&
		    strncasecmp(a->allow[i], host, allowed) == 0)
			return true;
	}
	return false;
}

static void check_http(struct reader *r, const struct config_function *f,
		       const struct config_account *a, const struct yaml_node *node)
{
	const struct yaml_node *url = yaml_get(node, "url");

	if (!pattern_is_plain(f->pattern))
		config_errors_add(
			r->errs, f->place,
			"\"%s/%s\" has a wildcard, expected a plain name: an http account has "
			"the functions that stand here",
			f->account, f->pattern);
	if (url && f->url && a->allow_count && !config_is_allowed(a, f->url))
		config_errors_add(r->errs, url->place,
				  "the host of \"%.100s\" is not allowed, expected one of allow in "
				  "account \"%s\"",
				  f->url, a->name);
}

void check_function(struct reader *r, struct config_function *f, const struct yaml_node *node)
{
	const struct config_account *a = config_account(r->config, f->account);
	const struct yaml_node *list = yaml_get(node, "tests");
	const struct yaml_entry *payloads = yaml_entry(node, "payloads");

	check_rows(r, f, node);
	if (payloads && yaml_get(node, "payload"))
		config_errors_add(r->errs, payloads->place,
				  "payloads beside payload, expected one of the two");
	if (list && list->type == YAML_T_LIST)
		check_test_names(r, f, list);
	if (a && a->provider == PROVIDER_HTTP)
		check_http(r, f, a, node);
	if (json_len(json_get(f->expect, "headers")) + json_len(json_get(f->expect, "json")) >
	    CHECKS_MAX)
		config_errors_add(r->errs, yaml_get(node, "expect")->place,
				  "expect holds more than %d headers and values, expected fewer",
				  CHECKS_MAX);
	if (f->cloud_name && !pattern_is_plain(f->pattern))
		config_errors_add(r->errs, yaml_get(node, "cloud_name")->place,
				  "cloud_name for a pattern, expected it at a plain name only");
}

/* An objective that no rule's function can have would never be judged, and never be missed. */
void check_objective_keys(struct reader *r, const struct yaml_node *node)
{
	const struct config *c = r->config;
	const char **names = x_calloc(c->function_count + 1, sizeof(char *));
	size_t count = 0;
	char **owned = x_calloc(c->function_count + 1, sizeof(char *));

	for (size_t i = 0; i < c->function_count; i++) {
		if (c->functions[i].account) {
			owned[count] = x_asprintf("%s/%s", c->functions[i].account,
						  c->functions[i].pattern);
			names[count] = owned[count];
			count++;
		}
	}
	for (size_t i = 0; i < node->count && !r->is_partial; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const char *slash = strchr(e->key, '/');
		char *account = slash ? x_strndup(e->key, (size_t)(slash - e->key)) : NULL;
		struct buf near = BUF_INIT(256);

		if (account && slash[1] && config_account(c, account) &&
		    pattern_is_plain(slash + 1) && !config_rule(c, account, slash + 1)) {
			add_nearest(e->key, names, count, &near);
			config_errors_add(
				r->errs, e->place,
				"no rule under functions is for \"%.130s\"%s, expected one", e->key,
				buf_str(&near));
		}
		buf_release(&near);
		free(account);
	}
	for (size_t i = 0; i < count; i++)
		free(owned[i]);
	free(owned);
	free(names);
}

/* One address cannot be listened on by two processes. */
void check_bus(struct reader *r, const struct config_bus *b, const struct yaml_node *node)
{
	const struct yaml_node *list = yaml_get(node, "results");

	for (size_t i = 0; i < b->work_count; i++) {
		for (size_t k = 0; k < b->result_count; k++) {
			if (strcmp(b->work[i], b->results[k]) != 0)
				continue;
			config_errors_add(r->errs, list ? list->place : node->place,
					  "results holds %s, where work is handed out, expected an "
					  "endpoint of its own",
					  b->results[k]);
		}
	}
}
