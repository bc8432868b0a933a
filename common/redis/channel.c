#include "common/redis/channel.h"

#include "common/base/log.h"
#include "common/redis/args.h"

struct redis_channel {
	struct redis_conn conn;
	struct loop_timer patience; /* of SUBSCRIBE */
	char *name;
	void (*message)(const char *text, void *ctx);
	void *ctx;
};

static void on_up(struct redis_conn *conn)
{
	struct redis_channel *ch = CONTAINER_OF(conn, struct redis_channel, conn);
	struct redis_args a = REDIS_ARGS_INIT;
	size_t len_bytes;
	char *bytes;

	redis_arg(&a, "SUBSCRIBE");
	redis_arg(&a, ch->name);
	bytes = redis_args_format(&a, &len_bytes);
	redis_conn_send(conn, bytes, len_bytes);
	conn->has_sent = false; /* it changes nothing: no fence is needed */
	free(bytes);
	loop_timer_set_in(conn->loop, &ch->patience, conn->timeout_ms * NS_PER_MS);
}

static void on_down(struct redis_conn *conn)
{
	static struct log_limit limit;
	struct redis_channel *ch = CONTAINER_OF(conn, struct redis_channel, conn);

	loop_timer_clear(conn->loop, &ch->patience);
	if (!strncmp(conn->why, "NOPERM", 6))
		log_limited(&limit, LOG_WARN,
			    "Redis does not let us listen for new work (%s); looking once a second "
			    "goes on; load what plimsoll admin acl prints",
			    conn->why);
}

/* [subscribe, name, 1] and [message, name, text] */
static void on_reply(struct redis_conn *conn, redisReply *reply)
{
	struct redis_channel *ch = CONTAINER_OF(conn, struct redis_channel, conn);

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
		return;
	loop_timer_clear(conn->loop, &ch->patience);
	redis_conn_is_good(conn);
	if (reply->element[2]->type == REDIS_REPLY_STRING)
		ch->message(reply->element[2]->str, ch->ctx);
	else
		ch->message("", ch->ctx);
}

static const struct redis_conn_owner owner = {.up = on_up, .down = on_down, .reply = on_reply};

static void out_of_patience(struct loop *l, struct loop_timer *t)
{
	struct redis_channel *ch = CONTAINER_OF(t, struct redis_channel, patience);

	(void)l;
	redis_conn_drop(&ch->conn, "Redis does not answer");
}

struct redis_channel *redis_channel_open(const struct redis_conn *like, const char *name,
					 void (*message)(const char *text, void *ctx), void *ctx)
{
	struct redis_channel *ch = x_calloc(1, sizeof(*ch));

	ch->conn = *like;
	ch->conn.owner = &owner;
	ch->patience.run = out_of_patience;
	ch->name = x_strdup(name);
	ch->message = message;
	ch->ctx = ctx;
	redis_conn_open(&ch->conn);
	return ch;
}

void redis_channel_close(struct redis_channel *ch)
{
	if (!ch)
		return;
	loop_timer_clear(ch->conn.loop, &ch->patience);
	redis_conn_close(&ch->conn);
	free(ch->name);
	free(ch);
}
