/*
 * test_planner_load.c - what moving workloads will take, whole and in shards.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/planner/slice.h"

static int64_t offsets_ns[1000];
static struct trace trace = {offsets_ns, NULL, 1000};

static const struct call_time call = {100, "last-run"};
static const struct price free_of_charge = {0};

struct load_case {
	const char *name;
	struct config_test test;
	struct ramp ramp;
	bool is_replay;
	uint32_t variants, spread;
	uint64_t requests;
	double peak_per_s, mean_per_s, at_once;
	int64_t duration_ms;
	uint32_t shards; /* of 4 asked */
};

#define TEST(executor_, ...)                                                                       \
	{                                                                                          \
		.executor = (char *)(executor_), .shards = 4, __VA_ARGS__                          \
	}

static const struct load_case cases[] = {
	{.name = "stages, evenly",
	 .test = TEST("ramping-arrival-rate", .rate_per_s = 100, .duration_ms = 20000),
	 .ramp = {0, 2, {{100, 10000}, {0, 10000}}},
	 .variants = 2,
	 .requests = 1008, /* 1000 in whole rounds of 16 */
	 .peak_per_s = 100,
	 .mean_per_s = 50,
	 .at_once = 11, /* 9.95 in the steepest tenth of a second */
	 .duration_ms = 20000,
	 .shards = 4},
	{.name = "stages in bursts, with a warm-up",
	 .test = TEST("ramping-arrival-rate", .rate_per_s = 100, .duration_ms = 20000,
		      .warmup_ms = 2000),
	 .ramp = {0, 2, {{100, 10000}, {0, 10000}}},
	 .variants = 2,
	 .spread = 16,
	 .requests = 1024 + 96,
	 .peak_per_s = 100,
	 .mean_per_s = 50,
	 .at_once = 32,
	 .duration_ms = 22000,
	 .shards = 4},
	{.name = "users of stages",
	 .test = TEST("ramping-vus", .vus = 30, .duration_ms = 20000),
	 .ramp = {10, 1, {{30, 20000}}},
	 .variants = 1,
	 .requests = 4000, /* 20 users on average, 10 calls a second each */
	 .at_once = 30,
	 .duration_ms = 20000,
	 .shards = 4},
	{.name = "iterations of each user",
	 .test = TEST("per-vu-iterations", .vus = 6, .iterations = 50, .duration_ms = 60000),
	 .variants = 2,
	 .requests = 302,
	 .at_once = 6,
	 .duration_ms = 5000,
	 .shards = 3},
	{.name = "a trace at twice the speed",
	 .test = TEST("replay", .replay = {NULL, 2, 1}),
	 .is_replay = true,
	 .variants = 2,
	 .requests = 1000,
	 .peak_per_s = 200,
	 .mean_per_s = 1000.0 / 4.996,
	 .at_once = 21,
	 .duration_ms = 4996,
	 .shards = 4},
	{.name = "the first second of half a trace",
	 .test = TEST("replay", .replay = {NULL, 1, 0.5}, .duration_ms = 1000),
	 .is_replay = true,
	 .variants = 2,
	 .requests = 50,
	 .peak_per_s = 50,
	 .mean_per_s = 50,
	 .at_once = 6,
	 .duration_ms = 1000,
	 .shards = 4},
};

static struct shape shape_of(const struct load_case *c)
{
	for (size_t i = 0; i < trace.count; i++)
		offsets_ns[i] = (int64_t)i * 10000000; /* a hundred a second */
	return (struct shape){
		.test = &c->test,
		.ramp = c->ramp,
		.trace = c->is_replay ? &trace : NULL,
		.variants = c->variants,
		.spread = c->spread,
		.in_flight = 1000,
		.timeout_ms = 1000,
	};
}

static bool is_near(double a, double b)
{
	return fabs(a - b) <= 1e-6 * MAX_OF(fabs(b), 1.0);
}

static void estimates_follow_from_stages_and_traces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct load_case *c = &cases[i];
		struct shape s = shape_of(c);
		struct estimate e;

		estimate_make(&s, &call, &free_of_charge, &e);
		if (e.requests != c->requests || e.duration_ms != c->duration_ms ||
		    !is_near(shape_peak_per_s(&s), c->peak_per_s) ||
		    !is_near(shape_mean_per_s(&s), c->mean_per_s) ||
		    !is_near(shape_peak(&s, call.ms), c->at_once))
			fail_msg("%s: %llu calls in %lld ms, %g/s at most, %g/s on average, %g at "
				 "once",
				 c->name, (unsigned long long)e.requests, (long long)e.duration_ms,
				 shape_peak_per_s(&s), shape_mean_per_s(&s),
				 shape_peak(&s, call.ms));
	}
}

/* Rates and users of the shards add up, at each stage. */
static void shards_are_the_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct load_case *c = &cases[i];
		struct shape s = shape_of(c);
		uint32_t of = slice_count(&s);
		double start = 0, targets[RAMP_STAGES_MAX] = {0}, calls = 0, users = 0;

		assert_int_equal(of, c->shards);
		for (uint32_t k = 0; k < of; k++) {
			struct slice part;

			slice_cut(&s, k, of, &part);
			start += part.shape.ramp.start;
			for (size_t n = 0; n < c->ramp.count; n++)
				targets[n] += part.shape.ramp.stages[n].target;
			calls += shape_is_open(&s) ? shape_calls(&part.shape) : 0;
			users += part.test.vus;
			if (strcmp(c->test.executor, "per-vu-iterations") == 0)
				assert_int_equal(part.test.iterations, c->test.iterations);
		}
		assert_true(is_near(start, c->ramp.start));
		for (size_t n = 0; n < c->ramp.count; n++)
			assert_true(is_near(targets[n], c->ramp.stages[n].target));
		if (shape_is_open(&s))
			assert_true(is_near(calls, shape_calls(&s)));
		assert_true(users == c->test.vus);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(estimates_follow_from_stages_and_traces),
		cmocka_unit_test(shards_are_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
