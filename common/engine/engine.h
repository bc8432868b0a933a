/*
 * engine.h - the load engine: calls that are due now go out over kept connections (rank 3).
 *
 * Own code on epoll, because load generation is what Plimsoll exists for. The engine knows
 * connections, TLS, HTTP and time; it knows nothing of rounds, payloads or Lambda. A caller
 * creates one pool per variant and hands it calls when they are due. Each pool has its own
 * connections and its own in-flight cap, so a slow variant cannot queue another. Nothing is ever
 * retried: one call is at most one request on the wire. No allocation per call: struct engine_call
 * is embedded in the caller's record, request bytes are borrowed, buffers are reused.
 *
 *	struct engine *e = engine_new(loop);
 *	struct engine_pool *p = engine_pool_new(e, &endpoint, &limits, done, ctx);
 *	call.due = due; call.request = &request;
 *	engine_submit(p, &call);		// done(call) comes later, exactly once
 *
 * Two protocols over one pool: HTTP/1.1 has one call on a connection, HTTP/2 many. Who goes next: a
 * call that is due takes the connection with room that was used last; else it waits, first come
 * first served, and a connection is opened for it while there are fewer than limits.connections.
 * Whichever has room first takes it. The timeout counts from due: a call still waiting then was
 * never sent; one that was sent loses its connection, or its stream.
 *
 * Clocks: sent is read just before the first send(2); done right after the last byte was parsed,
 * once per event, never taken from the loop's cached time. What the loop does between readiness
 * and reading an answer (its delay, a quality figure) is part of done, unless engine_set_stamped.
 *
 * done() never runs inside engine_submit. It may submit calls and may abort a pool; it must not
 * free one. The process must ignore SIGPIPE (OpenSSL writes without MSG_NOSIGNAL).
 *
 * DIAGNOSTICS
 *	Every submitted call ends in exactly one done(): with an answer (end == ENGINE_ANSWERED) or
 *	with what stopped it. engine_pool_new fails with -errno and a reason (address not allowed,
 *	name not found, bad CA file; -ENOTSUP: a protocol that does not work yet).
 */
#ifndef PLIMSOLL_ENGINE_ENGINE_H
#define PLIMSOLL_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/engine/request.h"
#include "common/engine/response.h"

struct engine;
struct engine_pool;

enum engine_end {
	ENGINE_ANSWERED, /* a whole answer; look at the response */
	ENGINE_TIMEOUT,	 /* sent, but no whole answer in time */
	ENGINE_CONNECT, /* connecting failed, or the connection broke before the answer was whole */
	ENGINE_TLS,	/* handshake or verification failed */
	ENGINE_DNS,	/* for the callers: the engine resolves in engine_pool_new only */
	ENGINE_BAD_ANSWER, /* not HTTP, or past a bound */
	ENGINE_ABORTED,	   /* in flight at engine_pool_abort */
	ENGINE_NOT_SENT,   /* no connection became free before the timeout, or aborted unsent */
};

struct engine_call {
	struct mono due;		      /* latency counts from here */
	const struct engine_request *request; /* borrowed until done */
	/* results */
	struct mono sent; /* just before the first byte went to the kernel; zero when never sent */
	struct mono done;
	enum engine_end end;
	const char *why;		 /* static text when end != ENGINE_ANSWERED */
	const struct response *response; /* valid inside done() only; NULL without an answer */
	/* the engine's own */
	struct engine_call *next, *prev; /* in the pool's list */
	struct engine_conn *conn;
	struct engine_call *conn_next, *conn_prev; /* of the same connection */
	void *stream;				   /* the protocol's */
};

enum engine_protocol {
	ENGINE_HTTP1,
	ENGINE_HTTP2,	  /* by ALPN over TLS, by prior knowledge without */
	ENGINE_HTTP_AUTO, /* what ALPN chooses; HTTP/1.1 without TLS */
};

struct engine_endpoint {
	const char *host; /* name or address literal */
	uint16_t port;
	bool is_tls;
	const char *sni;     /* NULL = host */
	const char *ca_file; /* NULL = the system's */
	bool allow_private;  /* loopback, private, link-local and such addresses may be called */
	enum engine_protocol protocol;
	const char *unix_path;		  /* NULL = TCP; else host is a name only, for TLS */
	const char *cert_file, *key_file; /* ours, PEM; NULL = none */
};

struct engine_limits {
	uint32_t in_flight; /* calls in flight at most */
	int64_t timeout_ms; /* from due to the whole answer */
	int64_t connect_timeout_ms;
	size_t body_max_bytes; /* kept of an answer's body; the rest is read and dropped */
	uint32_t connections;  /* at most; 0 = in_flight */
	uint32_t streams; /* HTTP/2: calls of one connection at most; 0 = what the peer allows */
};

typedef void engine_done_fn(struct engine_pool *p, struct engine_call *call, void *ctx);

struct engine *engine_new(struct loop *l);
void engine_free(struct engine *e); /* pools must be freed first */

#define ENGINE_WHY_SIZE 200
/* Resolves (blocking, so outside of any send loop) and checks every address. All are copied. */
MUST_CHECK int engine_pool_new(struct engine *e, const struct engine_endpoint *ep,
			       const struct engine_limits *limits, engine_done_fn *done, void *ctx,
			       struct engine_pool **out, char why[ENGINE_WHY_SIZE]);
/* Opens connections ahead, gently: count of them (at most limits.connections), one every gap_ns.
 * ready() when all are open or failed, never at once. One such at a time. */
void engine_pool_connect(struct engine_pool *p, uint32_t count, int64_t gap_ns,
			 void (*ready)(struct engine_pool *p, uint32_t open, uint32_t failed,
				       void *ctx));
/*
 * For a loop that rests (loop_set_rest): done is when the kernel got the last bytes of an answer,
 * where it says so (TCP). Connections opened later.
 */
void engine_set_stamped(struct engine *e);
/* The call is borrowed until its done(); the caller sets due and request before. */
void engine_submit(struct engine_pool *p, struct engine_call *call);
/*
 * What is submitted in between may share writes (HTTP/2 puts calls of one connection together); all
 * has gone out when engine_batch_end returns. They may nest.
 */
void engine_batch_begin(struct engine *e);
void engine_batch_end(struct engine *e);
/* Ends all calls now: in flight ABORTED, waiting NOT_SENT. done() runs for each before it returns;
 * a call submitted meanwhile ends NOT_SENT in the loop's next turn. why is static text. The pool
 * can be used afterwards. */
void engine_pool_abort(struct engine_pool *p, const char *why);
/* Aborts first. A done() that submits to this pool meanwhile is a bug. NULL is fine. */
void engine_pool_free(struct engine_pool *p);

struct engine_pool_stats {
	uint32_t in_flight, waiting, open;
	uint64_t connects, connect_failures, sent_bytes, received_bytes;
	uint64_t local_faults; /* connections that this host could not open: descriptors, ports */
	const char *local_why; /* of the last of them; static; NULL = none */
	uint64_t waited;       /* calls that found all in_flight places taken */
	uint64_t blocked;      /* requests that did not fit into the socket's buffer */
};
void engine_pool_stats(const struct engine_pool *p, struct engine_pool_stats *out);

#endif
