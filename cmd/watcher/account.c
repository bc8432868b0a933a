#include "cmd/watcher/account.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/watcher/look.h"
#include "cmd/watcher/sorting.h"
#include "common/base/log.h"

#define SORT_AT_ONCE 50 /* functions a turn: their events fit into the output's buffer */
#define BLOCKED_MS 50
#define BACK_OFF_MAX_MS INT64_C(300000)

/* what is known */

static char *known_key(const struct account *a, const char *name)
{
	return x_asprintf("watcher/%s/%s", a->conf->name, name);
}

void account_put_known(struct account *a, const char *name, const struct known *k)
{
	char *key = known_key(a, name);

	stage_state_put(a->st, key, known_to_json(k));
	free(key);
}

static void free_known(void *value)
{
	known_release(value);
	free(value);
}

void account_drop_known(struct account *a, const char *name)
{
	char *key = known_key(a, name);

	void *k = strmap_remove(&a->known, name);

	stage_state_put(a->st, key, NULL);
	if (k)
		free_known(k);
	free(key);
}

struct names {
	char **items;
	size_t count;
};

static void add_name(const char *key, void *ctx)
{
	struct names *n = ctx;

	n->items = x_realloc(n->items, n->count + 1, sizeof(*n->items));
	n->items[n->count++] = x_strdup(strrchr(key, '/') + 1);
}

/* Events that are owed from before are asked for again by the first list. */
static void load_known(struct account *a)
{
	char *prefix = x_asprintf("watcher/%s", a->conf->name);
	char *seen_key = x_asprintf("watched/%s", a->conf->name);
	struct json *seen = stage_state_get(a->st, seen_key);
	struct names names = {0};

	stage_state_each(a->st, prefix, add_name, &names);
	for (size_t i = 0; i < names.count; i++) {
		char *key = known_key(a, names.items[i]);
		struct json *doc = stage_state_get(a->st, key);
		struct known *k = x_calloc(1, sizeof(*k));

		known_from_json(k, doc);
		strmap_put(&a->known, names.items[i], k);
		json_free(doc);
		free(key);
		free(names.items[i]);
	}
	a->is_first_sight = seen == NULL;
	free(names.items);
	json_free(seen);
	free(seen_key);
	free(prefix);
}

/* todos */

static void free_todo(void *value)
{
	struct todo *t = value;

	free(t->name);
	free(t);
}

void account_todo(struct account *a, const char *name, enum todo_what what, int64_t in_ms)
{
	struct todo *t;

	if (strmap_get(&a->todos, name))
		return;
	t = x_calloc(1, sizeof(*t));
	t->what = what;
	t->name = x_strdup(name);
	t->since = mono_now();
	t->due = mono_add_ns(t->since, in_ms * NS_PER_MS);
	strmap_put(&a->todos, name, t);
}

static struct todo *next_todo(const struct account *a)
{
	struct todo *next = NULL;

	for (size_t i = 0; i < a->todos.count; i++) {
		struct todo *t = a->todos.items[i].value;

		if (!next || mono_is_before(t->due, next->due))
			next = t;
	}
	return next;
}

static void do_todo(struct account *a, struct todo *t)
{
	int64_t again_in_ms = look_do(a, t);

	if (again_in_ms >= 0)
		t->due = mono_add_ns(mono_now(), again_in_ms * NS_PER_MS);
	else
		free_todo(strmap_remove(&a->todos, t->name));
}

/* names and rules */

const struct config_function *account_rule(const struct account *a, const char *name,
					   bool *is_tested)
{
	const struct config_function *rule = config_rule(a->config, a->conf->name, name);

	*is_tested = rule && !(rule->has_tests && rule->test_count == 0);
	return rule;
}

static bool is_forced(const struct config_test *t)
{
	return t && strcmp(t->cold, "force") == 0;
}

bool account_forces_cold(const struct account *a, const char *name)
{
	bool is_tested;
	const struct config_function *rule = account_rule(a, name, &is_tested);

	if (!is_tested || !a->conf->publish_keep || rule->alias)
		return false;
	for (size_t i = 0; i < rule->test_count; i++)
		if (is_forced(config_test(a->config, rule->tests[i])))
			return true;
	return !rule->has_tests && is_forced(config_test(a->config, "compare"));
}

const char *account_cloud_name(const struct account *a, const char *name)
{
	const struct config_function *rule = config_rule(a->config, a->conf->name, name);

	return rule && rule->cloud_name ? rule->cloud_name : name;
}

char *account_subject(const struct account *a, const char *name)
{
	return x_asprintf("%s/%s", a->conf->name, name);
}

/* faults */

void account_failed(struct account *a, const struct aws_error *err)
{
	if (err->fault == AWS_STOPPED)
		return;
	a->failures++;
	if (a->is_once)
		a->code = exit_code_worse(a->code,
					  aws_fault_is_yours(err->fault) ? EXIT_USAGE : EXIT_AGAIN);
	if (a->fault == err->fault)
		return;
	a->fault = err->fault;
	log_error("%s: %s%s", a->conf->name, err->text,
		  a->is_once ? "" : "; trying again, less and less often");
}

