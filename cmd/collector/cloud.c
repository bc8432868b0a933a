/*
 * cloud.c - questions on a timer, by a child.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/ask_cloud.h"
#include "cmd/collector/child.h"
#include "cmd/collector/cloud.h"
#include "common/base/log.h"

#define QUESTION_MAX_BYTES (64u * 1024u)
#define ASK_TIMEOUT_MS 60000
#define LOGS_TIMEOUT_MS 120000
#define LOGS_MARGIN_MS 60000 /* a report is dated by the end of its call */

struct cloud_ask {
	struct cloud *owner;
	struct run *run;
	struct child child;
	struct loop_timer next; /* the next question */
	struct json *before;	/* the last answer */
	int reads_left;		/* of logs */
	bool is_check;
};

static bool has_own_endpoint(const struct config_account *a)
{
	return a->endpoint || getenv("AWS_ENDPOINT_URL") || getenv("AWS_ENDPOINT_URL_CLOUDWATCH");
}

static const struct config_account *account_of(const struct cloud *c, const struct run *r,
					       struct subject *s)
{
	const struct config_account *a;

	if (!c->config || !r->subject || subject_parse(r->subject, s) != 0)
		return NULL;
	a = config_account(c->config, s->account);
	return a && a->provider == PROVIDER_AWS ? a : NULL;
}

static struct json *question_of(const struct cloud_ask *ask, const char *want)
{
	struct json *q = json_obj();
	struct subject s;

	if (subject_parse(ask->run->subject, &s) == 0) {
		json_put_str(q, "account", s.account);
		json_put_str(q, "function", s.function);
	}
	json_put_str(q, "config", ask->owner->config->path);
	json_put_str(q, "state", ask->owner->state_dir);
	json_put_str(q, "want", want);
	return q;
}

static void free_ask(struct cloud_ask *ask)
{
	child_stop(&ask->child);
	loop_timer_clear(ask->owner->loop, &ask->next);
	ask->run->ask = NULL;
	json_free(ask->before);
	free(ask);
}

static int ask_child(struct cloud_ask *ask, struct json *question_take, int64_t timeout_ms)
{
	const char *const argv[] = {"/proc/self/exe", "--ask-cloud", NULL};
	/* Our own program, with our own credentials' sources. */
	struct proc_spec spec = {.argv = argv, .has_whole_env = true};
	struct buf text = BUF_INIT(QUESTION_MAX_BYTES);
	int rc;

	json_write(question_take, &text);
	rc = child_start(ask->owner->loop, &ask->child, &spec, buf_str(&text), text.len_bytes,
			 timeout_ms);
	json_free(question_take);
	buf_release(&text);
	if (rc != 0)
		log_warn("cannot ask the cloud about run %s: %s", ask->run->id, strerror(-rc));
	return rc;
}

static struct json *answer_of(int code, const struct buf *output)
{
	struct json *answer = NULL;

	if (code != 0 || json_parse(buf_str(output), output->len_bytes, ASK_CLOUD_ANSWER_MAX_BYTES,
				    &answer, NULL) != 0)
		return NULL;
	return answer;
}

static struct cloud_ask *new_ask(struct cloud *c, struct run *r)
{
	struct cloud_ask *ask = x_calloc(1, sizeof(*ask));

	ask->owner = c;
	ask->run = r;
	r->ask = ask;
	return ask;
}

/* --wait-cloud is one time for all that a run is asked for. */
static void set_until(const struct cloud *c, struct run *r)
{
	if (r->cloud_until.ns == 0)
		r->cloud_until = mono_add_ns(mono_now(), c->opts->wait_ms * NS_PER_MS);
}

/* After --cloud-every, or when the time is over if that comes first. False: it is over. */
static bool ask_again(struct cloud_ask *ask)
{
	struct mono next = mono_add_ns(mono_now(), ask->owner->opts->every_ms * NS_PER_MS);
	struct mono until = ask->run->cloud_until;

	if (!mono_is_before(mono_now(), until))
		return false;
	loop_timer_set(ask->owner->loop, &ask->next, mono_is_before(until, next) ? until : next);
	return true;
}

/* Figures. */

static void end_figures(struct cloud_ask *ask)
{
	struct run *r = ask->run;
	struct cloud *c = ask->owner;
	struct json *last = json_ref(ask->before);

	free_ask(ask);
	c->figures(r, last);
}

static void on_figures(struct child *child, int code, const struct buf *output)
{
	struct cloud_ask *ask = CONTAINER_OF(child, struct cloud_ask, child);
	struct json *answer = answer_of(code, output);
	bool is_settled = answer && json_get(answer, "invocations") && ask->before &&
			  json_is_equal(answer, ask->before);

	if (answer) {
		json_free(ask->before);
		ask->before = answer;
	}
	if (is_settled || !ask_again(ask))
		end_figures(ask);
}

static void ask_now(struct loop *l, struct loop_timer *t)
{
	struct cloud_ask *ask = CONTAINER_OF(t, struct cloud_ask, next);
	struct json *q = question_of(ask, "figures");
	const struct json *told = ask->run->told;

	(void)l;
	json_put_str(q, "from", json_get_str(told, "load_started_at"));
	json_put_str(q, "to", json_get_str(told, "load_ended_at"));
	json_put(q, "variants", json_copy(json_get(told, "variants")));
	ask->child.done = on_figures;
	if (ask_child(ask, q, ASK_TIMEOUT_MS) != 0)
		end_figures(ask);
}

