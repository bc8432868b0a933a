/* broker_beats.c - beats and shards given back: to Redis, and its answer back to the loader. */
#include <stdlib.h>
#include <string.h>

#include "common/base/crash.h"
#include "common/base/log.h"
#include "common/work/broker_own.h"

#define CALLS_MAX 4096	     /* under way: more are left unanswered, the loaders ask again */
#define BACKOFF_MS 1000	     /* pl_fail doubles nothing: it is told how long */
#define STOPPED_BACKOFF_MS 0 /* a loader that stops: another may have it at once */

/* One question to Redis for a loader. */
struct relay {
	struct broker *b;
	struct bus_peer peer;
	char run[WIRE_WORD_SIZE], token[WIRE_WORD_SIZE];
	int64_t index, clock;
};

void owner_of(const char *name, const char *nonce, char out[OWNER_SIZE])
{
	(void)snprintf(out, OWNER_SIZE, "%s/%s", name, nonce);
}

static struct relay *relay_new(struct broker *b, const struct bus_peer *peer, const struct wire *m)
{
	struct relay *r = x_calloc(1, sizeof(*r));

	r->b = b;
	r->peer = *peer;
	(void)snprintf(r->run, sizeof(r->run), "%s", m->text[SHARD_RUN]);
	(void)snprintf(r->token, sizeof(r->token), "%s", m->text[SHARD_TOKEN]);
	r->index = m->number[SHARD_INDEX];
	return r;
}

static void begin_answer(struct wire_out *o, enum wire_kind kind, const struct relay *r)
{
	wire_begin(o, kind);
	wire_text(o, r->run);
	wire_number(o, r->index);
	wire_text(o, r->token);
}

static struct redis_args shard_args(const char *function, const char *run, int64_t index,
				    const char *token, const char *owner)
{
	struct redis_args a = jobs_args(function);

	redis_arg(&a, run);
	redis_arg_int(&a, index);
	redis_arg(&a, token);
	redis_arg(&a, owner);
	return a;
}

/* Redis down or slow: no answer, and loaders fence themselves in time. */
static bool may_ask(const struct broker *b)
{
	return redis_is_up(jobs_redis(b->jobs)) &&
	       redis_open_calls(jobs_redis(b->jobs)) < CALLS_MAX;
}

/* ---- beats ---- */

static const char *part(const struct redis_reply *reply, size_t i)
{
	return i < reply->count && reply->parts[i].data ? reply->parts[i].data : "";
}

static void on_beat(const struct redis_reply *reply, void *ctx)
{
	struct relay *r = ctx;
	struct wire_out o;

	CRASH_POINT("broker.post-beat");
	if (!reply->is_lost && reply->count) {
		begin_answer(&o, WIRE_BEAT_ACK, r);
		wire_text(&o, part(reply, 0));
		wire_text(&o, part(reply, 1));
		wire_number(&o, r->clock);
		wire_number(&o, wall_ms(wall_now()));
		if (wire_send(&o, r->b->socket, &r->peer) != 0)
			log_debug("cannot answer the beat of %s", r->peer.name);
	}
	free(r);
}

void beats_take(struct broker *b, const struct bus_peer *peer, const struct wire *m)
{
	char owner[OWNER_SIZE];
	struct redis_args a;
	struct relay *r;

	slot_heard(b, peer, m->text[BEAT_NONCE]);
	if (!may_ask(b))
		return;
	r = relay_new(b, peer, m);
	r->clock = m->number[BEAT_CLOCK];
	owner_of(peer->name, m->text[BEAT_NONCE], owner);
	a = shard_args("pl_beat", r->run, r->index, r->token, owner);
	redis_arg_int(&a, b->lease_ms);
	redis_arg_int(&a, m->number[BEAT_RUNNING] != 0);
	CRASH_POINT("broker.pre-beat");
	jobs_try(b->jobs, &a, on_beat, r);
}

/* ---- given back ---- */

static void on_fail(const struct redis_reply *reply, void *ctx)
{
	struct relay *r = ctx;
	struct wire_out o;

	CRASH_POINT("broker.post-fail");
	if (!reply->is_lost && reply->count) {
		begin_answer(&o, WIRE_FAIL_ACK, r);
		wire_text(&o, part(reply, 0));
		if (wire_send(&o, r->b->socket, &r->peer) != 0)
			log_debug("cannot answer %s", r->peer.name);
		offer_look(r->b);
	}
	free(r);
}

static void add_reason(struct redis_args *a, int64_t is_retry, const char *why)
{
	redis_arg_int(a, is_retry);
	redis_arg(a, why);
	redis_arg_int(a, is_retry == 2 ? STOPPED_BACKOFF_MS : BACKOFF_MS);
}

void fails_take(struct broker *b, const struct bus_peer *peer, const struct wire *m)
{
	char owner[OWNER_SIZE];
	struct redis_args a;
	struct relay *r;

	slot_heard(b, peer, m->text[FAIL_NONCE]);
	if (!may_ask(b))
		return;
	r = relay_new(b, peer, m);
	owner_of(peer->name, m->text[FAIL_NONCE], owner);
	a = shard_args("pl_fail", r->run, r->index, r->token, owner);
	add_reason(&a, MIN_OF(m->number[FAIL_RETRY], INT64_C(2)), m->text[FAIL_WHY]);
	CRASH_POINT("broker.pre-fail");
	jobs_try(b->jobs, &a, on_fail, r);
}

void give_back(struct broker *b, const char *run, size_t index, const char *token,
	       const char *owner, const char *why)
{
	struct redis_args a = shard_args("pl_fail", run, (int64_t)index, token, owner);

	add_reason(&a, 2, why);
	jobs_call(b->jobs, &a, NULL, NULL);
}
