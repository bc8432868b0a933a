/*
 * look.h - a run of one shard may end early: when to look at it, and the child that does.
 *
 * The plan says at which shares of its rounds (plan.stop.looks of shard.planned). A look is due
 * once all calls of those rounds have ended; the sending goes on meanwhile. A copy of the process
 * (fork) asks common/verdict/look.h and answers with its exit code, so that the send loop loses
 * only the time of the fork. The last look is the collector's: by then the run has ended.
 *
 *	look_init(&k, loop, part, rounds, decided, ctx);
 *	look_due(&k, round);			// of each call, in order
 *	look_done(&k, round, next_round, tally);	// later calls decided(ctx)
 *	look_release(&k);
 *
 * DIAGNOSTICS
 *	A look that cannot be taken (no memory for a child) decides nothing: the run goes on.
 */
#ifndef PLIMSOLL_LOADER_LOOK_H
#define PLIMSOLL_LOADER_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/loop.h"
#include "common/base/proc.h"
#include "common/json/json.h"
#include "common/stats/sequential.h"

#include "cmd/loader/tally.h"

typedef void look_decided_fn(void *ctx);

struct look {
	size_t count;			       /* looks before the last; 0 = none */
	size_t at;			       /* the next one, or the one that a child is at */
	uint32_t rounds[SEQUENTIAL_LOOKS_MAX]; /* each is of so many */
	uint64_t due[SEQUENTIAL_LOOKS_MAX], done[SEQUENTIAL_LOOKS_MAX]; /* since the one before */
	bool is_decided;						/* at this one */
	/* its own */
	struct loop *loop;
	const struct json *part; /* borrowed */
	struct tally *tally;
	look_decided_fn *decided;
	void *ctx;
	bool is_running;
	struct proc child;
	struct loop_watch exit_watch;
	struct loop_timer timer;
};

/* part: of the plan, borrowed; NULL = there are no looks. rounds: of the whole measured part. */
void look_init(struct look *k, struct loop *loop, const struct json *part, uint64_t rounds,
	       look_decided_fn *decided, void *ctx);
void look_release(struct look *k);
/* A call of this round (negative in the warm-up) goes out. */
void look_due(struct look *k, int32_t round);
/* It has been counted; next_round: of the next one that is due. */
void look_done(struct look *k, int32_t round, int32_t next_round, struct tally *t);
/* {"look", "of", "rounds"} of a run that was decided; the caller's. */
struct json *look_json(const struct look *k);

#endif
