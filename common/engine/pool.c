#include "common/engine/engine_parts.h"

#include <errno.h>

/* An idle connection that rested longer is looked at before it carries a call (one recv(2)). In a
 * busy pool epoll has told of its end in the turn before. */
#define TRUSTED_IDLE_NS (NS_PER_MS / 2)

/* ---- calls that end without an answer ---- */

/* done() is called in the loop's next turn: never from within engine_submit. */
static void end_call(struct engine_pool *p, struct engine_call *call, enum engine_end end,
		     const char *why)
{
	call->done = mono_now();
	call->end = end;
	call->why = why;
	call->response = NULL;
	call->conn = NULL;
	call->next = NULL;
	call->prev = p->ended.last;
	if (p->ended.last)
		p->ended.last->next = call;
	else
		p->ended.first = call;
	p->ended.last = call;
	p->ended.count++;
	if (!loop_timer_is_set(&p->ended_timer))
		loop_timer_set(p->engine->loop, &p->ended_timer, call->done);
}

static void tell(struct engine_pool *p, struct engine_call *call)
{
	p->done_depth++;
	p->done(p, call, p->ctx);
	p->done_depth--;
}

/* Those that are there now; what their done() adds waits for the next turn. */
static void tell_ended(struct engine_pool *p)
{
	struct engine_call *call = p->ended.first, *next;

	p->ended = (struct call_list){0};
	loop_timer_clear(p->engine->loop, &p->ended_timer);
	for (; call; call = next) {
		next = call->next;
		tell(p, call);
	}
}

void pool_on_ended(struct loop *l, struct loop_timer *t)
{
	(void)l;
	tell_ended(CONTAINER_OF(t, struct engine_pool, ended_timer));
}

static void end_waiting(struct engine_pool *p, struct engine_call *call, const struct trouble *t)
{
	call_list_remove(&p->waiting, call);
	end_call(p, call, t->end, t->why);
}

/* ---- the calls of a connection, and whether it has room for another ---- */

static void link_call(struct engine_conn *c, struct engine_call *call)
{
	call->conn = c;
	call->conn_prev = NULL;
	call->conn_next = c->calls;
	if (c->calls)
		c->calls->conn_prev = call;
	c->calls = call;
	c->call_count++;
}

static void unlink_call(struct engine_call *call)
{
	struct engine_conn *c = call->conn;

	if (call->conn_prev)
		call->conn_prev->conn_next = call->conn_next;
	else
		c->calls = call->conn_next;
	if (call->conn_next)
		call->conn_next->conn_prev = call->conn_prev;
	c->call_count--;
	call->conn = NULL;
}

/* Out of flight and off its connection. */
static void take_call(struct engine_call *call)
{
	call_list_remove(&call->conn->pool->in_flight, call);
	unlink_call(call);
}

static void leave_roomy(struct engine_conn *c)
{
	if (!c->is_roomy)
		return;
	c->is_roomy = false;
	conn_list_remove(&c->pool->roomy, c);
}

/* Closes an open one; calls that are still on it fail. */
static void end_conn(struct engine_conn *c, const struct trouble *t)
{
	leave_roomy(c);
	while (c->calls) {
		struct engine_call *call = c->calls;

		take_call(call);
		end_call(c->pool, call, t->end, t->why);
	}
	conn_close(c);
}

/* Into the list of those with room, or out of it. One that has neither room nor calls is over. */
static void settle_room(struct engine_conn *c)
{
	bool has_room = c->protocol->has_room(c);

	if (!has_room && !c->call_count) {
		leave_roomy(c);
		conn_close(c);
		return;
	}
	if (has_room == c->is_roomy)
		return;
	if (!has_room) {
		leave_roomy(c);
		return;
	}
	c->is_roomy = true;
	conn_list_prepend(&c->pool->roomy, c);
}

/* Gives up a call in flight: with its connection, where that cannot go on without it. */
static void drop(struct engine_call *call, enum engine_end end, const char *why)
{
	struct engine_conn *c = call->conn;
	bool lives = c->protocol->cancel(c, call);

	take_call(call);
	end_call(c->pool, call, end, why);
	if (!lives) {
		end_conn(c, &(struct trouble){ENGINE_CONNECT, "another call's end closed it"});
		return;
	}
	c->since = call->done;
	settle_room(c);
}

/* ---- deadlines ---- */

static struct mono call_deadline(const struct engine_pool *p, const struct engine_call *call)
{
	return mono_add_ns(call->due, p->limits.timeout_ms * NS_PER_MS);
}

struct mono pool_open_deadline(const struct engine_pool *p, const struct engine_conn *c)
{
	return mono_add_ns(c->since, p->limits.connect_timeout_ms * NS_PER_MS);
}

