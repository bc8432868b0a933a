/* bus_call.c - calls to Redis, what is put into the state, and steps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/stage/bus_private.h"

#define RETRY_NS NS_PER_S

/* Reading replies. */

struct redis_part bus_next_part(struct bus_parts *p)
{
	static const struct redis_part nothing = {"", 0};

	if (p->left == 0) {
		p->is_short = true;
		return nothing;
	}
	p->left--;
	return p->at->data ? *p->at++ : (p->at++, nothing);
}

const char *bus_next(struct bus_parts *p)
{
	return bus_next_part(p).data;
}

int64_t bus_next_int(struct bus_parts *p)
{
	return strtoll(bus_next(p), NULL, 10);
}

/* Calls. */

void bus_call(struct stage *st, struct redis_args *a, redis_reply_fn *fn)
{
	st->bus->open_calls++;
	jobs_call(st->bus->jobs, a, fn, st);
}

bool bus_answered(struct stage *st, const struct redis_reply *reply)
{
	st->bus->open_calls--;
	return !reply->is_error && !reply->is_lost && reply->count > 0;
}

static void put_answered(const struct redis_reply *reply, void *ctx)
{
	CRASH_POINT("stage.post-put");
	bus_answered(ctx, reply);
}

/* State. */

static bool is_kept(const struct stage *st, const char *key)
{
	const char *const *n = st->def->namespaces;
	size_t len_bytes = strcspn(key, "/");

	for (; n && *n; n++)
		if (strncmp(*n, key, len_bytes) == 0 && !(*n)[len_bytes])
			return true;
	return false;
}

void bus_seed(struct stage *st, const char *key, const struct redis_part *text)
{
	char why[JSON_WHY_SIZE];
	struct json *value = NULL;

	if (text && text->len_bytes &&
	    json_parse(text->data, text->len_bytes, DOCUMENT_MAX_BYTES, &value, why))
		log_error("the document %s is damaged (%s); going on without it", key, why);
	if (state_set(st->state, key, value))
		log_error("the document %s has a name that is none of ours", key);
}

struct drain {
	struct stage *st;
	struct redis_args *args;
};

static void add_put(const char *key, struct json *value_take, void *ctx)
{
	struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
	struct drain *d = ctx;
	int rc = 0;

	if (value_take)
		json_write(value_take, &text);
	if (buf_is_over(&text))
		log_error("the document %s is too large and not kept", key);
	redis_arg(d->args, key);
	redis_arg_bytes(d->args, buf_str(&text), buf_is_over(&text) ? 0 : text.len_bytes);
	buf_release(&text);
	if (is_kept(d->st, key))
		rc = state_set(d->st->state, key, value_take);
	else
		json_free(value_take);
	BUG_ON(rc);
}

static void add_pairs(struct stage *st, struct redis_args *a)
{
	struct drain d = {st, a};

	state_drain(st->state, add_put, &d);
	st->has_state_puts = false;
}

void bus_add_puts(struct stage *st, struct redis_args *a)
{
	redis_arg_int(a, (int64_t)state_put_count(st->state));
	add_pairs(st, a);
}

void bus_put(struct stage *st)
{
	struct redis_args a;

	if (state_put_count(st->state) == 0)
		return;
	a = jobs_args("pl_put");
	add_pairs(st, &a);
	CRASH_POINT("stage.pre-put");
	bus_call(st, &a, put_answered);
	redis_args_release(&a);
}

/* Steps. */

struct bus_step *bus_step_new(int (*run)(struct stage *st, struct bus_step *s))
{
	struct bus_step *s = x_calloc(1, sizeof(*s));

	s->run = run;
	redis_args_init(&s->call);
	return s;
}

static void step_free(struct bus_step *s)
{
	redis_args_release(&s->call);
	free(s->name);
	free(s->line);
	free(s);
}

void bus_step_add(struct stage *st, struct bus_step *s_take)
{
	*st->bus->end = s_take;
	st->bus->end = &s_take->next;
	st->bus->step_count++;
}

/* A fault of the disk is told once, and again when it is over. */
static void note_trouble(struct stage *st, const struct bus_step *s, int rc)
{
	struct bus_port *b = st->bus;

	if (rc && !b->is_failing)
		log_error("cannot keep %s: %s; trying again each second", s->name, strerror(-rc));
	else if (!rc && b->is_failing)
		log_info("%s could be kept; going on", s->name);
	b->is_failing = rc != 0;
}

void bus_steps_run(struct stage *st)
{
	struct bus_port *b = st->bus;

	while (b->first && !loop_timer_is_set(&b->retry)) {
		struct bus_step *s = b->first;
		int rc = s->run(st, s);

		note_trouble(st, s, rc);
		if (rc) {
			loop_timer_set_in(st->loop, &b->retry, RETRY_NS);
			return;
		}
		b->first = s->next;
		if (!b->first)
			b->end = &b->first;
		b->step_count--;
		step_free(s);
	}
}

void bus_steps_release(struct stage *st)
{
	struct bus_port *b = st->bus;

	while (b->first) {
		struct bus_step *s = b->first;

		b->first = s->next;
		step_free(s);
	}
}
