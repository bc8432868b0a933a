/*
 * engine_parts.h - what engine.c (birth, ramp, end), pool.c (calls, time, who goes next), lists.c
 * (its lists), conn.c (opening, closing, bytes) and conn_*.c (one file a protocol) share (rank 3).
 * Nobody else includes it.
 *
 * A call is in exactly one list of its pool: waiting, in_flight or ended. In flight it is also in
 * the list of its connection. A connection is unused, or in opening, or open; an open one is in the
 * pool's list roomy while another call fits.
 */
#ifndef PLIMSOLL_ENGINE_ENGINE_PARTS_H
#define PLIMSOLL_ENGINE_ENGINE_PARTS_H

#include "common/engine/address.h"
#include "common/engine/engine.h"
#include "common/engine/http1.h"
#include "common/engine/http2.h"
#include "common/engine/tls.h"

#define SCRATCH_BYTES (64u * 1024u)
#define OUT_BYTES (32u * 1024u)
#define LEAN_ABOVE 1000	  /* connections: with fewer, CPU matters more than memory */
#define STREAMS_GUESS 100 /* that a server of HTTP/2 takes at least, before it has said */

/* A parser with its buffers; taken when an answer begins, so that idle connections cost little. */
struct answer {
	struct http1 http1;
	struct answer *next;
};

struct engine {
	struct loop *loop;
	struct tls_context *tls;
	struct answer *unused;
	struct http2_spare spare_streams;
	uint32_t pool_count;
	bool is_stamped;	  /* engine_set_stamped */
	unsigned batch_depth;	  /* inside engine_batch_begin */
	struct engine_conn *held; /* have something to write when the batch ends */
	uint64_t next_serial;
	char scratch[SCRATCH_BYTES]; /* what one recv(2) brings */
	char out[OUT_BYTES];	     /* what HTTP/2 sends in one write */
};

struct call_list {
	struct engine_call *first, *last;
	uint32_t count;
};

enum conn_state { CONN_UNUSED, CONN_CONNECTING, CONN_HANDSHAKE, CONN_OPEN };

/* What stopped something: the class and static text. */
struct trouble {
	enum engine_end end;
	const char *why;
};

/*
 * How an open connection speaks: one row a protocol. c->calls and c->call_count are the pool's; a
 * protocol finds its own state of a call in call->stream, of a connection in c->session. Whatever
 * it tells the pool (pool_answered and so on) may end or begin calls on any connection, its own
 * included; c->serial has changed when c is not what it was.
 */
struct protocol {
	const char *name;
	/* The connection is open now, nothing was sent. Once; before any other. NULL = nothing to
	 * do. -errno: it cannot be used. */
	int (*open)(struct engine_conn *c);
	/* It is being closed, all its calls are gone. Last of all. */
	void (*close)(struct engine_conn *c);
	/*
	 * Takes a call: sends its first bytes and sets call->sent. Not done() from in here. False
	 * when the kernel took none because the peer has gone: then the call is as before
	 * (call->sent is set when some bytes may have left), and the connection will be closed.
	 */
	bool (*start)(struct engine_conn *c, struct engine_call *call, struct mono now,
		      struct trouble *out);
	/* Writes what start held back in a batch. NULL = it holds nothing back. */
	void (*flush)(struct engine_conn *c);
	/*
	 * The socket is ready, as loop.h says; it is told once (LOOP_EDGE). So read until
	 * conn_may_have_more is false, and with LOOP_END or LOOP_HANGUP until the end or the error
	 * has come out; or stop earlier and call conn_again. Also called once after open.
	 */
	void (*ready)(struct engine_conn *c, unsigned what);
	/* Gives up a call that was started. False: the connection must be closed for it. */
	bool (*cancel)(struct engine_conn *c, struct engine_call *call);
	/* Does another call fit. */
	bool (*has_room)(const struct engine_conn *c);
	/* It rested without a call: is it still good. False: it will be closed. */
	bool (*is_fit)(struct engine_conn *c);
};
extern const struct protocol protocol_http1, protocol_http2;

