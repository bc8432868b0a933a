#include "cmd/watcher/manual.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/watcher/copies.h"
#include "cmd/watcher/describe.h"
#include "cmd/watcher/look.h"
#include "common/base/log.h"

#define READY_AGAIN_NS (500 * NS_PER_MS)
#define READY_GIVE_UP_NS (180 * NS_PER_S)

struct manual {
	struct stage *st;
	const struct config *config;
	enum manual_what what;
	struct subject *subjects; /* owned */
	size_t count, told;
	struct mono since;	/* when the current one was begun */
	struct strmap accounts; /* name -> struct account, owned */
	struct loop_timer tick;
	enum exit_code code;
};

static bool parse_name(const struct config *c, const char *text, struct subject *out)
{
	char *full = strchr(text, '/') || c->account_count != 1
			     ? x_strdup(text)
			     : x_asprintf("%s/%s", c->accounts[0].name, text);
	bool is_good = !subject_parse(full, out) && config_account(c, out->account);

	if (!is_good)
		log_error("\"%s\": expected ACCOUNT/FUNCTION with an account of %s", text, c->path);
	free(full);
	return is_good;
}

/* One client an account. NULL when it cannot be made. */
static struct account *account_of(struct manual *m, const char *name)
{
	struct account *a = strmap_get(&m->accounts, name);

	if (a)
		return a;
	a = account_new(m->st, m->config, config_account(m->config, name));
	if (!a)
		return NULL;
	a->is_once = true;
	strmap_put(&m->accounts, name, a);
	return a;
}

static enum look_result drop(struct account *a, const char *name)
{
	struct aws_error err = {0};

	if (copies_drop(a, name, &err) == 0)
		return LOOK_TOLD;
	account_failed(a, &err);
	return LOOK_FAILED;
}

static enum look_result do_aws(struct manual *m, struct account *a, const char *name)
{
	if (m->what == MANUAL_DROP)
		return drop(a, name);
	return look_by_hand(a, name, m->what == MANUAL_COPY_TELL);
}

static enum look_result look_aws(struct manual *m, const struct subject *s)
{
	struct account *a = account_of(m, s->account);
	enum look_result result = a ? do_aws(m, a, s->function) : LOOK_FAILED;

	if (result == LOOK_LATER && mono_diff_ns(mono_now(), m->since) > READY_GIVE_UP_NS) {
		log_error("%s/%s is still being updated; run again later", s->account, s->function);
		m->code = exit_code_worse(m->code, EXIT_AGAIN);
		return LOOK_FAILED;
	}
	if (result == LOOK_NO_SUCH)
		m->code = exit_code_worse(m->code, EXIT_USAGE);
	else if (result == LOOK_FAILED)
		m->code = exit_code_worse(m->code, a ? a->code : EXIT_USAGE);
	return result;
}

static enum look_result look_http(struct manual *m, const struct subject *s)
{
	const struct config_function *rule = config_rule(m->config, s->account, s->function);
	char subject[sizeof(struct subject) + 1];

	if (m->what == MANUAL_DROP)
		return LOOK_TOLD;
	if (!rule || !rule->url) {
		log_error("%s/%s: an http account has no list; give the function a rule with url:",
			  s->account, s->function);
		m->code = exit_code_worse(m->code, EXIT_USAGE);
		return LOOK_FAILED;
	}
	snprintf(subject, sizeof(subject), "%s/%s", s->account, s->function);
	if (describe_http(m->st, subject, rule->url))
		m->code = exit_code_worse(m->code, EXIT_USAGE);
	return LOOK_TOLD;
}

static void tick(struct loop *l, struct loop_timer *t)
{
	struct manual *m = CONTAINER_OF(t, struct manual, tick);
	const struct subject *s = &m->subjects[m->told];
	bool is_http;

	if (m->told == m->count) {
		stage_finish(m->st, m->code);
		return;
	}
	is_http = config_account(m->config, s->account)->provider == PROVIDER_HTTP;
	if ((is_http ? look_http(m, s) : look_aws(m, s)) == LOOK_LATER) {
		loop_timer_set_in(l, t, READY_AGAIN_NS);
		return;
	}
	m->told++;
	m->since = mono_now();
	loop_timer_set(l, t, m->since);
}

struct manual *manual_new(struct stage *st, const struct config *config, const char *const *names,
			  size_t count, enum manual_what what)
{
	struct manual *m = x_calloc(1, sizeof(*m));
	bool is_good = true;

	m->st = st;
	m->config = config;
	m->count = count;
	m->what = what;
	m->subjects = x_calloc(count + 1, sizeof(*m->subjects));
	m->tick.run = tick;
	for (size_t i = 0; i < count; i++)
		is_good &= parse_name(config, names[i], &m->subjects[i]);
	if (is_good)
		return m;
	manual_free(m);
	return NULL;
}

void manual_start(struct manual *m)
{
	m->since = mono_now();
	loop_timer_set(stage_loop(m->st), &m->tick, m->since);
}

size_t manual_held(const struct manual *m)
{
	return m->count - m->told;
}

static void free_account(void *value)
{
	account_free(value);
}

void manual_free(struct manual *m)
{
	if (!m)
		return;
	loop_timer_clear(stage_loop(m->st), &m->tick);
	strmap_release(&m->accounts, free_account);
	free(m->subjects);
	free(m);
}
