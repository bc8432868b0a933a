/*
 * The pushgateway sink: one group of metrics a function, kept equal to what is known of it.
 *
 * Level-triggered: an event changes the ledger (ledger.h, under --state) and marks its function
 * as owed; what is pushed is always the newest state, whole. A gateway that was started again is
 * owed everything. Trouble with the gateway pauses all, longer each time; a group that it refuses
 * waits alone. What is still owed at the end is remembered for the next start.
 *
 * One small step a turn of the loop, so that the lock on the state is never held over HTTP: first
 * a group is rendered from the state, in the next turn it is sent.
 */
#include "cmd/sink/gateway.h"
#include "cmd/sink/sinks.h"
#include "common/base/log.h"
#include "common/base/strmap.h"
#include "common/digest/digest.h"

#define JOB "plimsoll"
#define SERVICE "_/_service" /* the sink's own group */
#define LEDGER_FOLDER "sink"
#define BODY_MAX_BYTES (64u * 1024u)
#define POLL_NS (5 * NS_PER_S) /* how often a restart of the gateway is looked for */
#define PAUSE_FIRST_NS NS_PER_S
#define PAUSE_MAX_NS (60 * NS_PER_S)
#define PAUSE_ENDING_NS (4 * NS_PER_S)
#define REFUSED_PAUSE_NS (600 * NS_PER_S)

struct owed {
	struct mono not_before;
	unsigned version; /* counts the events; a push settles the version it rendered */
	bool is_refused;
};

struct to_pushgateway {
	struct sink_world *world;
	const char *url;
	struct gateway *gateway;
	struct loop *loop;
	struct loop_timer work, sweep;
	struct strmap owed; /* subject -> struct owed, in the order they came */

	char rendering[2 * NAME_MAX_BYTES + 2]; /* the subject that is rendered; "" = none */
	unsigned rendered_version;
	struct buf body; /* empty = DELETE */

	char started[GATEWAY_START_SIZE]; /* "" = not asked yet */
	struct mono poll_at, give_up_at;
	int64_t pause_ns; /* 0 = the gateway answers */
	size_t lost;
	bool is_ending, wants_poll, must_sweep, is_saved;
};

/* The ledger. */

/* "sink/prod/hello"; false for a subject that is none of ours. */
static bool make_key(const char *subject, char key[200])
{
	struct subject parts;

	if (subject == NULL || subject_parse(subject, &parts) != 0)
		return false;
	snprintf(key, 200, LEDGER_FOLDER "/%s/%s", parts.account, parts.function);
	return true;
}

static void gateway_key(const char *url, char key[200])
{
	char hex[SHA256_HEX_SIZE];

	digest_sha256_hex(url, strlen(url), hex);
	snprintf(key, 200, "gateways/%.16s", hex);
}

static void owe(struct to_pushgateway *p, const char *subject)
{
	struct owed *o = strmap_get(&p->owed, subject);

	if (o == NULL) {
		o = x_calloc(1, sizeof(*o));
		strmap_put(&p->owed, subject, o);
	}
	o->version++;
	/* New content may please the gateway where the old did not. */
	o->not_before = (struct mono){0};
	o->is_refused = false;
	p->is_saved = false;
	if (!loop_timer_is_set(&p->work) || p->pause_ns == 0)
		loop_timer_set_in(p->loop, &p->work, 0);
}

static void owe_key(const char *key, void *ctx)
{
	owe(ctx, key + strlen(LEDGER_FOLDER "/"));
}

static void owe_everything(struct to_pushgateway *p)
{
	stage_state_each(p->world->st, LEDGER_FOLDER, owe_key, p);
	owe(p, SERVICE);
}

/* What the next process has to know. */
static void save(struct to_pushgateway *p)
{
	struct json *doc = json_obj(), *list = json_arr();
	char key[200];

	gateway_key(p->url, key);
	for (size_t i = 0; i < p->owed.count; i++)
		json_push(list, json_new_str(p->owed.items[i].key));
	json_put_str(doc, "url", p->url);
	json_put_str(doc, "started", p->started);
	json_put(doc, "owed", list);
	stage_state_put(p->world->st, key, doc);
	p->is_saved = true;
}

static void load(struct to_pushgateway *p)
{
	const struct json *list;
	struct json *doc;
	char key[200];

	gateway_key(p->url, key);
	doc = stage_state_get(p->world->st, key);
	if (doc == NULL)
		return;
	if (json_get_str(doc, "started") != NULL)
		snprintf(p->started, sizeof(p->started), "%s", json_get_str(doc, "started"));
	list = json_get(doc, "owed");
	for (size_t i = 0; i < json_len(list); i++) {
		const char *subject = json_str(json_elem(list, i));

		if (make_key(subject, key))
			owe(p, subject);
	}
	json_free(doc);
}

