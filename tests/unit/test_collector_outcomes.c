/*
 * Everything that can become of a run: each outcome, verdict, basis and reason at least once, and
 * no green without data. At the end the test itself looks whether all of them occurred.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/collector_hostile.h"
#include "tests/unit/collector_judged.h"

static bool seen_outcomes[RUN_OUTCOME_COUNT], seen_verdicts[VERDICT_COUNT];
static bool seen_bases[BASIS_STORED + 1];
/* All that docs/MEASURING.md lists, and what it says of metrics that are no gate. */
static const char *const reasons[] = {"interval-too-wide", "few-environments", "few-runs",
				      "few-blocks",	   "few-calls",	       "no-data",
				      "no-interval",	   "unknown-metric",   "none-seen"};
static bool seen_reasons[ARRAY_LEN(reasons)];

static void note_reason(const char *reason)
{
	for (size_t i = 0; reason && i < ARRAY_LEN(reasons); i++) {
		if (strcmp(reason, reasons[i]) == 0) {
			seen_reasons[i] = true;
			return;
		}
	}
	if (reason)
		fail_msg("a reason that no table has: %s", reason);
}

static void note(const struct judgement *j)
{
	seen_outcomes[j->outcome] = true;
	seen_verdicts[j->verdict] = true;
	for (size_t i = 0; i < j->metric_count; i++) {
		seen_verdicts[j->metrics[i].verdict] = true;
		seen_bases[j->metrics[i].est.basis] = true;
		note_reason(j->metrics[i].reason);
	}
}

/* What is done to plans. */

static struct json *metric(struct json *plan, const char *name)
{
	return json_named(json_get(plan, "metrics"), name);
}

static void tolerates(struct json *plan, const char *name, const char *kind, double limit)
{
	json_put_real(json_get(metric(plan, name), "tolerance"), kind, limit);
}

static void zero_tolerance(struct json *plan)
{
	tolerates(plan, "response_p50", "ratio", 0);
	tolerates(plan, "error_ratio", "points", 0);
}

static void negative_tolerance(struct json *plan)
{
	tolerates(plan, "response_p50", "ratio", -0.9);
}

static void only_errors(struct json *plan)
{
	json_put(plan, "metrics", json_arr());
	sim_plan_metric(plan, "error_ratio", "points", 0.2);
}

static void only_throttles(struct json *plan)
{
	json_put(plan, "metrics", json_arr());
	sim_plan_metric(plan, "throttle_ratio", "points", 0.2);
}

static void higher_is_better(struct json *plan)
{
	json_put_str(metric(plan, "response_p50"), "direction", "higher");
}

static void gate_nobody_knows(struct json *plan)
{
	json_put_str(metric(plan, "response_p50"), "name", "response_p97");
}

static void gate_of_a_maximum(struct json *plan)
{
	json_put_str(metric(plan, "response_p50"), "name", "response_max");
}

static void no_gate(struct json *plan)
{
	json_put(plan, "metrics", json_arr());
	sim_plan_metric(plan, "response_p50", "ratio", 0);
}

static void no_metrics(struct json *plan)
{
	json_del(plan, "metrics");
}

static void alone(struct json *plan)
{
	json_put_str(plan, "compare", "none");
}

static void put_past(struct json *plan, size_t count, double value)
{
	struct json *past = json_arr();

	for (size_t i = 0; i < count; i++) {
		struct json *entry = json_obj(), *of = json_obj(), *p50 = json_obj();

		json_put_real(p50, "value", value);
		json_put_int(p50, "n", 150);
		json_put(of, "response_p50", p50);
		json_put(entry, "metrics", of);
		json_push(past, entry);
	}
	json_put_str(plan, "compare", "stored");
	json_put(plan, "past", past);
}

static void five_past_runs(struct json *plan)
{
	put_past(plan, 5, 30000);
}

static void past_runs_of_nothing(struct json *plan)
{
	put_past(plan, 5, 0);
}

static void two_past_runs(struct json *plan)
{
	put_past(plan, 2, 30000);
}

