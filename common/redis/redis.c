#include "common/redis/redis.h"

#include <errno.h>

#include "common/redis/args.h"
#include "common/redis/channel.h"
#include "common/redis/conn.h"

#define TIMEOUT_MS 2000
#define TIMEOUT_MAX_TIMES 16	     /* a disk that takes long needs more patience each time */
#define WINDOW_BYTES (1024u * 1024u) /* under way at a time */
#define AGAIN_MIN_MS 50		     /* after "not now" */
#define AGAIN_MAX_MS 2000

struct call {
	struct call *next;
	char *bytes; /* NULL = larger than allowed: only its error is told */
	size_t len_bytes;
	enum redis_how how;
	bool is_first;
	redis_reply_fn *fn;
	void *ctx;
	struct mono since; /* called, or sent */
};

struct call_list {
	struct call *head, *last;
};

struct redis {
	struct loop *loop;
	char *path, *user, *password;
	int64_t timeout_ms, times; /* timeout_ms * times */
	void (*changed)(struct redis *r, bool is_up, const char *why, void *ctx);
	void (*hello)(struct redis *r, void *ctx);
	void *ctx;
	struct redis_conn conn;
	struct redis_channel *channel;

	struct call_list first;	  /* of hello, not sent */
	struct call_list waiting; /* not sent */
	struct call_list sent;	  /* no reply yet */
	struct call_list back;	  /* sent again once nothing is under way */
	size_t sent_bytes, open_count;
	struct mono heard;	 /* a reply, or the beginning of waiting for one */
	struct loop_timer watch; /* looks whether something takes too long */
	struct loop_timer soon;	 /* sends: never from inside redis_call, whose caller may be us */

	/* "Not now": only the first of what waits is tried, from time to time. */
	char not_now[120];
	int64_t again_ms;
	struct loop_timer again;
	bool is_hello, is_refused;
	bool was_up; /* as changed() was told */
	char told[200];
};

static void push(struct call_list *list, struct call *c)
{
	c->next = NULL;
	if (list->last)
		list->last->next = c;
	else
		list->head = c;
	list->last = c;
}

static struct call *pop(struct call_list *list)
{
	struct call *c = list->head;

	if (!c)
		return NULL;
	list->head = c->next;
	if (!list->head)
		list->last = NULL;
	return c;
}

/* All of more, in front of what is in list. */
static void prepend(struct call_list *list, struct call_list *more)
{
	if (!more->head)
		return;
	more->last->next = list->head;
	list->head = more->head;
	if (!list->last)
		list->last = more->last;
	*more = (struct call_list){0};
}

static void call_free(struct redis *r, struct call *c)
{
	r->open_count--;
	free(c->bytes);
	free(c);
}

static void tell_lost(struct redis *r, struct call *c)
{
	redis_reply_fn *fn = c->fn;
	void *ctx = c->ctx;

	call_free(r, c);
	if (fn)
		fn(&(struct redis_reply){.is_lost = true}, ctx);
}

static void tell(struct redis *r, struct call *c, const redisReply *reply)
{
	redis_reply_fn *fn = c->fn;
	void *ctx = c->ctx;

	call_free(r, c);
	redis_reply_tell(reply, fn, ctx);
}

/* Not twice the same: one that is down fails every two seconds. */
static void tell_changed(struct redis *r)
{
	const char *trouble = redis_trouble(r);

	if (r->was_up == redis_is_up(r) && !strcmp(r->told, trouble))
		return;
	r->was_up = redis_is_up(r);
	(void)snprintf(r->told, sizeof(r->told), "%s", trouble);
	if (r->changed)
		r->changed(r, r->was_up, r->told, r->ctx);
}

/* Sending. */

static void keep_watch(struct redis *r)
{
	if (!loop_timer_is_set(&r->watch) && (r->sent.head || r->waiting.head))
		loop_timer_set_in(r->loop, &r->watch, r->timeout_ms * NS_PER_MS / 4);
}

static void send_one(struct redis *r, struct call_list *from)
{
	struct call *c = pop(from);

	if (!c->bytes) {
		redisReply reply = {.type = REDIS_REPLY_ERROR,
				    .str = (char[]){"TOOLARGE the call is larger than 64 MiB"}};

		tell(r, c, &reply);
		return;
	}
	if (!r->sent.head)
		r->heard = mono_now();
	push(&r->sent, c);
	r->sent_bytes += c->len_bytes;
	redis_conn_send(&r->conn, c->bytes, c->len_bytes);
}

/* While the others must wait. */
static void send_once_calls(struct redis *r)
{
	struct call_list rest = {0}, once = {0};
	struct call *c;

	while ((c = pop(&r->waiting)))
		push(c->how == REDIS_ONCE ? &once : &rest, c);
	r->waiting = rest;
	while (once.head && r->conn.state == CONN_UP)
		send_one(r, &once);
	prepend(&r->waiting, &once);
}

