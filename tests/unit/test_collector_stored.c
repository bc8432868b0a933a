/* The judge where no old version can be called: one version alone, held against past runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/collector_judged.h"

/* Past runs with these values of response_p50 and this share of errors, of 150 calls each. */
static void put_past(struct json *plan, const double *values, size_t count, double errors)
{
	struct json *past = json_arr();

	for (size_t i = 0; i < count; i++) {
		struct json *entry = json_obj(), *metrics = json_obj(), *p50 = json_obj(),
			    *share = json_obj();

		json_put_real(p50, "value", values[i]);
		json_put_int(p50, "n", 150);
		json_put(metrics, "response_p50", p50);
		json_put_real(share, "value", errors);
		json_put_int(share, "n", 150);
		json_put(metrics, "error_ratio", share);
		json_put(entry, "metrics", metrics);
		json_push(past, entry);
	}
	json_put_str(plan, "compare", "stored");
	json_put(plan, "past", past);
}

/* One version alone, held against runs of before; its own median is 64 ms. */
static void test_against_past_runs(void **state)
{
	static const struct {
		const char *name;
		double values[8];
		size_t count;
		double errors;
		uint32_t fails_each;
		enum verdict verdict;
		const char *reason;
	} cases[] = {
		{"as ever", {64e3, 66e3, 65e3, 63e3, 64e3}, 5, 0, 0, VERDICT_SAME, NULL},
		{"slower than ever", {40e3, 41e3, 39e3, 40e3, 42e3}, 5, 0, 0, VERDICT_WORSE, NULL},
		{"faster", {80e3, 81e3, 79e3, 80e3, 82e3}, 5, 0, 0, VERDICT_BETTER, NULL},
		{"runs differ too much",
		 {30e3, 90e3, 40e3, 80e3, 61e3},
		 5,
		 0,
		 0,
		 VERDICT_CANNOT_TELL,
		 "response_p50: interval-too-wide"},
		{"fewer than five",
		 {64e3, 66e3, 65e3, 63e3},
		 4,
		 0,
		 0,
		 VERDICT_NOT_COMPARED,
		 "there is no old version to compare with"},
		{"it fails, and they did not",
		 {64e3, 66e3, 65e3, 63e3, 64e3},
		 5,
		 0,
		 4,
		 VERDICT_WORSE,
		 NULL},
		{"all fail alike",
		 {64e3, 66e3, 65e3, 63e3, 64e3},
		 5,
		 0.25,
		 4,
		 VERDICT_CANNOT_TELL,
		 "error_ratio: interval-too-wide"},
		{"all the same to the bit",
		 {63e3, 63e3, 63e3, 63e3, 63e3},
		 5,
		 0,
		 0,
		 VERDICT_SAME,
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sim s = {.seed = 9,
				.is_old_missing = true,
				.new_fails_each = cases[i].fails_each,
				DEMO};
		struct json *plan = default_plan(4);
		struct judged d;

		put_past(plan, cases[i].values, cases[i].count, cases[i].errors);
		d = judge(&s, plan, NULL);
		if (d.j.outcome != RUN_VALID || d.j.verdict != cases[i].verdict)
			fail_msg("%s: %s, %s: %s; %g, level %g", cases[i].name,
				 run_outcome_name(d.j.outcome), verdict_name(d.j.verdict),
				 d.j.verdict_reason, d.j.metrics[0].est.new, d.j.metrics[0].level);
		if (cases[i].reason)
			assert_string_equal(d.j.verdict_reason, cases[i].reason);
		release(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_past_runs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
