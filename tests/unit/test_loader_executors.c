/*
 * test_loader_executors.c - each executor against what it promises: due times, counts, users.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/loader/schedule.h"
#include "cmd/loader/users.h"
#include "common/base/clock.h"

#define CALLS_MAX_HERE 20000

static const struct workload plain = {
	.executor = EXEC_RAMPING_ARRIVAL_RATE,
	.arrival = ARRIVAL_UNIFORM,
	.seed = UINT64_C(1234567890123456789),
	.variants = {VARIANT_NEW, VARIANT_OLD},
	.variant_count = 1,
	.spread = 1,
	.block_ms = 1000,
};

struct walked {
	struct place places[CALLS_MAX_HERE];
	size_t count, warmup, blocks;
	uint64_t of_variant[VARIANT_COUNT];
	struct schedule plan; /* as it was at first; its memory is gone */
};

static struct walked walked;

static void walk(const struct workload *w)
{
	struct schedule s;
	char why[SCHEDULE_WHY_SIZE] = "";
	struct place p;
	int64_t before_ns = INT64_MIN;

	memset(&walked, 0, sizeof(walked));
	if (schedule_init(&s, w, why) != 0)
		fail_msg("%s", why);
	walked.plan = s;
	while (schedule_next(&s, 0, &p)) {
		assert_true(p.due_ns >= before_ns && p.due_ns >= s.start_ns);
		assert_true((p.due_ns < 0) == (p.round < 0));
		before_ns = p.due_ns;
		walked.warmup += p.round < 0;
		walked.of_variant[p.variant] += p.round >= 0;
		assert_true(walked.count < CALLS_MAX_HERE);
		walked.places[walked.count++] = p;
		assert_in_range(p.block, walked.blocks ? walked.blocks - 1 : 0, walked.blocks);
		walked.blocks = p.block + 1;
	}
	assert_int_equal(walked.count - walked.warmup, walked.plan.due_total);
	assert_int_equal(walked.warmup, walked.plan.warmup_total);
	schedule_release(&s);
}

static size_t due_between(int64_t from_ms, int64_t to_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < walked.count; i++)
		n += walked.places[i].due_ns >= from_ms * NS_PER_MS &&
		     walked.places[i].due_ns < to_ms * NS_PER_MS;
	return n;
}

static const struct ramp hill = {10, 3, {{50, 3000}, {50, 2000}, {0, 5000}}}; /* 315 calls */

static void a_ramp_is_exact_to_the_nanosecond(void **state)
{
	static const struct {
		size_t call;
		int64_t due_ns;
	} want[] = {
		{0, 0},		  {1, 94097151},     {89, 2979946380},		{90, 3000000000},
		{91, 3020000000}, {191, 5020040161}, {314, INT64_C(9552786405)}};
	struct workload w = plain;

	(void)state;
	w.ramp = hill;
	walk(&w);
	assert_int_equal(walked.count, 315);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(walked.places[want[i].call].due_ns, want[i].due_ns);
	assert_int_equal(walked.plan.w.duration_ms, 10000);
	assert_int_equal(walked.blocks, 9); /* each a little longer than a second */
}

/* The round's place, not the call's: with a spread of 4 a round is 8 calls of two variants. */
static void bursts_come_when_the_area_is_a_round_more(void **state)
{
	struct workload w = plain;

	(void)state;
	w.ramp = hill;
	w.arrival = ARRIVAL_BURST;
	w.spread = 4;
	w.variant_count = 2;
	w.warmup_ms = 1000;
	walk(&w);
	assert_int_equal(walked.count, 24 + 320); /* 31.5 calls/s on average, 39.4 rounds */
	assert_int_equal(walked.warmup, 24);
	assert_int_equal(walked.places[0].due_ns, llround(-3 * 8e9 / 31.5));
	for (size_t i = walked.warmup; i < walked.count; i++) {
		double t = (double)walked.places[i].due_ns / 1e9;
		double place = (double)((i - walked.warmup) / 8 * 8);
		double area = t <= 3   ? 10 * t + 20 * t * t / 3
			      : t <= 5 ? 90 + 50 * (t - 3)
				       : 190 + 50 * (t - 5) - 5 * (t - 5) * (t - 5);

		assert_true(fabs(area - place) < 1e-6);
	}
	assert_int_equal(walked.of_variant[0], walked.of_variant[1]);
}

