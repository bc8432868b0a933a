#include "common/engine/engine_parts.h"

#include <errno.h>

struct engine *engine_new(struct loop *l)
{
	struct engine *e = x_calloc(1, sizeof(*e));

	e->loop = l;
	return e;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	BUG_ON(e->pool_count);
	while (e->unused) {
		struct answer *a = e->unused;

		e->unused = a->next;
		http1_release(&a->http1);
		free(a);
	}
	http2_spare_release(&e->spare_streams);
	free(e);
}

/* Its addresses, and what TLS needs. */
static int find_target(struct engine_pool *p, const struct engine_endpoint *ep,
		       char why[ENGINE_WHY_SIZE])
{
	static const enum tls_alpn alpns[] = {
		[ENGINE_HTTP1] = TLS_ALPN_HTTP1,
		[ENGINE_HTTP2] = TLS_ALPN_HTTP2,
		[ENGINE_HTTP_AUTO] = TLS_ALPN_ANY,
	};
	int rc;

	if (ep->unix_path)
		rc = address_of_unix(ep->unix_path, &p->addresses, why);
	else
		rc = address_resolve(ep->host, ep->port, ep->allow_private, &p->addresses, why);
	if (rc || !ep->is_tls)
		return rc;
	return tls_peer_init(&p->peer, &p->engine->tls,
			     &(struct tls_settings){
				     .name = ep->sni ? ep->sni : ep->host,
				     .ca_file = ep->ca_file,
				     .cert_file = ep->cert_file,
				     .key_file = ep->key_file,
				     .alpn = alpns[ep->protocol],
				     .is_lean = pool_connections_max(p) > LEAN_ABOVE,
			     },
			     why);
}

/* As long as no connection has told better. */
static uint32_t calls_per_conn(const struct engine_endpoint *ep, const struct engine_limits *limits)
{
	if (ep->protocol == ENGINE_HTTP1)
		return 1;
	return MIN_OF(limits->streams ? limits->streams : STREAMS_GUESS, limits->in_flight);
}

int engine_pool_new(struct engine *e, const struct engine_endpoint *ep,
		    const struct engine_limits *limits, engine_done_fn *done, void *ctx,
		    struct engine_pool **out, char why[ENGINE_WHY_SIZE])
{
	struct engine_pool *p;
	int rc;

	BUG_ON(!limits->in_flight);
	p = x_calloc(1, sizeof(*p));
	p->engine = e;
	p->limits = *limits;
	rc = find_target(p, ep, why);
	if (rc) {
		free(p);
		return rc;
	}
	p->done = done;
	p->ctx = ctx;
	p->allow_private = ep->allow_private;
	p->is_tls = ep->is_tls;
	p->protocol = ep->protocol;
	p->calls_per_conn = calls_per_conn(ep, limits);
	p->deadline.run = pool_on_deadline;
	p->ended_timer.run = pool_on_ended;
	e->pool_count++;
	*out = p;
	return 0;
}

void engine_batch_begin(struct engine *e)
{
	e->batch_depth++;
}

void engine_batch_end(struct engine *e)
{
	BUG_ON(!e->batch_depth);
	if (--e->batch_depth)
		return;
	while (e->held) {
		struct engine_conn *c = e->held;

		e->held = c->held_next;
		c->is_in_held = false;
		c->protocol->flush(c);
	}
}

void engine_set_stamped(struct engine *e)
{
	e->is_stamped = true;
}

static void close_all(struct conn_list *l)
{
	while (l->first) {
		struct engine_conn *c = l->first;

		conn_list_remove(l, c);
		c->is_roomy = false;
		conn_close(c);
	}
}

void engine_pool_free(struct engine_pool *p)
{
	if (!p)
		return;
	BUG_ON(p->done_depth);
	engine_pool_abort(p, "the pool is being ended");
	BUG_ON(p->ended.first || p->in_flight.first); /* done() submitted to a pool being freed */
	loop_timer_clear(p->engine->loop, &p->deadline);
	loop_timer_clear(p->engine->loop, &p->ramp.timer);
	close_all(&p->opening);
	close_all(&p->roomy);
	while (p->unused) {
		struct engine_conn *c = p->unused;

		p->unused = c->next;
		free(c);
	}
	tls_peer_release(&p->peer);
	p->engine->pool_count--;
	free(p);
}

static void on_ramp(struct loop *l, struct loop_timer *t)
{
	struct engine_pool *p = CONTAINER_OF(t, struct engine_pool, ramp.timer);
	struct ramp *r = &p->ramp;
	struct mono now = mono_now();
	struct trouble trouble;

	if (!r->left) {
		if (!r->pending)
			r->ready(p, r->open, r->failed, p->ctx);
		return;
	}
	r->left--;
	if (conn_open(p, true, now, &trouble)) {
		r->pending++;
		pool_watch_deadline(p, pool_open_deadline(p, p->opening.last));
	} else {
		r->failed++;
		pool_connect_failed(p, &trouble);
	}
	if (r->left || !r->pending)
		loop_timer_set(l, t, mono_add_ns(now, r->left ? r->gap_ns : 0));
}

void engine_pool_connect(struct engine_pool *p, uint32_t count, int64_t gap_ns,
			 void (*ready)(struct engine_pool *p, uint32_t open, uint32_t failed,
				       void *ctx))
{
	BUG_ON(p->ramp.left || p->ramp.pending || loop_timer_is_set(&p->ramp.timer));
	p->ramp = (struct ramp){
		.timer = {.run = on_ramp},
		.left = MIN_OF(count, pool_connections_max(p) - p->conn_count),
		.gap_ns = gap_ns,
		.ready = ready,
	};
	loop_timer_set(p->engine->loop, &p->ramp.timer, mono_now());
}

void engine_pool_stats(const struct engine_pool *p, struct engine_pool_stats *out)
{
	*out = (struct engine_pool_stats){
		.in_flight = p->in_flight.count,
		.waiting = p->waiting.count,
		.open = p->conn_count - p->opening.count,
		.connects = p->connects,
		.connect_failures = p->connect_failures,
		.sent_bytes = p->sent_bytes,
		.received_bytes = p->received_bytes,
		.local_faults = p->local_faults,
		.local_why = p->local_why,
		.waited = p->waited,
		.blocked = p->blocked,
	};
}
