#include "common/engine/engine_parts.h"

#include <errno.h>

/* Reads of one plain connection before others get their turn; epoll reports the rest again. */
#define READS_MAX 4

static void on_ready(struct loop *l, struct loop_watch *w, unsigned what);

static const char *text_of(int error_number)
{
	const char *text = strerrordesc_np(error_number);

	return text ? text : "unknown error";
}

/* Faults of this host, not of the target: the call was never sent. */
static bool is_local_fault(int error_number)
{
	static const int faults[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, ENOSPC};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (faults[i] == error_number)
			return true;
	return false;
}

static void close_socket(struct engine_conn *c)
{
	loop_unwatch(c->pool->engine->loop, &c->watch);
	tls_close(c->tls);
	c->tls = NULL;
	if (c->watch.fd >= 0)
		close(c->watch.fd);
	c->watch.fd = -1;
}

static void put_answer(struct engine_conn *c)
{
	struct engine *e = c->pool->engine;

	if (!c->answer)
		return;
	c->answer->next = e->unused;
	e->unused = c->answer;
	c->answer = NULL;
}

static struct http1_response *get_answer(struct engine_conn *c)
{
	struct engine *e = c->pool->engine;

	if (c->answer)
		return &c->answer->response;
	if (e->unused) {
		c->answer = e->unused;
		e->unused = c->answer->next;
	} else {
		c->answer = x_calloc(1, sizeof(*c->answer));
		http1_init(&c->answer->response);
	}
	http1_begin(&c->answer->response, c->call->is_head, c->pool->limits.body_max_bytes);
	return &c->answer->response;
}

void conn_close(struct engine_conn *c)
{
	BUG_ON(c->call || c->state == CONN_UNUSED);
	close_socket(c);
	put_answer(c);
	c->state = CONN_UNUSED;
	c->pool->conn_count--;
	c->next = c->pool->unused;
	c->pool->unused = c;
}

static struct engine_conn *get_conn(struct engine_pool *p)
{
	struct engine_conn *c = p->unused;

	if (c)
		p->unused = c->next;
	else
		c = x_calloc(1, sizeof(*c));
	*c = (struct engine_conn){.pool = p, .state = CONN_CONNECTING, .watch = {.fd = -1}};
	p->conn_count++;
	return c;
}

/* ---- opening ---- */

static struct trouble cannot_connect(int rc)
{
	return (struct trouble){
		.end = is_local_fault(-rc) ? ENGINE_NOT_SENT : ENGINE_CONNECT,
		.why = text_of(-rc),
	};
}

/* On to the next address: nothing has been sent yet. False when all have been tried. */
static bool connect_somewhere(struct engine_conn *c, struct mono now, struct trouble *out)
{
	struct engine_pool *p = c->pool;

	while (c->tries < p->addresses.count) {
		int fd = -1, rc;

		c->tries++;
		c->address = address_next(&p->addresses, now);
		p->connects++;
		rc = address_connect(c->address, p->allow_private, &fd);
		if (!rc || rc == -EINPROGRESS) {
			c->watch = (struct loop_watch){
				.ready = on_ready, .fd = fd, .want = LOOP_WRITE};
			rc = loop_watch(p->engine->loop, &c->watch);
			if (!rc)
				return true;
			close_socket(c);
		}
		*out = cannot_connect(rc);
		if (out->end == ENGINE_NOT_SENT)
			return false;
		address_set_down(c->address, now);
	}
	return false;
}

bool conn_open(struct engine_pool *p, bool is_ahead, struct mono now, struct trouble *out)
{
	struct engine_conn *c = get_conn(p);

	c->is_ahead = is_ahead;
	c->since = now;
	if (!connect_somewhere(c, now, out)) {
		conn_close(c);
		return false;
	}
	conn_list_append(&p->opening, c);
	return true;
}

