/*
 * inbox_changes.c - changes, from pl_changes to pl_plan: the planner's inbox; the broker is hosted
 * here.
 *
 * Documents come with each change and are known for the time of its take() alone; what the take
 * says and puts goes back in one call. Many calls may be open at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/unit.h"
#include "common/stage/bus_private.h"
#include "common/work/broker.h"

#define ID_CONFIRM 'k' /* first letter of a wish to confirm; its change stays the old one */

struct document {
	char *key, *text;
	size_t len_bytes;
};

struct change {
	struct change *next;
	char *id;
	struct event ev;
	struct document *docs;
	size_t doc_count;
};

/* A run that take() has planned. */
struct planned_run {
	struct json *data; /* of run.planned */
	char *run, *subject, *line;
	size_t line_bytes;
	struct json *shards; /* array of lines */
};

struct changes {
	struct change *first, **end;
	size_t waiting;
	struct strmap in_hand; /* ids that lie here or are being answered */
	bool is_taking;
	struct planned_run *runs; /* of the take */
	size_t run_count;
	struct broker *broker;
};

static struct changes *own(const struct stage *st)
{
	return st->bus->own;
}

static int changes_open(struct stage *st)
{
	struct changes *c = x_calloc(1, sizeof(*c));

	c->end = &c->first;
	st->bus->own = c;
	c->broker = broker_open(st->loop, st->bus->jobs, &st->bus->config->bus);
	return c->broker ? EXIT_FINE : EXIT_AGAIN;
}

/* Taking rows. */

static void change_free(struct change *c)
{
	for (size_t i = 0; i < c->doc_count; i++) {
		free(c->docs[i].key);
		free(c->docs[i].text);
	}
	if (c->ev.line)
		event_release(&c->ev);
	free(c->docs);
	free(c->id);
	free(c);
}

/* "durations/@" with the subject in the place of @. */
static void add_docs(const struct stage *st, struct redis_args *a)
{
	for (const char *const *d = st->def->docs; d && *d; d++)
		redis_arg(a, *d);
}

static void read_documents(struct change *c, struct bus_parts *rows)
{
	int64_t count = bus_next_int(rows);

	for (int64_t i = 0; i < count && !rows->is_short; i++) {
		struct document d = {.key = x_strdup(bus_next(rows))};
		struct redis_part text = bus_next_part(rows);

		d.text = x_strndup(text.data, text.len_bytes);
		d.len_bytes = text.len_bytes;
		c->docs = x_realloc(c->docs, c->doc_count + 1, sizeof(*c->docs));
		c->docs[c->doc_count++] = d;
	}
}

/*
 * A wish to confirm is the old change once more, with the run to be confirmed beside it. A retry
 * of a dead run is the old change under a new name, so that a new run comes of it.
 */
static int parse_change(const struct redis_part *line, const char *id, const char *confirms,
			struct event *out, char why[EVENT_WHY_SIZE])
{
	struct buf text = BUF_INIT(EVENT_LINE_MAX_BYTES);
	int rc = event_parse(line->data, line->len_bytes, out, why);

	if (rc || strcmp(id, out->id) == 0)
		return rc;
	if (*id != ID_CONFIRM)
		json_put_str(json_get(out->data, "change"), "id", id);
	json_put_str(out->body, "plimsollrun", *confirms ? confirms : NULL);
	json_put_str(out->body, "id", id);
	json_write(out->body, &text);
	event_release(out);
	rc = event_parse(buf_str(&text), text.len_bytes, out, why);
	buf_release(&text);
	return rc;
}

static void commit(struct stage *st, const char *id, struct wall at);