static void stages_at_zero_are_silent_and_jumps_are_at_once(void **state)
{
	struct workload w = plain;

	(void)state;
	w.ramp = (struct ramp){20, 5, {{20, 1000}, {0, 0}, {0, 2500}, {7, 0}, {7, 3000}}};
	walk(&w);
	assert_int_equal(walked.count, 41);
	assert_int_equal(due_between(0, 1000), 20);
	assert_int_equal(due_between(1000, 3500), 0);
	assert_int_equal(walked.places[20].due_ns, 3500 * NS_PER_MS);
	assert_int_equal(due_between(3500, 6500), 21);
}

/* Without a spread rounds have 16 calls; the last has what is left, and none comes too late. */
static void the_last_round_of_even_calls_is_cut(void **state)
{
	struct workload w = plain;

	(void)state;
	w.ramp = hill;
	w.spread = 0;
	w.variant_count = 2;
	walk(&w);
	assert_int_equal(walked.count, 316);
	assert_int_equal(walked.of_variant[0], walked.of_variant[1]);
	assert_true(walked.places[walked.count - 1].due_ns <= INT64_C(10000000000));
}

static void shards_of_a_ramp_are_even_together(void **state)
{
	struct workload w = plain;
	int64_t all[3][200];
	size_t counts[3], total = 0;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		w.ramp = hill;
		w.ramp.start /= 3;
		for (size_t k = 0; k < w.ramp.count; k++)
			w.ramp.stages[k].target /= 3;
		w.shard_index = i;
		w.shard_of = 3;
		walk(&w);
		counts[i] = walked.count;
		total += walked.count;
		for (size_t k = 0; k < walked.count; k++)
			all[i][k] = walked.places[k].due_ns;
	}
	assert_int_equal(total, 315);
	w = plain;
	w.ramp = hill;
	walk(&w);
	for (size_t i = 0; i < walked.count; i++) {
		assert_true(i / 3 < counts[i % 3]);
		assert_in_range(all[i % 3][i / 3] - walked.places[i].due_ns + 2, 0, 4);
	}
}

/* ---- Poisson ---- */

/* Critical distance at one in a thousand; seeds are fixed, so it passes or fails for good. */
static void assert_uniform(const double *sorted, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n; i++) {
		double below = (double)i / (double)n, above = (double)(i + 1) / (double)n;

		most = MAX_OF(most, MAX_OF(fabs(sorted[i] - below), fabs(sorted[i] - above)));
	}
	if (most > 1.95 / sqrt((double)n))
		fail_msg("Kolmogorov-Smirnov: %g with %zu values", most, n);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double u[CALLS_MAX_HERE];

static void poisson_arrivals_of_a_constant_rate_pass_ks(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct workload w = plain;

		w.executor = EXEC_CONSTANT_ARRIVAL_RATE;
		w.arrival = ARRIVAL_POISSON;
		w.rate_per_s = 200;
		w.duration_ms = 50000;
		w.seed = seed;
		walk(&w);
		for (size_t i = 0; i + 1 < walked.count; i++)
			u[i] = -expm1(
				-(double)(walked.places[i + 1].due_ns - walked.places[i].due_ns) /
				1e9 * 200);
		qsort(u, walked.count - 1, sizeof(u[0]), by_value);
		assert_uniform(u, walked.count - 1);
	}
}

/* Of a ramp: the places are even in area, and the gaps between them are exponential. */
static void poisson_arrivals_of_a_ramp_pass_ks(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct workload w = plain;
		double before = 0;

		w.arrival = ARRIVAL_POISSON;
		w.ramp = (struct ramp){0, 2, {{400, 20000}, {0, 30000}}};
		w.seed = seed;
		walk(&w);
		assert_int_equal(walked.count, 10000);
		for (size_t i = 0; i < walked.count; i++) {
			double t = (double)walked.places[i].due_ns / 1e9;

			u[i] = t < 20 ? 10 * t * t / 10000
				      : 1 - (50 - t) * (50 - t) * 400 / 60 / 10000;
		}
		assert_uniform(u, walked.count);
		for (size_t i = 0; i < walked.count; i++) {
			double here = u[i];

			u[i] = -expm1(-(here - before) * 10000);
			before = here;
		}
		qsort(u, walked.count, sizeof(u[0]), by_value);
		assert_uniform(u, walked.count);
	}
}

