/* worker_held.c - the shards at work here: their leases, beats, ends. */
#include "common/work/worker_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/crash.h"
#include "common/base/log.h"
#include "common/json/json.h"

enum { RETRY_NEVER, RETRY_FAILED, RETRY_STOPPED }; /* pl_fail's is_retry */

#define LEASE_MIN_MS 100
#define LEASE_MAX_MS (INT64_C(3600) * 1000)

/* ---- the list ---- */

static struct held *find(const struct worker *w, const char *run, int64_t index, const char *token)
{
	struct held *h = w->held;

	while (h && (h->index != index || strcmp(h->run, run) != 0 || strcmp(h->token, token) != 0))
		h = h->next;
	return h;
}

static struct held *find_in(const struct worker *w, const struct wire *m)
{
	return find(w, m->text[SHARD_RUN], m->number[SHARD_INDEX], m->text[SHARD_TOKEN]);
}

static void forget(struct worker *w, struct held *h)
{
	struct held **at = &w->held;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	free(h->line);
	free(h);
}

size_t held_count(const struct worker *w, unsigned states)
{
	size_t n = 0;

	for (const struct held *h = w->held; h; h = h->next)
		n += states >> h->state & 1;
	return n;
}

void held_free(struct worker *w)
{
	while (w->held)
		forget(w, w->held);
}

static void come_to(struct held *h, enum held_state state)
{
	h->state = state;
	h->since_us = boot_us();
}

static void begin_message(struct wire_out *o, enum wire_kind kind, const struct worker *w,
			  const struct held *h)
{
	wire_begin(o, kind);
	wire_text(o, h->run);
	wire_number(o, h->index);
	wire_text(o, h->token);
	wire_text(o, w->nonce);
}

/* ---- giving back ---- */

static void send_fail(struct worker *w, struct held *h)
{
	struct wire_out o;

	begin_message(&o, WIRE_FAIL, w, h);
	wire_number(&o, h->give_retry);
	wire_text(&o, h->give_why);
	h->beat_us = boot_us();
	if (wire_send(&o, w->work, NULL) != 0)
		log_debug("cannot give %s.%d back now", h->run, (int)h->index);
}

/* Nothing of it runs here any more. */
static void give_back(struct worker *w, struct held *h, int64_t retry, const char *why)
{
	if (h->is_lost) {
		forget(w, h);
		return;
	}
	log_info("%s.%d is given back: %s", h->run, (int)h->index, why);
	h->give_retry = retry;
	(void)snprintf(h->give_why, sizeof(h->give_why), "%s", why);
	come_to(h, HELD_GIVING);
	CRASH_POINT("worker.pre-fail");
	send_fail(w, h);
	CRASH_POINT("worker.post-fail");
}

void held_fail_answered(struct worker *w, const struct wire *ack)
{
	struct held *h = find_in(w, ack);

	if (h && h->state == HELD_GIVING)
		forget(w, h);
}

/* ---- a shard comes ---- */

/* An earlier attempt at this run is still ending here: its calls must be over first. */
static bool is_blocked(const struct worker *w, const struct held *mine)
{
	for (const struct held *h = w->held; h; h = h->next)
		if (!strcmp(h->run, mine->run) && strcmp(h->token, mine->token) != 0 &&
		    (h->state == HELD_RUNNING || h->state == HELD_ENDING))
			return true;
	return false;
}

static void send_beat(struct worker *w, struct held *h)
{
	int64_t starts_in_ms = h->start_at_ms ? h->start_at_ms - wall_ms(wall_now()) : 0;
	bool is_running = h->state != HELD_ASKED || (starts_in_ms <= 0 && !is_blocked(w, h));
	struct wire_out o;

	begin_message(&o, WIRE_BEAT, w, h);
	wire_number(&o, is_running);
	h->beat_us = boot_us();
	wire_number(&o, h->beat_us);
	if (wire_send(&o, w->work, NULL) != 0)
		log_debug("cannot beat for %s.%d now", h->run, (int)h->index);
}

static struct held *held_new(struct worker *w, const struct wire *m)
{
	struct held *h = x_calloc(1, sizeof(*h));
	struct held **at = &w->held;
	int64_t lease_ms = MIN_OF(m->number[WORK_LEASE], LEASE_MAX_MS);

	(void)snprintf(h->run, sizeof(h->run), "%s", m->text[SHARD_RUN]);
	(void)snprintf(h->token, sizeof(h->token), "%s", m->text[SHARD_TOKEN]);
	h->index = m->number[SHARD_INDEX];
	h->attempt = m->number[WORK_ATTEMPT];
	h->lease_us = MAX_OF(lease_ms, LEASE_MIN_MS) * 1000;
	h->start_at_ms = m->number[WORK_START];
	h->line = x_strdup(m->text[WORK_LINE]);
	come_to(h, HELD_ASKED);
	h->ok_us = h->since_us;
	while (*at)
		at = &(*at)->next;
	*at = h;
	return h;
}

