/*
 * job.h - one shard from its event to its result: wait, keys, connections, load, result.
 *
 *	WAITING -> CREDENTIALS -> CONNECTING -> RUNNING -> DRAINING -> OVER
 *
 * job.c moves it along (timers, fence, pause, stop), job_run.c sends and hears (the hot path,
 * without allocation), job_end.c judges our own quality and writes shard.finished. Every job ends
 * in exactly one shard.finished, whatever happens to it.
 */
#ifndef PLIMSOLL_LOADER_JOB_H
#define PLIMSOLL_LOADER_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include "common/engine/engine.h"
#include "common/stage/stage.h"

#include "cmd/loader/ahead.h"
#include "cmd/loader/clock_check.h"
#include "cmd/loader/error_window.h"
#include "cmd/loader/fence.h"
#include "cmd/loader/guard.h"
#include "cmd/loader/lanes.h"
#include "cmd/loader/look.h"
#include "cmd/loader/machine.h"
#include "cmd/loader/schedule.h"
#include "cmd/loader/session.h"
#include "cmd/loader/shard.h"
#include "cmd/loader/tally.h"
#include "cmd/loader/users.h"

struct job;

/* What all jobs of the process share; the stage's context holds one. */
struct job_world {
	struct stage *stage;
	struct loop *loop;
	struct engine *engine;
	struct guard guard;
	struct fences fences;
	char *credential_program;
	char *files;	  /* the folder of data files; NULL = there is none */
	int64_t batch_ns; /* the loop rests so long between its turns; 0 = it does not */
	bool is_bus;	  /* leases are the fence, and the deadline counts from the lease */
	bool is_paused;
	struct job *first; /* not over yet, the youngest first */
	size_t count;
};

enum job_state {
	JOB_WAITING,	 /* for the fence, or for the end of a pause */
	JOB_CREDENTIALS, /* the helper runs */
	JOB_CONNECTING,	 /* connections are opened one by one */
	JOB_RUNNING,	 /* calls become due */
	JOB_DRAINING,	 /* all were due; some are not done */
	JOB_OVER,	 /* reported; freed in the next turn */
};

/* X(symbol, outcome on the wire) */
#define JOB_ENDS(X)                                                                                \
	X(JOB_END_NONE, "")                                                                        \
	X(JOB_COMPLETE, "complete")                                                                \
	X(JOB_ABORTED, "aborted")                                                                  \
	X(JOB_CANCELLED, "cancelled")                                                              \
	X(JOB_FENCED, "fenced")                                                                    \
	X(JOB_ERROR, "error")
enum job_end {
#define X(symbol, name) symbol,
	JOB_ENDS(X)
#undef X
};

struct call {
	struct engine_call engine; /* embedded: the engine allocates nothing per call */
	struct place place;
	struct prepared *request;
	uint32_t user; /* closed */
	struct call *next_free;
};

struct job {
	struct job_world *world;
	struct job *next;
	struct shard *shard;
	enum job_state state;
	enum job_end end; /* why it ends; JOB_END_NONE = it goes on */
	char reason[SHARD_WHY_SIZE];

	struct fence *fence;
	struct session session;
	bool needs_keys;
	struct lanes lanes;
	struct engine_pool *pools[VARIANT_COUNT]; /* in the order of the shard's targets */
	uint8_t index_of[VARIANT_COUNT];	  /* variant -> target */
	size_t pools_connecting;

	struct schedule schedule;
	struct tally *tally;
	struct error_window errors;
	struct clock_check clock;
	struct call *calls; /* owned: all there will ever be */
	struct call *free_calls;
	size_t calls_begun, calls_max; /* the first so many have been used */
	uint32_t in_flight;	       /* submitted and not done */
	uint32_t open_calls[VARIANT_COUNT], open_calls_peak[VARIANT_COUNT];
	uint64_t overflowed; /* due while all were in use */

	struct ahead ahead;
	struct place next_place;       /* open: the next one due */
	struct prepared *next_request; /* its bytes, where they were prepared ahead */
	bool has_next;
	bool is_closed;
	struct users users; /* closed */
	struct look look;

	struct mono origin; /* start of the measured part */
	struct wall origin_wall;
	struct mono began, ended;
	struct mono last_sent; /* of the measured calls */
	struct wall began_wall;
	struct mono armed_for; /* when the due timer should run: its delay is our own */
	struct mono burst_began;
	struct hdr *loop_delay;
	struct machine machine;
	int64_t spun_before_ns;
	uint64_t progress_seq;

	struct loop_timer due_timer, progress_timer, deadline_timer, act_timer, ahead_timer;
};

/* Takes the shard. Reports by itself; parse_why non-NULL = it cannot be run, say so. */
void job_start(struct job_world *w, struct shard *shard_take, const char *parse_why);
/* Ends it early: now when nothing is under way, else at the next turn of the loop. */
void job_stop(struct job *j, enum job_end end, const char *fmt, ...) PRINTF_LIKE(3, 4);
/*
 * Ends it before it returns: not one more byte goes out. Not from inside a callback of the engine.
 */
void job_stop_now(struct job *j, enum job_end end, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Gives it up without a word: the stage ends and nobody reads its result any more. */
void job_free(struct job *j);
/* Frees all jobs without a word: nobody is there to hear it any more. */
void jobs_drop(struct job_world *w);
/* A deadline told later, by run.planned. */
void job_set_deadline(struct job *j, struct wall deadline);

/* ---- between the three files of the job ---- */

/* Of each variant; 0 = not given. */
uint32_t job_connections(const struct job *j);
/* Memory, pools, lanes. -errno with reason. */
MUST_CHECK int job_prepare(struct job *j, char why[SHARD_WHY_SIZE]);
void job_begin(struct job *j);	/* connections are open: the clock starts */
void job_cut(struct job *j);	/* in flight: aborted; due later: not sent */
void job_report(struct job *j); /* emits shard.finished */
void job_progress(struct job *j);
void job_act_soon(struct job *j);
const char *job_end_name(enum job_end end);

#endif
