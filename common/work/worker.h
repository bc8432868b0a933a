/*
 * worker.h - gets shards from the broker and brings results to the collector: the loader's side
 * (rank 4).
 *
 * Says READY while there is room, beats while a shard runs, fences itself when no beat was
 * answered for 0.8 of the lease, keeps each result in a spool (write, fsync, rename, fsync of the
 * folder) until the collector has acknowledged it, and sends again what an earlier process left.
 * A shard that ended because we were stopped or fenced is no result: it is given back (FAIL).
 * The fence is looked at in a loop_guard: a process that was stopped for longer than its lease
 * (SIGSTOP) hears revoke() before any timer or socket of its runs.
 *
 *	struct worker *w = worker_open(loop, settings, &(struct worker_owner){...});
 *	worker_finished(w, ev);			// shard.finished of what work() handed over
 */
#ifndef PLIMSOLL_WORK_WORKER_H
#define PLIMSOLL_WORK_WORKER_H

#include "common/bus/bus.h"
#include "common/config/config.h"
#include "common/event/event.h"

struct worker;

struct worker_owner {
	/* A shard.planned; its data has start_at (our wall clock, RFC 3339 with ms; absent = at
	 * once) and attempt added. False: cannot be taken now, it is given back. */
	bool (*work)(const struct event *ev, void *ctx);
	/* This run must stop here: cancelled, or (is_fenced) another loader may have it by now. */
	void (*revoke)(const char *run, const char *why, bool is_fenced, void *ctx);
	size_t (*room)(void *ctx); /* shards that could start now */
	const char *accounts;	   /* "prod,web": what this loader may call; "*" = all */
	const char *spool_dir;
	void *ctx;
};

/* NULL after telling why. */
struct worker *worker_open(struct loop *l, const struct config_bus *settings,
			   const struct worker_owner *owner);
void worker_free(struct worker *w);
/* room() grew: says READY at once. */
void worker_wake(struct worker *w);
/* No more work is asked for; what ends from now on because of it is given back. */
void worker_stop(struct worker *w);
/* The shard.finished of a shard that work() took: in the spool when it returns (in memory when the
 * disk does not take it), or given back when it was cancelled or fenced. */
void worker_finished(struct worker *w, const struct event *ev);
/* Shards at work plus results that nobody has acknowledged. */
size_t worker_held(const struct worker *w);
/* A connection is there, or has been within seconds: a READY could be sent. */
bool worker_is_connected(const struct worker *w);
/* The planner's wall clock minus ours; false: nothing was heard of it yet. */
bool worker_clock_offset_ms(const struct worker *w, double *out);

#endif