static void confirms(struct json *plan)
{
	json_put_str(json_get(plan, "run"), "purpose", "confirm");
}

/* What is done to results. */

static void says(struct json *shard, const char *outcome)
{
	json_put_str(shard, "outcome", outcome);
}

static void fenced(struct json *shard)
{
	says(shard, "fenced");
}

static void cancelled(struct json *shard)
{
	says(shard, "cancelled");
}

static void failed(struct json *shard)
{
	says(shard, "error");
}

static void unheard_of(struct json *shard)
{
	says(shard, "perfect");
}

static void calls_of_garbage(struct json *shard)
{
	json_put_str(shard, "calls", "AAAA////====!!");
}

static void calls_cut_short(struct json *shard)
{
	const char *text = json_get_str(shard, "calls");
	char *half = x_strndup(text, strlen(text) / 8 * 4);

	json_put_str(shard, "calls", half);
	free(half);
}

static void histograms_of_garbage(struct json *shard)
{
	for (size_t i = 0; i < json_len(json_get(shard, "series")); i++)
		json_put_str(json_elem(json_get(shard, "series"), i), "response", "garbage");
}

static void negative_counts(struct json *shard)
{
	struct json *outcomes = json_get(json_elem(json_get(shard, "series"), 0), "outcomes");

	json_put_int(outcomes, "ok", -1000000);
}

static void nothing_at_all(struct json *shard)
{
	json_put(shard, "series", json_arr());
	json_del(shard, "calls");
	json_put_int(shard, "due", 0);
}

/* A foreign tool's samples: as far beyond sense as a number goes. */
static void samples_without_end(struct json *shard)
{
	struct json *list = json_get(shard, "series");

	json_del(shard, "calls");
	for (size_t i = 0; i < json_len(list); i++) {
		struct json *samples = json_arr();

		for (size_t k = 0; k < 240; k++)
			json_push(samples, json_new_real(k % 3 ? 1.7e308 : -1));
		json_put(json_elem(list, i), "samples_ms", samples);
	}
}

#define LOST                                                                                       \
	{                                                                                          \
		.missing_shards = 1, .missing_why = "the input ended"                              \
	}

