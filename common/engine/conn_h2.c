/*
 * conn_h2.c - HTTP/2 on an open connection: many calls at a time, each a stream.
 *
 * What calls have to say is put together: all that begin while answers are being taken go out in
 * one write behind them. A call that begins at another time goes out at once.
 */
#include <errno.h>

#include "common/engine/engine_parts.h"
#include "common/engine/http2.h"

/* Reads of one connection before others get their turn. */
#define READS_MAX 8
#define UNSENT_MAX_BYTES (1024u * 1024u)

struct h2 {
	struct http2 *http2;
	struct engine_conn *conn;
	struct buf unsent;	/* what the socket did not take yet */
	struct loop_timer soon; /* something is to be sent or told, and nobody is at it */
	struct mono now;	/* of the write that is being put together */
	struct trouble lost;	/* how the connection ended, for the calls that were on it */
	struct mono heard;	/* when bytes came last */
	bool is_held;		/* answers are being taken: writing comes afterwards */
	bool is_counted;	/* in the pool's unsettled */
	bool is_deaf;		/* a call timed out and nothing at all had come: no more calls */
};

static void settled(struct engine_conn *c)
{
	struct h2 *h = c->session;
	struct engine_pool *p = c->pool;

	if (!h->is_counted)
		return;
	h->is_counted = false;
	p->unsettled--;
}

static void begun(void *owner, void *ctx)
{
	struct engine_call *call = owner;
	const struct h2 *h = ctx;

	call->sent = h->now;
}

/* ---- writing ---- */

/* How many bytes went; *rc is why not all did. TLS takes a record at a time. */
static size_t put_all(struct engine_conn *c, const char *data, size_t len_bytes, int *rc)
{
	size_t at = 0;

	*rc = 0;
	while (at < len_bytes) {
		ssize_t n = conn_put_bytes(c, data + at, len_bytes - at);

		if (n < 0) {
			*rc = (int)n;
			break;
		}
		at += (size_t)n;
	}
	return at;
}

/*
 * All there is to send, in as few writes as it takes, the rest when the socket takes it. Errors
 * come again from reading: what the peer said before it went is worth hearing.
 */
static void flush(struct engine_conn *c)
{
	struct h2 *h = c->session;
	char *out = c->pool->engine->out;
	size_t len_bytes, put;
	int rc = 0;

	if (h->unsent.len_bytes)
		buf_consume(&h->unsent, put_all(c, h->unsent.data, h->unsent.len_bytes, &rc));
	while (rc == 0 && http2_wants_pull(h->http2)) {
		h->now = mono_now();
		len_bytes = http2_pull(h->http2, out, OUT_BYTES);
		if (!len_bytes)
			break;
		put = put_all(c, out, len_bytes, &rc);
		buf_add(&h->unsent, out + put, len_bytes - put);
	}
	conn_want(c, conn_is_write_blocked(c, rc));
}

static void be_called_soon(struct engine_conn *c)
{
	struct h2 *h = c->session;

	if (!h->is_held && !loop_timer_is_set(&h->soon))
		loop_timer_set(c->pool->engine->loop, &h->soon, mono_now());
}

/* Calls have begun outside of ready. */
static void send_begun(struct engine_conn *c)
{
	struct h2 *h = c->session;

	loop_timer_clear(c->pool->engine->loop, &h->soon);
	flush(c);
	if (http2_has_ended(h->http2))
		be_called_soon(c);
}

static bool start(struct engine_conn *c, struct engine_call *call, struct mono now,
		  struct trouble *out)
{
	struct h2 *h = c->session;
	struct http2_stream *s;

	if (http2_submit(h->http2, call->request, call, &s)) {
		*out = (struct trouble){ENGINE_NOT_SENT, "no memory for a stream"};
		call->sent = now;
		return false;
	}
	call->stream = s;
	call->sent = now;
	if (!h->is_held && !conn_hold(c))
		send_begun(c);
	return true;
}

/* ---- what became of streams ---- */

static const enum engine_end ends[] = {
	[HTTP2_RESET] = ENGINE_CONNECT,
	[HTTP2_REFUSED] = ENGINE_CONNECT,
	[HTTP2_BAD] = ENGINE_BAD_ANSWER,
};

static void tell(struct engine_conn *c, struct http2_stream *s)
{
	const struct h2 *h = c->session;
	struct engine_call *call = s->owner;

	if (s->end == HTTP2_UNSENT) {
		pool_call_unsent(c, call);
	} else if (s->end == HTTP2_ANSWERED) {
		call->done = h->heard;
		pool_answered(c, call, s->response, true);
	} else if (s->end == HTTP2_LOST) {
		pool_call_failed(c, call, &h->lost);
	} else {
		pool_call_failed(c, call, &(struct trouble){ends[s->end], s->why});
	}
}

/* False when the connection is not what it was. */
static bool tell_all(struct engine_conn *c)
{
	struct engine *e = c->pool->engine;
	const uint64_t serial = c->serial;
	struct http2_stream *s;

	while (c->serial == serial && (s = http2_next_ended(((struct h2 *)c->session)->http2))) {
		tell(c, s);
		http2_spare_put(&e->spare_streams, s);
	}
	return c->serial == serial;
}