static bool answer(struct stage *st, struct bus_parts *rows, size_t *count)
{
	struct changes *own_ = own(st);

	for (; rows->left && !rows->is_short; ++*count) {
		struct change *c = x_calloc(1, sizeof(*c));
		char why[EVENT_WHY_SIZE];
		const char *confirms;
		struct redis_part line;

		c->id = x_strdup(bus_next(rows));
		bus_next(rows); /* kind: the event says it */
		confirms = bus_next(rows);
		bus_next(rows); /* fn: the event's subject */
		line = bus_next_part(rows);
		read_documents(c, rows);
		if (rows->is_short || strmap_get(&own_->in_hand, c->id)) {
			change_free(c);
			continue;
		}
		strmap_put(&own_->in_hand, c->id, c);
		if (parse_change(&line, c->id, confirms, &c->ev, why)) {
			stage_reject(st, "not-an-event", why, line.data, line.len_bytes);
			c->ev = (struct event){0};
			commit(st, c->id, wall_now()); /* nothing will be planned for it */
			change_free(c);
			continue;
		}
		*own_->end = c;
		own_->end = &c->next;
		own_->waiting++;
	}
	return !rows->is_short;
}

static size_t waiting(const struct stage *st)
{
	return own(st)->waiting;
}

/* What the take said. */

bool changes_add_plan(struct stage *st, const struct event *ev)
{
	struct changes *c = st->bus->own;
	struct planned_run *r;

	if (st->def->inbox != INBOX_CHANGES || !c->is_taking || !ev->run)
		return false;
	if (ev->kind == EV_SHARD_PLANNED) {
		r = c->run_count ? &c->runs[c->run_count - 1] : NULL;
		if (!r || strcmp(r->run, ev->run) != 0)
			return false;
		json_push(r->shards, json_new_strn(ev->line, ev->line_bytes));
		return true;
	}
	c->runs = x_realloc(c->runs, c->run_count + 1, sizeof(*c->runs));
	c->runs[c->run_count++] = (struct planned_run){
		.data = json_ref(ev->data),
		.run = x_strdup(ev->run),
		.subject = x_strdup(ev->subject),
		.line = x_strndup(ev->line, ev->line_bytes),
		.line_bytes = ev->line_bytes,
		.shards = json_arr(),
	};
	return true;
}

static void forget_runs(struct changes *c)
{
	for (size_t i = 0; i < c->run_count; i++) {
		struct planned_run *r = &c->runs[i];

		json_free(r->data);
		json_free(r->shards);
		free(r->run);
		free(r->subject);
		free(r->line);
	}
	c->run_count = 0;
}

static void forget_put(const char *key, struct json *value_take, void *ctx)
{
	(void)key, (void)ctx;
	json_free(value_take);
}

/* Micro-dollars of a text such as "0.012345"; 0 without one. */
static int64_t money(const char *text)
{
	int64_t micro_usd = 0;

	if (!text || unit_parse_money(text, &micro_usd))
		return 0;
	return micro_usd;
}

static void add_resources(struct redis_args *a, const struct json *list)
{
	redis_arg_int(a, (int64_t)json_len(list));
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *o = json_elem(list, i);
		const char *name = json_get_str(o, "name");

		redis_arg(a, name ? name : "");
		redis_arg_int(a, json_get_int(o, "amount", 0));
		redis_arg_int(a, json_get_int(o, "limit", 0));
	}
}

static void add_run(struct redis_args *a, const struct planned_run *r)
{
	const char *decision = json_get_str(r->data, "decision");
	struct subject s = {"", ""};
	int64_t cost = 0;
	int rc = subject_parse(r->subject, &s);

	if (decision && strcmp(decision, "test") == 0)
		cost = money(json_str(json_at(r->data, "estimate.cost_usd")));
	redis_arg(a, r->run);
	redis_arg(a, decision ? decision : "");
	redis_arg_bytes(a, r->line, r->line_bytes);
	redis_arg_int(a, cost);
	redis_arg_int(a, !json_bool(json_at(r->data, "target.is_immutable")));
	redis_arg(a, rc ? "" : s.account);
	redis_arg_int(a, (int64_t)json_len(r->shards));
	add_resources(a, json_at(r->data, "reserve.resources"));
	for (size_t i = 0; i < json_len(r->shards); i++)
		redis_arg(a, json_str(json_elem(r->shards, i)));
}

static const struct json *reserve_of(const struct changes *c)
{
	for (size_t i = 0; i < c->run_count; i++)
		if (json_get(c->runs[i].data, "reserve"))
			return json_get(c->runs[i].data, "reserve");
	return NULL;
}

