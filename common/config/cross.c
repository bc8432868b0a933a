/* cross.c - what one setting cannot know of another: references, and values that exclude others. */
#include <stdlib.h>
#include <string.h>

#include "common/base/strmap.h"
#include "common/config/read.h"
#include "common/json/json.h"

#define CHECKS_MAX 30 /* of headers and values; the loader takes two more */

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