static void poisson_warm_up_ends_before_the_start(void **state)
{
	struct workload w = plain;

	(void)state;
	w.arrival = ARRIVAL_POISSON;
	w.ramp = hill;
	w.warmup_ms = 2000;
	walk(&w);
	assert_int_equal(walked.warmup, 63);
	assert_int_equal(walked.count, 63 + 315);
	assert_in_range(-walked.plan.start_ns, 1999999990, 2000000000);
}

/* ---- replay ---- */

static int64_t offsets_ns[] = {0, 100, 400, 1000, 1500, 1500, 3000};
static uint16_t of_payloads[] = {2, 1, 0, 0, 1, 2, 0};

static struct workload replay(void)
{
	static struct trace trace;
	struct workload w = plain;

	for (size_t i = 0; trace.count == 0 && i < ARRAY_LEN(offsets_ns); i++)
		offsets_ns[i] *= NS_PER_MS;
	trace = (struct trace){offsets_ns, of_payloads, ARRAY_LEN(offsets_ns)};
	w.executor = EXEC_REPLAY;
	w.trace = &trace;
	w.speed = w.trace_rate = 1;
	w.payload_count = 3;
	w.weights[0] = w.weights[1] = w.weights[2] = 1;
	return w;
}

static void a_trace_is_replayed_to_the_nanosecond(void **state)
{
	struct workload w = replay();

	(void)state;
	walk(&w);
	assert_int_equal(walked.count, 7);
	for (size_t i = 0; i < walked.count; i++) {
		assert_int_equal(walked.places[i].due_ns, offsets_ns[i]);
		assert_int_equal(walked.places[i].payload, of_payloads[i]);
	}
	assert_int_equal(walked.plan.w.duration_ms, 3001);
	w.duration_ms = 1500;
	w.speed = 2;
	walk(&w);
	assert_int_equal(walked.count, 6);
	assert_int_equal(walked.places[5].due_ns, 750 * NS_PER_MS);
}

static void pairs_of_a_trace_are_one_of_each(void **state)
{
	struct workload w = replay();

	(void)state;
	w.variant_count = 2;
	w.warmup_ms = 1100;
	walk(&w);
	assert_int_equal(walked.warmup, 2); /* 6 calls in 3.001 s */
	assert_int_equal(walked.of_variant[0], 3);
	assert_int_equal(walked.of_variant[1], 3);
	for (size_t i = 2; i < walked.count; i++) {
		assert_int_equal(walked.places[i].due_ns, offsets_ns[i - 2]);
		assert_int_equal(walked.places[i].payload, of_payloads[(i - 2) / 2 * 2]);
	}
}

static void shards_of_a_trace_are_the_whole(void **state)
{
	size_t total = 0;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct workload w = replay();

		w.shard_index = i;
		w.shard_of = 3;
		walk(&w);
		for (size_t k = 0; k < walked.count; k++)
			assert_int_equal(walked.places[k].due_ns, offsets_ns[i + 3 * k]);
		total += walked.count;
	}
	assert_int_equal(total, 7);
}

/* ---- users ---- */

#define CALL_MS 100
#define USERS_HERE 64

/* A target that answers after 100 ms; who called when, and how many were in calls at most. */
struct acted {
	uint64_t calls[USERS_HERE], total, warmup, of_variant[VARIANT_COUNT];
	uint32_t at_once[20]; /* users in a call in the middle of each half second */
	int64_t last_ns;
};

