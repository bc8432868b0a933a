/*
 * conn_h1.c - HTTP/1.1 on an open connection: one call at a time.
 */
#include <errno.h>

#include "common/engine/engine_parts.h"

/* Reads of one connection before others get their turn. */
#define READS_MAX 8

/* ---- the parser, taken when an answer begins ---- */

static void put_answer(struct engine *e, struct answer *a)
{
	a->next = e->unused;
	e->unused = a;
}

static void close_h1(struct engine_conn *c)
{
	if (c->answer)
		put_answer(c->pool->engine, c->answer);
	c->answer = NULL;
}

static struct http1 *get_answer(struct engine_conn *c)
{
	struct engine *e = c->pool->engine;

	if (c->answer)
		return &c->answer->http1;
	if (e->unused) {
		c->answer = e->unused;
		e->unused = c->answer->next;
	} else {
		c->answer = x_calloc(1, sizeof(*c->answer));
		http1_init(&c->answer->http1);
	}
	http1_begin(&c->answer->http1, c->calls->request->is_head, c->pool->limits.body_max_bytes);
	return &c->answer->http1;
}

/* ---- sending ---- */

static bool is_unsent(const struct engine_conn *c)
{
	return !c->is_send_over && c->sent_bytes < c->calls->request->len_bytes;
}

/* -EAGAIN: not all went out, or none had to. */
static int send_more(struct engine_conn *c, const struct engine_request *request)
{
	while (c->sent_bytes < request->len_bytes) {
		ssize_t n = conn_put_bytes(c, request->bytes + c->sent_bytes,
					   request->len_bytes - c->sent_bytes);

		if (n < 0)
			return (int)n;
		c->sent_bytes += (size_t)n;
	}
	return 0;
}

/*
 * The peer has gone while we were sending. On a plain socket an early answer may wait unread, and
 * epoll will report the hang-up: the reading side settles it. TLS cannot be read any more.
 */
static bool is_settled_by_reading(struct engine_conn *c, int rc)
{
	if (c->tls || (rc != -EPIPE && rc != -ECONNRESET))
		return false;
	c->is_send_over = true;
	return true;
}

static bool start(struct engine_conn *c, struct engine_call *call, struct mono now,
		  struct trouble *out)
{
	int rc;

	c->sent_bytes = 0;
	c->is_send_over = false;
	rc = send_more(c, call->request);
	if (rc && rc != -EAGAIN && (c->sent_bytes == 0 || !is_settled_by_reading(c, rc))) {
		*out = conn_broken(c, rc);
		if (c->tls || c->sent_bytes)
			call->sent = now;
		return false;
	}
	call->sent = now;
	if (rc == -EAGAIN) {
		c->pool->blocked++;
		conn_want(c, conn_is_write_blocked(c, rc));
	}
	return true;
}

/* ---- reading ---- */

static bool is_fit(struct engine_conn *c)
{
	char byte;

	return conn_get_bytes(c, &byte, 1) == -EAGAIN;
}

static void answered(struct engine_conn *c, bool is_reusable)
{
	struct engine *e = c->pool->engine;
	struct answer *a = c->answer;

	c->answer = NULL; /* the next call may begin within */
	pool_answered(c, c->calls, &a->http1.response, is_reusable);
	put_answer(e, a);
}

/* No more bytes will come: the end (0) or -errno. */
static void read_ended(struct engine_conn *c, int rc)
{
	struct http1 *h = get_answer(c);
	struct trouble t = rc ? conn_broken(c, rc) : (struct trouble){.end = ENGINE_CONNECT};

	if (!rc && http1_eof(h) == HTTP1_DONE) {
		answered(c, false);
		return;
	}
	if (!rc)
		t.why = h->why;
	pool_conn_failed(c, &t);
}

/*
 * Request out, nothing more in: such a connection can carry another call. Not when the peer closed
 * right behind its answer without having said so: epoll told of it together with the bytes.
 */
static bool is_whole(struct engine_conn *c, unsigned what)
{
	if (is_unsent(c) || c->is_send_over || (what & (LOOP_END | LOOP_HANGUP)))
		return false;
	return !conn_may_have_more(c) || is_fit(c);
}

/* True while the call goes on. */
static bool take_bytes(struct engine_conn *c, unsigned what, const char *data, size_t len_bytes)
{
	struct http1 *h = get_answer(c);
	size_t used_bytes;

	switch (http1_feed(h, data, len_bytes, &used_bytes)) {
	case HTTP1_MORE:
		return true;
	case HTTP1_DONE:
		answered(c, h->is_keep_alive && used_bytes == len_bytes && is_whole(c, what));
		return false;
	default:
		pool_conn_failed(c, &(struct trouble){ENGINE_BAD_ANSWER, h->why});
		return false;
	}
}

/* False when that ended the call. */
static bool go_on_sending(struct engine_conn *c, bool *needs_write)
{
	int rc = send_more(c, c->calls->request);

	if (rc && rc != -EAGAIN && !is_settled_by_reading(c, rc)) {
		struct trouble t = conn_broken(c, rc);

		pool_conn_failed(c, &t);
		return false;
	}
	*needs_write = conn_is_write_blocked(c, rc);
	conn_want(c, *needs_write);
	return true;
}

static void read_answer(struct engine_conn *c, unsigned what)
{
	char *scratch = c->pool->engine->scratch;
	const bool is_ending = what & (LOOP_END | LOOP_HANGUP);
	bool needs_write = false;

	if (is_unsent(c) && !go_on_sending(c, &needs_write))
		return;
	for (int reads = 0; reads < READS_MAX; reads++) {
		ssize_t n = conn_get_bytes(c, scratch, SCRATCH_BYTES);

		if (n == -EAGAIN) {
			conn_want(c, needs_write || (c->tls && tls_wants_write(c->tls)));
			return;
		}
		if (n <= 0) {
			read_ended(c, (int)n);
			return;
		}
		if (!take_bytes(c, what, scratch, (size_t)n) ||
		    (!is_ending && !conn_may_have_more(c)))
			return;
	}
	conn_again(c);
}

static void ready(struct engine_conn *c, unsigned what)
{
	if (c->calls)
		read_answer(c, what);
	else if (!is_fit(c))
		pool_conn_failed(c, &(struct trouble){ENGINE_CONNECT, "closed while idle"});
}

/* What is still to come of the answer can be told from nothing else. */
static bool cancel(struct engine_conn *c, struct engine_call *call)
{
	(void)c;
	(void)call;
	return false;
}

static bool has_room(const struct engine_conn *c)
{
	return !c->call_count;
}

const struct protocol protocol_http1 = {
	.name = "HTTP/1.1",
	.close = close_h1,
	.start = start,
	.ready = ready,
	.cancel = cancel,
	.has_room = has_room,
	.is_fit = is_fit,
};
