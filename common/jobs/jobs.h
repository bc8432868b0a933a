/*
 * jobs.h - the functions of docs/STATE.md, as calls (rank 3).
 *
 * The state machine itself is the Redis function library pl.lua beside this file; it is compiled
 * into the programs (jobs_library) and loaded by `plimsoll admin install`. After each connect the
 * version is looked at: another one ends the stage with 100.
 *
 *	struct jobs *j = jobs_open(loop, &(struct jobs_options){.settings = &config->bus, ...});
 *	struct redis_args a = jobs_args("pl_reap");
 *	redis_arg_int(&a, 100);
 *	jobs_call(j, &a, on_reply, ctx);
 *
 * DIAGNOSTICS
 *	jobs_open: NULL after telling what is wrong (no bus: section, secret cannot be read).
 *	options.failed: WRONGPASS, NOPERM, no library or another version: the program must end with
 *	100; the text says what to do.
 */
#ifndef PLIMSOLL_JOBS_JOBS_H
#define PLIMSOLL_JOBS_JOBS_H

#include "common/config/config.h"
#include "common/redis/redis.h"

#define JOBS_VERSION "3"
#define JOBS_KICK "{pl}:kick"

struct jobs;

struct jobs_options {
	const struct config_bus *settings;
	const char *user; /* "pl-planner" */
	/* Something may be due: text is a queue of docs/STATE.md, or "" after a reconnect. NULL =
	 * not wanted. */
	void (*kick)(const char *queue, void *ctx);
	void (*failed)(const char *why, void *ctx);
	void *ctx;
};

extern const char jobs_library[]; /* the text of pl.lua */

struct jobs *jobs_open(struct loop *l, const struct jobs_options *o);
void jobs_free(struct jobs *j);
struct redis *jobs_redis(struct jobs *j);

/* FCALL name 0. */
struct redis_args jobs_args(const char *function);
/* Repeated until answered; an error that repeating does not mend goes to options.failed, and fn is
 * not called. The name of the function must be the second argument (jobs_args). */
void jobs_call(struct jobs *j, struct redis_args *a, redis_reply_fn *fn, void *ctx);
/* Not repeated: the reply may be lost (beats, leases). */
void jobs_try(struct jobs *j, struct redis_args *a, redis_reply_fn *fn, void *ctx);

/* What a person must do about an error that Redis answered. */
const char *jobs_advice(const char *error);

/* reply->parts[0] is this code. */
bool jobs_said(const struct redis_reply *reply, const char *code);

#endif
