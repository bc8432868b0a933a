/*
 * inbox_outbox.c - what functions have to tell, in order: the sink's inbox.
 *
 * A function is taken with all its entries, which are offered one after the other. When all are
 * acknowledged they leave together. What comes while some destination makes it wait is offered
 * too, so that the others need not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/stage/bus_private.h"
#include "common/stage/results.h"

struct function;

struct entry {
	struct function *function;
	char *entry, *ref, *sha;
	char *id; /* of its event; NULL until it is offered */
	bool is_file, is_acked;
	struct strmap destinations; /* that have it */
};

struct function {
	struct function *next;
	char *name;
	struct entry **entries;
	size_t count, offered, acked;
	bool is_leaving; /* Redis has been told, and has not answered */
};

struct outbox {
	struct function *first, **end;	 /* in hand, in the order they came */
	struct strmap by_name, by_event; /* struct function, struct entry */
	size_t waiting;
	struct log_limit unread;
};

static struct outbox *own(const struct stage *st)
{
	return st->bus->own;
}

static int outbox_open(struct stage *st)
{
	struct outbox *o;

	if (!st->opts.state) {
		log_error("--bus: results are files of the collector: give its --state DIR");
		return EXIT_USAGE;
	}
	o = x_calloc(1, sizeof(*o));
	o->end = &o->first;
	st->bus->own = o;
	return EXIT_FINE;
}

static void entry_free(struct entry *e)
{
	strmap_release(&e->destinations, NULL);
	free(e->entry);
	free(e->ref);
	free(e->sha);
	free(e->id);
	free(e);
}

static void function_free(struct function *f)
{
	for (size_t i = 0; i < f->count; i++)
		entry_free(f->entries[i]);
	free(f->entries);
	free(f->name);
	free(f);
}

/* Rows. */

static bool has_entry(const struct function *f, const char *entry)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->entries[i]->entry, entry) == 0)
			return true;
	return false;
}

static struct entry *read_entry(struct bus_parts *rows)
{
	struct entry *e = x_calloc(1, sizeof(*e));
	int64_t destinations;

	e->entry = x_strdup(bus_next(rows));
	e->is_file = strcmp(bus_next(rows), "file") == 0;
	e->ref = x_strdup(bus_next(rows));
	e->sha = x_strdup(bus_next(rows));
	bus_next(rows); /* bytes: the sum says it too */
	destinations = bus_next_int(rows);
	for (int64_t i = 0; i < destinations && !rows->is_short; i++)
		strmap_put(&e->destinations, bus_next(rows), e);
	return e;
}

static void add_entry(struct function *f, struct entry *e)
{
	if (f->is_leaving || has_entry(f, e->entry)) {
		entry_free(e);
		return;
	}
	e->function = f;
	f->entries = x_realloc(f->entries, f->count + 1, sizeof(struct entry *));
	f->entries[f->count++] = e;
}

static struct function *function_of(struct outbox *o, const char *name)
{
	struct function *f = strmap_get(&o->by_name, name);

	if (f)
		return f;
	f = x_calloc(1, sizeof(*f));
	f->name = x_strdup(name);
	strmap_put(&o->by_name, name, f);
	*o->end = f;
	o->end = &f->next;
	return f;
}

static void read_row(struct stage *st, struct bus_parts *rows)
{
	struct outbox *o = own(st);
	struct function *f = function_of(o, bus_next(rows));
	int64_t entries = bus_next_int(rows);
	bool was_waiting = f->offered < f->count;

	for (int64_t i = 0; i < entries && !rows->is_short; i++)
		add_entry(f, read_entry(rows));
	o->waiting += !was_waiting && f->offered < f->count;
}

static bool answer(struct stage *st, struct bus_parts *rows, size_t *count)
{
	for (; rows->left && !rows->is_short; ++*count)
		read_row(st, rows);
	return !rows->is_short;
}

static size_t waiting(const struct stage *st)
{
	return own(st)->waiting;
}

/* Offering. */

static void settle(struct entry *e)
{
	e->function->acked += !e->is_acked;
	e->is_acked = true;
}

/* 0, or why this entry can be told to nobody. */
static int read_event(struct stage *st, const struct entry *e, struct event *out)
{
	struct buf text = BUF_INIT(EVENT_LINE_MAX_BYTES);
	char why[EVENT_WHY_SIZE];
	int rc = 0;

	if (e->is_file)
		rc = results_read(st->opts.state, e->ref, e->sha, &text);
	else
		buf_adds(&text, e->ref);
	if (rc)
		log_limited(&own(st)->unread, LOG_ERROR, "results/%s cannot be told: %s", e->ref,
			    strerror(-rc));
	else
		rc = event_parse(buf_str(&text), text.len_bytes, out, why);
	if (rc && e->is_file && !results_is_lost(st->opts.state, rc))
		rc = -EAGAIN;
	buf_release(&text);
	return rc;
}

