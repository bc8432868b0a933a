/* A run of several shards: merged histograms, start times, clocks, environments, what is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "cmd/collector/finish.h"
#include "tests/unit/collector_sim.h"

#define SHARDS 3
#define SIM                                                                                        \
	.rounds = 40, .warmup_rounds = 4, .spread = 4, .round_s = 0.8, .base_ms = 60,              \
	.host_sd = 0.02, .noise_sd = 0.05

struct told {
	struct json *plan, *shards[SHARDS], *data;
	struct gathered *g;
	struct judgement j;
};

/* change: laid over the data of the shard with that index. */
static struct told tell(size_t missing, size_t changed, const char *change)
{
	struct told t = {.plan = sim_plan(12)};
	struct judge_facts facts = {.missing_why = "the input ended"};
	struct json *with = NULL, *value;
	struct wall now = wall_from_s(1795359600);
	const char *key;

	sim_plan_metric(t.plan, "response_p50", "ratio", 0.1);
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct sim s = {.seed = 70 + i, .index = i, .of = SHARDS, SIM};

		if (i == missing) {
			facts.missing_shards++;
			continue;
		}
		t.shards[i] = sim_shard(&s);
		json_put_str(t.shards[i], "started_at", "2026-11-22T15:00:00.000Z");
		json_put_str(t.shards[i], "host", "here");
	}
	if (change) {
		assert_int_equal(json_parse(change, strlen(change), 4096, &with, NULL), 0);
		for (void *it = NULL; json_next(with, &it, &key, &value);)
			json_put(t.shards[changed], key, json_copy(value));
		json_free(with);
	}
	t.g = gather_run(t.plan, (const struct json *const *)t.shards, SHARDS);
	judge_run(t.plan, t.g, &facts, &t.j);
	t.data = finish_judged(t.plan, t.g, &t.j, now);
	return t;
}

static void untell(struct told *t)
{
	judgement_release(&t->j);
	gathered_free(t->g);
	for (size_t i = 0; i < SHARDS; i++)
		json_free(t->shards[i]);
	json_free(t->plan);
	json_free(t->data);
}

