#include "cmd/sink/deliveries.h"

#include <errno.h>

#include "common/base/log.h"

#define LATE_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define LOOK_NS (100 * NS_PER_MS)
#define PAUSE_FIRST_NS NS_PER_S
#define PAUSE_MAX_NS (30 * NS_PER_S)

struct delivery {
	size_t open; /* destinations that do not have it yet */
};

/* An event that a sink gets later. */
struct sink_late {
	struct sink_late *next;
	char *line;
	size_t line_bytes;
};

static void offer_again(struct loop *l, struct loop_timer *t);

void deliveries_init(struct deliveries *d, struct stage *st, struct sinks *all)
{
	d->st = st;
	d->all = all;
	d->again.run = offer_again;
}

static void drop_late(struct deliveries *d, struct sink *s)
{
	struct sink_late *late = s->late;

	s->late = late->next;
	d->late_bytes -= late->line_bytes;
	free(late->line);
	free(late);
}

void deliveries_release(struct deliveries *d)
{
	if (!d->st)
		return;
	loop_timer_clear(stage_loop(d->st), &d->again);
	for (size_t i = 0; i < d->all->count; i++)
		while (d->all->items[i].late)
			drop_late(d, &d->all->items[i]);
	strmap_release(&d->open, free);
}

bool deliveries_have_room(const struct deliveries *d)
{
	return d->late_bytes < LATE_MAX_BYTES;
}

static void add_late(struct deliveries *d, struct sink *s, const struct event *ev)
{
	struct sink_late *late = x_calloc(1, sizeof(*late)), **end = &s->late;

	late->line = x_strndup(ev->line, ev->line_bytes);
	late->line_bytes = ev->line_bytes;
	d->late_bytes += late->line_bytes;
	while (*end)
		end = &(*end)->next;
	*end = late;
	if (!loop_timer_is_set(&d->again))
		loop_timer_set_in(stage_loop(d->st), &d->again, LOOK_NS);
}

/* Trying again would not help. */
static bool is_final(int rc)
{
	return rc == -EINVAL || rc == -E2BIG || rc == -EBADMSG;
}

/* 0: it has the event, or never will. -EINPROGRESS: it tells. -EAGAIN: not now. */
static int deliver(struct sink *s, const struct event *ev)
{
	int rc;

	if (s->kind->has_room && !s->kind->has_room(s))
		return -EAGAIN;
	rc = s->kind->deliver(s, ev);
	if (rc == 0 || rc == -EINPROGRESS) {
		s->late_pause_ns = 0;
		return rc;
	}
	if (is_final(rc)) {
		s->lost++;
		return 0;
	}
	s->late_pause_ns =
		s->late_pause_ns ? MIN_OF(2 * s->late_pause_ns, PAUSE_MAX_NS) : PAUSE_FIRST_NS;
	s->late_at = mono_add_ns(mono_now(), s->late_pause_ns);
	return -EAGAIN;
}

static int offer(struct deliveries *d, struct sink *s, const struct event *ev)
{
	int rc = s->late ? -EAGAIN : deliver(s, ev);

	if (rc == -EAGAIN)
		add_late(d, s, ev);
	return rc;
}

static void settle(struct deliveries *d, const char *id)
{
	free(strmap_remove(&d->open, id));
	stage_ack(d->st, id, NULL);
}

void deliveries_done(struct deliveries *d, struct sink *s, const char *event_id)
{
	struct delivery *open = strmap_get(&d->open, event_id);

	if (!open)
		return;
	if (--open->open == 0)
		settle(d, event_id);
	else
		stage_ack(d->st, event_id, s->name);
}

void deliveries_add(struct deliveries *d, const struct event *ev)
{
	struct delivery *new = x_calloc(1, sizeof(*new)), *old;
	struct sink *done[SINKS_MAX];
	size_t done_count = 0;

	old = strmap_put(&d->open, ev->id, new);
	BUG_ON(old);
	for (size_t i = 0; i < d->all->count; i++) {
		struct sink *s = &d->all->items[i];

		if (!sink_wants(s, ev) || stage_is_acked(d->st, ev->id, s->name))
			continue;
		new->open++;
		if (offer(d, s, ev) == 0)
			done[done_count++] = s;
	}
	new->open -= done_count;
	if (new->open == 0) {
		settle(d, ev->id);
		return;
	}
	for (size_t i = 0; i < done_count; i++)
		stage_ack(d->st, ev->id, done[i]->name);
}

static void offer_late(struct deliveries *d, struct sink *s)
{
	while (s->late && !mono_is_before(mono_now(), s->late_at)) {
		struct event ev;
		char why[EVENT_WHY_SIZE];
		int rc = event_parse(s->late->line, s->late->line_bytes, &ev, why);

		BUG_ON(rc != 0); /* it was one */
		rc = deliver(s, &ev);
		if (rc != -EAGAIN)
			drop_late(d, s);
		if (rc == 0)
			deliveries_done(d, s, ev.id);
		event_release(&ev);
		if (rc == -EAGAIN)
			return;
	}
}

static void offer_again(struct loop *l, struct loop_timer *t)
{
	struct deliveries *d = CONTAINER_OF(t, struct deliveries, again);
	bool has_late = false;

	for (size_t i = 0; i < d->all->count; i++) {
		offer_late(d, &d->all->items[i]);
		has_late = has_late || d->all->items[i].late;
	}
	if (has_late)
		loop_timer_set_in(l, t, LOOK_NS);
}
