#include "common/redis/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 2000

static void note(struct redis_conn *c, const char *why)
{
	(void)snprintf(c->why, sizeof(c->why), "%s", why);
}

/* hiredis asks for reads and writes through these. */

static void want(struct redis_conn *c, unsigned on, unsigned off)
{
	loop_want(c->loop, &c->watch, (c->watch.want | on) & ~off);
}

static void add_read(void *ctx)
{
	want(ctx, LOOP_READ, 0);
}

static void del_read(void *ctx)
{
	want(ctx, 0, LOOP_READ);
}

static void add_write(void *ctx)
{
	want(ctx, LOOP_WRITE, 0);
}

static void del_write(void *ctx)
{
	want(ctx, 0, LOOP_WRITE);
}

static void on_ready(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct redis_conn *c = CONTAINER_OF(w, struct redis_conn, watch);
	const redisAsyncContext *ac = c->ac;

	(void)l;
	if (what & (LOOP_READ | LOOP_HANGUP))
		redisAsyncHandleRead(c->ac);
	if (c->ac == ac && (what & LOOP_WRITE))
		redisAsyncHandleWrite(c->ac);
}

static void go_up(struct redis_conn *c)
{
	c->state = CONN_UP;
	note(c, "");
	c->owner->up(c);
}

static void on_fence(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct redis_conn *c = CONTAINER_OF(w, struct redis_conn, fence);

	(void)what;
	loop_unwatch(l, w);
	close(w->fd);
	w->fd = -1;
	if (c->state == CONN_FENCE)
		go_up(c);
}

static void raise_fence(struct redis_conn *c)
{
	if (!c->has_sent || c->fence.fd >= 0)
		return;
	c->fence.fd = fcntl(c->ac->c.fd, F_DUPFD_CLOEXEC, 0);
	if (c->fence.fd < 0)
		return;
	c->fence.ready = on_fence;
	c->fence.want = 0;
	if (shutdown(c->fence.fd, SHUT_WR) != 0 || loop_watch(c->loop, &c->fence) != 0) {
		close(c->fence.fd);
		c->fence.fd = -1;
	}
}

static void pause_then_retry(struct redis_conn *c)
{
	c->backoff_ms = c->backoff_ms ? MIN_OF(2 * c->backoff_ms, (int64_t)BACKOFF_MAX_MS)
				      : (int64_t)BACKOFF_MIN_MS;
	loop_timer_set_in(c->loop, &c->retry, c->backoff_ms * NS_PER_MS);
}

/* The context is no longer ours, by our will or by that of hiredis. */
static void let_go(struct redis_conn *c)
{
	raise_fence(c);
	loop_unwatch(c->loop, &c->watch);
	loop_timer_clear(c->loop, &c->patience);
	memset(&c->ac->ev, 0, sizeof(c->ac->ev));
	c->ac->data = NULL;
	c->ac = NULL;
	c->has_sent = false;
	c->state = CONN_DOWN;
}

/* hiredis throws it away: the other side has gone, or said what is no reply. */
static void cleanup(void *ctx)
{
	struct redis_conn *c = ctx;

	note(c, c->ac->c.errstr[0] ? c->ac->c.errstr : "the connection broke");
	let_go(c);
	pause_then_retry(c);
	c->owner->down(c);
}

void redis_conn_drop(struct redis_conn *c, const char *why)
{
	redisAsyncContext *ac = c->ac;

	note(c, why);
	if (ac) {
		let_go(c);
		redisAsyncFree(ac);
	}
	pause_then_retry(c);
	c->owner->down(c);
}

static void on_reply(redisAsyncContext *ac, void *reply, void *unused)
{
	struct redis_conn *c = ac->data;

	(void)unused;
	if (c && c->ac == ac && reply)
		c->owner->reply(c, reply);
}

static void after_auth(struct redis_conn *c)
{
	loop_timer_clear(c->loop, &c->patience);
	if (c->fence.fd < 0) {
		go_up(c);
		return;
	}
	c->state = CONN_FENCE;
	note(c, "waits until Redis has read what an earlier connection left (does it hang?)");
	c->owner->down(c);
}

static void on_auth(redisAsyncContext *ac, void *reply, void *unused)
{
	struct redis_conn *c = ac->data;
	const redisReply *r = reply;

	(void)unused;
	if (!c || c->ac != ac || !r)
		return;
	if (r->type == REDIS_REPLY_ERROR)
		redis_conn_drop(c, r->str);
	else
		after_auth(c);
}

static void send_auth(struct redis_conn *c)
{
	const char *argv[] = {"AUTH", c->user, c->password ? c->password : ""};

	if (redisAsyncCommandArgv(c->ac, on_auth, NULL, (int)ARRAY_LEN(argv), argv, NULL) !=
	    REDIS_OK)
		redis_conn_drop(c, "cannot send AUTH");
}

static void connect_now(struct loop *l, struct loop_timer *t)
{
	struct redis_conn *c = CONTAINER_OF(t, struct redis_conn, retry);
	redisAsyncContext *ac = redisAsyncConnectUnix(c->path);
	char why[200];

	if (!ac || ac->err) {
		(void)snprintf(why, sizeof(why), "cannot connect to Redis at %.100s: %s", c->path,
			       ac ? ac->errstr : "no memory");
		if (ac)
			redisAsyncFree(ac);
		redis_conn_drop(c, why);
		return;
	}
	BUG_ON(fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC) != 0);
	c->ac = ac;
	ac->data = c;
	c->watch = (struct loop_watch){.ready = on_ready, .fd = ac->c.fd};
	BUG_ON(loop_watch(l, &c->watch) != 0);
	ac->ev.data = c;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	c->state = CONN_AUTH;
	if (!c->user) {
		after_auth(c);
		return;
	}
	loop_timer_set_in(l, &c->patience, c->timeout_ms * NS_PER_MS);
	send_auth(c);
}

static void out_of_patience(struct loop *l, struct loop_timer *t)
{
	struct redis_conn *c = CONTAINER_OF(t, struct redis_conn, patience);

	(void)l;
	redis_conn_drop(c, "Redis does not answer");
}

void redis_conn_open(struct redis_conn *c)
{
	c->fence.fd = -1;
	c->retry.run = connect_now;
	c->patience.run = out_of_patience;
	note(c, "not connected yet");
	loop_timer_set_in(c->loop, &c->retry, 0);
}

void redis_conn_close(struct redis_conn *c)
{
	redisAsyncContext *ac = c->ac;

	c->has_sent = false;
	if (ac) {
		let_go(c);
		redisAsyncFree(ac);
	}
	if (c->fence.fd >= 0) {
		loop_unwatch(c->loop, &c->fence);
		close(c->fence.fd);
	}
	loop_timer_clear(c->loop, &c->retry);
	loop_timer_clear(c->loop, &c->patience);
}

void redis_conn_send(struct redis_conn *c, const char *bytes, size_t len_bytes)
{
	BUG_ON(c->state != CONN_UP);
	c->has_sent = true;
	BUG_ON(redisAsyncFormattedCommand(c->ac, on_reply, NULL, bytes, len_bytes) != REDIS_OK);
}

void redis_conn_is_good(struct redis_conn *c)
{
	c->backoff_ms = 0;
}