/* Rendering. */

static size_t count_refused(const struct to_pushgateway *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->owed.count; i++)
		count += ((const struct owed *)p->owed.items[i].value)->is_refused;
	return count;
}

static size_t pushgateway_refused(const struct sink *s)
{
	return count_refused(s->own);
}

static void render_service(struct to_pushgateway *p, struct prom *page)
{
	int rc = prom_set(page, PM_SINK_REJECTED, NULL, (double)count_refused(p));

	BUG_ON(rc != 0);
}

/* plimsoll accept wrote which run it was about; it is no event, so it is read when it is needed. */
static void add_accepted(struct to_pushgateway *p, const char *subject, struct json *doc)
{
	char *key = x_asprintf("accepted/%s", subject);
	struct json *accepted = stage_state_get(p->world->st, key);

	json_put_str(doc, "accepted", json_get_str(accepted, "run"));
	json_free(accepted);
	free(key);
}

static void render_function(struct to_pushgateway *p, const char *subject, struct prom *page)
{
	struct json *doc = NULL;
	char key[200];

	if (make_key(subject, key))
		doc = stage_state_get(p->world->st, key);
	if (doc != NULL) {
		add_accepted(p, subject, doc);
		ledger_group(doc, p->world->exports, p->world->export_count, page);
	}
	json_free(doc);
}

/* Nothing known of a function renders to nothing: its group is to go. */
static void render(struct to_pushgateway *p, const char *subject)
{
	struct prom page = PROM_INIT;

	snprintf(p->rendering, sizeof(p->rendering), "%s", subject);
	p->rendered_version = ((const struct owed *)strmap_get(&p->owed, subject))->version;
	if (strcmp(subject, SERVICE) == 0)
		render_service(p, &page);
	else
		render_function(p, subject, &page);
	buf_clear(&p->body);
	prom_write(&page, &p->body);
	prom_release(&page);
}

static void make_path(const char *subject, struct buf *path)
{
	const char *slash = strchr(subject, '/');
	char *account = x_strndup(subject, (size_t)(slash - subject));
	const char *pairs[] = {"job", JOB, "account", account, "function", slash + 1};

	prom_group_path(pairs, 3, path);
	free(account);
}

/* The conversation. */

static void pause_all(struct to_pushgateway *p, const char *why)
{
	if (p->pause_ns == 0)
		log_warn("Pushgateway %s: %s; trying again", p->url, why);
	p->pause_ns = p->pause_ns == 0 ? PAUSE_FIRST_NS : MIN_OF(2 * p->pause_ns, PAUSE_MAX_NS);
	if (p->is_ending)
		p->pause_ns = MIN_OF(p->pause_ns, PAUSE_ENDING_NS);
	loop_timer_set_in(p->loop, &p->work, p->pause_ns);
}

/* A slow gateway is no gateway that is down: the time to give up counts from its last answer. */
static void gateway_answers(struct to_pushgateway *p)
{
	p->give_up_at = mono_add_ns(mono_now(), p->world->retry_ms * NS_PER_MS);
	if (p->pause_ns > 0)
		log_info("Pushgateway %s answers again", p->url);
	p->pause_ns = 0;
}

/* False: it does not answer, and a pause is set. */
static bool look_for_restart(struct to_pushgateway *p)
{
	char started[GATEWAY_START_SIZE], why[HTTP_WHY_SIZE];

	if (gateway_started(p->gateway, started, why) != GATEWAY_DONE) {
		pause_all(p, why);
		return false;
	}
	gateway_answers(p);
	p->wants_poll = false;
	p->poll_at = mono_add_ns(mono_now(), POLL_NS);
	if (strcmp(started, p->started) == 0)
		return true;
	if (p->started[0] != '\0')
		log_info("Pushgateway %s was started again; pushing everything", p->url);
	snprintf(p->started, sizeof(p->started), "%s", started);
	owe_everything(p);
	return true;
}

static void settle(struct to_pushgateway *p, const char *subject)
{
	struct owed *o = strmap_get(&p->owed, subject);

	if (o->version == p->rendered_version)
		free(strmap_remove(&p->owed, subject));
	p->is_saved = false;
}

