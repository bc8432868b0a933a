/* args.h - calls and replies as hiredis wants and gives them (own header of common/redis). */
#ifndef PLIMSOLL_REDIS_ARGS_H
#define PLIMSOLL_REDIS_ARGS_H

#include <hiredis/hiredis.h>

#include "common/redis/redis.h"

/* The call in the protocol of Redis; the caller frees it. a is emptied. */
char *redis_args_format(struct redis_args *a, size_t *len_bytes);

/* Hands a reply to fn as redis.h describes it. */
void redis_reply_tell(const redisReply *r, redis_reply_fn *fn, void *ctx);

#endif
