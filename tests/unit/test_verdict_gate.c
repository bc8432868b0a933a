/* The smallest worsening that a gate could have found, from its own interval. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "common/verdict/gate.h"

#define ALPHA 0.025
#define SE 0.0217678 /* of an interval of +-5 % at 97.5 %: ln(1.05) / 2.2414 */

#define KNOWN                                                                                      \
	.basis = BASIS_ENVIRONMENTS, .environments_old = 16, .environments_new = 16,               \
	.upper_old = NAN, .upper_new = NAN

static const struct {
	const char *name;
	struct estimate est;
	double limit;
	bool is_higher_better;
	double detectable;
} cases[] = {
	{"the example of docs/VERDICT.md",
	 {KNOWN, .log_welch = {.se = SE, .df = INFINITY}},
	 0.1,
	 false,
	 0.17635},
	{"wherever the estimate lies",
	 {KNOWN, .diff = -0.5, .log_welch = {.diff = -M_LN2, .se = SE, .df = INFINITY}},
	 0.1,
	 false,
	 0.17635},
	{"higher is better: a fall",
	 {KNOWN, .log_welch = {.se = SE, .df = INFINITY}},
	 0.1,
	 true,
	 0.15840},
	{"nothing varies", {KNOWN, .log_welch = {.df = INFINITY}}, 0.1, false, 0.1},
	{"few environments: beyond twice the tolerance",
	 {.basis = BASIS_ENVIRONMENTS,
	  .environments_old = 3,
	  .environments_new = 16,
	  .upper_old = NAN,
	  .log_welch = {.df = INFINITY}},
	 0.1,
	 false,
	 0.2},
	{"a share of which nothing was seen",
	 {.basis = BASIS_BLOCKS, .is_points = true, .upper_old = 0.01},
	 0.005,
	 false,
	 NAN},
	{"no interval", {.basis = BASIS_NONE}, 0.1, false, NAN},
	{"none that counts",
	 {KNOWN, .cannot = "too-few-blocks", .log_welch = {.se = SE, .df = INFINITY}},
	 0.1,
	 false,
	 NAN},
	{"no difference is known",
	 {KNOWN, .diff = NAN, .log_welch = {.diff = NAN, .se = NAN, .df = NAN}},
	 0.1,
	 false,
	 NAN},
};

static void what_an_interval_could_have_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gate g = {&cases[i].est, cases[i].limit, cases[i].is_higher_better};
		double got = gate_detectable(&g, ALPHA), right = cases[i].detectable;

		if (isnan(got) != isnan(right) || fabs(got - right) > 1e-4)
			fail_msg("%s: %g, not %g", cases[i].name, got, right);
	}
}

/* An effect of that size, told a thousand times with this error, is found in 800. */
static void four_times_in_five(void **state)
{
	const struct estimate asked = {KNOWN, .log_welch = {.se = SE, .df = INFINITY}};
	double effect = gate_detectable(&(struct gate){&asked, 0.1, false}, ALPHA);
	int found = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		double at =
			log1p(effect) + SE * student_quantile((i + 0.5) / 1000, (double)INFINITY);
		const struct estimate told = {KNOWN, .diff = expm1(at),
					      .log_welch = {.diff = at, .se = SE, .df = INFINITY}};

		found += gate_verdict(&(struct gate){&told, 0.1, false}, ALPHA) == VERDICT_WORSE;
	}
	assert_in_range(found, 799, 801);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_interval_could_have_found),
		cmocka_unit_test(four_times_in_five),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