/* False: not now. */
static bool offer_entry(struct stage *st, struct entry *e)
{
	struct outbox *o = own(st);
	struct event ev;
	int rc = read_event(st, e, &ev);

	if (rc == -EAGAIN)
		return false;
	if (rc) {
		stage_count(st, "entry-damaged");
		settle(e);
		return true;
	}
	if (!e->id) {
		e->id = x_strdup(ev.id);
		strmap_put(&o->by_event, e->id, e);
	}
	rc = stage_wants(st, ev.kind) ? stage_take(st, &ev) : -ENOTSUP;
	CRASH_POINT("outbox.post-offer");
	if (rc && rc != -EAGAIN)
		settle(e);   /* nobody here wants it */
	if (rc != -EAGAIN) { /* it may be in hand for long */
		free(e->ref);
		e->ref = NULL;
	}
	event_release(&ev);
	return rc != -EAGAIN;
}

static bool offer(struct stage *st, struct function *f)
{
	for (; f->offered < f->count && bus_may_take(st); f->offered++)
		if (!offer_entry(st, f->entries[f->offered]))
			return false;
	return f->offered == f->count;
}

/* Acknowledging. */

struct leaving {
	struct stage *stage;
	struct function *function;
};

/* Only now: a row that was under way is known as in hand until here. */
static void left(const struct redis_reply *reply, void *ctx)
{
	struct leaving *l = ctx;
	struct outbox *o = own(l->stage);

	CRASH_POINT("outbox.post-done");
	bus_answered(l->stage, reply);
	strmap_remove(&o->by_name, l->function->name);
	function_free(l->function);
	free(l);
}

static void leave(struct stage *st, struct function *f)
{
	struct redis_args a = jobs_args("pl_out_done");
	struct leaving *l = x_calloc(1, sizeof(*l));
	struct outbox *o = own(st);

	*l = (struct leaving){st, f};
	f->is_leaving = true;
	redis_arg(&a, f->name);
	for (size_t i = 0; i < f->count; i++) {
		redis_arg(&a, f->entries[i]->entry);
		if (f->entries[i]->id)
			strmap_remove(&o->by_event, f->entries[i]->id);
	}
	bus_put(st); /* what the stage knows of them is there before they are gone */
	CRASH_POINT("outbox.pre-done");
	st->bus->open_calls++;
	jobs_call(st->bus->jobs, &a, left, l);
	redis_args_release(&a);
}

/* A function whose entries are held up holds up no other. */
static void turn(struct stage *st)
{
	struct outbox *o = own(st);
	struct function **at = &o->first;

	while (*at) {
		struct function *f = *at;

		if (f->offered < f->count && offer(st, f))
			o->waiting--;
		if (f->acked < f->count) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		if (!*at)
			o->end = at;
		leave(st, f);
	}
}

static void delivered(const struct redis_reply *reply, void *ctx)
{
	CRASH_POINT("outbox.post-delivered");
	bus_answered(ctx, reply);
}

static void ack(struct stage *st, const char *id, const char *destination)
{
	struct entry *e = strmap_get(&own(st)->by_event, id);
	struct redis_args a;

	if (!e)
		return;
	if (!destination) {
		settle(e);
		return;
	}
	if (strmap_put(&e->destinations, destination, e))
		return;
	a = jobs_args("pl_delivered");
	redis_arg(&a, e->entry);
	redis_arg(&a, destination);
	bus_put(st);
	CRASH_POINT("outbox.pre-delivered");
	bus_call(st, &a, delivered);
	redis_args_release(&a);
}

static bool is_acked(const struct stage *st, const char *id, const char *destination)
{
	const struct entry *e = strmap_get(&own(st)->by_event, id);

	return e && strmap_get(&e->destinations, destination);
}

static void free_function(void *value)
{
	function_free(value);
}

static void outbox_close(struct stage *st)
{
	struct outbox *o = own(st);

	strmap_release(&o->by_name, free_function);
	strmap_release(&o->by_event, NULL);
	free(o);
	st->bus->own = NULL;
}

const struct inbox inbox_outbox = {
	.queue = "out",
	.function = "pl_out",
	.hold_ms = 8000, /* a destination that is away keeps many in hand */
	.open = outbox_open,
	.answer = answer,
	.waiting = waiting,
	.turn = turn,
	.close = outbox_close,
	.ack = ack,
	.is_acked = is_acked,
};
