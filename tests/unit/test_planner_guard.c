/* Concurrency, money and the estimate: pure figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "cmd/planner/guard.h"

static const struct config_limits limits = {
	.cost_per_run_micro_usd = 500000,
	.cost_per_day_micro_usd = 20000000,
	.rate_per_s = 500,
	.concurrency = 100,
	.abort_error_ratio = 0.5,
	.keep_free_ratio = 0.2,
};

static void test_room(void **state)
{
	static const struct {
		const char *name;
		struct concurrency c;
		uint32_t calls;
		const char *because;
	} cases[] = {
		{"nothing said", {-1, -1, -1}, 100, "limits.concurrency is 100"},
		{"much is free", {1000, -1, 50}, 100, "limits.concurrency is 100"},
		{"little is unreserved",
		 {50, -1, -1},
		 40,
		 "the account has 50 unreserved, 20 % of it kept free, 0 in use"},
		{"most is in use",
		 {100, -1, 75},
		 5,
		 "the account has 100 unreserved, 20 % of it kept free, 75 in use"},
		{"more is in use than is free", {100, -1, 90}, 0, "the account has 100"},
		{"reserved counts, not the account",
		 {1000, 10, 999},
		 8,
		 "the function has 10 reserved, 20 % of it kept free"},
		{"reserved 1", {1000, 1, -1}, 0, "the function has 1 reserved"},
		{"reserved 0: switched off", {1000, 0, -1}, 0, "the function has 0 reserved"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct room room;

		guard_room(&limits, &cases[i].c, &room);
		if (room.calls != cases[i].calls || !strstr(room.because, cases[i].because))
			fail_msg("%s: %u, %s", cases[i].name, room.calls, room.because);
	}
}

static const struct call_time known = {60, "last-run"}, slow = {3000, "last-run"},
			      guess = {3000, "timeout"};

static struct config_test arrival(double rate_per_s, uint32_t spread)
{
	return (struct config_test){.executor = (char *)"constant-arrival-rate",
				    .rate_per_s = rate_per_s,
				    .spread = spread,
				    .duration_ms = 30000,
				    .warmup_ms = 5000};
}

static void test_fit(void **state)
{
	struct config_test t4 = arrival(10, 4), t16 = arrival(10, 16), t1 = arrival(10, 1),
			   even = arrival(50, 0), fast = arrival(200, 0);
	struct config_test vus = {
		.executor = (char *)"constant-vus", .vus = 30, .duration_ms = 30000};
	const struct {
		const char *name;
		const struct config_test *test;
		uint32_t variants, room;
		const struct call_time *call;
		int rc;
		uint32_t spread, in_flight;
		const char *why;
	} cases[] = {
		{"fits", &t4, 2, 100, &known, 0, 4, 16, NULL},
		{"fits exactly", &t16, 2, 32, &known, 0, 16, 32, NULL},
		{"spread is lowered", &t16, 2, 20, &known, 0, 10, 20, NULL},
		{"odd room", &t16, 2, 7, &known, 0, 3, 7, NULL},
		{"two a side is the least", &t16, 2, 4, &known, 0, 2, 4, NULL},
		{"one a side is refused", &t16, 2, 3, &known, -EDQUOT, 16, 3,
		 "a spread of 1 cannot be judged: it needs at least 2 environments a side, 4 calls "
		 "at once; "
		 "free are 3 (because)"},
		{"a spread of one is refused", &t1, 2, 100, &known, -EDQUOT, 1, 4,
		 "a spread of 1 cannot be judged"},
		{"nothing to compare needs no spread", &t1, 1, 100, &known, 0, 1, 2, NULL},
		{"nothing to compare, little room", &t16, 1, 3, &known, 0, 3, 3, NULL},
		{"no room", &t16, 1, 0, &known, -EDQUOT, 16, 0,
		 "no call can be made: free are 0 (because)"},
		{"slow calls overlap", &t4, 2, 100, &slow, 0, 4, 64, NULL},
		{"slow by the timeout only", &t4, 2, 100, &guess, 0, 4, 16, NULL},
		{"evenly spaced", &even, 2, 100, &known, 0, 0, 32, NULL},
		{"evenly spaced and slow", &fast, 2, 100, &slow, -EDQUOT, 0, 100,
		 "it needs 601 calls at once; free are 100 (because)"},
		{"the timeout alone refuses nothing", &fast, 2, 100, &guess, 0, 0, 100, NULL},
		{"users", &vus, 2, 100, &slow, 0, 0, 30, NULL},
		{"too many users", &vus, 2, 20, &slow, -EDQUOT, 0, 20,
		 "it needs 30 calls at once; free are 20"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct shape s = {.test = cases[i].test,
				  .variants = cases[i].variants,
				  .spread = cases[i].test->spread,
				  .timeout_ms = 13500};
		struct room room = {.calls = cases[i].room, .because = "because"};
		char why[GUARD_WHY_SIZE] = "";
		int rc = guard_fit(&s, &room, cases[i].call, why);

		if (rc != cases[i].rc || s.spread != cases[i].spread ||
		    s.in_flight != cases[i].in_flight ||
		    (cases[i].why && !strstr(why, cases[i].why)))
			fail_msg("%s: rc %d, spread %u, in flight %u, %s", cases[i].name, rc,
				 s.spread, s.in_flight, why);
	}
}

static void test_money(void **state)
{
	static const struct {
		const char *name;
		int64_t cost, spent;
		uint64_t requests;
		int rc;
		const char *why;
	} cases[] = {
		{"cheap", 2000, 0, 352, 0, ""},
		{"just the limit", 500000, 0, 352, 0, ""},
		{"above the run's", 500001, 0, 352, -EDQUOT,
		 "352 calls of 3000 ms (timeout) would cost 0.5000 USD, above limits.cost_per_run "
		 "of 0.5000 USD"},
		{"last of the day", 400000, 19600000, 352, 0, ""},
		{"above the day's", 400000, 19600001, 352, -ENOSPC,
		 "it would cost 0.4000 USD, and 19.6000 USD of limits.cost_per_day (20.0000 USD) "
		 "are spent"},
		{"too many calls", 1, 0, 4000001, -EDQUOT,
		 "4000001 calls are more than one run may make"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct estimate e = {.requests = cases[i].requests,
				     .cost_micro_usd = cases[i].cost,
				     .call = guess};
		char why[GUARD_WHY_SIZE] = "";
		int rc = guard_money(&limits, &e, cases[i].spent, why);

		if (rc != cases[i].rc || !strstr(why, cases[i].why))
			fail_msg("%s: rc %d, %s", cases[i].name, rc, why);
	}
}

static void test_estimate(void **state)
{
	struct config_test t4 = arrival(10, 4), even = arrival(10, 0);
	struct config_test vus = {
		.executor = (char *)"constant-vus", .vus = 10, .duration_ms = 10000};
	struct config_test shared = {.executor = (char *)"shared-iterations",
				     .vus = 10,
				     .iterations = 1000,
				     .duration_ms = 60000};
	static const struct price small = {2e-7, 1.66667e-5, 0.125}, none = {0};
	const struct {
		const char *name;
		const struct config_test *test;
		uint32_t variants;
		const struct call_time *call;
		const struct price *price;
		uint64_t requests;
		int64_t cost, duration_ms;
		uint32_t peak;
	} cases[] = {
		/* 38 rounds of 0.8 s measured, 6 before: 44 x 8 */
		{"as the example", &t4, 2, &known, &small, 352, 115, 35000, 8},
		{"by the timeout", &t4, 2, &guess, &small, 352, 2271, 35000, 32},
		{"one variant", &t4, 1, &known, &small, 348, 114, 35000, 4},
		{"a URL costs nothing", &t4, 2, &known, &none, 352, 0, 35000, 8},
		{"evenly spaced", &even, 2, &known, &small, 352, 115, 35000, 2},
		{"users", &vus, 2, &known, &small, 1667, 542, 10000, 10},
		{"users, no idea how fast", &vus, 2, &guess, &small, 10000, 2209, 10000, 10},
		{"counted calls", &shared, 2, &known, &small, 1002, 326, 6000, 10},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct shape s = {.test = cases[i].test,
				  .variants = cases[i].variants,
				  .spread = cases[i].test->spread,
				  .in_flight = 100};
		struct estimate e;

		estimate_make(&s, cases[i].call, cases[i].price, &e);
		if (e.requests != cases[i].requests || e.cost_micro_usd != cases[i].cost ||
		    e.duration_ms != cases[i].duration_ms || e.peak_concurrency != cases[i].peak)
			fail_msg("%s: %llu calls, %lld micro-USD, %lld ms, peak %u", cases[i].name,
				 (unsigned long long)e.requests, (long long)e.cost_micro_usd,
				 (long long)e.duration_ms, e.peak_concurrency);
	}
}

