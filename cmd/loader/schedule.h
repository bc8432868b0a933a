/*
 * schedule.h - which call is due when: a pure function of the workload. No I/O, no clock.
 *
 * A round holds the same number of calls of each variant, in shuffled order. A block is the fewest
 * whole rounds that last block_ms (the last block takes what is left over). Rounds of the warm-up
 * carry negative numbers, -1 being the last of them; the measured part begins at offset 0 with
 * round 0. The order of round r is drawn from splitmix64 alone:
 *
 *	state = seed;  state = next() ^ shard;  state = next() ^ (u64)r;
 *	Fisher-Yates (rng_shuffle) over 0..n-1; item i is variant i / m, call i % m of it
 *	then, with several payloads, one draw rng_unit() for each of the m: the k-th call of each
 *	variant gets the same payload; then, for poisson arrivals, one draw for each call
 *
 * Open executors fix when calls are due; a call is at place r * n + j of its shard, j its place in
 * the round (with arrival burst that of the round's first):
 *
 *	constant-arrival-rate	place / rate; poisson: gaps of -ln(1 - u) / rate
 *	ramping-arrival-rate	when the area under the stages passes the place (common/measure/
 *				ramp.h); poisson: N places drawn evenly from the whole area in
 *				ascending order, each from the one before: a Poisson process of
 *				that rate, given that N calls come
 *	replay			a round is one call of each variant: as many calls of the trace,
 *				due when it says; shard i of s has every s-th round
 *
 * Evenly spaced calls (uniform, spread off) of shard i of s are i/s of a place later, so that all
 * shards together are evenly spaced too.
 *
 * Closed executors: the next free user takes the next place of the order, due at the moment it
 * became free; a round that was begun is completed.
 *
 *	constant-vus		all users for all of the time
 *	ramping-vus		users 0..k-1, k being a whole step of the stages' line; who is too
 *many ends its call and rests until it is needed again shared-iterations	all users, until so
 *many calls were made together per-vu-iterations	each user makes so many calls and rests
 *
 * Sources: the inverse of the cumulative rate is E. Cinlar, Introduction to Stochastic Processes
 * (1975), ch. 4; ascending order statistics one by one are L. Devroye, Non-Uniform Random Variate
 * Generation (1986), ch. V.3.
 *
 *	struct schedule s;
 *	if (schedule_init(&s, &workload, why) == 0)
 *		while (schedule_next(&s, now_ns, &place)) ...
 *	schedule_release(&s);
 */
#ifndef PLIMSOLL_LOADER_SCHEDULE_H
#define PLIMSOLL_LOADER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bug.h"
#include "common/measure/outcome.h"
#include "common/measure/ramp.h"
#include "common/measure/trace.h"

/* X(symbol, name, definition in schedule_open.c, schedule_replay.c or schedule_closed.c) */
#define EXECUTORS(X)                                                                               \
	X(EXEC_CONSTANT_ARRIVAL_RATE, "constant-arrival-rate", schedule_constant)                  \
	X(EXEC_RAMPING_ARRIVAL_RATE, "ramping-arrival-rate", schedule_ramping)                     \
	X(EXEC_REPLAY, "replay", schedule_replay)                                                  \
	X(EXEC_SHARED_ITERATIONS, "shared-iterations", schedule_shared)                            \
	X(EXEC_PER_VU_ITERATIONS, "per-vu-iterations", schedule_per_vu)                            \
	X(EXEC_CONSTANT_VUS, "constant-vus", schedule_constant_vus)                                \
	X(EXEC_RAMPING_VUS, "ramping-vus", schedule_ramping_vus)
enum executor {
#define X(symbol, name, def) symbol,
	EXECUTORS(X)
#undef X
		EXECUTOR_COUNT
};

/* X(symbol, name) */
#define ARRIVALS(X)                                                                                \
	X(ARRIVAL_BURST, "burst")                                                                  \
	X(ARRIVAL_UNIFORM, "uniform")                                                              \
	X(ARRIVAL_POISSON, "poisson")
enum arrival {
#define X(symbol, name) symbol,
	ARRIVALS(X)
#undef X
		ARRIVAL_COUNT
};

#define SPREAD_MAX 2048
#define PAYLOADS_MAX 64
#define ROUND_WITHOUT_SPREAD 8 /* calls of each variant in a round when the spread is off */
#define BLOCK_MS_DEFAULT 2500
#define BLOCKS_DUE_MAX 400		   /* of one shard: a long run gets longer blocks */
#define CALLS_DUE_MAX UINT64_C(1000000000) /* of one shard; costs no memory */
#define USERS_MAX 100000u
#define SCHEDULE_WHY_SIZE 160