static void pump(struct redis *r)
{
	keep_watch(r);
	if (r->conn.state != CONN_UP)
		return;
	if (r->not_now[0] && !r->is_hello) {
		if (!r->is_refused)
			send_once_calls(r);
		return;
	}
	while (r->first.head && !r->not_now[0])
		send_one(r, &r->first);
	if (r->is_hello || r->is_refused)
		return;
	while (r->waiting.head && (!r->sent.head || r->sent_bytes < WINDOW_BYTES))
		send_one(r, &r->waiting);
	keep_watch(r);
}

static void send_soon(struct loop *l, struct loop_timer *t)
{
	(void)l;
	pump(CONTAINER_OF(t, struct redis, soon));
}

/* "Not now". */

static bool is_not_now(const redisReply *reply)
{
	static const char *const words[] = {"LOADING", "BUSY",	   "OOM",
					    "MISCONF", "READONLY", "MASTERDOWN"};

	for (size_t i = 0; reply->type == REDIS_REPLY_ERROR && i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i]);

		if (!strncmp(reply->str, words[i], len) && reply->str[len] == ' ')
			return true;
	}
	return false;
}

static void begin_not_now(struct redis *r, const char *text)
{
	bool is_new = !r->not_now[0];

	(void)snprintf(r->not_now, sizeof(r->not_now), "%s", text);
	if (is_new)
		tell_changed(r);
}

static void end_not_now(struct redis *r)
{
	r->again_ms = 0;
	if (!r->not_now[0])
		return;
	r->not_now[0] = '\0';
	loop_timer_clear(r->loop, &r->again);
	tell_changed(r);
}

/* Nothing is under way any more: what must be sent again goes to the front of what waits. */
static void rewind_calls(struct redis *r)
{
	prepend(r->is_hello ? &r->first : &r->waiting, &r->back);
	r->again_ms = r->again_ms ? MIN_OF(2 * r->again_ms, (int64_t)AGAIN_MAX_MS)
				  : (int64_t)AGAIN_MIN_MS;
	loop_timer_set_in(r->loop, &r->again, r->again_ms * NS_PER_MS);
}

static void try_again(struct loop *l, struct loop_timer *t)
{
	struct redis *r = CONTAINER_OF(t, struct redis, again);
	struct call_list *from = r->is_hello ? &r->first : &r->waiting;

	(void)l;
	if (r->is_refused)
		return;
	if (!r->is_hello)
		send_once_calls(r);
	if (from->head) {
		send_one(r, from);
	} else {
		end_not_now(r);
		pump(r);
	}
	keep_watch(r);
}

/* Receiving. */

static void answer(struct redis *r, struct call *c, const redisReply *reply)
{
	bool keeps_order = c->how == REDIS_REPEAT;

	if (is_not_now(reply)) {
		if (!keeps_order) {
			tell_lost(r, c);
			return;
		}
		push(&r->back, c);
		begin_not_now(r, reply->str);
	} else if (keeps_order && r->back.head) {
		push(&r->back, c); /* was sent after one that must come first */
	} else {
		if (keeps_order)
			end_not_now(r);
		tell(r, c, reply);
	}
}

static void on_reply(struct redis_conn *conn, redisReply *reply)
{
	struct redis *r = CONTAINER_OF(conn, struct redis, conn);
	struct mono now = mono_now();
	struct call *c = pop(&r->sent);

	BUG_ON(!c);
	r->sent_bytes -= c->len_bytes;
	if (mono_diff_ns(now, r->heard) < r->timeout_ms * NS_PER_MS)
		r->times = 1;
	r->heard = now;
	redis_conn_is_good(conn);
	answer(r, c, reply);
	if (!r->sent.head && r->back.head)
		rewind_calls(r);
	if (r->is_hello && !r->sent.head && !r->first.head)
		r->is_hello = false;
	pump(r);
}

static void on_up(struct redis_conn *conn)
{
	struct redis *r = CONTAINER_OF(conn, struct redis, conn);

	r->is_refused = false;
	r->is_hello = r->hello != NULL;
	tell_changed(r);
	if (r->is_hello)
		r->hello(r, r->ctx);
	r->is_hello = r->first.head != NULL;
	pump(r);
}

/* Calls that may be sent again wait in their old order; of the others nobody knows. */
static void on_down(struct redis_conn *conn)
{
	struct redis *r = CONTAINER_OF(conn, struct redis, conn);
	struct call_list lost = r->first;
	struct call *c;

	r->first = (struct call_list){0};
	while ((c = r->is_hello ? pop(&r->back) : NULL))
		push(&lost, c);
	while ((c = pop(&r->sent)))
		push(c->is_first || c->how == REDIS_ONCE ? &lost : &r->back, c);
	r->sent_bytes = 0;
	prepend(&r->waiting, &r->back);
	r->is_hello = r->is_refused = false;
	r->not_now[0] = '\0';
	r->again_ms = 0;
	loop_timer_clear(r->loop, &r->again);
	tell_changed(r);
	while ((c = pop(&lost)))
		tell_lost(r, c);
}

static const struct redis_conn_owner conn_owner = {.up = on_up, .down = on_down, .reply = on_reply};