void held_take(struct worker *w, const struct wire *m)
{
	struct held *h;

	w->taken++;
	if (find_in(w, m))
		return; /* twice */
	CRASH_POINT("worker.pre-ask");
	h = held_new(w, m);
	if (w->is_stopping)
		give_back(w, h, RETRY_STOPPED, "the loader is stopping");
	else
		send_beat(w, h);
}

/* ---- it begins ---- */

/* The broker's wall clock in ours. */
static void put_start(const struct worker *w, const struct held *h, struct json *data)
{
	char text[WALL_RFC3339_SIZE];
	int64_t offset_us = 0;

	if (!h->start_at_ms)
		return;
	(void)offset_best(&w->offset, &offset_us, NULL);
	wall_format_rfc3339((struct wall){(h->start_at_ms * 1000 - offset_us) * NS_PER_US}, text);
	json_put_str(data, "start_at", text);
}

/* shard.planned with what only the bus knows. */
static int add_to_plan(const struct worker *w, const struct held *h, struct event *out,
		       char why[EVENT_WHY_SIZE])
{
	struct buf line = BUF_INIT(EVENT_LINE_MAX_BYTES);
	struct event planned;
	int rc = event_parse(h->line, strlen(h->line), &planned, why);

	if (rc)
		return rc;
	if (planned.kind == EV_SHARD_PLANNED) {
		put_start(w, h, planned.data);
		json_put_int(planned.data, "attempt", h->attempt);
		json_write(planned.body, &line);
		rc = event_parse(buf_str(&line), line.len_bytes, out, why);
	} else {
		(void)snprintf(why, EVENT_WHY_SIZE, "it is no shard.planned");
		rc = -EINVAL;
	}
	event_release(&planned);
	buf_release(&line);
	return rc;
}

static void begin(struct worker *w, struct held *h)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;

	if (add_to_plan(w, h, &ev, why) != 0) {
		log_warn("%s.%d cannot be read: %s", h->run, (int)h->index, why);
		give_back(w, h, RETRY_NEVER, why);
		return;
	}
	come_to(h, HELD_RUNNING);
	free(h->line);
	h->line = NULL;
	CRASH_POINT("worker.pre-work");
	if (!w->owner.work(&ev, w->owner.ctx))
		give_back(w, h, RETRY_FAILED, "the loader has no room");
	CRASH_POINT("worker.post-work");
	event_release(&ev);
}

/* ---- it is taken away ---- */

static void take_away(struct worker *w, struct held *h, const char *why, bool is_fenced)
{
	char run[WIRE_WORD_SIZE];

	memcpy(run, h->run, sizeof(run));
	(void)snprintf(h->give_why, sizeof(h->give_why), "%s", why);
	h->give_retry = is_fenced ? RETRY_STOPPED : RETRY_NEVER; /* a cut is not its fault */
	come_to(h, HELD_ENDING);
	log_info("%s.%d must stop: %s", run, (int)h->index, why);
	w->owner.revoke(run, why, is_fenced, w->owner.ctx); /* may end, and free, it at once */
}

static bool lease_is_near_its_end(const struct held *h, int64_t now_us)
{
	return now_us - h->ok_us >= FENCE_OF(h->lease_us);
}

/* Each call of revoke may change the list: so from its beginning again. */
void held_fence(struct worker *w)
{
	int64_t now_us = boot_us();
	struct held *h = w->held;

	while (h) {
		if (h->state == HELD_RUNNING && lease_is_near_its_end(h, now_us)) {
			take_away(w, h, "no beat was answered for most of the lease", true);
			h = w->held;
		} else {
			h = h->next;
		}
	}
}

static void beat_said_no(struct worker *w, struct held *h, bool is_cancel, const char *why)
{
	h->is_lost |= !is_cancel;
	if (h->state == HELD_RUNNING)
		take_away(w, h,
			  is_cancel && *why ? why
			  : is_cancel	    ? "cancelled"
					    : "the lease is over",
			  !is_cancel);
	else if (h->state == HELD_ASKED)
		give_back(w, h, RETRY_NEVER, is_cancel ? why : "");
	else if (h->state == HELD_TELLING)
		forget(w, h); /* the result is on its way all the same */
}

