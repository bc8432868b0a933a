/*
 * test_loader_parts.c - the small parts of the loader: error window, clock, environments, blocks,
 * tally, quality, fence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/loader/clock_check.h"
#include "cmd/loader/error_window.h"
#include "cmd/loader/fence.h"
#include "cmd/loader/quality.h"
#include "cmd/loader/tally.h"

static void the_error_window_ends_failing_runs_only(void **state)
{
	static const struct {
		const char *name;
		double ratio;
		const char *pattern; /* repeated: x = bad */
		uint32_t ends_at;    /* call number from 1; 0 = never within 1,000 */
	} cases[] = {
		{"all good", 0.5, ".", 0},
		{"all bad", 0.5, "x", 20},
		{"all bad, limit 1", 1, "x", 0},
		{"no limit", 0, "x", 0},
		{"one in three below one in two", 0.5, "..x", 0},
		{"exactly at the limit", 0.5, ".x", 0},
		{"nine in ten past one in two", 0.5, "xxxxxxxxx.", 20},
		{"one in three past one in ten", 0.1, "..x", 20},
		{"one failure is not enough, two are", 0.01, "...................x", 40},
		{"all bad at a high limit", 0.99, "x", 20},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error_window w = {0};
		uint32_t ended = 0;

		for (uint32_t n = 0; n < 1000 && !ended; n++) {
			bool is_bad = cases[i].pattern[n % strlen(cases[i].pattern)] == 'x';

			if (error_window_add(&w, is_bad, cases[i].ratio))
				ended = n + 1;
		}
		if (ended != cases[i].ends_at)
			fail_msg("%s: ended at %u", cases[i].name, ended);
	}
}

static void the_error_window_forgets(void **state)
{
	struct error_window w = {0};
	uint32_t n;

	(void)state;
	for (n = 0; n < 1000; n++)
		assert_false(error_window_add(&w, false, 0.5));
	for (n = 1; !error_window_add(&w, true, 0.5); n++)
		assert_true(n < 100);
	assert_int_equal(n, 61); /* more than 50 + 2 * 5 of the last 100 */
}

static void the_clock_offset_closes_in(void **state)
{
	struct clock_check c = {0};
	static const char date[] = "Sun, 22 Nov 2026 15:04:05 GMT",
			  next[] = "Sun, 22 Nov 2026 15:04:06 GMT";
	struct wall theirs;
	int64_t ahead_ms = 3000;

	(void)state;
	assert_int_equal(wall_parse_http(date, &theirs), 0);
	assert_int_equal(clock_check_offset_ms(&c), 0);
	/* answers at .000 and .980 of their second, and at the start of the next: +-20 ms */
	for (int i = 0; i < 3; i++) {
		static const int64_t at_ms[] = {0, 980, 1010};
		struct wall ours = wall_add_ns(theirs, (at_ms[i] + ahead_ms) * NS_PER_MS);

		clock_check_add(&c, i < 2 ? date : next, strlen(date), ours,
				wall_add_ns(ours, 5 * NS_PER_MS));
	}
	assert_in_range(clock_check_offset_ms(&c), 2980, 3020);
	clock_check_add(&c, "yesterday", 9, theirs, wall_add_ns(theirs, NS_PER_S));
	assert_in_range(clock_check_offset_ms(&c), 2980, 3020);
}

static void one_answer_claims_no_small_offset(void **state)
{
	struct clock_check c = {0};
	static const char date[] = "Sun, 22 Nov 2026 15:04:05 GMT";
	struct wall theirs;

	(void)state;
	assert_int_equal(wall_parse_http(date, &theirs), 0);
	clock_check_add(&c, date, strlen(date), wall_add_ns(theirs, 700 * NS_PER_MS),
			wall_add_ns(theirs, 710 * NS_PER_MS));
	assert_true(c.is_known);
	assert_int_equal(clock_check_offset_ms(&c), 0);
}