/* The gateway keeps a stump of a refused group: it goes too, and the group waits. */
static void set_aside(struct to_pushgateway *p, const char *subject, const char *path,
		      const char *refusal)
{
	struct owed *o = strmap_get(&p->owed, subject);
	char why[HTTP_WHY_SIZE];

	log_error("Pushgateway %s refuses the group of %s: %s; set aside for ten minutes", p->url,
		  subject, refusal);
	if (gateway_delete(p->gateway, path, why) != GATEWAY_DONE)
		log_warn("Pushgateway %s: %s", p->url, why);
	if (o->version == p->rendered_version) {
		o->is_refused = true;
		o->not_before = mono_add_ns(mono_now(), REFUSED_PAUSE_NS);
	}
	if (strcmp(subject, SERVICE) != 0)
		owe(p, SERVICE);
}

static void send_rendered(struct to_pushgateway *p)
{
	char subject[sizeof(p->rendering)], why[HTTP_WHY_SIZE];
	struct buf path = BUF_INIT(1024);
	enum gateway_answer answer;

	snprintf(subject, sizeof(subject), "%s", p->rendering);
	make_path(subject, &path);
	if (p->body.len_bytes > 0)
		answer = gateway_put(p->gateway, buf_str(&path), &p->body, why);
	else
		answer = gateway_delete(p->gateway, buf_str(&path), why);
	p->rendering[0] = '\0';
	if (answer == GATEWAY_DOWN) {
		pause_all(p, why);
	} else {
		gateway_answers(p);
		if (answer == GATEWAY_DONE)
			settle(p, subject);
		else
			set_aside(p, subject, buf_str(&path), why);
	}
	buf_release(&path);
}

/* The first that may be tried now; else how long until one may. */
static const char *next_owed(const struct to_pushgateway *p, int64_t *wait_ns)
{
	struct mono now = mono_now();

	*wait_ns = POLL_NS;
	for (size_t i = 0; i < p->owed.count; i++) {
		const struct owed *o = p->owed.items[i].value;

		if (!mono_is_before(now, o->not_before))
			return p->owed.items[i].key;
		*wait_ns = MIN_OF(*wait_ns, mono_diff_ns(o->not_before, now));
	}
	return NULL;
}

/* Groups in the gateway that the state does not know, of accounts that it does. */
struct strangers {
	struct to_pushgateway *p;
	struct strmap accounts;
};

static void note_account(const char *key, void *ctx)
{
	struct strangers *s = ctx;
	char account[NAME_MAX_BYTES + 1];
	const char *at = key + strlen(LEDGER_FOLDER "/");

	snprintf(account, sizeof(account), "%.*s", (int)strcspn(at, "/"), at);
	strmap_put(&s->accounts, account, s);
}

static void check_group(const char *subject, void *ctx)
{
	struct strangers *s = ctx;
	struct subject parts;
	struct json *doc;
	char key[200];

	if (!make_key(subject, key) || subject_parse(subject, &parts) != 0 ||
	    strmap_get(&s->accounts, parts.account) == NULL)
		return;
	doc = stage_state_get(s->p->world->st, key);
	if (doc == NULL) {
		log_info("Pushgateway %s: removing the group of %s, which is not known here",
			 s->p->url, subject);
		owe(s->p, subject);
	}
	json_free(doc);
}

static void sweep(struct to_pushgateway *p)
{
	struct strangers s = {.p = p};
	char why[HTTP_WHY_SIZE];

	p->must_sweep = false;
	stage_state_each(p->world->st, LEDGER_FOLDER, note_account, &s);
	if (gateway_each(p->gateway, check_group, &s, why) != GATEWAY_DONE)
		log_warn("Pushgateway %s: cannot look for groups that are not known: %s", p->url,
			 why);
	strmap_release(&s.accounts, NULL);
}

static void on_sweep(struct loop *l, struct loop_timer *t)
{
	struct to_pushgateway *p = CONTAINER_OF(t, struct to_pushgateway, sweep);

	p->must_sweep = true;
	loop_timer_set_in(l, &p->work, 0);
	loop_timer_set_in(l, &p->sweep, p->world->sweep_ms * NS_PER_MS);
}

static void give_up(struct to_pushgateway *p)
{
	p->lost = p->owed.count;
	p->wants_poll = false;
	if (p->lost > 0)
		log_error("Pushgateway %s: %zu group%s not pushed; %s", p->url, p->lost,
			  p->lost == 1 ? " is" : "s are",
			  stage_state_dir(p->world->st)
				  ? "the next sink with this --state pushes them"
				  : "with --state DIR the next sink would push them");
}