struct engine_conn {
	struct loop_watch watch;
	struct engine_pool *pool;
	enum conn_state state;
	bool is_ahead;	      /* opened by engine_pool_connect: its fate is counted there */
	bool is_roomy;	      /* in the pool's list of that name */
	bool is_send_over;    /* the peer takes no more; an early answer may still be read */
	bool is_drained;      /* plain: the last read left nothing behind */
	bool is_called_again; /* bytes wait inside TLS, of which the kernel knows nothing */
	uint8_t tries;	      /* addresses tried */
	uint32_t call_count;
	uint64_t serial; /* another one each time that it is opened or closed */
	struct address *address;
	struct tls *tls; /* NULL for plain */
	const struct protocol *protocol;
	struct engine_call *calls; /* in flight here */
	bool is_in_held, is_stamped;
	struct mono heard;	       /* is_stamped: when the bytes read last came */
	struct engine_conn *held_next; /* in the engine's list of that name */
	void *session;		       /* the protocol's */
	size_t sent_bytes;	       /* HTTP/1: of the call's request */
	struct answer *answer;	       /* HTTP/1 */
	struct mono since;	       /* opening, or without a call, since */
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
	enum engine_protocol protocol;
	unsigned done_depth; /* inside done(): the pool must not be freed */
	struct address_set addresses;
	struct tls_peer peer;
	struct call_list waiting, in_flight; /* by due: the first is the first to time out */
	struct call_list ended;		     /* done() is still to be called */
	struct conn_list opening;	     /* by age */
	struct conn_list roomy;		     /* open, and another call fits; used last first */
	struct engine_conn *unused;
	uint32_t conn_count;
	uint32_t calls_per_conn; /* that one in the making is hoped to take */
	uint32_t unsettled;	 /* open, but the peer has not said yet how many calls it takes */
	struct loop_timer deadline, ended_timer;
	struct ramp ramp;
	uint64_t connects, connect_failures, sent_bytes, received_bytes;
	uint64_t local_faults, waited, blocked;
	const char *local_why; /* static */
};

/* ---- conn.c ---- */

/* Starts to open one; false with the reason when that failed at once (it is unused again). */
bool conn_open(struct engine_pool *p, bool is_ahead, struct mono now, struct trouble *out);
/* Closes and puts it among the unused. It must be in no list and hold no call. */
void conn_close(struct engine_conn *c);
/* Its protocol's flush is called when the batch ends. False outside of a batch. */
bool conn_hold(struct engine_conn *c);
/* As send(2) and recv(2), through TLS where there is; -errno. */
ssize_t conn_put_bytes(struct engine_conn *c, const char *data, size_t len_bytes);
ssize_t conn_get_bytes(struct engine_conn *c, char *out, size_t size_bytes);
/* After reading: more may be there that epoll has told of already, or that TLS holds. */
bool conn_may_have_more(const struct engine_conn *c);
/* ready will be called in the next turn, if there is anything to read or to write. */
void conn_again(struct engine_conn *c);
/* When the bytes that were read last came. */
struct mono conn_heard(const struct engine_conn *c);
/*
 * Write readiness is asked for only while something cannot be written: no epoll_ctl on the usual
 * path. TLS may have to write in order to read, and the reverse.
 */
void conn_want(struct engine_conn *c, bool needs_write);
/* Must the socket become writable after this result of sending. */
bool conn_is_write_blocked(const struct engine_conn *c, ssize_t rc);
struct trouble conn_broken(const struct engine_conn *c, int rc);

/* ---- pool.c, called by conn.c and the protocols; each may start further calls ---- */

void pool_opened(struct engine_conn *c);
void pool_open_failed(struct engine_conn *c, const struct trouble *t);
/* response is read within; the connection lives on when is_reusable. */
void pool_answered(struct engine_conn *c, struct engine_call *call, const struct response *response,
		   bool is_reusable);
/* This call only; the connection lives on. */
void pool_call_failed(struct engine_conn *c, struct engine_call *call, const struct trouble *t);
/* No byte of it was sent, whatever start said: it waits again. */
void pool_call_unsent(struct engine_conn *c, struct engine_call *call);
/* The connection is closed, and all its calls fail for that reason. */
void pool_conn_failed(struct engine_conn *c, const struct trouble *t);
/* has_room may give another answer than before (the peer's limits, a GOAWAY). */
void pool_room_changed(struct engine_conn *c);

/* For engine.c. */
uint32_t pool_connections_max(const struct engine_pool *p);
void pool_connect_failed(struct engine_pool *p, const struct trouble *t);
struct mono pool_open_deadline(const struct engine_pool *p, const struct engine_conn *c);
void pool_watch_deadline(struct engine_pool *p, struct mono at);
void pool_on_deadline(struct loop *l, struct loop_timer *t);
void pool_on_ended(struct loop *l, struct loop_timer *t);

/* ---- lists.c ---- */

/* By due; equal ones in order of arrival. */
void call_list_insert(struct call_list *l, struct engine_call *call);
void call_list_remove(struct call_list *l, struct engine_call *call);
void conn_list_prepend(struct conn_list *l, struct engine_conn *c);
void conn_list_append(struct conn_list *l, struct engine_conn *c);
void conn_list_remove(struct conn_list *l, struct engine_conn *c);

#endif