struct commit {
	struct stage *stage;
	char *id;
};

static void planned(const struct redis_reply *reply, void *ctx)
{
	struct commit *p = ctx;
	struct stage *st = p->stage;
	struct changes *c = own(st);

	CRASH_POINT("stage.post-plan");
	strmap_remove(&c->in_hand, p->id);
	if (bus_answered(st, reply)) {
		if (jobs_said(reply, "OK"))
			broker_kick(c->broker);
		else if (jobs_said(reply, "NOMONEY"))
			log_info("change %s: the money of the day is booked; it is planned again",
				 p->id);
	}
	free(p->id);
	free(p);
}

/* Everything that came of the take, in one move. */
static void commit(struct stage *st, const char *id, struct wall at)
{
	struct changes *c = own(st);
	const struct json *reserve = reserve_of(c);
	const char *day = json_get_str(reserve, "day");
	char today[WALL_RFC3339_SIZE];
	struct redis_args a = jobs_args("pl_plan");
	struct commit *p = x_calloc(1, sizeof(*p));

	*p = (struct commit){st, x_strdup(id)};
	wall_format_rfc3339(at, today);
	today[strcspn(today, "T")] = '\0';
	redis_arg(&a, id);
	redis_arg(&a, day ? day : today);
	redis_arg_int(&a, money(json_get_str(reserve, "cost_per_day_usd")));
	bus_add_puts(st, &a);
	redis_arg_int(&a, (int64_t)c->run_count);
	for (size_t i = 0; i < c->run_count; i++)
		add_run(&a, &c->runs[i]);
	forget_runs(c);
	CRASH_POINT("stage.pre-plan");
	st->bus->open_calls++;
	jobs_call(st->bus->jobs, &a, planned, p);
	redis_args_release(&a);
}

/* Offering. */

static void set_documents(struct stage *st, const struct change *c, bool is_there)
{
	for (size_t i = 0; i < c->doc_count; i++) {
		struct redis_part text = {c->docs[i].text, c->docs[i].len_bytes};

		bus_seed(st, c->docs[i].key, is_there ? &text : NULL);
	}
}

/* False: not now. */
static bool offer(struct stage *st, struct change *c)
{
	struct changes *all = own(st);
	int rc;

	set_documents(st, c, true);
	all->is_taking = true;
	rc = stage_take(st, &c->ev);
	all->is_taking = false;
	CRASH_POINT("stage.post-offer");
	if (rc) { /* half of what it wanted to say is nothing */
		forget_runs(all);
		state_drain(st->state, forget_put, NULL);
	}
	if (rc != -EAGAIN)
		commit(st, c->id, c->ev.time);
	set_documents(st, c, false);
	return rc != -EAGAIN;
}

static void turn(struct stage *st)
{
	struct changes *c = own(st);

	for (size_t n = 0; c->first && bus_may_take(st); n++) {
		struct change *now = c->first;

		if (n == OFFERS_MAX) {
			bus_go_on(st);
			return;
		}

		if (!offer(st, now))
			return;
		c->first = now->next;
		if (!c->first)
			c->end = &c->first;
		c->waiting--;
		change_free(now);
	}
}

static void kick(struct stage *st, const char *queue)
{
	if (strcmp(queue, "run") == 0 || !*queue)
		broker_kick(own(st)->broker);
}

static void reload(struct stage *st)
{
	broker_reload(own(st)->broker);
}

static void changes_close(struct stage *st)
{
	struct changes *c = own(st);

	broker_free(c->broker);
	while (c->first) {
		struct change *now = c->first;

		c->first = now->next;
		change_free(now);
	}
	forget_runs(c);
	free(c->runs);
	strmap_release(&c->in_hand, NULL);
	free(c);
	st->bus->own = NULL;
}

const struct inbox inbox_changes = {
	.queue = "new",
	.function = "pl_changes",
	.hold_ms = 5000,
	.open = changes_open,
	.add_args = add_docs,
	.answer = answer,
	.waiting = waiting,
	.turn = turn,
	.kick = kick,
	.reload = reload,
	.close = changes_close,
};
