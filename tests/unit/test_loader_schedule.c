/*
 * test_loader_schedule.c - rounds, blocks, due times and the published test vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/loader/schedule.h"
#include "common/base/clock.h"

static const struct workload plain = {
	.executor = EXEC_CONSTANT_ARRIVAL_RATE,
	.arrival = ARRIVAL_BURST,
	.rate_per_s = 10,
	.spread = 4,
	.warmup_ms = 5000,
	.duration_ms = 30000,
	.block_ms = 2500,
	.seed = UINT64_C(1234567890123456789),
	.variants = {VARIANT_OLD, VARIANT_NEW},
	.variant_count = 2,
};

struct tally {
	uint64_t measured, warmup, of_variant[VARIANT_COUNT];
	int64_t first_ns, last_ns;
	uint32_t blocks;
	int64_t rounds;
};

/* Walks the whole schedule and checks what must hold for every workload. */
static void walk(const struct workload *w, struct tally *t)
{
	uint32_t in_round[VARIANT_COUNT] = {0};
	struct schedule s;
	struct place p;
	char why[SCHEDULE_WHY_SIZE];
	int32_t round = INT32_MIN;
	uint32_t block = 0, seq = 0;
	int64_t before_ns = INT64_MIN;

	memset(t, 0, sizeof(*t));
	assert_int_equal(schedule_init(&s, w, why), 0);
	while (schedule_next(&s, 0, &p)) {
		if (p.round != round) {
			if (w->variant_count == 2)
				assert_int_equal(in_round[0], in_round[1]);
			memset(in_round, 0, sizeof(in_round));
			round = p.round;
			seq = 0;
			t->rounds += round >= 0;
		}
		assert_int_equal(p.seq, seq++);
		assert_true(p.due_ns >= before_ns);
		assert_true((p.due_ns < 0) == (p.round < 0));
		assert_true(p.block == block || p.block == block + 1);
		if (before_ns == INT64_MIN)
			t->first_ns = p.due_ns;
		before_ns = t->last_ns = p.due_ns;
		block = p.block;
		in_round[p.variant]++;
		t->of_variant[p.variant]++;
		if (p.round < 0)
			t->warmup++;
		else
			t->measured++;
	}
	if (w->variant_count == 2)
		assert_int_equal(in_round[0], in_round[1]);
	assert_int_equal(t->measured, s.due_total);
	assert_int_equal(t->warmup, s.warmup_total);
	assert_int_equal(t->first_ns, s.start_ns);
	assert_true(s.is_at_end);
	t->blocks = block + 1;
	schedule_release(&s);
}

static void open_workloads_have_the_planned_size(void **state)
{
	static const struct {
		const char *name;
		double rate_per_s;
		uint32_t spread;
		enum arrival arrival;
		int64_t warmup_ms, duration_ms;
		size_t variants;
		uint64_t measured, warmup;
		uint32_t blocks;
		int64_t rounds;
	} cases[] = {
		{"the example", 10, 4, ARRIVAL_BURST, 5000, 30000, 2, 304, 48, 9, 38},
		{"default test", 10, 16, ARRIVAL_BURST, 20000, 120000, 2, 1216, 192, 38, 38},
		{"one variant", 10, 4, ARRIVAL_BURST, 5000, 30000, 1, 300, 48, 10, 75},
		{"spread off", 8, 0, ARRIVAL_BURST, 0, 20000, 2, 160, 0, 5, 10},
		{"even", 100, 8, ARRIVAL_UNIFORM, 1000, 10000, 2, 1008, 96, 3, 63},
		{"poisson", 100, 8, ARRIVAL_POISSON, 1000, 10000, 2, 1008, 96, 3, 63},
		{"shorter than a round", 1, 16, ARRIVAL_BURST, 1000, 1000, 2, 32, 0, 1, 1},
		{"exact number of rounds", 80, 4, ARRIVAL_BURST, 1000, 5000, 2, 400, 80, 2, 50},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct workload w = plain;
		struct tally t;

		w.rate_per_s = cases[i].rate_per_s;
		w.spread = cases[i].spread;
		w.arrival = cases[i].arrival;
		w.warmup_ms = cases[i].warmup_ms;
		w.duration_ms = cases[i].duration_ms;
		w.variant_count = cases[i].variants;
		if (w.variant_count == 1)
			w.variants[0] = VARIANT_NEW;
		walk(&w, &t);
		if (t.measured != cases[i].measured || t.warmup != cases[i].warmup ||
		    t.blocks != cases[i].blocks || t.rounds != cases[i].rounds)
			fail_msg("%s: measured %llu warmup %llu blocks %u rounds %lld",
				 cases[i].name, (unsigned long long)t.measured,
				 (unsigned long long)t.warmup, t.blocks, (long long)t.rounds);
		if (w.variant_count == 1)
			assert_int_equal(t.of_variant[VARIANT_OLD], 0);
	}
}

