/*
 * The judge as a hostile reader tries it: plans and results drawn at random, runs that ended early
 * among them, with members struck out and replaced by garbage. No draw ends it, none is green
 * without data, all are told the same way twice, and no event holds what is not a number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/event/event.h"
#include "tests/unit/collector_hostile.h"
#include "tests/unit/collector_judged.h"

#define WORLDS 250

static struct sim draw_world(struct rng *r)
{
	bool is_long = rng_below(r, 20) == 0;
	struct sim s = {
		.seed = rng_next(r),
		.rounds = (uint32_t)(is_long ? 30 : rng_below(r, 40)),
		.warmup_rounds = (uint32_t)rng_below(r, 4),
		.spread = (uint32_t)rng_below(r, 9),
		.round_s = is_long ? 3.2 : rng_unit(r) * 2,
		.base_ms = rng_below(r, 6) == 0 ? 0 : exp(10 * rng_unit(r)),
		.add_ms = rng_below(r, 4) == 0 ? exp(10 * rng_unit(r)) : 0,
		.factor = rng_below(r, 3) == 0 ? exp(4 * rng_unit(r) - 2) : 1,
		.host_sd = rng_unit(r) * 0.2,
		.noise_sd = rng_below(r, 3) == 0 ? 0 : rng_unit(r),
		.tail = rng_unit(r) * 0.1,
		.has_no_instances = rng_below(r, 4) == 0,
		.has_instance_a_call = rng_below(r, 8) == 0,
		.has_no_temperature = rng_below(r, 4) == 0,
		.environments = (uint32_t)rng_below(r, 6),
		.is_old_missing = rng_below(r, 10) == 0,
	};
	uint32_t *each[] = {&s.new_fails_each, &s.old_fails_each, &s.new_throttled_each,
			    &s.old_throttled_each, &s.new_not_sent_each};

	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		*each[i] = rng_below(r, 6) == 0 ? (uint32_t)rng_below(r, 5) : 0;
	return s;
}

static struct json *draw_plan(struct rng *r)
{
	static const char *const names[] = {"response_p50", "error_ratio",  "throttle_ratio",
					    "response_p95", "response_max", "service_mean",
					    "init_p50",	    "memory_p50",   "cost_per_million",
					    "response_p97", "billed_p99",   "cold_response_p50"};
	static const char *const compares[] = {"interleaved", "interleaved", "interleaved",
					       "interleaved", "none",	     "stored"};
	struct json *plan = sim_plan((uint32_t)rng_below(r, 20)), *objective = json_obj();

	for (uint64_t k = rng_below(r, 4) + 1; k > 0; k--) {
		const char *name = names[rng_below(r, rng_below(r, 2) ? 2 : ARRAY_LEN(names))];
		const char *kind = strstr(name, "ratio") ? "points" : "ratio";

		sim_plan_metric(plan, name, kind, rng_below(r, 3) ? rng_unit(r) * 0.3 : 0);
	}
	json_put_str(plan, "compare", compares[rng_below(r, ARRAY_LEN(compares))]);
	json_put_str(objective, "name", "it");
	json_put_str(objective, "metric", names[rng_below(r, ARRAY_LEN(names))]);
	json_put_str(objective, "op", "<");
	json_put_real(objective, "limit", rng_unit(r) * 1e6);
	json_push(json_get(plan, "objectives"), objective);
	return plan;
}

static struct json *draw_garbage(struct rng *r)
{
	switch (rng_below(r, 9)) {
	case 0:
		return json_new_int(-1);
	case 1:
		return json_new_int(INT64_MAX);
	case 2:
		return json_new_real(1.7e308);
	case 3:
		return json_new_real(-1e-300);
	case 4:
		return json_new_str("AAAA");
	case 5:
		return json_arr();
	case 6:
		return json_obj();
	case 7:
		return json_new_int(0);
	default:
		return json_new_null();
	}
}

/* The run ended early, as its loader says. */
static void put_stop(struct rng *r, struct json *plan, struct json *shard)
{
	struct json *stopped = json_obj(), *stop = json_obj(), *looks = json_arr();

	for (int i = 1; i <= 4; i++)
		json_push(looks, json_new_real(i / 4.0));
	json_put(stop, "looks", looks);
	json_put(plan, "stop", stop);
	json_put_int(stopped, "look", (int64_t)rng_below(r, 6));
	json_put_int(stopped, "of", 4);
	json_put_int(stopped, "rounds", (int64_t)rng_below(r, 40));
	json_put(shard, "stopped", stopped);
}

