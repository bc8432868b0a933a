#include "cmd/watcher/sorting.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/watcher/describe.h"
#include "cmd/watcher/diff.h"
#include "common/base/log.h"

/* A rule may give a function another name than the provider's. */
static const char *name_of(const struct account *a, const struct lambda_function *f)
{
	for (size_t i = 0; i < a->config->function_count; i++) {
		const struct config_function *rule = &a->config->functions[i];

		if (rule->cloud_name && !strcmp(rule->cloud_name, f->name) &&
		    !strcmp(rule->account, a->conf->name))
			return rule->pattern;
	}
	return f->name;
}

/* A function that no rule tests: told from the list alone, without a call. */
static void tell_untested(struct account *a, const char *name, struct known *k,
			  const struct lambda_function *f, uint32_t causes)
{
	char *subject = account_subject(a, name);
	struct description d = {
		.subject = subject,
		.account = a->conf,
		.region = aws_client_region(a->client),
		.function = f,
		.kind = diff_kind(causes),
		.causes = causes,
		.revision = known_revision_of(f),
		.is_first_seen = k->owed == OWED_FIRST_SEEN,
	};

	if (describe_changed(a->st, &d))
		stage_count(a->st, "change-not-sent");
	free(subject);
}

static void sort_new(struct account *a, const char *name, const struct lambda_function *f,
		     bool is_tested)
{
	struct known *k = x_calloc(1, sizeof(*k));

	known_learn(k, f);
	k->pass = a->pass;
	k->owed = a->is_first_sight && !a->conf->test_first_seen ? OWED_FIRST_SEEN : OWED_ADDED;
	strmap_put(&a->known, name, k);
	a->seen_count++;
	a->tested_count += is_tested;
	if (is_tested) {
		account_todo(a, name, TODO_LOOK, 0);
	} else {
		tell_untested(a, name, k, f, DIFF_BIT(CAUSE_ADDED));
		k->owed = OWED_NOTHING;
	}
	account_put_known(a, name, k);
}

static void sort_untested(struct account *a, const char *name, struct known *k,
			  const struct lambda_function *f)
{
	uint32_t causes = k->owed ? DIFF_BIT(CAUSE_ADDED) : diff_causes(k, f);

	if (!causes && diff_is_deployed_again(k, f))
		causes = DIFF_BIT(CAUSE_CODE);
	if (causes)
		tell_untested(a, name, k, f, causes);
	known_learn(k, f);
	account_put_known(a, name, k);
}

static void sort_known(struct account *a, const char *name, struct known *k,
		       const struct lambda_function *f, const struct config_function *rule)
{
	bool is_touched = diff_is_touched(k, f), is_back = k->missing_since_ms != 0;

	k->pass = a->pass;
	if (is_back) {
		k->missing_since_ms = 0;
		k->was_missing = is_touched;
		account_put_known(a, name, k);
	}
	if (!rule) {
		if (is_touched)
			sort_untested(a, name, k, f);
	} else if (is_touched || rule->alias) {
		/* An alias moves without a trace in the list. */
		account_todo(a, name, TODO_LOOK, 0);
	}
}

void sorting_one(struct account *a, const struct lambda_function *f)
{
	static struct log_limit bad_name;
	const char *name = name_of(a, f);
	bool is_tested;
	const struct config_function *rule = account_rule(a, name, &is_tested);
	struct known *k = strmap_get(&a->known, name);

	if (!name_is_valid(name)) {
		log_limited(&bad_name, LOG_WARN,
			    "%s: the name of a function is none for us and is left out; map it "
			    "with cloud_name in a rule",
			    a->conf->name);
		stage_count(a->st, "bad-name");
	} else if (!k) {
		sort_new(a, name, f, is_tested);
	} else {
		sort_known(a, name, k, f, is_tested ? rule : NULL);
	}
}

static void sort_missing(struct account *a, const char *name, struct known *k)
{
	switch (diff_gone(k, wall_now(), a->conf->not_found_after_ms)) {
	case DIFF_GONE_REMEMBER:
		k->missing_since_ms = wall_ms(wall_now());
		account_put_known(a, name, k);
		log_info("%s/%s is not in the list any more; asking again before it counts as "
			 "removed",
			 a->conf->name, name);
		break;
	case DIFF_GONE_CONFIRM:
		account_todo(a, name, TODO_GONE, 0);
		break;
	case DIFF_GONE_WAIT:
		break;
	}
}

static void remember_account(struct account *a)
{
	char *key = x_asprintf("watched/%s", a->conf->name);
	struct json *doc = json_obj();
	char when[WALL_RFC3339_SIZE];

	wall_format_rfc3339(wall_now(), when);
	json_put_str(doc, "first_seen_at", when);
	stage_state_put(a->st, key, doc);
	free(key);
}

void sorting_end(struct account *a)
{
	for (size_t i = 0; i < a->known.count; i++) {
		struct known *k = a->known.items[i].value;

		if (k->pass != a->pass)
			sort_missing(a, a->known.items[i].key, k);
	}
	if (!a->is_first_sight)
		return;
	remember_account(a);
	a->is_first_sight = false;
	a->is_inventory_open = true;
}
