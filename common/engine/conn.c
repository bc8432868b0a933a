#include "common/engine/engine_parts.h"

#include <errno.h>

#include "common/engine/stamp.h"

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

static struct mono *stamp_of(struct engine_conn *c)
{
	return c->is_stamped ? &c->heard : NULL;
}

bool conn_hold(struct engine_conn *c)
{
	struct engine *e = c->pool->engine;

	if (!e->batch_depth)
		return false;
	if (!c->is_in_held) {
		c->is_in_held = true;
		c->held_next = e->held;
		e->held = c;
	}
	return true;
}

static void leave_held(struct engine_conn *c)
{
	struct engine_conn **at = &c->pool->engine->held;

	if (!c->is_in_held)
		return;
	while (*at != c)
		at = &(*at)->held_next;
	*at = c->held_next;
	c->is_in_held = false;
}

void conn_close(struct engine_conn *c)
{
	BUG_ON(c->calls || c->is_roomy || c->state == CONN_UNUSED);
	if (c->state == CONN_OPEN)
		c->protocol->close(c);
	leave_held(c);
	close_socket(c);
	c->state = CONN_UNUSED;
	c->serial = ++c->pool->engine->next_serial;
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
	*c = (struct engine_conn){
		.pool = p,
		.state = CONN_CONNECTING,
		.serial = ++p->engine->next_serial,
		.watch = {.fd = -1},
	};
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
				.ready = on_ready, .fd = fd, .want = LOOP_WRITE | LOOP_EDGE};
			rc = loop_watch(p->engine->loop, &c->watch);
			if (!rc) {
				c->is_stamped = p->engine->is_stamped && stamp_ask(fd);
				return true;
			}
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

/* NULL when HTTP/2 is wanted and the peer did not choose it. */
static const struct protocol *choose_protocol(const struct engine_conn *c)
{
	const enum engine_protocol want = c->pool->protocol;

	if (want == ENGINE_HTTP1 || (want == ENGINE_HTTP_AUTO && !c->tls))
		return &protocol_http1;
	if (!c->tls || tls_is_http2(c->tls))
		return &protocol_http2;
	return want == ENGINE_HTTP2 ? NULL : &protocol_http1;
}

static void opened(struct engine_conn *c)
{
	uint64_t serial;
	int rc;

	c->protocol = choose_protocol(c);
	if (!c->protocol) {
		pool_open_failed(c,
				 &(struct trouble){ENGINE_TLS, "the server does not offer HTTP/2"});
		return;
	}
	if (c->protocol == &protocol_http1)
		c->pool->calls_per_conn = 1;
	c->state = CONN_OPEN;
	c->is_drained = true;
	c->is_called_again = false;
	rc = c->protocol->open ? c->protocol->open(c) : 0;
	if (rc != 0) {
		pool_open_failed(c, &(struct trouble){ENGINE_CONNECT, text_of(-rc)});
		return;
	}
	serial = c->serial;
	pool_opened(c);
	/* What came right behind the handshake has been told of already. */
	if (c->serial == serial && conn_may_have_more(c))
		c->protocol->ready(c, LOOP_READ);
}

static void handshake(struct engine_conn *c)
{
	int rc = tls_handshake(c->tls);

	if (!rc)
		opened(c);
	else if (rc == -EAGAIN)
		conn_want(c, tls_wants_write(c->tls));
	else
		pool_open_failed(c, &(struct trouble){ENGINE_TLS, tls_why(c->tls)});
}

static void connected(struct engine_conn *c)
{
	struct engine_pool *p = c->pool;

	conn_want(c, false);
	if (!p->is_tls) {
		opened(c);
		return;
	}
	c->state = CONN_HANDSHAKE;
	c->tls = tls_open(&p->peer, c->watch.fd, stamp_of(c));
	if (c->tls)
		handshake(c);
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

/* ---- bytes ---- */

ssize_t conn_put_bytes(struct engine_conn *c, const char *data, size_t len_bytes)
{
	ssize_t n;

	if (c->tls)
		n = tls_write(c->tls, data, len_bytes);
	else if ((n = send(c->watch.fd, data, len_bytes, MSG_NOSIGNAL)) < 0)
		n = -errno;
	if (n > 0)
		c->pool->sent_bytes += (uint64_t)n;
	return n;
}

ssize_t conn_get_bytes(struct engine_conn *c, char *out, size_t size_bytes)
{
	ssize_t n;

	if (c->tls)
		n = tls_read(c->tls, out, size_bytes);
	else if ((n = stamp_recv(c->watch.fd, out, size_bytes, stamp_of(c))) < 0)
		n = -errno;
	c->is_drained = n < (ssize_t)size_bytes;
	if (n > 0)
		c->pool->received_bytes += (uint64_t)n;
	return n;
}

struct mono conn_heard(const struct engine_conn *c)
{
	return c->is_stamped ? c->heard : mono_now();
}

bool conn_may_have_more(const struct engine_conn *c)
{
	return c->tls ? tls_may_have_more(c->tls) : !c->is_drained;
}

/* A socket that can be written to is told of at once, one that was read to its end is not. */
void conn_again(struct engine_conn *c)
{
	struct loop *l = c->pool->engine->loop;

	c->is_called_again = c->tls != NULL;
	loop_want(l, &c->watch, c->watch.want | (c->tls ? LOOP_WRITE : 0u));
	loop_again(l, &c->watch);
}

void conn_want(struct engine_conn *c, bool needs_write)
{
	loop_want(c->pool->engine->loop, &c->watch,
		  LOOP_READ | LOOP_EDGE | (needs_write || c->is_called_again ? LOOP_WRITE : 0u));
}

bool conn_is_write_blocked(const struct engine_conn *c, ssize_t rc)
{
	return rc == -EAGAIN && (!c->tls || tls_wants_write(c->tls));
}

struct trouble conn_broken(const struct engine_conn *c, int rc)
{
	return (struct trouble){
		.end = rc == -EPROTO ? ENGINE_TLS : ENGINE_CONNECT,
		.why = c->tls ? tls_why(c->tls) : text_of(-rc),
	};
}

static void on_ready(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct engine_conn *c = CONTAINER_OF(w, struct engine_conn, watch);

	(void)l;
	c->is_called_again = false;
	if (c->state == CONN_OPEN)
		c->protocol->ready(c, what);
	else if (c->state == CONN_HANDSHAKE)
		handshake(c);
	else
		connecting(c, what);
}