/* One step. */
static void on_work(struct loop *l, struct loop_timer *t)
{
	struct to_pushgateway *p = CONTAINER_OF(t, struct to_pushgateway, work);
	bool is_poll_due = p->wants_poll || !mono_is_before(mono_now(), p->poll_at);
	const char *subject;
	int64_t wait_ns = 0;

	loop_timer_set_in(l, t, 0);
	if (p->is_ending && !mono_is_before(mono_now(), p->give_up_at)) {
		give_up(p);
		loop_timer_clear(l, t);
		return;
	}
	if (p->rendering[0] != '\0') {
		send_rendered(p);
	} else if (is_poll_due) {
		/* At the end a gateway that is down and is owed nothing is no trouble. */
		if (!look_for_restart(p) && p->owed.count == 0)
			p->wants_poll = false;
	} else if (p->must_sweep) {
		sweep(p);
	} else {
		subject = next_owed(p, &wait_ns);
		if (subject != NULL)
			render(p, subject);
		else if (!p->is_saved)
			save(p);
		else
			loop_timer_set_in(l, t, MIN_OF(wait_ns, POLL_NS));
	}
}

/* The sink. */

static bool pushgateway_check(const struct sink *s)
{
	struct http_url url;

	if (http_url_split(s->value, &url) == 0 && url.query == NULL)
		return true;
	/* What stands before an at sign may be a password. */
	log_error("pushgateway %s: expected a URL such as http://127.0.0.1:9091",
		  strchr(s->value, '@') ? "with a user in its URL" : s->value);
	return false;
}

/* True also when there is no token. */
static bool read_token(const struct sink *s, char **token)
{
	char why[200];

	*token = NULL;
	if (s->settings == NULL || s->settings->token == NULL)
		return true;
	if (config_secret(s->settings->token, token, why) == 0)
		return true;
	log_error("sink %s: token: %s", s->settings->name, why);
	return false;
}

static enum exit_code pushgateway_open(struct sink *s)
{
	struct to_pushgateway *p;
	char *token;

	if (!read_token(s, &token))
		return EXIT_USAGE;
	p = x_calloc(1, sizeof(*p));
	p->world = s->world;
	p->url = s->value;
	p->gateway = gateway_new(s->value, token);
	p->loop = stage_loop(s->world->st);
	p->work.run = on_work;
	p->sweep.run = on_sweep;
	buf_init(&p->body, BODY_MAX_BYTES);
	if (token != NULL)
		digest_wipe(token, strlen(token));
	free(token);
	s->own = p;
	load(p);
	loop_timer_set_in(p->loop, &p->work, 0);
	if (p->world->sweep_ms > 0 && stage_has_state(p->world->st))
		loop_timer_set_in(p->loop, &p->sweep, p->world->sweep_ms * NS_PER_MS);
	return EXIT_FINE;
}

static void pushgateway_deliver(struct sink *s, const struct event *ev)
{
	struct to_pushgateway *p = s->own;
	struct json *doc;
	char key[200];

	if (!make_key(ev->subject, key)) {
		stage_count(p->world->st, "event without account/function");
		return;
	}
	doc = stage_state_get(p->world->st, key);
	if (!ledger_fold(&doc, ev)) {
		json_free(doc);
		return;
	}
	stage_state_put(p->world->st, key, doc);
	owe(p, ev->subject);
}

static void pushgateway_end(struct sink *s)
{
	struct to_pushgateway *p = s->own;

	p->is_ending = true;
	p->wants_poll = true;
	p->give_up_at = mono_add_ns(mono_now(), p->world->retry_ms * NS_PER_MS);
	loop_timer_set_in(p->loop, &p->work, 0);
}

static size_t pushgateway_held(const struct sink *s)
{
	const struct to_pushgateway *p = s->own;

	if (p->lost > 0)
		return 0;
	return p->owed.count - count_refused(p) + (p->is_ending && p->wants_poll);
}

static enum exit_code pushgateway_close(struct sink *s)
{
	struct to_pushgateway *p = s->own;
	bool has_owed = p->owed.count > 0;

	if (!p->is_saved)
		save(p);
	loop_timer_clear(p->loop, &p->work);
	loop_timer_clear(p->loop, &p->sweep);
	gateway_free(p->gateway);
	strmap_release(&p->owed, free);
	buf_release(&p->body);
	free(p);
	return has_owed ? EXIT_AGAIN : EXIT_FINE;
}

const struct sink_kind sink_pushgateway = {
	.name = "pushgateway",
	.value_name = "URL",
	.fallback = "http://127.0.0.1:9091",
	.help = "one group of metrics a function (docs/METRICS.md)",
	.wants = EV_BIT(EV_FUNCTION_CHANGED) | EV_BIT(EV_FUNCTION_REMOVED) |
		 EV_BIT(EV_RUN_PLANNED) | EV_BIT(EV_RUN_FINISHED),
	.check = pushgateway_check,
	.open = pushgateway_open,
	.deliver = pushgateway_deliver,
	.end = pushgateway_end,
	.held = pushgateway_held,
	.refused = pushgateway_refused,
	.close = pushgateway_close,
};