static const struct {
	const char *name;
	struct sim sim;
	void (*plan)(struct json *plan);
	void (*shard)(struct json *shard);
	struct judge_facts facts;
	bool has_no_shard;
	enum run_outcome outcome;
	enum verdict verdict;
	const char *reason; /* of the first metric */
} cases[] = {
	/* Sense. */
	{"equal", {DEMO}, .outcome = RUN_VALID, .verdict = VERDICT_SAME},
	{"slower", {.factor = 2, DEMO}, .outcome = RUN_VALID, .verdict = VERDICT_WORSE},
	{"faster", {.factor = 0.5, DEMO}, .outcome = RUN_VALID, .verdict = VERDICT_BETTER},
	{"slower, where higher is better",
	 {.factor = 2, DEMO},
	 higher_is_better,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_BETTER},
	{"confirmed",
	 {.factor = 2, DEMO},
	 confirms,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_WORSE},
	{"not confirmed", {DEMO}, confirms, .outcome = RUN_VALID, .verdict = VERDICT_CANNOT_TELL},
	{"one version alone", {DEMO}, alone, .outcome = RUN_VALID, .verdict = VERDICT_NOT_COMPARED},
	{"no gate", {DEMO}, no_gate, .outcome = RUN_VALID, .verdict = VERDICT_CANNOT_TELL},
	{"no metrics", {DEMO}, no_metrics, .outcome = RUN_VALID, .verdict = VERDICT_CANNOT_TELL},
	{"a gate that nobody knows",
	 {DEMO},
	 gate_nobody_knows,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "unknown-metric"},
	{"a gate of a maximum",
	 {DEMO},
	 gate_of_a_maximum,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-interval"},
	{"past runs",
	 {.is_old_missing = true, .factor = 2, DEMO},
	 five_past_runs,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_WORSE},
	{"past runs that say nothing",
	 {.is_old_missing = true, DEMO},
	 past_runs_of_nothing,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "few-runs"},
	{"too few past runs",
	 {.is_old_missing = true, DEMO},
	 two_past_runs,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_NOT_COMPARED},
	/* Little. */
	{"no calls",
	 {DEMO},
	 .shard = nothing_at_all,
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"one side only",
	 {.is_old_missing = true, DEMO},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"one round",
	 {.rounds = 1, .spread = 4, .round_s = 1, .base_ms = 60},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "few-blocks"},
	{"one block",
	 {.rounds = 3, .spread = 32, .round_s = 0.8, .base_ms = 60, .environments = 4},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL},
	{"one call a side",
	 {.rounds = 1, .spread = 1, .round_s = 1, .base_ms = 60},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "few-blocks"},
	{"too few calls to have seen a failure",
	 {.rounds = 13, .spread = 4, .round_s = 0.8, .base_ms = 60},
	 only_errors,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "few-calls"},
	{"one environment",
	 {.environments = 1, .factor = 2, DEMO},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "few-environments"},
	{"two environments, below twice the tolerance",
	 {.environments = 2,
	  .factor = 1.15,
	  .rounds = 38,
	  .spread = 4,
	  .round_s = 0.8,
	  .base_ms = 60},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "few-environments"},
	{"two environments, beyond it",
	 {.environments = 2,
	  .factor = 1.5,
	  .rounds = 38,
	  .spread = 4,
	  .round_s = 0.8,
	  .base_ms = 60},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_WORSE},
	{"hosts too different",
	 {.host_sd = 0.3, .factor = 1.1, DEMO},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "interval-too-wide"},
	{"no environments, long enough",
	 {.rounds = 48,
	  .spread = 16,
	  .round_s = 3.2,
	  .base_ms = 60,
	  .has_no_instances = true,
	  .factor = 2},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_WORSE},
	/* Odd. */
	{"the same constant on both sides",
	 {.rounds = 38, .spread = 4, .round_s = 0.8, .base_ms = 60},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_SAME},
	{"the same constant, no tolerance: nothing can be within nothing",
	 {.rounds = 38, .spread = 4, .round_s = 0.8, .base_ms = 60},
	 zero_tolerance,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_SAME},
	{"noise, no tolerance",
	 {DEMO},
	 zero_tolerance,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL},
	{"a tolerance below nothing is none",
	 {DEMO},
	 negative_tolerance,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL},
	{"a baseline of nothing: the old one answers in 0",
	 {.rounds = 38, .spread = 4, .round_s = 0.8, .add_ms = 60},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_WORSE},
	{"calls of garbage",
	 {DEMO},
	 .shard = calls_of_garbage,
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"calls cut short",
	 {DEMO},
	 .shard = calls_cut_short,
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"histograms of garbage",
	 {DEMO},
	 .shard = histograms_of_garbage,
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL},
	{"fewer calls than none",
	 {DEMO},
	 .shard = negative_counts,
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL},
	{"samples without end",
	 {DEMO},
	 .shard = samples_without_end,
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL},
	/* Trouble. */
	{"all calls of the new one throttled",
	 {.new_throttled_each = 1, DEMO},
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"all throttled, and only throttles are a gate",
	 {.new_throttled_each = 1, .old_throttled_each = 1, DEMO},
	 only_throttles,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL},
	{"all calls fail on both sides",
	 {.new_fails_each = 1, .old_fails_each = 1, DEMO},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"all fail, and only errors are a gate: as bad as before is not green",
	 {.new_fails_each = 1, .old_fails_each = 1, DEMO},
	 only_errors,
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_CANNOT_TELL},
	{"all calls of the new one fail",
	 {.new_fails_each = 1, DEMO},
	 .outcome = RUN_VALID,
	 .verdict = VERDICT_WORSE},
	{"nothing was sent",
	 {.new_not_sent_each = 1, DEMO},
	 .outcome = RUN_SUSPECT,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"fenced",
	 {.factor = 2, DEMO},
	 .shard = fenced,
	 .outcome = RUN_INCOMPLETE,
	 .verdict = VERDICT_CANNOT_TELL},
	{"cancelled",
	 {.factor = 2, DEMO},
	 .shard = cancelled,
	 .outcome = RUN_CANCELLED,
	 .verdict = VERDICT_CANNOT_TELL},
	{"failed",
	 {.factor = 0.5, DEMO},
	 .shard = failed,
	 .outcome = RUN_FAILED,
	 .verdict = VERDICT_CANNOT_TELL},
	{"an end that nobody knows",
	 {DEMO},
	 .shard = unheard_of,
	 .outcome = RUN_FAILED,
	 .verdict = VERDICT_CANNOT_TELL},
	{"a shard is missing",
	 {DEMO},
	 .facts = LOST,
	 .outcome = RUN_INCOMPLETE,
	 .verdict = VERDICT_CANNOT_TELL},
	{"all shards are missing",
	 {DEMO},
	 .facts = LOST,
	 .has_no_shard = true,
	 .outcome = RUN_INCOMPLETE,
	 .verdict = VERDICT_CANNOT_TELL,
	 .reason = "no-data"},
	{"the target was changed",
	 {.factor = 0.5, DEMO},
	 .facts = {.changed = "the code changed"},
	 .outcome = RUN_INVALID,
	 .verdict = VERDICT_CANNOT_TELL},
	{"one version alone, cancelled",
	 {DEMO},
	 alone,
	 cancelled,
	 .outcome = RUN_CANCELLED,
	 .verdict = VERDICT_NOT_COMPARED},
};

static void test_all_that_can_become_of_a_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *plan = default_plan(4), *shard = sim_shard(&cases[i].sim);
		const struct json *shards[1] = {cases[i].has_no_shard ? NULL : shard};
		struct gathered *g;
		struct judgement j;

		if (cases[i].plan)
			cases[i].plan(plan);
		if (cases[i].shard)
			cases[i].shard(shard);
		g = gather_run(plan, shards, 1);
		judge_run(plan, g, &cases[i].facts, &j);
		print_message("%s: %s (%s), %s (%s)\n", cases[i].name, run_outcome_name(j.outcome),
			      j.reason, verdict_name(j.verdict), j.verdict_reason);
		assert_int_equal(j.outcome, cases[i].outcome);
		assert_int_equal(j.verdict, cases[i].verdict);
		if (cases[i].reason)
			assert_string_equal(j.metrics[0].reason, cases[i].reason);
		note(&j);
		assert_sound(plan, g, &j);
		judgement_release(&j);
		gathered_free(g);
		json_free(shard);
		json_free(plan);
	}
}

