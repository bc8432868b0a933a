/* broker_offer.c - runs that wait meet loaders that have room. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/crash.h"
#include "common/base/log.h"
#include "common/digest/digest.h"
#include "common/event/event.h"
#include "common/work/broker_own.h"

#define LOOK_EVERY_MS 1000
#define IDLE_LOOK_NS                                                                               \
	(20 * NS_PER_MS) /* after a look that was for nothing: kicks may come by thousands */
#define READY_MAX 256	 /* runs a look */
#define SHARDS_MAX 1024
#define START_TOGETHER_MS 500	   /* WORK is everywhere by then */
#define PATIENCE_NS (5 * NS_PER_S) /* then room is kept for a large run */
#define PL_READY_FIELDS 3

/* A lease that Redis was asked for. */
struct offer {
	struct broker *b;
	char *run;
	char nonce[WIRE_WORD_SIZE];
	size_t shards;
	struct place {
		char name[BUS_NAME_SIZE], nonce[WIRE_WORD_SIZE];
	} * places;
	struct mono asked;
};

static void offer_free(struct offer *o)
{
	free(o->run);
	free(o->places);
	free(o);
}

/* ---- WORK ---- */

static void release_places(const struct offer *o)
{
	for (size_t i = 0; i < o->shards; i++) {
		struct slot *s = slot_find(o->b, o->places[i].name, o->places[i].nonce);

		if (s)
			s->pending--;
	}
}

static int send_work(const struct offer *o, size_t i, const struct redis_reply *reply,
		     int64_t lease_ms, int64_t start_at_ms)
{
	struct slot *s = slot_find(o->b, o->places[i].name, o->places[i].nonce);
	const struct redis_part *line = &reply->parts[3 + i];
	struct wire_out w;
	int rc;

	if (!s)
		return -EHOSTUNREACH;
	wire_begin(&w, WIRE_WORK);
	wire_text(&w, o->run);
	wire_number(&w, (int64_t)i);
	wire_text(&w, reply->parts[1].data);
	wire_number(&w, lease_ms);
	wire_number(&w, start_at_ms);
	/* Leases count from 1, attempts from 0: the first is the same as in a pipe. */
	wire_number(&w, strtol(reply->parts[2].data, NULL, 10) - 1);
	wire_bytes(&w, line->data, line->len_bytes);
	rc = wire_send(&w, o->b->socket, &s->peer);
	if (!rc) {
		s->sent++;
		s->free -= s->free > 0;
	} else {
		s->free = 0; /* nothing for it until it says READY again */
	}
	return rc;
}

/* All or none: one that cannot be reached gives the whole run back at once. */
static void send_all(const struct offer *o, const struct redis_reply *reply)
{
	int64_t spent_ms = mono_diff_ns(mono_now(), o->asked) / NS_PER_MS;
	int64_t left_ms = o->b->lease_ms - spent_ms;
	int64_t start_at_ms = o->shards > 1 ? wall_ms(wall_now()) + START_TOGETHER_MS : 0;
	char owner[OWNER_SIZE];
	int rc = left_ms < o->b->lease_ms / 2 ? -ETIME : 0;
	size_t i = 0;

	CRASH_POINT("broker.pre-work");
	for (i = 0; i < o->shards && !rc; i++)
		rc = send_work(o, i, reply, left_ms, start_at_ms);
	CRASH_POINT("broker.post-work");
	if (!rc)
		return;
	i = i ? i - 1 : 0;
	log_info("%s cannot go to loader %s: %s", o->run, o->places[i].name, strerror(-rc));
	owner_of(o->places[i].name, o->places[i].nonce, owner);
	give_back(o->b, o->run, i, reply->parts[1].data, owner, "its loader could not be reached");
}

static bool is_whole(const struct offer *o, const struct redis_reply *reply)
{
	for (size_t i = 0; i < reply->count; i++)
		if (!reply->parts[i].data)
			return false;
	return reply->count == 3 + o->shards;
}

static void on_lease(const struct redis_reply *reply, void *ctx)
{
	struct offer *o = ctx;

	CRASH_POINT("broker.post-lease");
	release_places(o);
	if (jobs_said(reply, "OK") && is_whole(o, reply))
		send_all(o, reply);
	else
		log_debug("%s is not leased: %s", o->run,
			  reply->count > 1 && reply->parts[1].data ? reply->parts[1].data : "?");
	offer_free(o);
}

/* The answer is worth nothing later: jobs_call repeats it with the same nonce, and a late one is
 * given back. */
static void ask_lease(struct offer *o)
{
	struct redis_args a = jobs_args("pl_lease");
	char owner[OWNER_SIZE];

	redis_arg(&a, o->run);
	redis_arg(&a, o->nonce);
	redis_arg_int(&a, o->b->lease_ms);
	for (size_t i = 0; i < o->shards; i++) {
		owner_of(o->places[i].name, o->places[i].nonce, owner);
		redis_arg(&a, owner);
	}
	CRASH_POINT("broker.pre-lease");
	jobs_call(o->b->jobs, &a, on_lease, o);
}

static void make_offer(struct broker *b, const char *run, struct slot *const *slots, size_t shards,
		       const size_t *slot_of)
{
	struct offer *o = x_calloc(1, sizeof(*o));

	o->b = b;
	o->run = x_strdup(run);
	o->shards = shards;
	o->places = x_calloc(shards, sizeof(*o->places));
	o->asked = mono_now();
	digest_id_random('l', o->nonce);
	for (size_t i = 0; i < shards; i++) {
		struct slot *s = slots[slot_of[i]];

		s->pending++;
		memcpy(o->places[i].name, s->name, sizeof(s->name));
		memcpy(o->places[i].nonce, s->nonce, sizeof(s->nonce));
	}
	ask_lease(o);
}