static void a_burst_is_due_at_once_and_even_arrivals_are_even(void **state)
{
	struct workload w = plain;
	struct schedule s;
	struct place p;
	char why[SCHEDULE_WHY_SIZE];

	(void)state;
	assert_int_equal(schedule_init(&s, &w, why), 0);
	while (schedule_next(&s, 0, &p))
		assert_int_equal(p.due_ns, p.round * 800 * NS_PER_MS);
	schedule_release(&s);
	w.spread = 0;
	assert_int_equal(schedule_init(&s, &w, why), 0);
	while (schedule_next(&s, 0, &p))
		assert_int_equal(p.due_ns, (p.round * 16 + (int32_t)p.seq) * 100 * NS_PER_MS);
	schedule_release(&s);
}

static void poisson_gaps_have_the_asked_mean(void **state)
{
	struct workload w = plain;
	struct tally t;

	(void)state;
	w.arrival = ARRIVAL_POISSON;
	w.rate_per_s = 200;
	w.duration_ms = 100000;
	walk(&w, &t);
	/* 20,000 gaps of 5 ms: the sum's deviation is 0.7 %, so 4 % is beyond five of them */
	assert_in_range(t.last_ns / NS_PER_MS, 96000, 104000);
}

/* Printed in docs/MEASURING.md; another loader that draws the same order passes them. */
static void the_order_matches_the_published_vectors(void **state)
{
	static const struct {
		uint64_t seed;
		uint32_t shard;
		int32_t round;
		const char *order; /* o = old, n = new */
	} vectors[] = {
		{UINT64_C(1234567890123456789), 0, -1, "nooonnno"},
		{UINT64_C(1234567890123456789), 0, 0, "noonoonn"},
		{UINT64_C(1234567890123456789), 0, 1, "nnooonon"},
		{UINT64_C(1234567890123456789), 1, 0, "ooononnn"},
		{0, 0, 0, "onoonnno"},
		{UINT64_MAX, 7, 37, "onoononn"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct workload w = plain;
		struct schedule s;
		struct place p;
		char why[SCHEDULE_WHY_SIZE], got[9] = "";
		size_t n = 0;

		w.seed = vectors[i].seed;
		w.shard_index = vectors[i].shard;
		assert_int_equal(schedule_init(&s, &w, why), 0);
		while (schedule_next(&s, 0, &p))
			if (p.round == vectors[i].round)
				got[n++] = p.variant == VARIANT_OLD ? 'o' : 'n';
		assert_string_equal(got, vectors[i].order);
		schedule_release(&s);
	}
}

/* Due times of three shards at a third of the rate, put together: one place apart. */
static void even_arrivals_of_all_shards_are_even(void **state)
{
	struct schedule s[3];
	struct place next[3];
	char why[SCHEDULE_WHY_SIZE];
	int64_t before_ns = 0;
	size_t count = 0;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct workload w = plain;

		w.arrival = ARRIVAL_UNIFORM;
		w.spread = 0;
		w.warmup_ms = 0;
		w.rate_per_s = 10;
		w.shard_index = i;
		w.shard_of = 3;
		assert_int_equal(schedule_init(&s[i], &w, why), 0);
		assert_true(schedule_next(&s[i], 0, &next[i]));
	}
	for (; count < 300; count++) {
		size_t first = 0;

		for (size_t i = 1; i < 3; i++)
			if (next[i].due_ns < next[first].due_ns)
				first = i;
		assert_int_equal(first, count % 3);
		if (count > 0)
			assert_in_range(next[first].due_ns - before_ns, NS_PER_S / 30 - 1,
					NS_PER_S / 30 + 1);
		before_ns = next[first].due_ns;
		assert_true(schedule_next(&s[first], 0, &next[first]));
	}
	for (size_t i = 0; i < 3; i++)
		schedule_release(&s[i]);
}

/* A burst is of all shards at once: their rounds fall together. */
static void bursts_of_all_shards_fall_together(void **state)
{
	static const uint32_t spreads[] = {6, 5, 5};
	struct workload whole = plain;
	struct tally all, part;
	uint64_t sum = 0;

	(void)state;
	whole.spread = 16;
	whole.rate_per_s = 50;
	walk(&whole, &all);
	for (uint32_t i = 0; i < 3; i++) {
		struct workload w = whole;

		w.spread = spreads[i];
		w.rate_per_s = whole.rate_per_s * spreads[i] / 16;
		w.shard_index = i;
		w.shard_of = 3;
		walk(&w, &part);
		assert_int_equal(part.rounds, all.rounds);
		assert_in_range(part.last_ns - all.last_ns + 10, 0, 20);
		sum += part.measured + part.warmup;
	}
	assert_int_equal(sum, all.measured + all.warmup);
}

static void the_kth_call_of_each_variant_gets_the_same_payload(void **state)
{
	struct workload w = plain;
	struct schedule s;
	struct place p;
	char why[SCHEDULE_WHY_SIZE];
	unsigned seen[3] = {0}, of_variant[VARIANT_COUNT][3] = {{0}};

	(void)state;
	w.payload_count = 3;
	w.weights[0] = 7;
	w.weights[1] = 2;
	w.weights[2] = 1;
	w.duration_ms = 300000;
	assert_int_equal(schedule_init(&s, &w, why), 0);
	while (schedule_next(&s, 0, &p)) {
		seen[p.payload]++;
		of_variant[p.variant][p.payload]++;
		if (p.seq + 1 == s.round_n)
			assert_memory_equal(of_variant[0], of_variant[1], sizeof(of_variant[0]));
	}
	schedule_release(&s);
	assert_in_range(seen[0], 1900, 2500);
	assert_in_range(seen[1], 500, 750);
	assert_in_range(seen[2], 220, 400);
}