/* Runs that never began have no judge; their words come from the plan's decision. */
static void test_runs_that_never_began(void **state)
{
	static const enum run_outcome outcomes[] = {RUN_SKIPPED, RUN_REFUSED};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		struct json *plan = default_plan(4);
		struct json *o = finish_unrun(plan, outcomes[i], (struct wall){0});

		assert_string_equal(json_get_str(o, "outcome"), run_outcome_name(outcomes[i]));
		assert_string_equal(json_get_str(o, "verdict"), verdict_name(VERDICT_NOT_COMPARED));
		assert_false(json_get_bool(o, "confirm_wanted", true));
		seen_outcomes[outcomes[i]] = true;
		json_free(o);
		json_free(plan);
	}
}

static void test_nothing_was_left_out(void **state)
{
	(void)state;
	for (int i = 0; i < RUN_OUTCOME_COUNT; i++)
		if (!seen_outcomes[i])
			fail_msg("no case ends %s", run_outcome_name((enum run_outcome)i));
	for (int i = 0; i < VERDICT_COUNT; i++)
		if (!seen_verdicts[i])
			fail_msg("no case is %s", verdict_name((enum verdict)i));
	for (int i = 0; i <= BASIS_STORED; i++)
		if (!seen_bases[i])
			fail_msg("no case rests on %s",
				 estimate_basis_name((enum estimate_basis)i));
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (!seen_reasons[i])
			fail_msg("no case says %s", reasons[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_can_become_of_a_run),
		cmocka_unit_test(test_runs_that_never_began),
		cmocka_unit_test(test_nothing_was_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