void account_recovered(struct account *a)
{
	if (a->fault != AWS_FINE)
		log_info("%s: the service answers again", a->conf->name);
	a->fault = AWS_FINE;
	a->failures = 0;
}

static int64_t next_poll_ms(const struct account *a)
{
	int64_t ms = a->conf->poll_ms;

	for (unsigned i = 0; i < a->failures && ms < BACK_OFF_MAX_MS; i++)
		ms *= 2;
	return a->failures ? MAX_OF(a->conf->poll_ms, MIN_OF(ms, BACK_OFF_MAX_MS)) : ms;
}

/* the phases */

static void be_idle(struct account *a)
{
	lambda_list_release(&a->list);
	free(a->marker);
	a->marker = NULL;
	a->sorted_count = 0;
	a->phase = PHASE_IDLE;
	a->has_listed = true;
	a->next_poll = mono_add_ns(mono_now(), next_poll_ms(a) * NS_PER_MS);
}

/* A list that breaks off is thrown away whole: a region that fails to answer deletes nothing. */
static void list_page(struct account *a)
{
	struct aws_error err = {0};
	char *next = NULL;

	if (lambda_list_page(a->client, a->marker, &a->list, &next, &err)) {
		account_failed(a, &err);
		be_idle(a);
		return;
	}
	free(a->marker);
	a->marker = next;
	if (next)
		return;
	account_recovered(a);
	a->pass++;
	a->phase = PHASE_SORTING;
}

static void sort_some(struct account *a)
{
	size_t end = MIN_OF(a->sorted_count + SORT_AT_ONCE, a->list.count);

	while (a->sorted_count < end)
		sorting_one(a, &a->list.items[a->sorted_count++]);
	if (a->sorted_count < a->list.count)
		return;
	sorting_end(a);
	be_idle(a);
}

/* Once, when the inventory and the baselines that it needs are done. */
static void end_first_sight(struct account *a)
{
	a->is_inventory_open = false;
	log_info("%s: first sight of %zu functions, %zu of them with a rule that tests them, %zu "
		 "versions published as baselines; changes from now on are tested",
		 a->conf->name, a->seen_count, a->tested_count, a->published_count);
}

static void end_pass(struct account *a)
{
	if (a->is_inventory_open)
		end_first_sight(a);
	if (a->is_once) {
		a->is_done = true;
		a->done(a);
	}
}

static bool is_due(struct mono at)
{
	return !mono_is_before(mono_now(), at);
}

/* What to do now that nothing is half done. True: something was done, come again at once. */
static bool act(struct account *a)
{
	struct todo *t = next_todo(a);

	if ((!a->is_once || !a->has_listed) && is_due(a->next_poll)) {
		a->phase = PHASE_LISTING;
		return true;
	}
	if (t && is_due(t->due)) {
		do_todo(a, t);
		return true;
	}
	if (!t && a->has_listed)
		end_pass(a);
	return false;
}

static struct mono next_tick(const struct account *a)
{
	const struct todo *t = next_todo(a);

	if (t && (a->is_once || mono_is_before(t->due, a->next_poll)))
		return t->due;
	return a->next_poll;
}

static void tick(struct loop *l, struct loop_timer *timer)
{
	struct account *a = CONTAINER_OF(timer, struct account, tick);
	bool is_busy = true;

	if (stage_is_blocked(a->st)) {
		loop_timer_set_in(l, timer, BLOCKED_MS * NS_PER_MS);
		return;
	}
	if (a->phase == PHASE_LISTING)
		list_page(a);
	else if (a->phase == PHASE_SORTING)
		sort_some(a);
	else
		is_busy = act(a);
	if (!a->is_done)
		loop_timer_set(l, timer, is_busy ? mono_now() : next_tick(a));
}

struct account *account_new(struct stage *st, const struct config *config,
			    const struct config_account *conf)
{
	struct account *a = x_calloc(1, sizeof(*a));
	struct aws_error err = {0};
	struct aws_options o;

	a->st = st;
	a->config = config;
	a->conf = conf;
	a->tick.run = tick;
	aws_options_from_account(conf, &o);
	o.limiter_dir = stage_state_dir(st);
	o.is_stopped = http_signal_pending;
	if (aws_client_new(&o, &a->client, &err)) {
		log_error("%s: %s", conf->name, err.text);
		account_free(a);
		return NULL;
	}
	load_known(a);
	return a;
}

void account_free(struct account *a)
{
	if (!a)
		return;
	loop_timer_clear(stage_loop(a->st), &a->tick);
	aws_client_free(a->client);
	strmap_release(&a->known, free_known);
	strmap_release(&a->todos, free_todo);
	lambda_list_release(&a->list);
	free(a->marker);
	free(a);
}

void account_start(struct account *a)
{
	a->next_poll = mono_now();
	loop_timer_set(stage_loop(a->st), &a->tick, a->next_poll);
}
