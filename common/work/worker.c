/* worker.c - the loader's side of the work: sockets, READY, clocks. */
#include "common/work/worker_own.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/digest/digest.h"

#define TOLD_OFFSET_US (100 * INT64_C(1000)) /* a change of this size is worth a line */
#define RESULTS_LINGER_MS 2000
#define PATIENCE_NS (6 * NS_PER_S) /* a start or a restart of the planner is no trouble */

/* ---- READY ---- */

static size_t free_slots(const struct worker *w)
{
	size_t room = w->owner.room(w->owner.ctx);
	size_t asked = held_count(w, 1u << HELD_ASKED);

	if (w->is_stopping || w->spool.count >= SPOOL_FULL)
		return 0;
	return room > asked ? room - asked : 0;
}

static void say_ready(struct worker *w)
{
	unsigned busy = 1u << HELD_ASKED | 1u << HELD_RUNNING | 1u << HELD_ENDING;
	size_t room = free_slots(w);
	struct wire_out o;

	wire_begin(&o, WIRE_READY);
	wire_text(&o, w->nonce);
	wire_number(&o, (int64_t)room);
	wire_number(&o, (int64_t)(room + held_count(w, busy)));
	wire_number(&o, w->taken);
	wire_text(&o, w->accounts);
	wire_number(&o, boot_us());
	w->is_broker_told = wire_send(&o, w->work, NULL) == 0;
	if (w->is_broker_told)
		w->told_at = mono_now();
	else
		log_limited(&w->deaf, LOG_WARN, "the planner cannot be reached; trying again");
}

/* It lets us in and answers nothing: that is how one of another version looks from here. */
static void blame_silence(struct worker *w)
{
	if (w->is_broker_told && mono_diff_ns(mono_now(), w->answered_at) > PATIENCE_NS)
		log_limited(&w->mute, LOG_WARN,
			    "the planner does not answer: it hangs, or it does not speak version "
			    "%d of the bus (its log says so)",
			    BUS_VERSION);
}

/* Without a connection it is tried again soon: a planner that is back has work for us. */
static void on_ready_timer(struct loop *l, struct loop_timer *t)
{
	struct worker *w = CONTAINER_OF(t, struct worker, ready_timer);

	say_ready(w);
	blame_silence(w);
	loop_timer_set_in(l, t, w->is_broker_told ? READY_NS : READY_NS / 20);
}

/* In the next turn: by then the owner has counted what has changed. */
void worker_say_ready_soon(struct worker *w)
{
	loop_timer_set_in(w->loop, &w->ready_timer, 0);
}

void worker_wake(struct worker *w)
{
	worker_say_ready_soon(w);
}

/* ---- the planner's clock ---- */

static void look_at_clock(struct worker *w, int64_t sent_us, int64_t their_wall_ms)
{
	int64_t offset_us, trip_us;

	offset_add(&w->offset, sent_us, boot_us(), wall_now().ns / NS_PER_US, their_wall_ms);
	if (!offset_best(&w->offset, &offset_us, &trip_us))
		return;
	if (w->has_told_offset && llabs(offset_us - w->told_offset_us) < TOLD_OFFSET_US)
		return;
	w->has_told_offset = true;
	w->told_offset_us = offset_us;
	log_info("the planner's clock is %+.1f ms from ours (round trip %.1f ms)",
		 (double)offset_us / 1e3, (double)trip_us / 1e3);
}

bool worker_clock_offset_ms(const struct worker *w, double *out)
{
	int64_t offset_us;

	if (!offset_best(&w->offset, &offset_us, NULL))
		return false;
	*out = (double)offset_us / 1e3;
	return true;
}

/* ---- what the broker says ---- */

static void take_ready_ack(struct worker *w, const struct wire *m)
{
	w->answered_at = mono_now();
	look_at_clock(w, m->number[READY_ACK_CLOCK], m->number[READY_ACK_WALL]);
}

static void take_beat_ack(struct worker *w, const struct wire *m)
{
	look_at_clock(w, m->number[BEAT_ACK_CLOCK], m->number[BEAT_ACK_WALL]);
	held_beat_answered(w, m);
}

static void broker_heard(struct bus_socket *s, const struct bus_peer *peer,
			 const struct bus_part *parts, size_t count, void *ctx)
{
	static void (*const takes[WIRE_KIND_COUNT])(struct worker * w, const struct wire *m) = {
		[WIRE_READY_ACK] = take_ready_ack,
		[WIRE_WORK] = held_take,
		[WIRE_BEAT_ACK] = take_beat_ack,
		[WIRE_FAIL_ACK] = held_fail_answered,
	};
	struct worker *w = ctx;
	struct wire m;

	(void)s, (void)peer;
	if (wire_read(&m, parts, count) != 0 || !takes[m.kind])
		wire_blame("the planner", parts, count);
	else
		takes[m.kind](w, &m);
	wire_release(&m);
	worker_plan(w);
}