static void environments_are_numbered_once(void **state)
{
	struct instances *in = x_calloc(1, sizeof(*in));
	char name[24];

	(void)state;
	assert_int_equal(instances_note(in, "a", 1), 1);
	assert_int_equal(instances_note(in, "b", 1), 2);
	assert_int_equal(instances_note(in, "a", 1), 1);
	instances_count_call(in, 1, VARIANT_OLD);
	instances_count_call(in, 1, VARIANT_OLD);
	instances_count_call(in, 2, VARIANT_NEW);
	instances_count_call(in, 0, VARIANT_NEW);
	assert_int_equal(instances_seen(in, VARIANT_OLD), 1);
	assert_int_equal(instances_seen(in, VARIANT_NEW), 1);
	for (int i = 0; i < INSTANCES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "environment-%d", i);
		(void)instances_note(in, name, strlen(name));
	}
	assert_int_equal(in->count, INSTANCES_MAX);
	assert_int_equal(instances_note(in, "one too many", 12), 0);
	assert_int_equal(instances_note(in, "b", 1), 2);
	assert_string_equal(in->items[0].name, "ca978112"); /* sha256("a") */
	free(in);
}

static void blocks_end_in_order_and_give_their_memory_back(void **state)
{
	struct blocks b;
	struct json *list;

	(void)state;
	blocks_init(&b, 4); /* room for one block's values and no more */
	for (uint32_t i = 0; i < 50; i++) {
		for (size_t k = 0; k < 4; k++)
			blocks_due(&b, i, k % 2 ? VARIANT_NEW : VARIANT_OLD);
		for (size_t k = 0; k < 4; k++)
			blocks_done(&b, i, k % 2 ? VARIANT_NEW : VARIANT_OLD, k != 3, 1000 + i);
	}
	assert_int_equal(b.lost, 0);
	list = blocks_json(&b);
	assert_int_equal(json_len(list), 100);
	for (size_t k = 0; k < 100; k++) {
		struct json *o = json_elem(list, k);
		struct hdr *h;
		const char *text = json_get_str(o, "response");

		assert_int_equal(json_get_int(o, "i", -1), k / 2);
		assert_int_equal(json_get_int(o, "due", -1), 2);
		assert_int_equal(json_get_int(o, "bad", -1), k % 2);
		assert_int_equal(hdr_decode(text, strlen(text), &h), 0);
		assert_int_equal(hdr_count(h), k % 2 ? 1 : 2);
		assert_in_range(hdr_max(h), 1000 + k / 2, 1001 + k / 2);
		hdr_free(h);
	}
	json_free(list);
	blocks_release(&b);
}

/* A call of block 0 that ends last must not be lost, and later blocks must wait for it. */
static void a_late_call_counts_in_its_own_block(void **state)
{
	struct blocks b;
	struct json *list;

	(void)state;
	blocks_init(&b, 100);
	for (uint32_t i = 0; i < 3; i++)
		blocks_due(&b, i, VARIANT_NEW);
	blocks_done(&b, 1, VARIANT_NEW, true, 10);
	assert_int_equal(b.ended, 0);
	blocks_done(&b, 0, VARIANT_NEW, false, 0);
	assert_int_equal(b.ended, 2);
	blocks_done(&b, 2, VARIANT_NEW, true, 10);
	list = blocks_json(&b);
	assert_int_equal(json_len(list), 3);
	assert_null(json_get_str(json_elem(list, 0), "response"));
	assert_int_equal(json_get_int(json_elem(list, 0), "bad", 0), 1);
	json_free(list);
	blocks_release(&b);
}

