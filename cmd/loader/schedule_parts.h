/*
 * schedule_parts.h - what an executor is, to schedule.c: one table of functions each. Only files
 * schedule*.c include this.
 */
#ifndef PLIMSOLL_LOADER_SCHEDULE_PARTS_H
#define PLIMSOLL_LOADER_SCHEDULE_PARTS_H

#include "common/base/clock.h"
#include "common/base/rng.h"

#include "cmd/loader/schedule.h"

#define ROUNDING 1e-9 /* of a round: keeps 5 s / 0.1 s at 50 rounds */

struct executor_def {
	bool is_closed;
	/* What is missing or makes no sense, or NULL. */
	const char *(*wrong)(const struct workload *w);
	double (*peak_per_s)(const struct workload *w); /* open */
	double (*most_within)(const struct workload *w, int64_t window_ms);
	int64_t (*duration_ms)(const struct workload *w);
	uint32_t (*users)(const struct workload *w); /* closed */
	uint32_t (*round)(const struct workload *w); /* calls of each variant */
	void (*plan)(struct schedule *s);
	/* open: due times of the round that was just begun, and then its block */
	void (*set_due)(struct schedule *s, struct rng *r);
	uint32_t (*block)(struct schedule *s);
	/* closed */
	enum user_turn (*may_call)(const struct schedule *s, uint32_t user, int64_t now_ns);
	bool (*rise)(struct schedule *s, uint32_t *user, int64_t *at_ns);
};

#define X(symbol, name, def) extern const struct executor_def def;
EXECUTORS(X)
#undef X

/* ---- schedule.c ---- */

/* Shuffles the next round and draws its payloads; open executors: its due times too. */
void schedule_begin_round(struct schedule *s, uint32_t per_variant);
bool is_even(const struct workload *w); /* each call has a due time of its own */
double shard_phase(const struct workload *w);
int64_t own_duration_ms(const struct workload *w);

/* ---- schedule_open.c ---- */

/* Whole rounds at that rate before 0. */
void schedule_plan_warmup(struct schedule *s, double rate_per_s);
/* Where the rate moves: the fewest whole rounds that last block_ms. */
uint32_t schedule_block_by_time(struct schedule *s);

/* ---- schedule_closed.c ---- */

/* Begins the next round, or says that there is none. */
bool schedule_begin_closed(struct schedule *s, int64_t now_ns);

#endif
