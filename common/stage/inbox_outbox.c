/*
 * inbox_outbox.c - what functions have to tell, in order: the sink's inbox.
 *
 * A function is taken with all its entries, which are offered one after the other. When all are
 * acknowledged they leave together. While some destination keeps a function in hand, what came
 * meanwhile is added to it each time its hold is over, so that the others go on.
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
	char *name, *gen;
	struct entry **entries;
	size_t count, offered, acked;
};

struct outbox {
	struct function *first, **end;	 /* in hand, in the order they came */
	struct strmap by_name, by_event; /* struct function, struct entry */
	size_t waiting;
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
	for (size_t i = 0; i < f->count; i++) {
		entry_free(f->entries[i]);
	}
	free(f->entries);
	free(f->name);
	free(f->gen);
	free(f);
}

/* Rows. */

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

static bool has_entry(const struct function *f, const char *entry)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->entries[i]->entry, entry) == 0)
			return true;
	return false;
}

static void add_entry(struct function *f, struct entry *e)
{
	e->function = f;
	f->entries = x_realloc(f->entries, f->count + 1, sizeof(struct entry *));
	f->entries[f->count++] = e;
}

static struct function *function_new(struct outbox *o, const char *name)
{
	struct function *f = x_calloc(1, sizeof(*f));

	f->name = x_strdup(name);
	strmap_put(&o->by_name, f->name, f);
	*o->end = f;
	o->end = &f->next;
	return f;
}

static void read_row(struct stage *st, struct bus_parts *rows)
{
	struct outbox *o = own(st);
	const char *name = bus_next(rows);
	struct function *f = strmap_get(&o->by_name, name);
	bool was_waiting;
	int64_t entries;

	if (!f)
		f = function_new(o, name);
	was_waiting = f->offered < f->count;
	free(f->gen);
	f->gen = x_strdup(bus_next(rows));
	entries = bus_next_int(rows);
	for (int64_t i = 0; i < entries && !rows->is_short; i++) {
		struct entry *e = read_entry(rows);

		if (has_entry(f, e->entry))
			entry_free(e);
		else
			add_entry(f, e);
	}
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
		log_error("results/%s cannot be told: %s", e->ref, strerror(-rc));
	else
		rc = event_parse(buf_str(&text), text.len_bytes, out, why);
	buf_release(&text);
	return rc;
}

/* False: not now. */
static bool offer_entry(struct stage *st, struct entry *e)
{
	struct outbox *o = own(st);
	struct event ev;
	int rc = read_event(st, e, &ev);

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

static void answered(const struct redis_reply *reply, void *ctx)
{
	CRASH_POINT("outbox.post-call");
	bus_answered(ctx, reply);
}

static void finish(struct stage *st, struct function *f)
{
	struct redis_args a = jobs_args("pl_out_done");
	struct outbox *o = own(st);

	redis_arg(&a, f->name);
	redis_arg(&a, f->gen);
	for (size_t i = 0; i < f->count; i++) {
		redis_arg(&a, f->entries[i]->entry);
		if (f->entries[i]->id)
			strmap_remove(&o->by_event, f->entries[i]->id);
	}
	bus_put(st); /* what the stage knows of them is there before they are gone */
	CRASH_POINT("outbox.pre-done");
	bus_call(st, &a, answered);
	redis_args_release(&a);
	strmap_remove(&o->by_name, f->name);
	function_free(f);
}

/* In order where that costs nothing: a function whose entries are held up holds up no other. */
static void turn(struct stage *st)
{
	struct outbox *o = own(st);
	struct function **at = &o->first;

	while (*at) {
		struct function *f = *at;
		bool was_waiting = f->offered < f->count;

		if (was_waiting && offer(st, f))
			o->waiting--;
		if (f->acked == f->count) {
			*at = f->next;
			if (!*at)
				o->end = at;
			finish(st, f);
			continue;
		}
		at = &f->next;
	}
}

static void ack(struct stage *st, const char *id, const char *destination)
{
	struct outbox *o = own(st);
	struct entry *e = strmap_get(&o->by_event, id);
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
	bus_call(st, &a, answered);
	redis_args_release(&a);
}

static bool is_acked(const struct stage *st, const char *id, const char *destination)
{
	const struct entry *e = strmap_get(&own(st)->by_event, id);

	return e && strmap_get(&e->destinations, destination);
}

static void outbox_close(struct stage *st)
{
	struct outbox *o = own(st);

	while (o->first) {
		struct function *f = o->first;

		o->first = f->next;
		function_free(f);
	}
	strmap_release(&o->by_name, NULL);
	strmap_release(&o->by_event, NULL);
	free(o);
	st->bus->own = NULL;
}

const struct inbox inbox_outbox = {
	.queue = "out",
	.function = "pl_out",
	.hold_ms = 20000, /* a destination that is away keeps many in hand */
	.open = outbox_open,
	.answer = answer,
	.waiting = waiting,
	.turn = turn,
	.close = outbox_close,
	.ack = ack,
	.is_acked = is_acked,
};
