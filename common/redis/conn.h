/*
 * conn.h - one hiredis context in our loop: connect, AUTH, throw away, connect again (own header of
 * common/redis).
 *
 * A connection that is dropped may have left calls that Redis has not read yet (it hung, say).
 * Were newer ones sent meanwhile over the next connection, the old ones could come after them. So
 * the old socket is kept, its writing side shut down, until Redis has closed it: only then is the
 * next connection up (the fence).
 */
#ifndef PLIMSOLL_REDIS_CONN_H
#define PLIMSOLL_REDIS_CONN_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "common/base/loop.h"
#include "common/redis/redis.h"

struct redis_conn;

struct redis_conn_owner {
	void (*up)(struct redis_conn *c); /* AUTH is over: send */
	/* Gone; it connects again by itself. Also told of an attempt that failed, and at the
	 * fence. */
	void (*down)(struct redis_conn *c);
	/* Of what redis_conn_send sent, in order. On a subscription also without a call. */
	void (*reply)(struct redis_conn *c, redisReply *reply);
};

enum redis_conn_state { CONN_DOWN, CONN_AUTH, CONN_FENCE, CONN_UP };

struct redis_conn {
	struct loop *loop;
	const struct redis_conn_owner *owner;
	const char *path, *user, *password; /* borrowed */
	int64_t timeout_ms;		    /* of AUTH */
	enum redis_conn_state state;
	redisAsyncContext *ac;
	struct loop_watch watch;
	struct loop_watch fence; /* the earlier connection's socket; fd -1 = none */
	struct loop_timer retry, patience;
	int64_t backoff_ms;
	bool has_sent; /* something that a fence is for */
	char why[200]; /* what was wrong last; "" while up */
};

void redis_conn_open(struct redis_conn *c); /* the fields above back to timeout_ms are filled in */
void redis_conn_close(struct redis_conn *c);
/* Throws the context away and connects again later. down() is called. */
void redis_conn_drop(struct redis_conn *c, const char *why);
void redis_conn_send(struct redis_conn *c, const char *bytes, size_t len_bytes);
/* It works: the next pause starts short again. */
void redis_conn_is_good(struct redis_conn *c);

#endif