/* How long until a first read can be believed; never past the time to give up. */
static int64_t first_wait_ms(const struct run *r, const struct config_account *a, int64_t settle_ms)
{
	const char *text = json_get_str(r->told, "load_ended_at");
	int64_t left_ms = has_own_endpoint(a) ? 0 : settle_ms;
	struct wall ended;

	if (left_ms > 0 && text && wall_parse_rfc3339(text, &ended) == 0)
		left_ms -= wall_diff_ns(wall_now(), ended) / NS_PER_MS;
	left_ms = MIN_OF(left_ms, mono_diff_ns(r->cloud_until, mono_now()) / NS_PER_MS);
	return MAX_OF(left_ms, 0);
}

bool cloud_ask_figures(struct cloud *c, struct run *r)
{
	struct subject s;
	const struct config_account *a = account_of(c, r, &s);
	struct cloud_ask *ask;

	if (!a || c->opts->wait_ms <= 0 || !json_get(r->told, "load_started_at"))
		return false;
	ask = new_ask(c, r);
	ask->next.run = ask_now;
	set_until(c, r);
	loop_timer_set_in(c->loop, &ask->next, first_wait_ms(r, a, c->opts->settle_ms) * NS_PER_MS);
	return true;
}

/* Environments. */

static void end_environments(struct cloud_ask *ask)
{
	struct run *r = ask->run;
	struct cloud *c = ask->owner;

	free_ask(ask);
	c->environments_over(r);
}

static void on_logs(struct child *child, int code, const struct buf *output)
{
	struct cloud_ask *ask = CONTAINER_OF(child, struct cloud_ask, child);
	struct cloud *c = ask->owner;
	struct json *answer = answer_of(code, output);
	bool is_enough = !answer || c->environments(ask->run, answer);

	if (is_enough || --ask->reads_left == 0 || !ask_again(ask))
		end_environments(ask);
	json_free(answer);
}

static char *later(const char *rfc3339, int64_t ms)
{
	char text[WALL_RFC3339_SIZE];
	struct wall at;

	if (!rfc3339 || wall_parse_rfc3339(rfc3339, &at) != 0)
		return NULL;
	wall_format_rfc3339((struct wall){at.ns + ms * NS_PER_MS}, text);
	return x_strdup(text);
}

static void read_logs(struct loop *l, struct loop_timer *t)
{
	struct cloud_ask *ask = CONTAINER_OF(t, struct cloud_ask, next);
	struct json *q = question_of(ask, "environments");
	char *to = later(json_get_str(ask->run->told, "load_ended_at"), LOGS_MARGIN_MS);

	(void)l;
	json_put_str(q, "from", json_get_str(ask->run->told, "load_started_at"));
	json_put_str(q, "to", to);
	free(to);
	ask->child.done = on_logs;
	ask->child.output_max_bytes = ASK_CLOUD_ANSWER_MAX_BYTES;
	if (ask_child(ask, q, LOGS_TIMEOUT_MS) != 0)
		end_environments(ask);
}

bool cloud_wants_environments(const struct cloud *c, const struct run *r)
{
	struct subject s;
	const struct config_account *a = account_of(c, r, &s);

	return a && a->environments_from_logs && c->opts->wait_ms > 0;
}

bool cloud_ask_environments(struct cloud *c, struct run *r)
{
	struct subject s;
	const struct config_account *a = account_of(c, r, &s);
	struct cloud_ask *ask;

	if (!cloud_wants_environments(c, r) || !json_get(r->told, "load_started_at"))
		return false;
	ask = new_ask(c, r);
	ask->next.run = read_logs;
	set_until(c, r);
	ask->reads_left = CLOUD_LOGS_READS;
	loop_timer_set_in(c->loop, &ask->next,
			  first_wait_ms(r, a, CLOUD_LOGS_AFTER_MS) * NS_PER_MS);
	return true;
}

void cloud_hurry(struct run *r)
{
	if (!r->ask || r->ask->is_check)
		return;
	if (r->ask->reads_left > 0)
		end_environments(r->ask);
	else
		end_figures(r->ask);
}

/* The revision. */

const char *cloud_compare_revision(const struct json *plan, const struct json *answer)
{
	static const struct {
		const char *planned, *read, *words;
	} rows[] = {
		{"target.code_sha256", "code_sha256", "the code changed while it was measured"},
		{"change.revision", "revision", "the function changed while it was measured"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *planned = json_str(json_at(plan, rows[i].planned));
		const char *read = json_get_str(answer, rows[i].read);

		if (planned && read && strcmp(planned, read) != 0)
			return rows[i].words;
	}
	return NULL;
}

static void on_checked(struct child *child, int code, const struct buf *output)
{
	struct cloud_ask *ask = CONTAINER_OF(child, struct cloud_ask, child);
	struct cloud *c = ask->owner;
	struct run *r = ask->run;
	struct json *answer = answer_of(code, output);
	const char *changed = answer ? cloud_compare_revision(r->plan, answer) : NULL;

	if (!answer)
		log_warn("cannot read the revision of %s after run %s; it is taken as unchanged",
			 r->subject, r->id);
	free_ask(ask);
	json_free(answer);
	c->checked(r, changed);
}

bool cloud_check_revision(struct cloud *c, struct run *r)
{
	const struct json *target = json_get(r->plan, "target");
	struct cloud_ask *ask;
	struct subject s;
	struct json *q;

	if (!account_of(c, r, &s) || json_get_bool(target, "is_immutable", true))
		return false;
	ask = new_ask(c, r);
	ask->is_check = true;
	ask->child.done = on_checked;
	q = question_of(ask, "revision");
	json_put_str(q, "qualifier", json_get_str(target, "qualifier"));
	if (ask_child(ask, q, CLOUD_CHECK_MS) == 0)
		return true;
	free_ask(ask);
	return false;
}

void cloud_stop(struct run *r)
{
	if (r->ask)
		free_ask(r->ask);
}
