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
 *	variant gets the same payload; then, for poisson arrivals, one draw for each gap
 *
 *	open executor		due
 *	burst (spread)		all calls of round r at r * n / rate
 *	uniform (spread off)	evenly spaced from there; shard i of s is i/s of a place later, so
 *				that all shards together are evenly spaced too
 *	poisson			gaps of -ln(1 - u) / rate, one after the other
 *
 * Closed executors (shared-iterations, constant-vus): the next free user takes the next place of
 * the order, due at the moment it became free; a round that was begun is completed.
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

/* X(symbol, name, is_closed) */
#define EXECUTORS(X)                                                                               \
	X(EXEC_CONSTANT_ARRIVAL_RATE, "constant-arrival-rate", false)                              \
	X(EXEC_SHARED_ITERATIONS, "shared-iterations", true)                                       \
	X(EXEC_CONSTANT_VUS, "constant-vus", true)
enum executor {
#define X(symbol, name, is_closed) symbol,
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
#define SCHEDULE_WHY_SIZE 160

struct workload {
	enum executor executor;
	enum arrival arrival;
	double rate_per_s;   /* all variants together; open executors */
	uint32_t vus;	     /* closed executors */
	uint64_t iterations; /* shared-iterations: measured calls, all variants together */
	uint32_t spread;     /* 0 = off */
	int64_t warmup_ms, duration_ms, block_ms;
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

struct schedule {
	struct workload w;
	double interval_ns;	       /* open: of one round */
	uint32_t per_variant, round_n; /* calls of the usual round */
	int64_t rounds, warmup_rounds; /* open: how many there are */
	int64_t rounds_per_block, blocks;
	uint64_t due_total, warmup_total; /* open: calls; closed: 0 */
	uint64_t due_max;		  /* measured calls at most, for sizing */
	int64_t start_ns;		  /* due of the first call */
	/* where it is */
	int64_t round;
	uint32_t seq, begun_per_variant, begun_n;
	uint64_t pairs; /* before this round */
	uint64_t taken, taken_measured;
	int64_t poisson_ns;
	int64_t warmups_begun, block_began_ns;
	uint32_t block;
	bool is_in_round, is_at_end;
	uint32_t *items; /* owned */
	uint16_t *payloads;
	int64_t *due_ns;
};

bool executor_is_closed(enum executor e);
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

#endif
