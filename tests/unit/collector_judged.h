/*
 * collector_judged.h - a made-up run (collector_sim.h) and what the judge says of it.
 */
#ifndef PLIMSOLL_TESTS_COLLECTOR_JUDGED_H
#define PLIMSOLL_TESTS_COLLECTOR_JUDGED_H

#include "cmd/collector/finish.h"
#include "tests/unit/collector_sim.h"

struct judged {
	struct json *plan, *shard;
	struct gathered *g;
	struct judgement j;
};

static inline struct judged judge(const struct sim *s, struct json *plan_take,
				  void (*change)(struct json *shard))
{
	struct judged out = {.plan = plan_take, .shard = sim_shard(s)};
	const struct json *shards[1];
	struct judge_facts facts = {0};

	if (change)
		change(out.shard);
	shards[0] = out.shard;
	out.g = gather_run(out.plan, shards, 1);
	judge_run(out.plan, out.g, &facts, &out.j);
	return out;
}

static inline void release(struct judged *d)
{
	judgement_release(&d->j);
	gathered_free(d->g);
	json_free(d->shard);
	json_free(d->plan);
}

static inline struct json *default_plan(uint32_t environments)
{
	struct json *plan = sim_plan(environments);

	sim_plan_metric(plan, "response_p50", "ratio", 0.1);
	sim_plan_metric(plan, "error_ratio", "points", 0.005);
	return plan;
}

/* 30 s at 10/s, spread 4: what the demonstration runs. */
#define DEMO                                                                                       \
	.rounds = 38, .spread = 4, .round_s = 0.8, .base_ms = 60, .noise_sd = 0.05, .tail = 0.02,  \
	.drift = 0.1, .warmup_rounds = 6

#endif
