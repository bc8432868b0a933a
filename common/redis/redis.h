/*
 * redis.h - one asynchronous connection to Redis over its unix socket (rank 2).
 *
 * hiredis' only door. Calls are sent at once and in order, replies come in order. A connection
 * that fails, or does not answer in time, is thrown away and made again (20 ms to 2 s apart); a
 * call with REDIS_REPEAT whose reply was lost is then sent again, in its old order: what it calls
 * must be harmless twice. Nothing is sent over the new connection before Redis has closed the old
 * one, so that what was left unread there cannot come after what is newer.
 *
 * Answers that mean "not now" (LOADING, BUSY, OOM, MISCONF, READONLY, MASTERDOWN) are trouble of
 * the world: the call waits (50 ms to 2 s) and is sent again, and so are the REDIS_REPEAT calls
 * that were sent after it, whatever their answers were, so that the order holds; redis_trouble()
 * says which it is. A REDIS_ONCE call has no place in that order: it goes past calls that wait,
 * and is lost when it is not answered in time or "not now".
 *
 *	struct redis *r = redis_new(loop, &(struct redis_options){.path = p, .user = u, ...});
 *	struct redis_args a = REDIS_ARGS_INIT;
 *	redis_arg(&a, "FCALL");
 *	redis_arg(&a, "pl_reap");
 *	redis_arg_int(&a, 0);
 *	redis_call(r, &a, REDIS_REPEAT, on_reply, ctx);	// a is emptied
 *
 * Memory: at most 1 MiB (or one call) is under way at a time, the rest waits here. What waits is
 * the owner's to bound (redis_open_calls): it stops taking work when Redis does not answer.
 *
 * DIAGNOSTICS
 *	on_reply gets is_error with the text of Redis, or is_lost (REDIS_ONCE only): whether it
 *	was done is not known. NOPERM is an error like others; the caller ends with 100. WRONGPASS
 *	is told by changed(). A call of more than 64 MiB is answered by an error that begins with
 *	TOOLARGE. REDIS_OPEN_MAX calls open are a bug of the owner.
 */
#ifndef PLIMSOLL_REDIS_REDIS_H
#define PLIMSOLL_REDIS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/loop.h"

struct redis;

struct redis_part {
	const char *data; /* NUL-terminated too; NULL = nil */
	size_t len_bytes;
};

struct redis_reply { /* borrowed, for the time of the callback */
	bool is_lost, is_error;
	const char *error; /* "NOPERM ..." */
	size_t count;	   /* a single value is a list of one; integers come as text */
	const struct redis_part *parts;
};

typedef void redis_reply_fn(const struct redis_reply *reply, void *ctx);

struct redis_options {			    /* all copied */
	const char *path, *user, *password; /* user NULL: no AUTH */
	int64_t timeout_ms;		    /* of one reply; 0 = 2000 */
	/* Both may be NULL. changed: up or down, or "not now" began or ended; why is "" when all is
	 * well, and begins with WRONGPASS when name or password are wrong. hello: after each
	 * connect and AUTH, before anything else is sent again: the place to look at versions. */
	void (*changed)(struct redis *r, bool is_up, const char *why, void *ctx);
	void (*hello)(struct redis *r, void *ctx);
	/* Messages of this channel, on a connection of its own; NULL = none. */
	const char *channel;
	void (*message)(const char *text, void *ctx);
	void *ctx;
};

struct redis_args { /* grows; at most 64 MiB */
	struct buf bytes;
	size_t *ends;
	size_t count, cap;
};

#define REDIS_ARGS_MAX_BYTES (64u * 1024u * 1024u)
#define REDIS_OPEN_MAX 200000
#define REDIS_ARGS_INIT                                                                            \
	{                                                                                          \
		.bytes = BUF_INIT(REDIS_ARGS_MAX_BYTES)                                            \
	}

enum redis_how { REDIS_ONCE, REDIS_REPEAT };

struct redis *redis_new(struct loop *l, const struct redis_options *o); /* connects in the loop */
/* Callbacks of open calls are not called. Not from inside a callback of r. */
void redis_free(struct redis *r);
bool redis_is_up(const struct redis *r);
/* "" when all is well, else what Redis or the system said last. */
const char *redis_trouble(const struct redis *r);
size_t redis_open_calls(const struct redis *r);

void redis_args_init(struct redis_args *a);
void redis_args_release(struct redis_args *a);
void redis_arg(struct redis_args *a, const char *text);
void redis_arg_bytes(struct redis_args *a, const char *data, size_t len_bytes);
void redis_arg_int(struct redis_args *a, int64_t n);

/* Takes what is in a (a is empty afterwards and may be used again). fn may be NULL. */
void redis_call(struct redis *r, struct redis_args *a, enum redis_how how, redis_reply_fn *fn,
		void *ctx);
/* Inside hello: goes before everything that waits; lost (is_lost) when the connection is. */
void redis_call_first(struct redis *r, struct redis_args *a, redis_reply_fn *fn, void *ctx);
/* In the callback of a redis_call_first: nothing that waits may be sent over this connection. */
void redis_refuse(struct redis *r);
/* Nobody is told the replies of calls with this ctx any more; they are made all the same. */
void redis_forget(struct redis *r, const void *ctx);

/*
 * For a person's commands: turns the loop until the reply is there or wait_ms is over.
 * -ETIMEDOUT with what is wrong in why, -EACCES at once when name or password are wrong. fn is
 * called before it returns 0.
 */
MUST_CHECK int redis_ask(struct redis *r, struct loop *l, struct redis_args *a, int64_t wait_ms,
			 redis_reply_fn *fn, void *ctx, char why[200]);

#endif