static void handshake(struct engine_conn *c, unsigned what)
{
	int rc = tls_handshake(c->tls);

	(void)what;
	if (!rc)
		pool_opened(c);
	else if (rc == -EAGAIN)
		loop_want(c->pool->engine->loop, &c->watch,
			  LOOP_READ | (tls_wants_write(c->tls) ? LOOP_WRITE : 0u));
	else
		pool_open_failed(c, &(struct trouble){ENGINE_TLS, tls_why(c->tls)});
}

static void connected(struct engine_conn *c)
{
	struct engine_pool *p = c->pool;

	loop_want(p->engine->loop, &c->watch, LOOP_READ);
	if (!p->is_tls) {
		pool_opened(c);
		return;
	}
	c->state = CONN_HANDSHAKE;
	c->tls = tls_open(&p->peer, c->watch.fd);
	if (c->tls)
		handshake(c, 0);
	else
		pool_open_failed(c, &(struct trouble){ENGINE_TLS, "cannot set up TLS"});
}

static void connecting(struct engine_conn *c, unsigned what)
{
	struct trouble t;
	int error_number = 0;
	socklen_t len_bytes = sizeof(error_number);

	if (getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &error_number, &len_bytes))
		error_number = errno;
	if (!error_number && !(what & LOOP_WRITE))
		return;
	if (!error_number) {
		connected(c);
		return;
	}
	t = cannot_connect(-error_number);
	close_socket(c);
	address_set_down(c->address, mono_now());
	if (!connect_somewhere(c, mono_now(), &t))
		pool_open_failed(c, &t);
}

/* ---- sending ---- */