/* ---- what is due ---- */

static void on_due(struct loop *l, struct loop_timer *t)
{
	struct worker *w = CONTAINER_OF(t, struct worker, due_timer);

	(void)l;
	worker_plan(w);
}

void worker_plan(struct worker *w)
{
	int64_t now_us = boot_us();
	int64_t next_us = held_turn(w, now_us), result_us = results_turn(w, now_us);

	next_us = MIN_OF(next_us, result_us);
	if (next_us == INT64_MAX)
		loop_timer_clear(w->loop, &w->due_timer);
	else
		loop_timer_set_in(w->loop, &w->due_timer,
				  MAX_OF(next_us - now_us, INT64_C(0)) * NS_PER_US);
}

/* Before anything else after a stop or a sleep. */
static void on_guard(struct loop *l, struct loop_guard *g)
{
	(void)l;
	held_fence(CONTAINER_OF(g, struct worker, guard));
}

/* ---- life ---- */

static int connect_both(struct worker *w, const struct config_bus *settings, const char *secret)
{
	struct bus_connect how = {
		.endpoint = settings->work[0],
		.secret_key = secret,
		.server_key = settings->server_key,
		.heard = broker_heard,
		.ctx = w,
	};
	char why[200];
	int rc = bus_connect_to(w->bus, &how, &w->work, why);

	how.endpoint = settings->results[0];
	how.heard = results_heard;
	how.linger_ms = RESULTS_LINGER_MS;
	if (!rc)
		rc = bus_connect_to(w->bus, &how, &w->results, why);
	if (rc)
		log_error("bus: %s", why);
	return rc;
}

static int check_settings(const struct config_bus *s)
{
	const char *missing = !s->is_set	 ? "bus:"
			      : !s->work_count	 ? "bus.work, where the planner listens"
			      : !s->result_count ? "bus.results, where the collector listens"
			      : !s->key		 ? "bus.key, this loader's secret key"
			      : !s->server_key	 ? "bus.server_key, the public key of the planner"
						 : NULL;

	if (missing)
		log_error("the settings lack %s; add it", missing);
	return missing ? -1 : 0;
}

static int open_parts(struct worker *w, const struct config_bus *settings)
{
	char *secret = NULL, why[200];
	int rc = check_settings(settings);

	if (!rc && (rc = config_secret(settings->key, &secret, why)))
		log_error("bus.key: %s", why);
	if (!rc && (rc = spool_open(&w->spool, w->owner.spool_dir)))
		log_error("cannot use %s to keep results in: %s", w->owner.spool_dir,
			  strerror(-rc));
	if (!rc)
		rc = connect_both(w, settings, secret);
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
	return rc;
}

struct worker *worker_open(struct loop *l, const struct config_bus *settings,
			   const struct worker_owner *owner)
{
	struct worker *w = x_calloc(1, sizeof(*w));

	w->loop = l;
	w->bus = bus_new(l);
	w->owner = *owner;
	w->accounts = x_strdup(owner->accounts);
	w->guard.run = on_guard;
	loop_guard_add(l, &w->guard);
	digest_id_random('n', w->nonce);
	if (open_parts(w, settings) != 0) {
		worker_free(w);
		return NULL;
	}
	w->ready_timer.run = on_ready_timer;
	w->told_at = w->answered_at = mono_now();
	w->due_timer.run = on_due;
	if (w->spool.count)
		log_info("%zu results of an earlier process are sent again", w->spool.count);
	worker_say_ready_soon(w);
	worker_plan(w);
	return w;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	loop_guard_remove(w->loop, &w->guard);
	loop_timer_clear(w->loop, &w->ready_timer);
	loop_timer_clear(w->loop, &w->due_timer);
	held_free(w);
	bus_socket_close(w->work);
	bus_socket_close(w->results);
	bus_free(w->bus);
	if (w->spool.dir)
		spool_close(&w->spool);
	free(w->accounts);
	free(w);
}

void worker_stop(struct worker *w)
{
	w->is_stopping = true;
	say_ready(w); /* first of all: what is given back shall not come here again */
	held_stop(w);
	worker_plan(w);
}

bool worker_is_connected(const struct worker *w)
{
	return w->is_broker_told || mono_diff_ns(mono_now(), w->told_at) < PATIENCE_NS;
}

size_t worker_held(const struct worker *w)
{
	return held_count(w, ~(1u << HELD_TELLING)) + w->spool.count;
}
