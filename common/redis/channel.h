/* channel.h - one subscribed channel on a connection of its own (own header of common/redis). */
#ifndef PLIMSOLL_REDIS_CHANNEL_H
#define PLIMSOLL_REDIS_CHANNEL_H

#include "common/redis/conn.h"

struct redis_channel;

/* like: path, user, password (borrowed), loop and timeout. message("") after each subscription. */
struct redis_channel *redis_channel_open(const struct redis_conn *like, const char *name,
					 void (*message)(const char *text, void *ctx), void *ctx);
void redis_channel_close(struct redis_channel *ch); /* NULL is fine */

#endif