static bool has_room(const struct engine_conn *c)
{
	const struct h2 *h = c->session;

	return !h->is_deaf && http2_room(h->http2) > 0;
}

/* Answers have been taken: out with what that led to, and closed if it is over. */
static void go_on(struct engine_conn *c)
{
	struct h2 *h = c->session;

	h->is_held = false;
	flush(c);
	if (!tell_all(c))
		return;
	if (http2_is_over(h->http2))
		pool_conn_failed(c, &(struct trouble){ENGINE_CONNECT, http2_why(h->http2)});
	else if (has_room(c) != c->is_roomy)
		pool_room_changed(c);
}

static void on_soon(struct loop *l, struct loop_timer *t)
{
	(void)l;
	go_on(CONTAINER_OF(t, struct h2, soon)->conn);
}

/* ---- reading ---- */

static void learn_limits(struct engine_conn *c)
{
	const struct h2 *h = c->session;
	struct engine_pool *p = c->pool;
	uint64_t streams = (uint64_t)http2_room(h->http2) + c->call_count;

	settled(c);
	p->calls_per_conn = (uint32_t)MAX_OF(1u, MIN_OF(streams, p->limits.in_flight));
}

static void take_bytes(struct engine_conn *c, const char *data, size_t len_bytes)
{
	struct h2 *h = c->session;

	if (http2_feed(h->http2, data, len_bytes))
		flush(c); /* tells the peer what was wrong */
	h->heard = conn_heard(c);
	if (h->is_counted && http2_is_settled(h->http2))
		learn_limits(c);
}

/* No more bytes will come: the end (0) or -errno. */
static void read_ended(struct engine_conn *c, int rc)
{
	struct h2 *h = c->session;
	struct trouble t;

	http2_eof(h->http2);
	h->lost = rc ? conn_broken(c, rc) : (struct trouble){ENGINE_CONNECT, http2_why(h->http2)};
	t = h->lost;
	if (tell_all(c))
		pool_conn_failed(c, &t);
}

static void ready(struct engine_conn *c, unsigned what)
{
	char *scratch = c->pool->engine->scratch;
	struct h2 *h = c->session;
	bool may_read_on = true;

	h->is_held = true;
	for (int reads = 0; may_read_on && reads < READS_MAX; reads++) {
		ssize_t n = conn_get_bytes(c, scratch, SCRATCH_BYTES);

		may_read_on = (what & (LOOP_END | LOOP_HANGUP)) || conn_may_have_more(c);
		if (n == -EAGAIN) {
			may_read_on = false;
			break;
		}
		if (n <= 0) {
			read_ended(c, (int)n);
			return;
		}
		take_bytes(c, scratch, (size_t)n);
		if (!tell_all(c))
			return;
	}
	if (may_read_on)
		conn_again(c);
	go_on(c);
}

/* It rested: what came meanwhile (a PING, a GOAWAY, the end) is read first. */
static bool is_fit(struct engine_conn *c)
{
	const struct h2 *h = c->session;
	char bytes[4096];
	ssize_t n = 0;

	/* A peer that never stops talking is not fit either. */
	for (int reads = 0; reads < READS_MAX; reads++) {
		n = conn_get_bytes(c, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		take_bytes(c, bytes, (size_t)n);
	}
	return n == -EAGAIN && has_room(c) && !http2_is_over(h->http2);
}

/* ---- giving up ---- */

/* Only the stream ends. But a peer of whom nothing was heard since gets no more calls. */
static bool cancel(struct engine_conn *c, struct engine_call *call)
{
	struct h2 *h = c->session;

	http2_cancel(h->http2, call->stream);
	h->is_deaf |= mono_is_before(h->heard, call->sent);
	be_called_soon(c);
	return true;
}

static int open_h2(struct engine_conn *c)
{
	struct engine_pool *p = c->pool;
	struct h2 *h = x_calloc(1, sizeof(*h));
	const struct http2_config config = {
		.streams_max = p->limits.streams,
		.body_max_bytes = p->limits.body_max_bytes,
		.begun = begun,
		.ctx = h,
	};
	int rc = http2_new(&config, &p->engine->spare_streams, &h->http2);

	if (rc) {
		free(h);
		return rc;
	}
	h->conn = c;
	h->soon.run = on_soon;
	h->is_counted = true;
	buf_init(&h->unsent, UNSENT_MAX_BYTES);
	p->unsettled++;
	c->session = h;
	be_called_soon(c); /* the preface, should no call come first */
	return 0;
}

static void close_h2(struct engine_conn *c)
{
	struct h2 *h = c->session;

	if (!h)
		return;
	settled(c);
	loop_timer_clear(c->pool->engine->loop, &h->soon);
	http2_free(h->http2);
	buf_release(&h->unsent);
	free(h);
	c->session = NULL;
}

const struct protocol protocol_http2 = {
	.name = "HTTP/2",
	.open = open_h2,
	.close = close_h2,
	.start = start,
	.flush = send_begun,
	.ready = ready,
	.cancel = cancel,
	.has_room = has_room,
	.is_fit = is_fit,
};