void held_beat_answered(struct worker *w, const struct wire *m)
{
	struct held *h = find_in(w, m);
	const char *code = m->text[BEAT_ACK_CODE];
	int64_t sent_us = m->number[BEAT_ACK_CLOCK];

	if (!h || sent_us > boot_us())
		return;
	if (strcmp(code, "OK") != 0) {
		beat_said_no(w, h, !strcmp(code, "CANCEL"), m->text[BEAT_ACK_WHY]);
		return;
	}
	h->ok_us = MAX_OF(h->ok_us, sent_us);
	if (h->state == HELD_ASKED && sent_us >= h->since_us &&
	    !lease_is_near_its_end(h, boot_us()) && !is_blocked(w, h))
		begin(w, h);
}

void held_stop(struct worker *w)
{
	struct held *following;

	for (struct held *h = w->held; h; h = following) {
		following = h->next;
		if (h->state == HELD_ASKED)
			give_back(w, h, RETRY_STOPPED, "the loader is stopping");
	}
}

/* ---- it ends ---- */

static struct held *find_finished(const struct worker *w, const struct event *ev)
{
	int64_t index = json_int(json_at(ev->data, "shard.index"));
	const char *run = json_get_str(ev->data, "run");

	for (struct held *h = w->held; run && h; h = h->next)
		if (h->index == index && !strcmp(h->run, run) &&
		    (h->state == HELD_RUNNING || h->state == HELD_ENDING))
			return h;
	return NULL;
}

static void give_up(struct worker *w, struct held *h, const struct event *ev)
{
	const char *reason = json_get_str(ev->data, "reason");

	if (h->state == HELD_ENDING) /* we took it away */
		give_back(w, h, h->give_retry, h->give_why);
	else
		give_back(w, h, RETRY_STOPPED, reason && *reason ? reason : "stopped");
}

/* The line, with what our clock is worth when it fits in. */
static void keep(struct worker *w, const struct held *h, const struct event *ev)
{
	struct buf line = BUF_INIT(EVENT_LINE_MAX_BYTES);
	struct json *body = json_copy(ev->body);
	double offset_ms;

	if (worker_clock_offset_ms(w, &offset_ms)) {
		json_put_real(json_get(body, "data"), "planner_offset_ms", offset_ms);
		json_write(body, &line);
	}
	if (line.len_bytes && !buf_is_over(&line))
		results_keep(w, h, line.data, line.len_bytes);
	else
		results_keep(w, h, ev->line, ev->line_bytes);
	json_free(body);
	buf_release(&line);
}

void worker_finished(struct worker *w, const struct event *ev)
{
	struct held *h = find_finished(w, ev);
	const char *outcome = json_get_str(ev->data, "outcome");

	if (!h) {
		log_warn("a result of a shard that is not at work here is dropped: %s", ev->id);
		return;
	}
	if (outcome && (!strcmp(outcome, "cancelled") || !strcmp(outcome, "fenced"))) {
		give_up(w, h, ev);
	} else {
		keep(w, h, ev);
		if (h->is_lost)
			forget(w, h);
		else
			come_to(h, HELD_TELLING);
	}
	worker_say_ready_soon(w);
	worker_plan(w);
}

void held_told(struct worker *w, const char *run, int64_t index, const char *token)
{
	struct held *h = find(w, run, index, token);

	if (h && h->state == HELD_TELLING)
		forget(w, h);
}

/* ---- time goes by ---- */

/* How often this one speaks; 0 = not at all. */
static int64_t every_us(const struct held *h)
{
	switch (h->state) {
	case HELD_ASKED:
	case HELD_GIVING:
		return MIN_OF(RETRY_US, h->lease_us / BEATS_A_LEASE);
	case HELD_RUNNING:
	case HELD_TELLING:
		return h->lease_us / BEATS_A_LEASE;
	default:
		return 0; /* ENDING: what is taken away is not held any longer */
	}
}

/* A lease that was never begun, or that nobody lets us give back, is over by itself. */
static bool is_over(const struct held *h, int64_t now_us)
{
	return (h->state == HELD_ASKED && now_us - h->ok_us > h->lease_us) ||
	       (h->state == HELD_GIVING && now_us - h->ok_us > h->lease_us) ||
	       (h->state == HELD_TELLING && now_us - h->since_us > TELLING_US);
}

int64_t held_turn(struct worker *w, int64_t now_us)
{
	int64_t next_us = INT64_MAX, every;
	struct held *following;

	held_fence(w);
	for (struct held *h = w->held; h; h = following) {
		following = h->next;
		every = every_us(h);
		if (is_over(h, now_us)) {
			forget(w, h);
			continue;
		}
		if (every && now_us - h->beat_us >= every)
			(h->state == HELD_GIVING ? send_fail : send_beat)(w, h);
		if (every)
			next_us = MIN_OF(next_us, h->beat_us + every);
		if (h->state == HELD_RUNNING)
			next_us = MIN_OF(next_us, h->ok_us + FENCE_OF(h->lease_us));
	}
	return next_us;
}