struct workload {
	enum executor executor;
	enum arrival arrival;
	double rate_per_s;   /* constant-arrival-rate; all variants together */
	struct ramp ramp;    /* ramping executors: calls a second, or users */
	uint32_t vus;	     /* constant-vus and those that count iterations */
	uint64_t iterations; /* shared-iterations: all measured calls; per-vu-: of each user */
	const struct trace *trace; /* replay; borrowed */
	double speed, trace_rate;  /* replay: so many times as fast, so many times as many */
	uint32_t spread;	   /* 0 = off */
	int64_t warmup_ms;
	int64_t duration_ms; /* ramping: the stages'; replay: cuts it, 0 = all of it */
	int64_t block_ms;
	uint64_t seed;
	uint32_t shard_index, shard_of; /* of 0 counts as 1 */
	enum variant variants[VARIANT_COUNT];
	size_t variant_count;
	double weights[PAYLOADS_MAX]; /* of the payloads */
	size_t payload_count;	      /* 0 and 1 need no draw */
	uint64_t requests_max;	      /* 0 = no limit; warm-up calls count */
};

struct place {
	int64_t due_ns; /* since the start of the measured part; negative in the warm-up */
	int32_t round;	/* negative in the warm-up */
	uint32_t block; /* 0 in the warm-up */
	uint32_t seq;	/* in the round */
	uint64_t pair;	/* the k-th call of each variant carries the same number, from 0 on */
	enum variant variant;
	uint16_t payload;
};

struct executor_def;

struct schedule {
	struct workload w; /* with duration_ms settled */
	const struct executor_def *def;
	uint32_t per_variant, round_n;	  /* calls of the usual round */
	uint64_t due_total, warmup_total; /* open: calls; closed: 0 */
	uint64_t due_max;		  /* measured calls at most, for sizing */
	int64_t start_ns;		  /* due of the first call, or just before it */
	uint32_t users;			  /* closed: as many as there are at once */
	/* open */
	double interval_ns;	       /* of one round; of the warm-up, where the rate moves */
	int64_t rounds, warmup_rounds; /* how many there are */
	uint32_t last_per_variant;     /* calls of each variant in the last of them */
	int64_t rounds_per_block, blocks;
	double area; /* ramping: calls as a real number */
	/* where it is */
	int64_t round;
	uint32_t seq, begun_per_variant, begun_n;
	uint64_t pairs; /* before this round */
	uint64_t taken, taken_measured;
	int64_t poisson_ns;
	double poisson_log; /* of the share of the area that is left */
	uint64_t poisson_left;
	struct ramp_walk walk;
	int64_t warmups_begun, block_began_ns;
	uint32_t block;
	bool is_in_round, is_at_end;
	/* closed: who comes next */
	uint32_t next_user, warm_users;
	size_t next_stage;    /* 0: the warm-up, 1: the start, 2 + i: stage i, then the end */
	uint64_t *user_taken; /* owned; per-vu-iterations */
	uint32_t *items;      /* owned */
	uint16_t *payloads;
	int64_t *due_ns;
};

bool executor_is_closed(enum executor e);
const char *executor_name(enum executor e);
/* "constant-arrival-rate, ramping-arrival-rate, ..." for messages; static. */
const char *executor_names(void);
/* Before schedule_init: the highest rate of an open executor, and the most users of a closed. */
double workload_peak_per_s(const struct workload *w);
uint32_t workload_users(const struct workload *w);
/* Calls of an open executor that can be due within that time, all variants together. */
double workload_most_within(const struct workload *w, int64_t window_ms);
/* How long the measured part lasts: its own duration, the stages', the trace's. */
int64_t workload_duration_ms(const struct workload *w);
MUST_CHECK int executor_parse(const char *name, enum executor *out);
MUST_CHECK int arrival_parse(const char *name, enum arrival *out);

/* -EINVAL (a figure is missing or makes no sense), -E2BIG (more calls than allowed), with why. */
MUST_CHECK int schedule_init(struct schedule *s, const struct workload *w,
			     char why[SCHEDULE_WHY_SIZE]);
void schedule_release(struct schedule *s);
/*
 * The next place, or false at the end. Open executors give places in order of their due time and
 * ignore now_ns; closed ones give a place that is due at now_ns (since the start of the measured
 * part). No allocation.
 */
bool schedule_next(struct schedule *s, int64_t now_ns, struct place *out);

enum user_turn {
	USER_CALLS, /* it has a place */
	USER_RESTS, /* until schedule_rise names it again */
	USER_ENDS,  /* there is no place for anybody any more */
};
/* Closed: what the user does that is free since now_ns. No allocation. */
enum user_turn schedule_user(struct schedule *s, uint32_t user, int64_t now_ns, struct place *out);
/*
 * Closed: the next user that begins, or begins again when it rests, in order of time; false = no
 * more. The last of a ramp comes at its end, so that somebody hears of it.
 */
bool schedule_rise(struct schedule *s, uint32_t *user, int64_t *at_ns);

#endif