static ssize_t put_bytes(struct engine_conn *c, const char *data, size_t len_bytes)
{
	ssize_t n;

	if (c->tls)
		return tls_write(c->tls, data, len_bytes);
	n = send(c->watch.fd, data, len_bytes, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static bool is_unsent(const struct engine_conn *c)
{
	return !c->is_send_over && c->sent_bytes < c->call->request.iov_len;
}

/* -EAGAIN: not all went out, or none had to. */
static int send_more(struct engine_conn *c)
{
	const struct iovec *request = &c->call->request;

	while (is_unsent(c)) {
		ssize_t n = put_bytes(c, (const char *)request->iov_base + c->sent_bytes,
				      request->iov_len - c->sent_bytes);

		if (n < 0)
			return (int)n;
		c->sent_bytes += (size_t)n;
		c->pool->sent_bytes += (uint64_t)n;
	}
	return 0;
}

/*
 * Write readiness is asked for only while something cannot be written: no epoll_ctl on the usual
 * path. TLS may have to write in order to read, and the reverse.
 */
static void set_want(struct engine_conn *c, bool needs_write)
{
	loop_want(c->pool->engine->loop, &c->watch, LOOP_READ | (needs_write ? LOOP_WRITE : 0u));
}

static bool is_write_blocked(const struct engine_conn *c, int rc)
{
	return rc == -EAGAIN && (!c->tls || tls_wants_write(c->tls));
}

static struct trouble broken(const struct engine_conn *c, int rc)
{
	return (struct trouble){
		.end = rc == -EPROTO ? ENGINE_TLS : ENGINE_CONNECT,
		.why = c->tls ? tls_why(c->tls) : text_of(-rc),
	};
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

bool conn_start(struct engine_conn *c, struct engine_call *call, struct mono now,
		struct trouble *out)
{
	int rc;

	c->call = call;
	c->sent_bytes = 0;
	c->is_send_over = false;
	rc = send_more(c);
	if (rc && rc != -EAGAIN && (c->sent_bytes == 0 || !is_settled_by_reading(c, rc))) {
		*out = broken(c, rc);
		if (c->tls || c->sent_bytes)
			call->sent = now;
		c->call = NULL;
		return false;
	}
	c->state = CONN_BUSY;
	call->sent = now;
	call->conn = c;
	if (rc == -EAGAIN)
		set_want(c, is_write_blocked(c, rc));
	return true;
}

/* ---- reading ---- */

static ssize_t get_bytes(struct engine_conn *c, char *out, size_t size_bytes)
{
	ssize_t n;

	if (c->tls)
		return tls_read(c->tls, out, size_bytes);
	n = recv(c->watch.fd, out, size_bytes, 0);
	return n < 0 ? -errno : n;
}

bool conn_is_fit(struct engine_conn *c)
{
	char byte;

	return get_bytes(c, &byte, 1) == -EAGAIN;
}

/* No more bytes will come: the end (0) or -errno. */
static void read_ended(struct engine_conn *c, int rc)
{
	struct http1_response *r = get_answer(c);
	struct trouble t = rc ? broken(c, rc) : (struct trouble){.end = ENGINE_CONNECT};

	if (!rc && http1_eof(r) == HTTP1_DONE) {
		pool_answered(c, false);
		return;
	}
	if (!rc)
		t.why = r->why;
	pool_call_failed(c, &t);
}

/* TLS may hold more than it gave, though the socket is empty; a plain socket is drained when a
 * read comes back short. */
static bool may_read_on(const struct engine_conn *c, size_t got_bytes, int reads)
{
	if (c->tls)
		return tls_has_pending(c->tls);
	return got_bytes == SCRATCH_BYTES && reads < READS_MAX;
}

/*
 * Request out, nothing more in: such a connection can carry another call. Not when the peer closed
 * right behind its answer without having said so: epoll told of it together with the bytes.
 */
static bool is_whole(struct engine_conn *c, unsigned what)
{
	if (is_unsent(c) || c->is_send_over || (what & (LOOP_END | LOOP_HANGUP)))
		return false;
	return !c->tls || !tls_has_pending(c->tls) || conn_is_fit(c);
}

/* True while the call goes on. */
static bool take_bytes(struct engine_conn *c, unsigned what, const char *data, size_t len_bytes)
{
	struct http1_response *r = get_answer(c);
	size_t used_bytes;

	c->pool->received_bytes += len_bytes;
	switch (http1_feed(r, data, len_bytes, &used_bytes)) {
	case HTTP1_MORE:
		return true;
	case HTTP1_DONE:
		pool_answered(c, r->is_keep_alive && used_bytes == len_bytes && is_whole(c, what));
		return false;
	default:
		pool_call_failed(c, &(struct trouble){ENGINE_BAD_ANSWER, r->why});
		return false;
	}
}

/* False when that ended the call. */
static bool go_on_sending(struct engine_conn *c, bool *needs_write)
{
	int rc = send_more(c);

	if (rc && rc != -EAGAIN && !is_settled_by_reading(c, rc)) {
		struct trouble t = broken(c, rc);

		pool_call_failed(c, &t);
		return false;
	}
	*needs_write = is_write_blocked(c, rc);
	set_want(c, *needs_write);
	return true;
}

static void busy(struct engine_conn *c, unsigned what)
{
	char *scratch = c->pool->engine->scratch;
	bool needs_write = false;
	int reads = 0;
	ssize_t n;

	if (is_unsent(c) && !go_on_sending(c, &needs_write))
		return;
	do {
		n = get_bytes(c, scratch, SCRATCH_BYTES);
		if (n == -EAGAIN) {
			set_want(c, needs_write || (c->tls && tls_wants_write(c->tls)));
			return;
		}
		if (n <= 0) {
			read_ended(c, (int)n);
			return;
		}
		if (!take_bytes(c, what, scratch, (size_t)n))
			return;
	} while (may_read_on(c, (size_t)n, ++reads));
}

static void idle(struct engine_conn *c, unsigned what)
{
	(void)what;
	if (!conn_is_fit(c))
		pool_idle_ended(c);
}

static void on_ready(struct loop *l, struct loop_watch *w, unsigned what)
{
	static void (*const by_state[CONN_STATE_COUNT])(struct engine_conn * c, unsigned what) = {
		[CONN_CONNECTING] = connecting,
		[CONN_HANDSHAKE] = handshake,
		[CONN_IDLE] = idle,
		[CONN_BUSY] = busy,
	};
	struct engine_conn *c = CONTAINER_OF(w, struct engine_conn, watch);

	(void)l;
	by_state[c->state](c, what);
}
