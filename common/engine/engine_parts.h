/*
 * engine_parts.h - what engine.c (birth, ramp, end), pool.c (calls, time, who goes next) and conn.c
 * (one connection) share (rank 3). Nobody else includes it.
 *
 * A call is in exactly one list of its pool: waiting, in_flight or ended. A connection is in one
 * of opening or idle, or busy (then its call is in in_flight and points to it), or unused.
 */
#ifndef PLIMSOLL_ENGINE_ENGINE_PARTS_H
#define PLIMSOLL_ENGINE_ENGINE_PARTS_H

#include "common/engine/address.h"
#include "common/engine/engine.h"
#include "common/engine/tls.h"

#define SCRATCH_BYTES (64u * 1024u)

/* A parser with its buffers; taken when an answer begins, so that idle connections cost little. */
struct answer {
	struct http1_response response; /* first, so that one can be told from the other */
	struct answer *next;
};

struct engine {
	struct loop *loop;
	struct tls_context *tls;
	struct answer *unused;
	uint32_t pool_count;
	char scratch[SCRATCH_BYTES]; /* what one recv(2) brings */
};

struct call_list {
	struct engine_call *first, *last;
	uint32_t count;
};

enum conn_state {
	CONN_UNUSED,
	CONN_CONNECTING,
	CONN_HANDSHAKE,
	CONN_IDLE,
	CONN_BUSY,
	CONN_STATE_COUNT
};

struct engine_conn {
	struct loop_watch watch;
	struct engine_pool *pool;
	enum conn_state state;
	bool is_ahead;	   /* opened by engine_pool_connect: its fate is counted there */
	bool is_send_over; /* the peer takes no more; an early answer may still be read */
	uint8_t tries;	   /* addresses tried */
	struct address *address;
	struct tls *tls; /* NULL for plain */
	struct engine_call *call;
	size_t sent_bytes;
	struct answer *answer;
	struct mono since; /* opening or idle since */
	struct engine_conn *next, *prev;
};

struct conn_list {
	struct engine_conn *first, *last;
	uint32_t count;
};

/* engine_pool_connect in progress. */
struct ramp {
	struct loop_timer timer;
	uint32_t left, pending, open, failed;
	int64_t gap_ns;
	void (*ready)(struct engine_pool *p, uint32_t open, uint32_t failed, void *ctx);
};

struct engine_pool {
	struct engine *engine;
	struct engine_limits limits;
	engine_done_fn *done;
	void *ctx;
	bool allow_private, is_tls, is_aborting;
	unsigned done_depth; /* inside done(): the pool must not be freed */
	struct address_set addresses;
	struct tls_peer peer;
	struct call_list waiting, in_flight; /* by due: the first is the first to time out */
	struct call_list ended;		     /* done() is still to be called */
	struct conn_list opening, idle;	     /* opening: by age */
	struct engine_conn *unused;
	uint32_t conn_count;
	struct loop_timer deadline, ended_timer;
	struct ramp ramp;
	uint64_t connects, connect_failures, sent_bytes, received_bytes;
};

/* ---- conn.c ---- */

/* What stopped something: the class and static text. */
struct trouble {
	enum engine_end end;
	const char *why;
};

/* Starts to open one; false with the reason when that failed at once (it is unused again). */
bool conn_open(struct engine_pool *p, bool is_ahead, struct mono now, struct trouble *out);
/* Closes and puts it among the unused. It must be in no list and hold no call. */
void conn_close(struct engine_conn *c);
/* Is nothing unexpected waiting on this idle connection: an end, an error, bytes? */
bool conn_is_fit(struct engine_conn *c);
/*
 * Sends its first bytes. False when the kernel took none because the peer has gone: the call has
 * not been sent, the connection must be closed.
 */
bool conn_start(struct engine_conn *c, struct engine_call *call, struct mono now,
		struct trouble *out);

/* ---- pool.c, called by conn.c; each may start further calls ---- */

void pool_opened(struct engine_conn *c);
void pool_open_failed(struct engine_conn *c, const struct trouble *t);
void pool_answered(struct engine_conn *c, bool is_reusable);
void pool_call_failed(struct engine_conn *c, const struct trouble *t);
void pool_idle_ended(struct engine_conn *c);

/* For engine.c. */
void pool_connect_failed(struct engine_pool *p, const struct trouble *t);
struct mono pool_open_deadline(const struct engine_pool *p, const struct engine_conn *c);
void pool_watch_deadline(struct engine_pool *p, struct mono at);
void pool_on_deadline(struct loop *l, struct loop_timer *t);
void pool_on_ended(struct loop *l, struct loop_timer *t);

void conn_list_append(struct conn_list *l, struct engine_conn *c);
void conn_list_remove(struct conn_list *l, struct engine_conn *c);

#endif