/* A fake closed run: a user becomes free every 100 ms. */
static uint64_t run_closed(const struct workload *w, struct tally *t)
{
	struct schedule s;
	struct place p;
	char why[SCHEDULE_WHY_SIZE];
	int64_t now_ns;
	uint64_t odd = 0;

	memset(t, 0, sizeof(*t));
	assert_int_equal(schedule_init(&s, w, why), 0);
	for (now_ns = s.start_ns; schedule_next(&s, now_ns, &p); now_ns += 100 * NS_PER_MS) {
		assert_int_equal(p.due_ns, now_ns);
		t->of_variant[p.variant]++;
		if (p.round < 0)
			t->warmup++;
		else
			t->measured++;
		t->blocks = p.block + 1;
		t->last_ns = now_ns;
		if (p.seq + 1 == s.begun_n)
			odd += t->of_variant[0] != t->of_variant[1];
	}
	schedule_release(&s);
	return odd;
}

static void closed_executors_complete_their_rounds(void **state)
{
	static const struct {
		const char *name;
		enum executor executor;
		uint64_t iterations, requests_max;
		int64_t warmup_ms, duration_ms;
		uint64_t measured, warmup;
		uint32_t blocks;
	} cases[] = {
		{"iterations", EXEC_SHARED_ITERATIONS, 40, 0, 0, 0, 40, 0, 2},
		{"odd iterations are rounded up to a pair", EXEC_SHARED_ITERATIONS, 7, 0, 0, 0, 8,
		 0, 1},
		{"iterations end early", EXEC_SHARED_ITERATIONS, 1000, 0, 0, 3000, 32, 0, 1},
		{"users for 3 s", EXEC_CONSTANT_VUS, 0, 0, 0, 3000, 32, 0, 1},
		{"users with a warm-up", EXEC_CONSTANT_VUS, 0, 0, 1000, 6000, 64, 16, 2},
		{"users with a limit", EXEC_CONSTANT_VUS, 0, 20, 0, 60000, 20, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct workload w = plain;
		struct tally t;

		w.executor = cases[i].executor;
		w.vus = 2;
		w.iterations = cases[i].iterations;
		w.requests_max = cases[i].requests_max;
		w.warmup_ms = cases[i].warmup_ms;
		w.duration_ms = cases[i].duration_ms;
		assert_int_equal(run_closed(&w, &t), 0);
		if (t.measured != cases[i].measured || t.warmup != cases[i].warmup ||
		    t.blocks != cases[i].blocks)
			fail_msg("%s: measured %llu warmup %llu blocks %u", cases[i].name,
				 (unsigned long long)t.measured, (unsigned long long)t.warmup,
				 t.blocks);
		assert_int_equal(t.of_variant[0], t.of_variant[1]);
	}
}

static void nonsense_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *why;
		struct workload change;
		int rc;
	} cases[] = {
		{"rate_per_s", {.rate_per_s = 0, .duration_ms = 1000}, -22},
		{"rate_per_s", {.rate_per_s = 1e9, .duration_ms = 1000}, -22},
		{"duration_ms", {.rate_per_s = 10}, -22},
		{"negative", {.rate_per_s = 10, .duration_ms = 1000, .warmup_ms = -1}, -22},
		{"spread", {.rate_per_s = 10, .duration_ms = 1000, .spread = 4000}, -22},
		{"vus", {.executor = EXEC_CONSTANT_VUS, .duration_ms = 1000}, -22},
		{"iterations", {.executor = EXEC_SHARED_ITERATIONS, .vus = 1}, -22},
		{"calls", {.rate_per_s = 1e6, .duration_ms = 3600000}, -7},
		{"limit is 10", {.rate_per_s = 100, .duration_ms = 1000, .requests_max = 10}, -7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct workload w = cases[i].change;
		struct schedule s;
		char why[SCHEDULE_WHY_SIZE] = "";

		w.variant_count = 2;
		w.variants[1] = VARIANT_NEW;
		assert_int_equal(schedule_init(&s, &w, why), cases[i].rc);
		if (!strstr(why, cases[i].why))
			fail_msg("\"%s\" does not name \"%s\"", why, cases[i].why);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_workloads_have_the_planned_size),
		cmocka_unit_test(a_burst_is_due_at_once_and_even_arrivals_are_even),
		cmocka_unit_test(poisson_gaps_have_the_asked_mean),
		cmocka_unit_test(the_order_matches_the_published_vectors),
		cmocka_unit_test(even_arrivals_of_all_shards_are_even),
		cmocka_unit_test(bursts_of_all_shards_fall_together),
		cmocka_unit_test(the_kth_call_of_each_variant_gets_the_same_payload),
		cmocka_unit_test(closed_executors_complete_their_rounds),
		cmocka_unit_test(nonsense_is_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