/* The timer is only ever moved forward here; it is set anew when it runs. So a call that ends in
 * time costs no timer at all. */
void pool_watch_deadline(struct engine_pool *p, struct mono at)
{
	if (!loop_timer_is_set(&p->deadline) || mono_is_before(at, p->deadline.at))
		loop_timer_set(p->engine->loop, &p->deadline, at);
}

static void watch_deadlines(struct engine_pool *p)
{
	if (p->waiting.first)
		pool_watch_deadline(p, call_deadline(p, p->waiting.first));
	if (p->in_flight.first)
		pool_watch_deadline(p, call_deadline(p, p->in_flight.first));
	if (p->opening.first)
		pool_watch_deadline(p, pool_open_deadline(p, p->opening.first));
}

/* A call that waits for a connection in the making has met a connect problem; others found no
 * free slot. */
static struct trouble why_still_waiting(const struct engine_pool *p)
{
	if (!p->opening.first)
		return (struct trouble){ENGINE_NOT_SENT,
					"no connection became free before the timeout"};
	if (p->opening.first->state == CONN_HANDSHAKE)
		return (struct trouble){ENGINE_TLS, "the handshake did not finish in time"};
	return (struct trouble){ENGINE_CONNECT, "no connection was made in time"};
}

static bool is_late(const struct engine_pool *p, const struct engine_call *call, struct mono now)
{
	return !mono_is_before(now, call_deadline(p, call));
}

static void expire_calls(struct engine_pool *p, struct mono now)
{
	while (p->waiting.first && is_late(p, p->waiting.first, now)) {
		struct trouble t = why_still_waiting(p);

		end_waiting(p, p->waiting.first, &t);
	}
	while (p->in_flight.first && is_late(p, p->in_flight.first, now))
		drop(p->in_flight.first, ENGINE_TIMEOUT, "no whole answer in time");
}

/* ---- who goes next ---- */

static void settle_ramp(struct engine_pool *p, struct engine_conn *c, bool is_open)
{
	if (!c->is_ahead)
		return;
	c->is_ahead = false;
	p->ramp.pending--;
	if (is_open)
		p->ramp.open++;
	else
		p->ramp.failed++;
	if (!p->ramp.left && !p->ramp.pending)
		loop_timer_set(p->engine->loop, &p->ramp.timer, mono_now());
}

uint32_t pool_connections_max(const struct engine_pool *p)
{
	return p->limits.connections ? p->limits.connections : p->limits.in_flight;
}

/* More wait than the connections in the making are hoped to take. */
static bool is_short_of_conns(const struct engine_pool *p)
{
	const uint64_t coming = (uint64_t)p->opening.count + p->unsettled;

	return p->waiting.count > coming * p->calls_per_conn;
}

/* As many from the head of the queue as it would have taken go with a failed attempt, unless
 * attempts are left for all. */
void pool_connect_failed(struct engine_pool *p, const struct trouble *t)
{
	p->connect_failures++;
	if (t->end == ENGINE_NOT_SENT) {
		p->local_faults++;
		p->local_why = t->why;
	}
	for (uint32_t i = 0; i < p->calls_per_conn && is_short_of_conns(p); i++)
		end_waiting(p, p->waiting.first, t);
}

static void open_for_waiting(struct engine_pool *p)
{
	while (is_short_of_conns(p) && p->conn_count < pool_connections_max(p)) {
		struct mono now = mono_now();
		struct trouble t;

		if (conn_open(p, false, now, &t))
			pool_watch_deadline(p, pool_open_deadline(p, p->opening.last));
		else
			pool_connect_failed(p, &t);
	}
}

/* The first that waits goes out on this connection, which has room. */
static void start(struct engine_pool *p, struct engine_conn *c, struct mono now)
{
	struct engine_call *call = p->waiting.first;
	struct trouble t;

	if (c->protocol->start(c, call, now, &t)) {
		call_list_remove(&p->waiting, call);
		call_list_insert(&p->in_flight, call);
		link_call(c, call);
		settle_room(c);
		return;
	}
	if (call->sent.ns)
		end_waiting(p, call, &t);
	end_conn(c, &t);
}

/* Is it what it was before it rested. Looking may itself have ended it. */
static bool is_fit(struct engine_conn *c)
{
	uint64_t serial = c->serial;
	bool is_fit = c->protocol->is_fit(c);

	if (c->serial != serial)
		return false;
	if (!is_fit)
		end_conn(c, &(struct trouble){ENGINE_CONNECT, "closed while idle"});
	return is_fit && c->is_roomy;
}