/* A REDIS_ONCE call that waited too long has lost its sense. */
static void expire_once_calls(struct redis *r, struct mono now)
{
	struct call_list rest = {0}, lost = {0};
	struct call *c;

	while ((c = pop(&r->waiting)))
		push(c->how == REDIS_ONCE && mono_diff_ns(now, c->since) > r->timeout_ms * NS_PER_MS
			     ? &lost
			     : &rest,
		     c);
	r->waiting = rest;
	while ((c = pop(&lost)))
		tell_lost(r, c);
}

static void look(struct loop *l, struct loop_timer *t)
{
	struct redis *r = CONTAINER_OF(t, struct redis, watch);
	struct mono now = mono_now();
	int64_t patience_ns = r->timeout_ms * r->times * NS_PER_MS;

	(void)l;
	if (r->sent.head && mono_diff_ns(now, r->heard) > patience_ns) {
		char why[80];

		(void)snprintf(why, sizeof(why), "Redis has not answered for %lld ms",
			       (long long)(patience_ns / NS_PER_MS));
		r->times = MIN_OF(2 * r->times, (int64_t)TIMEOUT_MAX_TIMES);
		redis_conn_drop(&r->conn, why);
	}
	expire_once_calls(r, now);
	keep_watch(r);
}

/* The owner's side. */

static void set_up_conn(struct redis *r, struct redis_conn *c)
{
	c->loop = r->loop;
	c->path = r->path;
	c->user = r->user;
	c->password = r->password;
	c->timeout_ms = r->timeout_ms;
}

struct redis *redis_new(struct loop *l, const struct redis_options *o)
{
	struct redis *r = x_calloc(1, sizeof(*r));

	r->loop = l;
	r->path = x_strdup(o->path);
	r->user = o->user ? x_strdup(o->user) : NULL;
	r->password = o->password ? x_strdup(o->password) : NULL;
	r->timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
	r->times = 1;
	r->changed = o->changed;
	r->hello = o->hello;
	r->ctx = o->ctx;
	r->watch.run = look;
	r->again.run = try_again;
	r->soon.run = send_soon;
	set_up_conn(r, &r->conn);
	r->conn.owner = &conn_owner;
	redis_conn_open(&r->conn);
	if (o->channel) {
		struct redis_conn like = {0};

		set_up_conn(r, &like);
		r->channel = redis_channel_open(&like, o->channel, o->message, o->ctx);
	}
	return r;
}

static void free_calls(struct redis *r, struct call_list *list)
{
	struct call *c;

	while ((c = pop(list)))
		call_free(r, c);
}

void redis_free(struct redis *r)
{
	if (!r)
		return;
	redis_channel_close(r->channel);
	redis_conn_close(&r->conn);
	loop_timer_clear(r->loop, &r->watch);
	loop_timer_clear(r->loop, &r->again);
	loop_timer_clear(r->loop, &r->soon);
	free_calls(r, &r->first);
	free_calls(r, &r->waiting);
	free_calls(r, &r->sent);
	free_calls(r, &r->back);
	free(r->path);
	free(r->user);
	if (r->password)
		explicit_bzero(r->password, strlen(r->password));
	free(r->password);
	free(r);
}

bool redis_is_up(const struct redis *r)
{
	return r->conn.state == CONN_UP;
}

const char *redis_trouble(const struct redis *r)
{
	return redis_is_up(r) ? r->not_now : r->conn.why;
}

size_t redis_open_calls(const struct redis *r)
{
	return r->open_count;
}

static struct call *call_new(struct redis *r, struct redis_args *a, redis_reply_fn *fn, void *ctx)
{
	struct call *c = x_calloc(1, sizeof(*c));

	BUG_ON(++r->open_count > REDIS_OPEN_MAX);
	if (buf_is_over(&a->bytes))
		redis_args_release(a);
	else
		c->bytes = redis_args_format(a, &c->len_bytes);
	c->fn = fn;
	c->ctx = ctx;
	c->since = mono_now();
	return c;
}

void redis_call(struct redis *r, struct redis_args *a, enum redis_how how, redis_reply_fn *fn,
		void *ctx)
{
	struct call *c = call_new(r, a, fn, ctx);

	c->how = how;
	push(&r->waiting, c);
	if (!loop_timer_is_set(&r->soon))
		loop_timer_set_in(r->loop, &r->soon, 0);
}

void redis_call_first(struct redis *r, struct redis_args *a, redis_reply_fn *fn, void *ctx)
{
	struct call *c = call_new(r, a, fn, ctx);

	c->how = REDIS_REPEAT;
	c->is_first = true;
	BUG_ON(!r->is_hello);
	push(&r->first, c);
}

void redis_refuse(struct redis *r)
{
	r->is_refused = true;
}

static void forget(const struct call_list *list, const void *ctx)
{
	for (struct call *c = list->head; c; c = c->next)
		if (c->ctx == ctx)
			c->fn = NULL;
}

void redis_forget(struct redis *r, const void *ctx)
{
	forget(&r->waiting, ctx);
	forget(&r->sent, ctx);
	forget(&r->back, ctx);
}
