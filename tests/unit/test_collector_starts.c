/* Cold starts and restores of snapshots, old against new, in made-up runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/collector_judged.h"

#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

static const struct judged_metric *metric(const struct judged *d, const char *name)
{
	for (size_t i = 0; i < d->j.metric_count; i++)
		if (strcmp(d->j.metrics[i].name, name) == 0)
			return &d->j.metrics[i];
	fail_msg("no metric %s", name);
	return NULL;
}

/* The first burst after a publish: one start an environment, with intervals of their own. */
static void test_starts(void **state)
{
	static const struct {
		const char *name;
		double old_ms, new_ms;
		bool is_restored;
		const char *init, *response, *none;
		const char *reason; /* why there is no interval; NULL = there is one */
	} cases[] = {
		{"both cold", 300, 450, false, "init_p50", "cold_response_p50", "restore_p50",
		 NULL},
		{"snapshots", 300, 450, true, "restore_p50", "restored_response_p50", "init_p50",
		 NULL},
		{"the old one was warm", 0, 450, false, "init_p50", "cold_response_p50",
		 "restored_response_p50", "no-data"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sim s = {.seed = 70 + i,
				.start_ms = {cases[i].old_ms, cases[i].new_ms},
				.is_restored = cases[i].is_restored,
				.billed = 1,
				DEMO};
		struct json *plan = sim_plan(4);
		const struct judged_metric *init, *response;
		struct judged d;

		sim_plan_metric(plan, cases[i].init, "ratio", 0);
		sim_plan_metric(plan, cases[i].response, "ratio", 0);
		sim_plan_metric(plan, cases[i].none, "ratio", 0);
		sim_plan_metric(plan, "response_p50", "ratio", 0);
		d = judge(&s, plan, NULL);
		init = metric(&d, cases[i].init);
		response = metric(&d, cases[i].response);
		print_message("%s: init %g %g [%g %g] response %g %g [%g %g]\n", cases[i].name,
			      init->est.old, init->est.new, init->bounds.low, init->bounds.high,
			      response->est.old, response->est.new, response->bounds.low,
			      response->bounds.high);
		assert_int_equal(init->est.n_new, 4);
		assert_int_equal(response->est.n_new, 4);
		assert_int_equal(init->est.n_old, cases[i].old_ms > 0 ? 4 : 0);
		assert_near(init->est.new, 405000, 25000);
		assert_near(response->est.new, 450000 + 60700, 25000);
		if (cases[i].reason) {
			assert_string_equal(init->est.cannot, cases[i].reason);
			assert_string_equal(response->est.cannot, cases[i].reason);
		} else {
			assert_int_equal(init->est.basis, BASIS_ENVIRONMENTS);
			assert_int_equal(init->est.environments_old, 4);
			assert_true(init->bounds.low > 0.3 && init->bounds.high < 0.75);
			assert_true(response->bounds.low > 0.2 && response->bounds.high < 0.6);
		}
		/* Nothing of it is anywhere else. */
		assert_false(metric(&d, cases[i].none)->est.has_new);
		assert_near(metric(&d, "response_p50")->est.new, 60700, 6000);
		release(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
