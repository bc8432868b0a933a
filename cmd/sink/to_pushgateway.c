/*
 * The pushgateway sink: one group of metrics a function, kept equal to what is known of it.
 *
 * Level-triggered: an event changes the ledger (ledger.h, in the state) and marks its group
 * (pages.h) as owed (owed.h); what is pushed is always the newest state, whole. An event is done
 * when the gateway has taken a state that it is in. A gateway that was started again is owed
 * everything, and every REPUSH_NS so is one that was not. Trouble with the gateway pauses all,
 * longer each time; a group that it refuses waits alone, and its events are given up. In a pipe,
 * what is still owed at the end is remembered for the next start.
 *
 * One call to the gateway at a time, in the loop: one that hangs holds up nobody else.
 */
#include <errno.h>

#include "cmd/sink/gateway.h"
#include "cmd/sink/owed.h"
#include "cmd/sink/pages.h"
#include "common/base/log.h"
#include "common/base/strmap.h"
#include "common/digest/digest.h"

#define POLL_NS (5 * NS_PER_S) /* how often a restart of the gateway is looked for */
#define PAUSE_FIRST_NS NS_PER_S
#define PAUSE_MAX_NS (15 * NS_PER_S)
#define PAUSE_ENDING_NS (4 * NS_PER_S)
#define REFUSED_PAUSE_NS (600 * NS_PER_S)
#define REPUSH_NS (300 * NS_PER_S)

struct to_pushgateway {
	struct sink *sink;
	struct sink_world *world;
	const char *url;
	struct gateway *gateway;
	struct loop *loop;
	struct loop_timer work, sweep, repush;
	struct strmap accounts; /* of the state, while it is swept */
	struct owed owed;
	bool is_batch;

	char pushing[PAGES_GROUP_SIZE]; /* the group that is on its way */
	unsigned pushing_version;
	char refusal[HTTP_WHY_SIZE];
	struct buf body; /* empty = DELETE */

	char started[GATEWAY_START_SIZE]; /* "" = not asked yet */
	struct mono poll_at, give_up_at;
	int64_t pause_ns; /* 0 = the gateway answers */
	size_t lost;
	bool is_ending, wants_poll, must_sweep, is_saved;
};

static void go_on(struct to_pushgateway *p)
{
	loop_timer_set_in(p->loop, &p->work, 0);
}

/* The ledger. */

static void gateway_key(const char *url, char key[PAGES_KEY_SIZE])
{
	char hex[SHA256_HEX_SIZE];

	digest_sha256_hex(url, strlen(url), hex);
	snprintf(key, PAGES_KEY_SIZE, "gateways/%.16s", hex);
}

static struct owed_group *owe_group(struct to_pushgateway *p, const char *group)
{
	struct owed_group *g = owed_add(&p->owed, group);

	p->is_saved = false;
	if (!gateway_is_busy(p->gateway) && (!loop_timer_is_set(&p->work) || p->pause_ns == 0))
		go_on(p);
	return g;
}

static struct owed_group *owe(struct to_pushgateway *p, const char *subject)
{
	char group[PAGES_GROUP_SIZE];

	pages_group_of(subject, p->is_batch, group);
	return owe_group(p, group);
}

static void owe_key(const char *key, void *ctx)
{
	owe(ctx, key + strlen(PAGES_FOLDER "/"));
}

static void owe_everything(struct to_pushgateway *p)
{
	stage_state_each(p->world->st, PAGES_FOLDER, owe_key, p);
	owe(p, PAGES_SERVICE);
}

/* What the next process has to know. */
static void save(struct to_pushgateway *p)
{
	struct json *doc = json_obj(), *list = json_arr();
	char key[PAGES_KEY_SIZE];

	gateway_key(p->url, key);
	for (size_t i = 0; i < p->owed.groups.count; i++)
		json_push(list, json_new_str(p->owed.groups.items[i].key));
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
	char key[PAGES_KEY_SIZE];

	gateway_key(p->url, key);
	doc = stage_state_get(p->world->st, key);
	if (doc == NULL)
		return;
	if (json_get_str(doc, "started") != NULL)
		snprintf(p->started, sizeof(p->started), "%s", json_get_str(doc, "started"));
	list = json_get(doc, "owed");
	for (size_t i = 0; i < json_len(list); i++) {
		const char *subject = json_str(json_elem(list, i));

		if (pages_is_group(subject))
			owe_group(p, subject);
	}
	json_free(doc);
}

