/* The judge: tables of made-up runs with known truth, and how often its intervals hold it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "cmd/collector/finish.h"
#include "tests/unit/collector_judged.h"

#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

static void aborted_on_errors(struct json *shard)
{
	struct json *doubts = json_arr();

	json_put_str(shard, "outcome", "aborted");
	json_put_str(
		shard, "reason",
		"60 of the last 100 calls failed (limit 50 %); last: function_error Unhandled");
	json_push(doubts, json_new_str("rate-not-reached"));
	json_put(json_get(shard, "quality"), "suspect", doubts);
}

static void fenced(struct json *shard)
{
	json_put_str(shard, "outcome", "fenced");
}

static void cancelled(struct json *shard)
{
	json_put_str(shard, "outcome", "cancelled");
	json_put_str(shard, "reason", "pause file");
}

static void failed(struct json *shard)
{
	json_put_str(shard, "outcome", "error");
}

static void loses_a_call(struct json *shard)
{
	json_put_int(shard, "due", json_get_int(shard, "due", 0) + 1);
}

static void says_late(struct json *shard)
{
	struct json *list = json_arr();

	json_push(list, json_new_str("late"));
	json_put(json_get(shard, "quality"), "suspect", list);
}

static const struct verdict_case {
	const char *name;
	struct sim sim;
	uint32_t planned;
	void (*change)(struct json *shard);
	enum run_outcome outcome;
	enum verdict verdict, p50, errors;
	const char *p50_reason;
} verdict_cases[] = {
	{"equal code",
	 {.seed = 1, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"80 ms slower",
	 {.seed = 2, .add_ms = 80, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_WORSE,
	 VERDICT_WORSE,
	 VERDICT_SAME,
	 NULL},
	{"faster",
	 {.seed = 3, .factor = 0.5, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_BETTER,
	 VERDICT_BETTER,
	 VERDICT_SAME,
	 NULL},
	{"hosts too different to tell 10 %",
	 {.seed = 4, .host_sd = 0.2, .factor = 1.1, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_CANNOT_TELL,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 "interval-too-wide"},
	{"one call in three fails",
	 {.seed = 5, .new_fails_each = 3, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_WORSE,
	 VERDICT_SAME,
	 VERDICT_WORSE,
	 NULL},
	{"failures mended",
	 {.seed = 6, .old_fails_each = 3, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_BETTER,
	 VERDICT_SAME,
	 VERDICT_BETTER,
	 NULL},
	{"throttled",
	 {.seed = 7, .new_throttled_each = 3, DEMO},
	 4,
	 NULL,
	 RUN_SUSPECT,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"not sent",
	 {.seed = 8, .new_not_sent_each = 9, DEMO},
	 4,
	 NULL,
	 RUN_SUSPECT,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"loader was late",
	 {.seed = 9, .add_ms = 80, DEMO},
	 4,
	 says_late,
	 RUN_SUSPECT,
	 VERDICT_CANNOT_TELL,
	 VERDICT_WORSE,
	 VERDICT_SAME,
	 NULL},
	{"a call was lost",
	 {.seed = 10, DEMO},
	 4,
	 loses_a_call,
	 RUN_SUSPECT,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"fenced",
	 {.seed = 11, DEMO},
	 4,
	 fenced,
	 RUN_INCOMPLETE,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"cancelled",
	 {.seed = 12, DEMO},
	 4,
	 cancelled,
	 RUN_CANCELLED,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"loader failed",
	 {.seed = 13, DEMO},
	 4,
	 failed,
	 RUN_FAILED,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"aborted since half of the calls failed",
	 {.seed = 14, .new_fails_each = 1, .new_not_sent_each = 9, DEMO},
	 4,
	 aborted_on_errors,
	 RUN_VALID,
	 VERDICT_WORSE,
	 VERDICT_CANNOT_TELL,
	 VERDICT_WORSE,
	 "no-data"},
	{"aborted, but no worse",
	 {.seed = 15, DEMO},
	 4,
	 aborted_on_errors,
	 RUN_INCOMPLETE,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
	{"three environments, slightly slower: only beyond twice the tolerance",
	 {.seed = 16, .environments = 3, .factor = 1.17, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_CANNOT_TELL,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 "few-environments"},
	{"three environments, far slower",
	 {.seed = 17, .environments = 3, .factor = 2, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_WORSE,
	 VERDICT_WORSE,
	 VERDICT_SAME,
	 NULL},
	{"three environments, equal",
	 {.seed = 18, .environments = 3, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_CANNOT_TELL,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 "few-environments"},
	{"one environment, far slower",
	 {.seed = 19, .environments = 1, .factor = 2, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_CANNOT_TELL,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 "few-environments"},
	{"environments unknown, too few blocks",
	 {.seed = 20, .has_no_instances = true, .factor = 2, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_CANNOT_TELL,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 "few-blocks"},
	{"ids that are none: one a call",
	 {.seed = 21, .has_instance_a_call = true, DEMO},
	 400,
	 NULL,
	 RUN_VALID,
	 VERDICT_CANNOT_TELL,
	 VERDICT_CANNOT_TELL,
	 VERDICT_SAME,
	 "few-blocks"},
	{"temperature unknown: all calls count",
	 {.seed = 23, .has_no_temperature = true, .add_ms = 80, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_WORSE,
	 VERDICT_WORSE,
	 VERDICT_SAME,
	 NULL},
	{"cold calls never enter",
	 {.seed = 24, .lose_each = 7, DEMO},
	 4,
	 NULL,
	 RUN_VALID,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 VERDICT_SAME,
	 NULL},
};

static void test_verdicts(void **state)
{
	const struct verdict_case *cases = verdict_cases;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdict_cases); i++) {
		struct judged d =
			judge(&cases[i].sim, default_plan(cases[i].planned), cases[i].change);
		const struct judged_metric *m = d.j.metrics;

		print_message("%s: %s/%s (%s; %s) p50 %+.3f [%+.3f %+.3f] %s\n", cases[i].name,
			      run_outcome_name(d.j.outcome), verdict_name(d.j.verdict), d.j.reason,
			      d.j.verdict_reason, m[0].est.diff, m[0].bounds.low, m[0].bounds.high,
			      m[0].reason ? m[0].reason : "");
		assert_int_equal(d.j.outcome, cases[i].outcome);
		assert_int_equal(d.j.verdict, cases[i].verdict);
		assert_int_equal(m[0].verdict, cases[i].p50);
		assert_int_equal(m[1].verdict, cases[i].errors);
		if (cases[i].p50_reason)
			assert_string_equal(m[0].reason, cases[i].p50_reason);
		assert_int_equal(d.j.confirm_wanted, cases[i].verdict == VERDICT_WORSE);
		release(&d);
	}
}

/* Two minutes without environments: 24 blocks and more, widened by what one host can do. */
static void test_blocks_widened(void **state)
{
	static const struct {
		const char *name;
		uint32_t planned;
		double factor;
		enum verdict want;
	} cases[] = {
		{"sixteen planned, equal", 16, 1, VERDICT_SAME},
		{"sixteen planned, 30 % slower", 16, 1.3, VERDICT_WORSE},
		{"unknown how many: the lottery of one host", 0, 1, VERDICT_CANNOT_TELL},
		{"unknown how many, twice as slow", 0, 2, VERDICT_WORSE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sim s = {.seed = 40 + i,
				.rounds = 48,
				.spread = 16,
				.round_s = 3.2,
				.base_ms = 60,
				.noise_sd = 0.05,
				.tail = 0.02,
				.drift = 0.1,
				.has_no_instances = true,
				.factor = cases[i].factor};
		struct judged d = judge(&s, default_plan(cases[i].planned), NULL);

		print_message("%s: [%+.3f %+.3f]\n", cases[i].name, d.j.metrics[0].bounds.low,
			      d.j.metrics[0].bounds.high);
		assert_int_equal(d.j.metrics[0].est.basis, BASIS_BLOCKS_WIDENED);
		assert_int_equal(d.j.metrics[0].verdict, cases[i].want);
		release(&d);
	}
}

/* Judged by itself, and judged again: equal to the bit. */
static void test_same_again(void **state)
{
	struct sim s = {.seed = 77,
			.rounds = 48,
			.spread = 16,
			.round_s = 3.2,
			.base_ms = 60,
			.noise_sd = 0.05,
			.has_no_instances = true};
	struct judged a = judge(&s, default_plan(16), NULL), b = judge(&s, default_plan(16), NULL);
	struct json *x = finish_judged(a.plan, a.g, &a.j, (struct wall){0});
	struct json *y = finish_judged(b.plan, b.g, &b.j, (struct wall){0});

	(void)state;
	assert_true(json_is_equal(x, y));
	json_free(x);
	json_free(y);
	release(&a);
	release(&b);
}

/* How often the interval holds the truth, and how often equal code is called worse. */
static void coverage(const char *name, struct sim s, int runs, double truth_abs_us, double least)
{
	int ratio = 0, absolute = 0, wrong = 0;
	double truth = (s.factor > 0 ? s.factor : 1) + s.add_ms / s.base_ms - 1;

	for (int i = 0; i < runs; i++) {
		struct json *plan = sim_plan(s.spread);
		struct judged d;
		const struct judged_metric *m = d.j.metrics;

		sim_plan_metric(plan, "service_p50", "ratio", 0.1);
		s.seed = 1000 + (uint64_t)i;
		d = judge(&s, plan, NULL);
		ratio += m->bounds.low <= truth && truth <= m->bounds.high;
		absolute += m->bounds.low_abs <= truth_abs_us && truth_abs_us <= m->bounds.high_abs;
		wrong += truth <= 0 && d.j.verdict == VERDICT_WORSE;
		release(&d);
	}
	print_message("%s: ratio %d, absolute %d of %d; wrongly worse %d\n", name, ratio, absolute,
		      runs, wrong);
	assert_true(ratio >= runs * least);
	assert_true(absolute >= runs * least);
	assert_true(wrong <= runs / 100);
}

static void test_coverage(void **state)
{
	/* Drift is a factor here, so the difference in ms wanders with it: none where that counts.
	 */
	struct sim demo = {.host_sd = 0.01, .add_ms = 80, DEMO};
	struct sim lost = {.host_sd = 0.01, .add_ms = 80, .lose_each = 9, DEMO};
	struct sim equal = {.host_sd = 0.05, DEMO};
	struct sim wide = {.rounds = 38,
			   .spread = 16,
			   .round_s = 3.2,
			   .base_ms = 50,
			   .host_sd = 0.05,
			   .noise_sd = 0.15,
			   .tail = 0.04,
			   .factor = 1.2};

	(void)state;
	demo.drift = lost.drift = 0;
	coverage("80 ms slower, 4 environments", demo, 300, 80000, 0.92);
	coverage("80 ms slower, calls missing from rounds", lost, 300, 80000, 0.92);
	coverage("equal, hosts differ by 5 %", equal, 300, 0, 0.92);
	coverage("20 % slower, 16 environments", wide, 100, 10000, 0.90);
}

static void test_confirmation(void **state)
{
	static const struct {
		double add_ms;
		enum verdict verdict;
		bool is_confirmed;
	} cases[] = {{80, VERDICT_WORSE, true}, {0, VERDICT_CANNOT_TELL, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sim s = {.seed = 30, .add_ms = cases[i].add_ms, DEMO};
		struct json *plan = default_plan(4);
		struct judged d;

		json_put_str(json_get(plan, "run"), "purpose", "confirm");
		d = judge(&s, plan, NULL);
		assert_int_equal(d.j.verdict, cases[i].verdict);
		assert_int_equal(d.j.is_confirmed, cases[i].is_confirmed);
		assert_false(d.j.confirm_wanted);
		release(&d);
	}
}

static void test_missing_and_changed(void **state)
{
	static const struct {
		struct judge_facts facts;
		enum run_outcome outcome;
	} cases[] = {
		{{.missing_shards = 1, .missing_why = "the input ended"}, RUN_INCOMPLETE},
		{{.changed = "the code changed"}, RUN_INVALID},
	};
	struct sim s = {.seed = 31, .add_ms = 80, DEMO};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct judged d = judge(&s, default_plan(4), NULL);

		judgement_release(&d.j);
		judge_run(d.plan, d.g, &cases[i].facts, &d.j);
		assert_int_equal(d.j.outcome, cases[i].outcome);
		assert_int_equal(d.j.verdict, VERDICT_CANNOT_TELL);
		assert_false(d.j.confirm_wanted);
		release(&d);
	}
}

static void test_objectives(void **state)
{
	static const struct {
		const char *metric, *op;
		double limit;
		uint32_t rounds;
		void (*change)(struct json *shard);
		int is_met;
	} cases[] = {
		{"response_p95", "<", 300000, 38, NULL, 1},
		{"response_p95", "<", 30000, 38, NULL, 0},
		{"response_p50", ">=", 30000, 38, NULL, 1},
		{"error_ratio", "<", 0.001, 38, NULL, 1},
		{"response_p99", "<", 300000, 38, NULL, -1}, /* 152 calls hold no p99 */
		{"response_p50", "<", 300000, 2, NULL, -1},  /* 8 calls hold nothing */
		{"response_p50", "<", 300000, 38, fenced, -1},
		{"sonar_bugs", "<", 1, 38, NULL, -1},
		{"sonar/bugs", "<", 1, 38, NULL, -1},	   /* nobody else is heard in a verdict */
		{"billed_p50", "<", 300000, 38, NULL, -1}, /* nobody said */
		{"cost_per_million", "<", 100, 38, NULL, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sim s = {.seed = 32, DEMO, .is_old_missing = true};
		struct json *plan = default_plan(4), *o = json_obj();
		struct judged d;

		s.rounds = cases[i].rounds;
		json_put_str(plan, "compare", "none");
		json_put_str(o, "metric", cases[i].metric);
		json_put_str(o, "op", cases[i].op);
		json_put_real(o, "limit", cases[i].limit);
		json_push(json_get(plan, "objectives"), o);
		d = judge(&s, plan, cases[i].change);
		print_message("%s %s %g: %g\n", cases[i].metric, cases[i].op, cases[i].limit,
			      d.j.objectives[0].value);
		assert_int_equal(d.j.verdict, VERDICT_NOT_COMPARED);
		assert_int_equal(d.j.objectives[0].is_met, cases[i].is_met);
		release(&d);
	}
}

static struct json *foreign_shard(size_t samples, double old_ms, double new_ms)
{
	struct json *o = json_obj(), *series = json_arr();

	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct json *s = json_obj(), *list = json_arr();

		for (size_t i = 0; i < samples; i++)
			json_push(list,
				  json_new_real((v ? new_ms : old_ms) + (double)(i * 7919 % 13)));
		json_put_str(s, "variant", variant_name((enum variant)v));
		json_put_str(s, "temperature", "unknown");
		json_put(s, "samples_ms", list);
		json_push(series, s);
	}
	json_put_str(o, "outcome", "complete");
	json_put(o, "series", series);
	return o;
}

/* A foreign tool's samples: suspect, compared from 200 a side on, on blocks widened. */
static void test_foreign_tool(void **state)
{
	static const struct {
		size_t samples;
		double new_ms;
		enum verdict verdict;
	} cases[] = {{20, 300, VERDICT_CANNOT_TELL},
		     {240, 300, VERDICT_WORSE},
		     {240, 60, VERDICT_CANNOT_TELL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *plan = sim_plan(0),
			    *shard = foreign_shard(cases[i].samples, 60, cases[i].new_ms);
		const struct json *shards[1] = {shard};
		struct judge_facts facts = {0};
		struct gathered *g;
		struct judgement j;

		sim_plan_metric(plan, "response_p50", "ratio", 0.1);
		g = gather_run(plan, shards, 1);
		judge_run(plan, g, &facts, &j);
		assert_int_equal(j.outcome, RUN_SUSPECT);
		assert_string_equal(j.reason, "no-self-check");
		assert_int_equal(j.verdict, cases[i].verdict);
		assert_false(j.confirm_wanted);
		judgement_release(&j);
		gathered_free(g);
		json_free(plan);
		json_free(shard);
	}
}

/* Two shards: merged in index order; environments of the same name are one. */
static void test_two_shards(void **state)
{
	struct sim s[2] = {{.seed = 50, .index = 0, .of = 2, .add_ms = 80, DEMO},
			   {.seed = 51, .index = 1, .of = 2, .add_ms = 80, DEMO}};
	struct json *plan = default_plan(8), *a = sim_shard(&s[0]), *b = sim_shard(&s[1]);
	const struct json *shards[2] = {a, b};
	struct judge_facts facts = {0};
	struct gathered *g = gather_run(plan, shards, 2);
	struct judgement j;

	(void)state;
	judge_run(plan, g, &facts, &j);
	assert_int_equal(j.verdict, VERDICT_WORSE);
	assert_int_equal(j.metrics[0].est.environments_old, 8);
	assert_int_equal(j.metrics[0].est.n_old, 2 * 38 * 4);
	assert_int_equal(g->round_count, 2 * (38 + 6));
	assert_int_equal(gathered_due(g, VARIANT_OLD), 2 * 38 * 4);
	judgement_release(&j);
	gathered_free(g);
	json_free(plan);
	json_free(a);
	json_free(b);
}

static void test_reported_metrics(void **state)
{
	static const char *const names[] = {"response_p95",	"service_p50",	  "billed_p50",
					    "init_p50",		"memory_max",	  "memory_p50",
					    "cost_per_million", "throttle_ratio", "response_p97"};
	struct sim s = {.seed = 60, .add_ms = 80, .billed = 1, .lose_each = 9, DEMO};
	struct json *plan = sim_plan(4);
	struct judged d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		sim_plan_metric(plan, names[i], "ratio", 0);
	d = judge(&s, plan, NULL);
	for (size_t i = 0; i < d.j.metric_count; i++) {
		const struct judged_metric *m = &d.j.metrics[i];

		print_message("%s old %g new %g diff %g [%g %g] abs %g [%g %g] %s %s\n", m->name,
			      m->est.old, m->est.new, m->est.diff, m->bounds.low, m->bounds.high,
			      m->est.diff_abs, m->bounds.low_abs, m->bounds.high_abs,
			      estimate_basis_name(m->est.basis), m->reason ? m->reason : "");
		assert_int_equal(m->verdict, VERDICT_NONE);
	}
	/* No gate, so nothing can be told. */
	assert_int_equal(d.j.verdict, VERDICT_CANNOT_TELL);
	assert_int_equal(d.j.metrics[6].est.basis, BASIS_ENVIRONMENTS);
	/* 60 ms at 128 MB: 0.2 + 0.060 * 0.125 * 16.6667 = 0.325 USD a million */
	assert_near(d.j.metrics[6].est.old, 0.33, 0.03);
	assert_near(d.j.metrics[6].est.new, 0.50, 0.03);
	assert_string_equal(d.j.metrics[8].reason, "unknown-metric");
	/* 176 old at 0.33, 176 new at 0.53, 41 cold ones 0.83 more, all a million */
	assert_near(finish_cost_usd(d.g), 0.000186, 0.000003);
	release(&d);
}

/* The warm-up costs money too, though our loader tells of it in numbers only. */
static void test_cost_of_the_warmup(void **state)
{
	struct sim s = {.seed = 60, .add_ms = 80, .billed = 1, .hides_warmup = true, DEMO};
	struct judged d = judge(&s, sim_plan(4), NULL);

	(void)state;
	assert_int_equal(d.g->count, 2 * 38 * 4);
	assert_int_equal(d.g->warmup[VARIANT_NEW][OUT_OK], 6 * 4);
	/* 176 old at 0.33 and 176 new at 0.53 a million */
	assert_near(finish_cost_usd(d.g), 0.000151, 0.000003);
	release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_blocks_widened),
		cmocka_unit_test(test_same_again),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_confirmation),
		cmocka_unit_test(test_missing_and_changed),
		cmocka_unit_test(test_objectives),
		cmocka_unit_test(test_foreign_tool),
		cmocka_unit_test(test_two_shards),
		cmocka_unit_test(test_reported_metrics),
		cmocka_unit_test(test_cost_of_the_warmup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