/* Goes down at random and strikes a member out, or puts garbage in its place. */
static void damage(struct rng *r, struct json *v)
{
	while (json_len(v) > 0) {
		uint64_t at = rng_below(r, json_len(v));
		struct json *next = NULL;
		const char *key = NULL;
		void *it = NULL;

		if (json_is(v, JSON_T_ARR)) {
			v = json_elem(v, at);
			continue;
		}
		for (uint64_t i = 0; i <= at && json_next(v, &it, &key, &next); i++)
			;
		if (json_len(next) == 0 || rng_below(r, 3) == 0) {
			char *name = x_strdup(key);

			if (rng_below(r, 3) == 0)
				json_del(v, name);
			else
				json_put(v, name, draw_garbage(r));
			free(name);
			return;
		}
		v = next;
	}
}

/* Whether it would come through the door: what is refused there never reaches the judge. */
static bool is_event(enum event_kind kind, const struct json *data)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;

	if (event_new(&ev, kind, "efuzz", "prod/hello", "rsim", (struct wall){0}, json_copy(data),
		      why) != 0) {
		if (getenv("SEED"))
			print_message("refused: %s\n", why);
		return false;
	}
	event_release(&ev);
	return true;
}

static struct json *damaged(struct rng *r, enum event_kind kind, struct json *data_take)
{
	struct json *spoilt = json_copy(data_take);
	bool is_let_in;

	damage(r, spoilt);
	is_let_in = is_event(kind, spoilt);
	json_free(is_let_in ? data_take : spoilt);
	return is_let_in ? spoilt : data_take;
}

static void judge_twice(const struct json *plan, const struct json *const *shards, size_t count,
			const struct judge_facts *facts)
{
	struct json *told[2];

	for (int i = 0; i < 2; i++) {
		struct gathered *g = gather_run(plan, shards, count);
		struct judgement j;

		judge_run(plan, g, facts, &j);
		assert_sound(plan, g, &j);
		told[i] = finish_judged(plan, g, &j, (struct wall){0});
		judgement_release(&j);
		gathered_free(g);
	}
	assert_true(json_is_equal(told[0], told[1]));
	json_free(told[0]);
	json_free(told[1]);
}

static void judge_world(uint64_t seed)
{
	struct rng r = {seed};
	size_t count = rng_below(&r, 5) == 0 ? 2 : 1;
	struct json *plan = draw_plan(&r), *shards[2] = {NULL};
	struct judge_facts facts = {.missing_why = "the input ended"};

	for (size_t i = 0; i < count; i++) {
		struct sim s = draw_world(&r);

		s.index = (uint32_t)i;
		s.of = (uint32_t)count;
		shards[i] = sim_shard(&s);
		if (rng_below(&r, 8) == 0)
			put_stop(&r, plan, shards[i]);
		for (uint64_t k = rng_below(&r, 4); k > 0; k--)
			shards[i] = damaged(&r, EV_SHARD_FINISHED, shards[i]);
	}
	if (rng_below(&r, 4) == 0)
		plan = damaged(&r, EV_RUN_PLANNED, plan);
	if (rng_below(&r, 20) == 0) {
		json_free(shards[0]);
		shards[0] = NULL;
		facts.missing_shards = 1;
	}
	if (getenv("SEED")) {
		struct buf text = BUF_INIT(1u << 20);

		is_event(EV_RUN_PLANNED, plan);
		json_write(plan, &text);
		print_message("%s\n", buf_str(&text));
		buf_release(&text);
	}
	judge_twice(plan, (const struct json *const *)shards, count, &facts);
	json_free(shards[0]);
	json_free(shards[1]);
	json_free(plan);
}

static void test_no_draw_ends_it(void **state)
{
	const char *only = getenv("SEED");

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS && !only; seed++)
		judge_world(seed);
	if (only)
		judge_world(strtoull(only, NULL, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_draw_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