/*
 * Against a simulation (1,200 calls, tolerance 10 %, host spread 5 %): a true +20 %
 * is found in 0.68 of runs with 8 environments a side, 0.95 with 16, all with 32. So the effect
 * that is found four times in five lies above 20 % for 8, and below it for 16 and 32.
 */
static void test_smallest_effect(void **state)
{
	static const struct {
		uint32_t spread;
		double tolerance;
		unsigned gates;
		double low, high;
	} cases[] = {
		{8, 0.1, 1, 0.20, 0.24},   {16, 0.1, 1, 0.165, 0.195}, {32, 0.1, 1, 0.13, 0.17},
		{16, 0.1, 2, 0.175, 0.20}, {4, 0.1, 1, 0.25, 0.36},    {2, 0.1, 1, 0.5, 1.2},
		{0, 0.1, 1, 0.2, 0.5},	   {16, 0.3, 1, 0.38, 0.42},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_test t = arrival(10, cases[i].spread);
		struct shape s = {.test = &t, .variants = 2, .spread = cases[i].spread};
		double d;

		t.duration_ms = 120000;
		d = estimate_detectable(&s, LOTTERY_DEFAULT, cases[i].tolerance, cases[i].gates);
		if (d < cases[i].low || d > cases[i].high)
			fail_msg("spread %u, tolerance %g, %u gates: %g", cases[i].spread,
				 cases[i].tolerance, cases[i].gates, d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_money),
		cmocka_unit_test(test_estimate),
		cmocka_unit_test(test_smallest_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
