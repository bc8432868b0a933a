/*
 * redis.h - one asynchronous connection to Redis over its unix socket (rank 2).
 *
 * hiredis' only door. Calls are sent at once and in order, replies come in order. A connection
 * that fails, or does not answer in time, is thrown away and made again (20 ms to 2 s apart); a
 * call with REDIS_REPEAT whose reply was lost is then sent again, in its old order: what it calls
 * must be harmless twice. Answers that mean "not now" (LOADING, BUSY, OOM, MISCONF, READONLY) are
 * trouble of the world: the client waits and sends again; redis_trouble() says which it is.
 *
 *	struct redis *r = redis_new(loop, &(struct redis_options){.path = p, .user = u, ...});
 *	struct redis_args a = REDIS_ARGS_INIT;
 *	redis_arg(&a, "FCALL"); redis_arg(&a, "pl_reap"); redis_arg_int(&a, 0); ...
 *	redis_call(r, &a, REDIS_REPEAT, on_reply, ctx);	// a is emptied
 *
 * DIAGNOSTICS
 *	on_reply gets is_error with the text of Redis, or is_lost (REDIS_ONCE only): whether it
 *	was done is not known. WRONGPASS and NOPERM are errors like others; the caller ends with
 *100.
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
	/* Both may be NULL. changed: up or down, with what is wrong. hello: after each connect and
	 * AUTH, before anything else is sent again: the place to look at versions. */
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

enum redis_how { REDIS_ONCE, REDIS_REPEAT };

struct redis *redis_new(struct loop *l, const struct redis_options *o); /* connects in the loop */
void redis_free(struct redis *r); /* callbacks of open calls are not called */
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
/* Inside hello: goes before everything that waits. */
void redis_call_first(struct redis *r, struct redis_args *a, redis_reply_fn *fn, void *ctx);

/*
 * For a person's commands: turns the loop until the reply is there or wait_ms is over.
 * -ETIMEDOUT with what is wrong in why. fn is called before it returns 0.
 */
MUST_CHECK int redis_ask(struct redis *r, struct loop *l, struct redis_args *a, int64_t wait_ms,
			 redis_reply_fn *fn, void *ctx, char why[200]);

#endif