/* ---- matching ---- */

/* The table of match.h, made of the slots. */
struct table_of {
	struct match_loader *loaders;
	struct slot **slots;
	size_t count;
};

static struct table_of table_new(const struct broker *b)
{
	struct table_of t = {
		.loaders = x_calloc(b->slot_count + 1, sizeof(*t.loaders)),
		.slots = x_calloc(b->slot_count + 1, sizeof(struct slot *)),
	};

	for (struct slot *s = b->slots; s; s = s->next) {
		t.loaders[t.count] = (struct match_loader){
			.accounts = s->accounts, .free = slot_room(s), .slots = s->slots};
		t.slots[t.count++] = s;
	}
	return t;
}

static bool has_waited(struct broker *b, const char *run)
{
	const struct mono *since = strmap_get(&b->waiting, run);

	return since && mono_diff_ns(mono_now(), *since) > PATIENCE_NS;
}

/* Keeps those that had to wait before, and still do. */
static void note_waiting(struct broker *b, struct strmap *still, const char *run)
{
	struct mono *since = strmap_remove(&b->waiting, run);

	if (!since) {
		since = x_calloc(1, sizeof(*since));
		*since = mono_now();
	}
	free(strmap_put(still, run, since));
}

static void match_one(struct broker *b, struct table_of *t, const struct redis_part *run,
		      struct strmap *still)
{
	size_t slot_of[SHARDS_MAX], n = strtoul(run[1].data, NULL, 10);
	enum match m;

	if (!n || n > SHARDS_MAX)
		return;
	m = match_run(t->loaders, t->count, run[2].data, n, has_waited(b, run[0].data), slot_of);
	if (m == MATCH_FITS) {
		make_offer(b, run[0].data, t->slots, n, slot_of);
		b->has_offered = true;
		return;
	}
	if (m == MATCH_NEVER && has_waited(b, run[0].data)) /* not while they are coming */
		log_limited(&b->trouble, LOG_WARN,
			    "%s needs %zu slots of loaders for account %s, and there are fewer; "
			    "start more, or lower `shards` of the test",
			    run[0].data, n, run[2].data);
	note_waiting(b, still, run[0].data);
}

static void match_all(struct broker *b, const struct redis_reply *reply)
{
	struct table_of t = table_new(b);
	struct strmap still = {0};

	for (size_t i = 1; i + PL_READY_FIELDS <= reply->count; i += PL_READY_FIELDS)
		if (reply->parts[i].data && reply->parts[i + 1].data && reply->parts[i + 2].data)
			match_one(b, &t, &reply->parts[i], &still);
	strmap_release(&b->waiting, free);
	b->waiting = still;
	free(t.loaders);
	free(t.slots);
}

/* ---- looking ---- */

static void on_ready(const struct redis_reply *reply, void *ctx)
{
	struct broker *b = ctx;
	bool is_full = reply->count == 1 + PL_READY_FIELDS * b->asked_max;

	b->is_asking = b->has_offered = false;
	if (jobs_said(reply, "OK"))
		match_all(b, reply);
	if (b->must_ask || (is_full && !b->waiting.count))
		offer_look(b);
}

/* Accounts that somebody with room can call; a word more than once does no harm. */
static size_t add_accounts(const struct broker *b, struct redis_args *a)
{
	size_t room = 0;

	for (const struct slot *s = b->slots; s; s = s->next) {
		char *copy = slot_room(s) ? x_strdup(s->accounts) : NULL, *rest = copy;
		const char *word;

		while (copy && (word = strsep(&rest, ",")))
			if (name_is_valid(word) || !strcmp(word, "*"))
				redis_arg(a, word);
		room += slot_room(s);
		free(copy);
	}
	return room;
}

/* Twice the room: some may not fit. All when a large one waits, for then others behind it count. */
static size_t look_for(const struct broker *b, size_t room)
{
	return b->waiting.count ? READY_MAX : MIN_OF(2 * room + 8, (size_t)READY_MAX);
}

static size_t room_of_all(const struct broker *b)
{
	size_t room = 0;

	for (const struct slot *s = b->slots; s; s = s->next)
		room += slot_room(s);
	return room;
}

void offer_look(struct broker *b)
{
	struct redis_args a;
	size_t room = room_of_all(b);

	b->must_ask = b->is_asking;
	if (b->is_asking || !room || !redis_is_up(jobs_redis(b->jobs)))
		return;
	if (!b->has_offered && mono_diff_ns(mono_now(), b->looked) < IDLE_LOOK_NS) {
		loop_timer_set(b->loop, &b->ask_timer, mono_add_ns(b->looked, IDLE_LOOK_NS));
		return;
	}
	b->is_asking = true;
	b->looked = mono_now();
	b->asked_max = look_for(b, room);
	a = jobs_args("pl_ready");
	redis_arg_int(&a, (int64_t)b->asked_max);
	(void)add_accounts(b, &a);
	jobs_try(b->jobs, &a, on_ready, b);
}

static void on_look(struct loop *l, struct loop_timer *t)
{
	struct broker *b = CONTAINER_OF(t, struct broker, ask_timer);
	uint8_t dice;

	digest_random(&dice, sizeof(dice));
	slots_expire(b);
	offer_look(b);
	loop_timer_set_in(l, t, (LOOK_EVERY_MS * 4 / 5 + dice * 400 / 256) * NS_PER_MS);
}

void offer_open(struct broker *b)
{
	b->ask_timer.run = on_look;
	loop_timer_set_in(b->loop, &b->ask_timer, 0);
}

void offer_close(struct broker *b)
{
	loop_timer_clear(b->loop, &b->ask_timer);
	strmap_release(&b->waiting, free);
}