static void packed_calls_fit_by_whole_rounds(void **state)
{
	static const struct {
		uint64_t due;
		uint32_t round, every;
	} cases[] = {
		{304, 8, 1},	    {10000, 8, 1},	  {10001, 8, 2},    {10008, 8, 2},
		{1000000, 16, 100}, {4000000, 4096, 489}, {5000, 20000, 1}, {40000, 20000, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(calls_every(cases[i].due, cases[i].round), cases[i].every);
}

static struct tally *tally_of(uint32_t rounds, enum outcome outcome)
{
	static const struct workload w = {.rate_per_s = 8000,
					  .spread = 4,
					  .duration_ms = 100000,
					  .variants = {VARIANT_OLD, VARIANT_NEW},
					  .variant_count = 2};
	struct schedule s;
	struct place p;
	struct tally *t;
	char why[SCHEDULE_WHY_SIZE];
	struct answer a = {.outcome = outcome,
			   .temperature = TEMP_WARM,
			   .billed_us = 1000,
			   .request_id = "id",
			   .id_bytes = 2};

	assert_int_equal(schedule_init(&s, &w, why), 0);
	t = tally_new(&s, true);
	while (schedule_next(&s, 0, &p) && p.round < (int32_t)rounds) {
		struct result r = {.place = &p,
				   .outcome = outcome,
				   .was_sent = true,
				   .response_us = 5000 + p.round,
				   .service_us = 4000,
				   .answer = &a};

		tally_due(t, &p);
		tally_done(t, &r);
	}
	schedule_release(&s);
	return t;
}

static void the_tally_adds_up_and_thins_by_whole_rounds(void **state)
{
	struct tally *t = tally_of(100000, OUT_OK);
	struct json *data = json_obj(), *series;

	(void)state;
	tally_json(t, data);
	assert_int_equal(json_get_int(data, "due", 0), 800000);
	assert_int_equal(json_get_int(data, "calls_every", 0), 80);
	series = json_elem(json_get(data, "series"), 0);
	assert_int_equal(json_int(json_at(series, "outcomes.ok")), 400000);
	assert_non_null(json_get_str(series, "billed"));
	assert_null(json_get_str(series, "init"));
	assert_int_equal(t->calls.count, 10000);
	assert_true(tally_thin_calls(t));
	assert_int_equal(t->calls.count, 625 * 8);
	assert_int_equal(t->calls.every, 160);
	while (tally_thin_calls(t))
		;
	tally_put_calls(t, data);
	assert_null(json_get(data, "calls"));
	json_free(data);
	tally_free(t);
}

static void done(struct tally *t, const struct place *p, enum temperature temp)
{
	struct answer a = {.outcome = OUT_OK, .temperature = temp, .init_us = 300};
	struct result r = {.place = p, .outcome = OUT_OK, .was_sent = true, .answer = &a};

	tally_due(t, p);
	tally_done(t, &r);
}

/* The first burst after a publish is in the warm-up. */
static void cold_starts_of_the_warm_up_are_packed(void **state)
{
	struct place early = {.due_ns = -2500000000, .round = -1, .variant = VARIANT_NEW};
	struct tally *t = tally_of(100000, OUT_OK);
	struct json *data = json_obj();
	struct calls calls = CALLS_INIT;
	const char *text;

	(void)state;
	done(t, &early, TEMP_WARM);
	done(t, &early, TEMP_RESTORED);
	for (int i = 0; i < CALLS_COLD_MAX + 10; i++)
		done(t, &early, TEMP_COLD);
	tally_json(t, data);
	text = json_get_str(data, "calls");
	assert_non_null(text);
	assert_int_equal(calls_decode(text, strlen(text), &calls), 0);
	assert_int_equal(calls.count, CALLS_MAX + CALLS_COLD_MAX);
	assert_int_equal(calls.items[0].due_us, -2500000);
	assert_int_equal(calls.items[0].init_us, 300);
	assert_int_equal(calls.items[CALLS_COLD_MAX].round, 0);
	assert_int_equal(json_get_int(data, "due", 0), 800000);
	assert_true(tally_thin_calls(t));
	assert_int_equal(t->calls.count, CALLS_COLD_MAX + 625 * 8);
	calls_release(&calls);
	json_free(data);
	tally_free(t);
}

/* Latency figures come from ok calls only. */
static void failed_calls_enter_only_the_classes(void **state)
{
	struct tally *t = tally_of(10, OUT_FUNCTION_ERROR);
	struct json *data = json_obj(), *series;

	(void)state;
	tally_json(t, data);
	series = json_elem(json_get(data, "series"), 0);
	assert_int_equal(json_int(json_at(series, "outcomes.function_error")), 40);
	assert_null(json_get_str(series, "response"));
	assert_null(json_get_str(series, "billed"));
	assert_int_equal(json_int(json_at(data, "blocks.0.bad")), 40);
	json_free(data);
	tally_free(t);
}

static void doubts_name_their_reason(void **state)
{
	static const struct quality good = {.is_open = true,
					    .is_complete = true,
					    .achieved_ratio = 1,
					    .took_ms = 30000,
					    .spread = 4,
					    .has_environments = true,
					    .environments = {4, 4},
					    .has_variant = {true, true}};
	static const struct {
		const char *word;
		size_t offset;
		int64_t value;
		bool is_double;
	} cases[] = {
		{"late", offsetof(struct quality, late_p50_us), 30000, false},
		{"loop-delay", offsetof(struct quality, loop_p99_us), 150000, false},
		{"loader-busy", offsetof(struct quality, cpu_ratio), 1, true},
		{"rate-not-reached", offsetof(struct quality, achieved_ratio), 0, true},
		{"too-many-waiting", offsetof(struct quality, overflowed), 1, false},
		{"blocks-cut", offsetof(struct quality, block_values_lost), 1, false},
	};
	struct quality q = good;
	struct json *j = quality_json(&q);

	(void)state;
	assert_int_equal(json_len(json_get(j, "suspect")), 0);
	assert_int_equal(json_int(json_at(j, "environments.old")), 4);
	json_free(j);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double real = (double)cases[i].value;

		q = good;
		memcpy((char *)&q + cases[i].offset,
		       cases[i].is_double ? (const void *)&real : (const void *)&cases[i].value, 8);
		j = quality_json(&q);
		assert_int_equal(json_len(json_get(j, "suspect")), 1);
		assert_non_null(strstr(json_str(json_at(j, "suspect.0")), cases[i].word));
		json_free(j);
	}
}

static void churn_is_more_environments_than_failures_explain(void **state)
{
	static const struct {
		uint32_t spread, environments, peak;
		uint64_t failed;
		bool is_churn;
	} cases[] = {{4, 8, 4, 0, false},   {4, 9, 4, 0, true},	  {4, 60, 4, 52, false},
		     {4, 12, 12, 0, false}, {4, 13, 12, 0, true}, {0, 60, 4, 0, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct quality q = {.achieved_ratio = 1,
				    .spread = cases[i].spread,
				    .has_environments = true,
				    .has_variant = {false, true},
				    .environments = {0, cases[i].environments},
				    .failed = {0, cases[i].failed},
				    .open_calls_peak = {0, cases[i].peak}};
		struct json *j = quality_json(&q);

		assert_int_equal(json_len(json_get(j, "suspect")), cases[i].is_churn);
		assert_null(json_at(j, "environments.old"));
		json_free(j);
	}
}

static void a_function_has_one_run_at_a_time(void **state)
{
	char folder[] = "/tmp/plimsoll-fence-XXXXXX";
	struct fences here, there;
	struct fence *a, *b, *c;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(fences_open(&here, folder), 0);
	assert_int_equal(fences_open(&there, folder), 0); /* as another process would */
	assert_int_equal(fence_take(&here, "prod/f", "r1", &a), 0);
	assert_int_equal(fence_take(&here, "prod/f", "r1", &b), 0); /* another shard of the run */
	assert_ptr_equal(a, b);
	assert_int_equal(fence_take(&here, "prod/f", "r2", &c), -EAGAIN);
	assert_int_equal(fence_take(&there, "prod/f", "r1", &c), -EAGAIN);
	assert_int_equal(fence_take(&there, "prod/g", "r1", &c), 0);
	fence_drop(&there, c);
	fence_drop(&here, a);
	assert_int_equal(fence_take(&there, "prod/f", "r2", &c), -EAGAIN);
	fence_drop(&here, b);
	assert_int_equal(fence_take(&there, "prod/f", "r2", &c), 0);
	fence_drop(&there, c);
	fence_drop(&there, NULL);
	fences_close(&here);
	fences_close(&there);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_error_window_ends_failing_runs_only),
		cmocka_unit_test(the_error_window_forgets),
		cmocka_unit_test(the_clock_offset_closes_in),
		cmocka_unit_test(one_answer_claims_no_small_offset),
		cmocka_unit_test(environments_are_numbered_once),
		cmocka_unit_test(blocks_end_in_order_and_give_their_memory_back),
		cmocka_unit_test(a_late_call_counts_in_its_own_block),
		cmocka_unit_test(packed_calls_fit_by_whole_rounds),
		cmocka_unit_test(the_tally_adds_up_and_thins_by_whole_rounds),
		cmocka_unit_test(cold_starts_of_the_warm_up_are_packed),
		cmocka_unit_test(failed_calls_enter_only_the_classes),
		cmocka_unit_test(doubts_name_their_reason),
		cmocka_unit_test(churn_is_more_environments_than_failures_explain),
		cmocka_unit_test(a_function_has_one_run_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