static void act(const struct workload *w, struct acted *a)
{
	struct schedule s;
	struct users users;
	char why[SCHEDULE_WHY_SIZE] = "";
	int64_t busy_until_ms[USERS_HERE];
	bool is_over = false;

	memset(a, 0, sizeof(*a));
	if (schedule_init(&s, w, why) != 0)
		fail_msg("%s", why);
	assert_true(s.users <= USERS_HERE);
	users_init(&users, &s);
	for (uint32_t i = 0; i < USERS_HERE; i++)
		busy_until_ms[i] = INT64_MIN;
	for (int64_t ms = s.start_ns / NS_PER_MS; !is_over && ms < 100000; ms++) {
		const struct free_user *first;
		struct place p;

		for (uint32_t i = 0; i < s.users; i++)
			if (busy_until_ms[i] == ms)
				users_put(&users, i, ms * NS_PER_MS);
		users_rise(&users, &s, ms * NS_PER_MS);
		while (!is_over && (first = users_first(&users))) {
			struct free_user f = *first;
			enum user_turn turn = schedule_user(&s, f.user, f.since_ns, &p);

			users_pop(&users);
			is_over = turn == USER_ENDS;
			if (turn == USER_RESTS)
				users_rest(&users, f.user);
			if (turn != USER_CALLS)
				continue;
			assert_int_equal(p.due_ns, f.since_ns);
			busy_until_ms[f.user] = ms + CALL_MS;
			a->warmup += p.round < 0;
			a->total += p.round >= 0;
			a->calls[f.user] += p.round >= 0;
			a->of_variant[p.variant]++;
			a->last_ns = f.since_ns;
		}
		for (uint32_t i = 0; ms >= 0 && ms % 500 == 250 && i < s.users; i++)
			if (ms / 500 < 20)
				a->at_once[ms / 500] += busy_until_ms[i] > ms;
	}
	assert_true(is_over);
	users_release(&users);
	schedule_release(&s);
}

static struct workload closed(enum executor e, uint32_t vus, uint64_t iterations,
			      int64_t duration_ms)
{
	struct workload w = plain;

	w.executor = e;
	w.vus = vus;
	w.iterations = iterations;
	w.duration_ms = duration_ms;
	w.spread = 0;
	return w;
}

static void each_user_makes_its_own_iterations(void **state)
{
	struct workload w = closed(EXEC_PER_VU_ITERATIONS, 5, 3, 60000);
	struct acted a;

	(void)state;
	act(&w, &a);
	assert_int_equal(a.total, 15);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(a.calls[i], 3);
	w.variant_count = 2; /* 15 calls make no pairs: the first user has one more */
	w.warmup_ms = 1000;
	act(&w, &a);
	assert_int_equal(a.total, 16);
	assert_int_equal(a.calls[0], 4);
	assert_int_equal(a.calls[4], 3);
	assert_int_equal(a.of_variant[0], a.of_variant[1]);
	assert_int_equal(a.warmup, 64);
	w.iterations = 1000;
	w.duration_ms = 2000;
	act(&w, &a); /* time is up first */
	assert_in_range(a.total, 96, 112);
}

static void shared_iterations_and_constant_users(void **state)
{
	struct workload w = closed(EXEC_SHARED_ITERATIONS, 7, 100, 60000);
	struct acted a;

	(void)state;
	act(&w, &a);
	assert_int_equal(a.total, 100);
	assert_in_range(a.calls[3], 14, 15);
	w = closed(EXEC_CONSTANT_VUS, 8, 0, 3000);
	act(&w, &a);
	assert_int_equal(a.total, 240);
	assert_int_equal(a.calls[7], 30);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(a.at_once[i], 8);
}