static size_t pushgateway_refused(const struct sink *s)
{
	const struct to_pushgateway *p = s->own;

	return owed_refused(&p->owed);
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

static void started(enum gateway_answer answer, const char *why, void *ctx)
{
	struct to_pushgateway *p = ctx;
	const char *now = gateway_start_of(p->gateway);

	if (answer != GATEWAY_DONE) {
		/* At the end a gateway that is down and is owed nothing is no trouble. */
		if (p->owed.groups.count == 0)
			p->wants_poll = false;
		pause_all(p, why);
		return;
	}
	gateway_answers(p);
	p->wants_poll = false;
	p->poll_at = mono_add_ns(mono_now(), POLL_NS);
	go_on(p);
	if (strcmp(now, p->started) == 0)
		return;
	if (p->started[0] != '\0')
		log_info("Pushgateway %s was started again; pushing everything", p->url);
	snprintf(p->started, sizeof(p->started), "%s", now);
	owe_everything(p);
}

static void event_is_done(const char *id, void *ctx)
{
	struct to_pushgateway *p = ctx;

	sink_done(p->sink, id);
}

/* The gateway has, or refuses for good, what was rendered. The group, unless more is owed by now.
 */
static struct owed_group *settle(struct to_pushgateway *p)
{
	p->is_saved = false;
	return owed_settle(&p->owed, p->pushing, p->pushing_version, event_is_done, p);
}

static void pushed(struct to_pushgateway *p)
{
	if (settle(p))
		owed_remove(&p->owed, p->pushing);
	go_on(p);
}

static void stump_is_gone(enum gateway_answer answer, const char *why, void *ctx)
{
	struct to_pushgateway *p = ctx;

	if (answer != GATEWAY_DONE)
		log_warn("Pushgateway %s: %s", p->url, why);
	go_on(p);
}

/* The gateway keeps a stump of a refused group: it goes too, and the group waits. */
static void set_aside(struct to_pushgateway *p, const char *refusal)
{
	struct owed_group *g = settle(p);
	struct buf path = BUF_INIT(1024);

	log_error("Pushgateway %s refuses the group of %s: %s; set aside for ten minutes", p->url,
		  p->pushing, refusal);
	if (g) {
		g->is_refused = true;
		g->not_before = mono_add_ns(mono_now(), REFUSED_PAUSE_NS);
	}
	if (strcmp(p->pushing, PAGES_SERVICE) != 0)
		owe(p, PAGES_SERVICE);
	pages_path(p->pushing, &path);
	gateway_delete(p->gateway, buf_str(&path), stump_is_gone, p);
	buf_release(&path);
}

static void answered(enum gateway_answer answer, const char *why, void *ctx)
{
	struct to_pushgateway *p = ctx;

	if (answer == GATEWAY_DOWN) {
		pause_all(p, why);
		return;
	}
	gateway_answers(p);
	if (answer == GATEWAY_DONE)
		pushed(p);
	else
		set_aside(p, why);
}

static void push(struct to_pushgateway *p, const char *group)
{
	struct buf path = BUF_INIT(1024);

	snprintf(p->pushing, sizeof(p->pushing), "%s", group);
	p->pushing_version = owed_get(&p->owed, group)->version;
	pages_render(p->world, p->pushing, p->is_batch, owed_refused(&p->owed), &p->body);
	pages_path(p->pushing, &path);
	if (p->body.len_bytes > 0)
		gateway_put(p->gateway, buf_str(&path), &p->body, answered, p);
	else
		gateway_delete(p->gateway, buf_str(&path), answered, p);
	buf_release(&path);
}

/* Groups in the gateway that are not to be there, of accounts that the state knows. */

static void note_account(const char *key, void *ctx)
{
	char account[NAME_MAX_BYTES + 1];
	const char *at = key + strlen(PAGES_FOLDER "/");

	snprintf(account, sizeof(account), "%.*s", (int)strcspn(at, "/"), at);
	strmap_put(ctx, account, ctx);
}

static bool is_wanted(struct to_pushgateway *p, const char *group)
{
	char key[PAGES_KEY_SIZE];
	struct json *doc;
	bool is_known;

	if (!pages_has(group, p->is_batch) || p->is_batch || !pages_key(group, key))
		return pages_has(group, p->is_batch);
	doc = stage_state_get(p->world->st, key);
	is_known = doc != NULL;
	json_free(doc);
	return is_known;
}

static void check_group(const struct json *labels, void *ctx)
{
	struct to_pushgateway *p = ctx;
	const char *account = json_get_str(labels, "account");
	char group[PAGES_GROUP_SIZE];
	bool is_ours;

	if (!pages_group_from(labels, group))
		return;
	is_ours = account ? strmap_get(&p->accounts, account) != NULL : p->accounts.count > 0;
	if (!is_ours || is_wanted(p, group))
		return;
	log_info("Pushgateway %s: removing the group of %s, which is not known here", p->url,
		 group);
	owe_group(p, group);
}

static void swept(enum gateway_answer answer, const char *why, void *ctx)
{
	struct to_pushgateway *p = ctx;

	if (answer != GATEWAY_DONE)
		log_warn("Pushgateway %s: cannot look for groups that are not known: %s", p->url,
			 why);
	go_on(p);
}

static void on_sweep(struct loop *l, struct loop_timer *t)
{
	struct to_pushgateway *p = CONTAINER_OF(t, struct to_pushgateway, sweep);

	p->must_sweep = true;
	if (!gateway_is_busy(p->gateway) && p->pause_ns == 0)
		go_on(p);
	loop_timer_set_in(l, &p->sweep, p->world->sweep_ms * NS_PER_MS);
}

/* What the gateway holds may have been changed behind our back. */
static void on_repush(struct loop *l, struct loop_timer *t)
{
	struct to_pushgateway *p = CONTAINER_OF(t, struct to_pushgateway, repush);

	owe_everything(p);
	loop_timer_set_in(l, t, REPUSH_NS);
}

static void give_up(struct to_pushgateway *p)
{
	p->lost = p->owed.groups.count;
	p->wants_poll = false;
	if (p->lost > 0)
		log_error("Pushgateway %s: %zu group%s not pushed; %s", p->url, p->lost,
			  p->lost == 1 ? " is" : "s are",
			  stage_state_dir(p->world->st)
				  ? "the next sink with this --state pushes them"
				  : "with --state DIR the next sink would push them");
}

/* One step. Its answer sets the timer again. */
static void on_work(struct loop *l, struct loop_timer *t)
{
	struct to_pushgateway *p = CONTAINER_OF(t, struct to_pushgateway, work);
	bool is_poll_due = p->wants_poll || !mono_is_before(mono_now(), p->poll_at);
	const char *group;
	int64_t wait_ns = POLL_NS;

	if (gateway_is_busy(p->gateway))
		return;
	if (p->is_ending && !mono_is_before(mono_now(), p->give_up_at)) {
		give_up(p);
		return;
	}
	if (is_poll_due) {
		gateway_started(p->gateway, started, p);
		return;
	}
	if (p->must_sweep) {
		p->must_sweep = false;
		strmap_release(&p->accounts, NULL);
		stage_state_each(p->world->st, PAGES_FOLDER, note_account, &p->accounts);
		gateway_each(p->gateway, check_group, swept, p);
		return;
	}
	group = owed_next(&p->owed, mono_now(), &wait_ns);
	if (group != NULL) {
		push(p, group);
		return;
	}
	if (!p->is_saved)
		save(p);
	loop_timer_set_in(l, t, wait_ns);
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
	p->sink = s;
	p->world = s->world;
	p->is_batch = s->settings && s->settings->mode && !strcmp(s->settings->mode, "batch");
	p->url = s->value;
	p->gateway = gateway_new(stage_loop(s->world->st), s->value, token,
				 s->settings ? s->settings->timeout_ms : 0);
	p->loop = stage_loop(s->world->st);
	p->work.run = on_work;
	p->sweep.run = on_sweep;
	p->repush.run = on_repush;
	buf_init(&p->body, PAGES_MAX_BYTES);
	if (token != NULL)
		digest_wipe(token, strlen(token));
	free(token);
	s->own = p;
	load(p);
	loop_timer_set_in(p->loop, &p->work, 0);
	if (p->world->sweep_ms > 0 && stage_has_state(p->world->st))
		loop_timer_set_in(p->loop, &p->sweep, p->world->sweep_ms * NS_PER_MS);
	if (stage_has_state(p->world->st))
		loop_timer_set_in(p->loop, &p->repush, REPUSH_NS);
	if (stage_is_bus(p->world->st)) { /* what the process before us did not get to */
		owe_everything(p);
		p->must_sweep = p->world->sweep_ms > 0;
	}
	return EXIT_FINE;
}

static int pushgateway_deliver(struct sink *s, const struct event *ev)
{
	struct to_pushgateway *p = s->own;
	struct json *doc;
	char key[PAGES_KEY_SIZE];
	bool is_news;

	if (!pages_key(ev->subject, key)) {
		stage_count(p->world->st, "event without account/function");
		return 0;
	}
	doc = stage_state_get(p->world->st, key);
	is_news = ledger_fold(&doc, ev);
	if (is_news)
		stage_state_put(p->world->st, key, doc);
	else
		json_free(doc);
	/* On the bus one that is known may be told again because its push is not known to be. */
	if (!is_news && !stage_is_bus(p->world->st))
		return 0;
	owed_wait(owe(p, ev->subject), ev->id);
	return -EINPROGRESS;
}

static void pushgateway_end(struct sink *s)
{
	struct to_pushgateway *p = s->own;

	p->is_ending = true;
	p->wants_poll = true;
	p->give_up_at = mono_add_ns(mono_now(), p->world->retry_ms * NS_PER_MS);
	if (!gateway_is_busy(p->gateway))
		go_on(p);
}

static size_t pushgateway_held(const struct sink *s)
{
	const struct to_pushgateway *p = s->own;

	if (p->lost > 0)
		return 0;
	return p->owed.groups.count - owed_refused(&p->owed) + (p->is_ending && p->wants_poll);
}

static enum exit_code pushgateway_close(struct sink *s)
{
	struct to_pushgateway *p = s->own;
	/* On the bus nothing is lost: Redis still has the events. */
	bool has_owed = p->owed.groups.count > 0 && !stage_is_bus(p->world->st);

	if (!p->is_saved)
		save(p);
	loop_timer_clear(p->loop, &p->work);
	loop_timer_clear(p->loop, &p->sweep);
	loop_timer_clear(p->loop, &p->repush);
	gateway_free(p->gateway);
	owed_release(&p->owed);
	strmap_release(&p->accounts, NULL);
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