static void test_details(void **state)
{
	static const struct {
		const char *name;
		size_t missing, changed;
		const char *change;
		enum run_outcome outcome;
		const char *reason;
		double start_ms[SHARDS];
	} cases[] = {
		{"together", SHARDS, 0, NULL, RUN_VALID, "", {0, 0, 0}},
		{"40 ms later",
		 SHARDS,
		 1,
		 "{\"started_at\": \"2026-11-22T15:00:00.040Z\"}",
		 RUN_VALID,
		 "",
		 {0, 40, 0}},
		{"a clock that is two seconds ahead",
		 SHARDS,
		 2,
		 "{\"started_at\": \"2026-11-22T15:00:02.030Z\", \"planner_offset_ms\": -2000}",
		 RUN_VALID,
		 "",
		 {0, 0, 30}},
		{"earlier than the first",
		 SHARDS,
		 2,
		 "{\"started_at\": \"2026-11-22T14:59:59.990Z\"}",
		 RUN_VALID,
		 "",
		 {10, 10, 0}},
		{"much later",
		 SHARDS,
		 1,
		 "{\"started_at\": \"2026-11-22T15:00:01.500Z\"}",
		 RUN_SUSPECT,
		 "shards-apart: the loaders began 1.5 s apart",
		 {0, 1500, 0}},
		{"one was fenced",
		 SHARDS,
		 1,
		 "{\"outcome\": \"fenced\", \"reason\": \"lease over\"}",
		 RUN_INCOMPLETE,
		 "lease over",
		 {0, 0, 0}},
		{"one is missing",
		 1,
		 0,
		 NULL,
		 RUN_INCOMPLETE,
		 "1 shards never finished: the input ended",
		 {0, -1, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct told t = tell(cases[i].missing, cases[i].changed, cases[i].change);
		const struct json *list = json_get(t.data, "shards");

		if (t.j.outcome != cases[i].outcome || strcmp(t.j.reason, cases[i].reason) != 0)
			fail_msg("%s: %s, %s", cases[i].name, run_outcome_name(t.j.outcome),
				 t.j.reason);
		for (size_t k = 0, at = 0; k < SHARDS; k++) {
			const struct json *s = json_elem(list, at);

			if (k == cases[i].missing)
				continue;
			assert_int_equal(json_get_int(s, "index", -1), k);
			assert_string_equal(json_get_str(s, "host"), "here");
			if (json_get_real(s, "start_ms", -1) != cases[i].start_ms[k])
				fail_msg("%s: shard %zu at %g", cases[i].name, k,
					 json_get_real(s, "start_ms", -1));
			at++;
		}
		untell(&t);
	}
}

/* Merged, not averaged: every call of every shard is in the run's histogram, once. */
static void test_merged(void **state)
{
	struct told t = tell(SHARDS, 0, NULL);
	struct hdr *all[VARIANT_COUNT] = {hdr_new(), hdr_new()};

	(void)state;
	for (size_t i = 0; i < SHARDS; i++) {
		const struct json *series = json_get(t.shards[i], "series");

		for (size_t k = 0; k < json_len(series); k++) {
			const struct json *one = json_elem(series, k);
			const char *text = json_get_str(one, "response");
			struct hdr *h = NULL;
			enum variant v;

			if (!text)
				continue;
			assert_int_equal(variant_parse(json_get_str(one, "variant"), &v), 0);
			assert_int_equal(hdr_decode(text, strlen(text), &h), 0);
			assert_int_equal(hdr_add(all[v], h), 0);
			hdr_free(h);
		}
	}
	for (size_t v = 0; v < VARIANT_COUNT; v++) {
		const struct hdr *merged = t.g->hist[v][FIG_RESPONSE];

		assert_int_equal(hdr_count(merged), (uint64_t)SHARDS * 40 * 4);
		assert_int_equal(hdr_count(merged), hdr_count(all[v]));
		for (double p = 1; p < 100; p += 1)
			assert_int_equal(hdr_percentile(merged, p), hdr_percentile(all[v], p));
		hdr_free(all[v]);
	}
	assert_int_equal(t.g->round_count, SHARDS * (40 + 4));
	untell(&t);
}

/* Each loader sees some environments of all: only together they can be too many. */
static void test_churn(void **state)
{
	static const struct {
		const char *open; /* of shard 0 */
		bool is_doubtful;
	} cases[] = {{"{}", true},
		     {"{\"open_calls\": {\"old\": 20, \"new\": 20}}", true},
		     {"{\"open_calls\": {\"old\": 90, \"new\": 90}}", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *plan = sim_plan(4), *shards[2];
		struct gathered *g;
		struct json *with = NULL;
		bool has_churn = false;

		for (uint32_t k = 0; k < 2; k++) {
			struct sim s = {
				.seed = 80 + k, .index = k, .of = 2, .environments = 30 + k, SIM};

			shards[k] = sim_shard(&s);
		}
		assert_int_equal(
			json_parse(cases[i].open, strlen(cases[i].open), 4096, &with, NULL), 0);
		if (json_get(with, "open_calls"))
			json_put(shards[0], "open_calls", json_copy(json_get(with, "open_calls")));
		g = gather_run(plan, (const struct json *const *)shards, 2);
		for (size_t k = 0; k < json_len(g->doubts); k++)
			has_churn |= strstr(json_str(json_elem(g->doubts, k)), "churn: ") != NULL;
		if (has_churn != cases[i].is_doubtful)
			fail_msg("%s: %zu environments", cases[i].open, g->environment_count[0]);
		gathered_free(g);
		json_free(with);
		json_free(plan);
		json_free(shards[0]);
		json_free(shards[1]);
	}
}

static void test_one_shard_says_nothing(void **state)
{
	struct sim s = {.seed = 90, .of = 1, SIM};
	struct json *plan = sim_plan(4), *shard = sim_shard(&s);
	const struct json *shards[1] = {shard};
	struct gathered *g = gather_run(plan, shards, 1);

	(void)state;
	assert_null(g->shards);
	gathered_free(g);
	json_free(plan);
	json_free(shard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_one_shard_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