static bool can_serve(const struct engine_pool *p)
{
	return p->waiting.first && p->in_flight.count < p->limits.in_flight;
}

static void serve(struct engine_pool *p)
{
	while (can_serve(p) && p->roomy.first) {
		struct engine_conn *c = p->roomy.first;
		struct mono now = mono_now();

		if (is_late(p, p->waiting.first, now)) {
			end_waiting(p, p->waiting.first,
				    &(struct trouble){ENGINE_NOT_SENT, "it was due too long ago"});
			continue;
		}
		if (!c->call_count && mono_diff_ns(now, c->since) > TRUSTED_IDLE_NS) {
			if (!is_fit(c))
				continue;
			now = mono_now();
		}
		start(p, c, now);
	}
	if (can_serve(p))
		open_for_waiting(p);
}

void pool_on_deadline(struct loop *l, struct loop_timer *t)
{
	struct engine_pool *p = CONTAINER_OF(t, struct engine_pool, deadline);
	struct mono now = mono_now();

	(void)l;
	expire_calls(p, now);
	while (p->opening.first && !mono_is_before(now, pool_open_deadline(p, p->opening.first))) {
		struct engine_conn *c = p->opening.first;
		struct trouble trouble = why_still_waiting(p);

		if (c->state == CONN_CONNECTING)
			address_set_down(c->address, now);
		conn_list_remove(&p->opening, c);
		settle_ramp(p, c, false);
		conn_close(c);
		pool_connect_failed(p, &trouble);
	}
	serve(p);
	watch_deadlines(p);
}

/* ---- what connections tell ---- */

void pool_opened(struct engine_conn *c)
{
	struct engine_pool *p = c->pool;

	conn_list_remove(&p->opening, c);
	settle_ramp(p, c, true);
	c->since = mono_now();
	settle_room(c);
	serve(p);
}

void pool_open_failed(struct engine_conn *c, const struct trouble *t)
{
	struct engine_pool *p = c->pool;

	conn_list_remove(&p->opening, c);
	settle_ramp(p, c, false);
	conn_close(c);
	pool_connect_failed(p, t);
	serve(p);
}

void pool_call_failed(struct engine_conn *c, struct engine_call *call, const struct trouble *t)
{
	struct engine_pool *p = c->pool;

	take_call(call);
	end_call(p, call, t->end, t->why);
	c->since = call->done;
	settle_room(c);
	serve(p);
}

void pool_call_unsent(struct engine_conn *c, struct engine_call *call)
{
	struct engine_pool *p = c->pool;

	take_call(call);
	call->sent = (struct mono){0};
	call_list_insert(&p->waiting, call);
	settle_room(c);
	serve(p);
}

void pool_conn_failed(struct engine_conn *c, const struct trouble *t)
{
	struct engine_pool *p = c->pool;

	end_conn(c, t);
	serve(p);
}

void pool_room_changed(struct engine_conn *c)
{
	struct engine_pool *p = c->pool;

	settle_room(c);
	serve(p);
}

/* Who waits goes out first; then the caller learns of the answer. */
void pool_answered(struct engine_conn *c, struct engine_call *call, const struct response *response,
		   bool is_reusable)
{
	struct engine_pool *p = c->pool;

	take_call(call);
	if (!call->done.ns)
		call->done = conn_heard(c);
	call->end = ENGINE_ANSWERED;
	call->response = response;
	c->since = c->is_stamped ? mono_now() : call->done;
	if (is_reusable)
		settle_room(c);
	else
		end_conn(c, &(struct trouble){ENGINE_CONNECT, "the peer ended the connection"});
	if (p->waiting.first)
		serve(p);
	tell(p, call);
}

/* ---- the interface ---- */

void engine_submit(struct engine_pool *p, struct engine_call *call)
{
	call->sent = call->done = (struct mono){0};
	call->why = NULL;
	call->response = NULL;
	call->conn = NULL;
	if (p->is_aborting) {
		end_call(p, call, ENGINE_NOT_SENT, "the pool is being ended");
		return;
	}
	call_list_insert(&p->waiting, call);
	pool_watch_deadline(p, call_deadline(p, call));
	p->waited += p->in_flight.count >= p->limits.in_flight;
	serve(p);
}

void engine_pool_abort(struct engine_pool *p, const char *why)
{
	const bool was_aborting = p->is_aborting;

	p->is_aborting = true;
	while (p->in_flight.first)
		drop(p->in_flight.first, ENGINE_ABORTED, why);
	while (p->waiting.first)
		end_waiting(p, p->waiting.first, &(struct trouble){ENGINE_NOT_SENT, why});
	tell_ended(p);
	p->is_aborting = was_aborting;
}