static void users_come_and_go_with_the_stages(void **state)
{
	static const struct {
		const char *name;
		struct ramp ramp;
		uint32_t at_once[10]; /* after 250 ms, 750 ms ... */
	} cases[] = {
		/* user 0 from the start, user k when the line passes k */
		{"up", {1, 1, {{21, 5000}}}, {2, 4, 6, 8, 10, 12, 14, 16, 18, 20}},
		{"down", {20, 1, {{0, 5000}}}, {20, 18, 16, 14, 12, 10, 8, 6, 4, 2}},
		{"up and down",
		 {0, 3, {{10, 2000}, {10, 1000}, {0, 2000}}},
		 {1, 3, 6, 8, 10, 10, 9, 7, 4, 2}},
		{"jumps and a pause",
		 {3, 6, {{3, 1000}, {0, 0}, {0, 1000}, {6, 0}, {6, 1000}, {2, 2000}}},
		 {3, 3, 0, 0, 6, 6, 6, 5, 4, 3}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct workload w = closed(EXEC_RAMPING_VUS, 0, 0, 0);
		struct acted a;

		w.ramp = cases[i].ramp;
		w.variant_count = 2;
		act(&w, &a);
		for (size_t k = 0; k < 10; k++)
			if (a.at_once[k] < cases[i].at_once[k] ||
			    a.at_once[k] > cases[i].at_once[k] + 1)
				fail_msg("%s: %u users after %zu ms instead of %u", cases[i].name,
					 a.at_once[k], k * 500 + 250, cases[i].at_once[k]);
		assert_int_equal(a.of_variant[0], a.of_variant[1]);
		assert_true(a.last_ns <= 5000 * NS_PER_MS);
	}
}

static void warm_up_of_a_ramp_is_its_mean(void **state)
{
	struct workload w = closed(EXEC_RAMPING_VUS, 0, 0, 0);
	struct acted a;

	(void)state;
	w.ramp = (struct ramp){0, 1, {{20, 2000}}};
	w.warmup_ms = 1000;
	act(&w, &a);
	assert_int_equal(a.warmup, 100);
}

static void figures_before_the_start(void **state)
{
	struct workload w = plain;

	(void)state;
	w.ramp = hill;
	assert_true(workload_peak_per_s(&w) == 50);
	assert_int_equal(workload_duration_ms(&w), 10000);
	assert_int_equal(workload_users(&w), 0);
	w = replay();
	assert_true(workload_peak_per_s(&w) == 3);
	w.speed = 10;
	assert_true(workload_peak_per_s(&w) == 7);
	w = closed(EXEC_RAMPING_VUS, 0, 0, 0);
	w.ramp = hill;
	assert_int_equal(workload_users(&w), 50);
	assert_true(workload_peak_per_s(&w) == 0);
}

static void nonsense_is_refused_with_a_reason(void **state)
{
	static const struct {
		enum executor executor;
		struct ramp ramp;
		const char *why;
	} cases[] = {
		{EXEC_RAMPING_ARRIVAL_RATE, {.count = 0}, "stages that last"},
		{EXEC_RAMPING_ARRIVAL_RATE, {5, 1, {{5, 0}}}, "stages that last"},
		{EXEC_RAMPING_ARRIVAL_RATE, {0, 1, {{0, 1000}}}, "no call"},
		{EXEC_RAMPING_ARRIVAL_RATE, {0, 1, {{2e6, 1000}}}, "1000000"},
		{EXEC_RAMPING_VUS, {.count = 0}, "stages that last"},
		{EXEC_RAMPING_VUS, {0, 1, {{0, 1000}}}, "no user"},
		{EXEC_RAMPING_VUS, {0, 1, {{200000, 1000}}}, "100000"},
		{EXEC_REPLAY, {.count = 0}, "no trace"},
		{EXEC_PER_VU_ITERATIONS, {.count = 0}, "iterations"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct workload w = plain;
		struct schedule s;
		char why[SCHEDULE_WHY_SIZE] = "";

		w.executor = cases[i].executor;
		w.ramp = cases[i].ramp;
		assert_int_equal(schedule_init(&s, &w, why), -22);
		if (!strstr(why, cases[i].why))
			fail_msg("\"%s\" does not name \"%s\"", why, cases[i].why);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ramp_is_exact_to_the_nanosecond),
		cmocka_unit_test(bursts_come_when_the_area_is_a_round_more),
		cmocka_unit_test(stages_at_zero_are_silent_and_jumps_are_at_once),
		cmocka_unit_test(the_last_round_of_even_calls_is_cut),
		cmocka_unit_test(shards_of_a_ramp_are_even_together),
		cmocka_unit_test(poisson_arrivals_of_a_constant_rate_pass_ks),
		cmocka_unit_test(poisson_arrivals_of_a_ramp_pass_ks),
		cmocka_unit_test(poisson_warm_up_ends_before_the_start),
		cmocka_unit_test(a_trace_is_replayed_to_the_nanosecond),
		cmocka_unit_test(pairs_of_a_trace_are_one_of_each),
		cmocka_unit_test(shards_of_a_trace_are_the_whole),
		cmocka_unit_test(each_user_makes_its_own_iterations),
		cmocka_unit_test(shared_iterations_and_constant_users),
		cmocka_unit_test(users_come_and_go_with_the_stages),
		cmocka_unit_test(warm_up_of_a_ramp_is_its_mean),
		cmocka_unit_test(figures_before_the_start),
		cmocka_unit_test(nonsense_is_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
