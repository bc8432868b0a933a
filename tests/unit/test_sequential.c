/* Boundaries of looks against the published ones, and what they promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>

#include "common/base/bug.h"
#include "common/base/rng.h"
#include "common/stats/sequential.h"
#include "common/stats/welch.h"

static const double quarters[] = {0.25, 0.5, 0.75, 1};
static const double fifths[] = {0.2, 0.4, 0.6, 0.8, 1};

/* O'Brien-Fleming-type spending, two-sided: D. M. Reboussin et al., Controlled Clinical Trials 21
 * (2000), as printed by ldbounds; Jennison and Turnbull (2000), chapter 7. */
static const struct {
	double alpha;
	const double *looks;
	size_t count;
	double z[5];
} published[] = {
	{0.05, quarters, 4, {4.3326, 2.9631, 2.3590, 2.0141}},
	{0.05, fifths, 5, {4.8769, 3.3569, 2.6803, 2.2898, 2.0310}},
	{0.05, (const double[]){1}, 1, {1.9600}},
	{0.05, (const double[]){0.5, 1}, 2, {2.9626, 1.9686}},
};

static double z_of(double alpha)
{
	return student_quantile(1 - alpha / 2, INFINITY);
}

static void bounds_are_the_published_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(published); i++)
		for (size_t k = 0; k < published[i].count; k++) {
			double z =
				z_of(sequential_alpha(published[i].alpha, published[i].looks, k));

			if (fabs(z - published[i].z[k]) > 0.0006)
				fail_msg("row %zu look %zu: %.5f, published %.4f", i, k, z,
					 published[i].z[k]);
		}
}

/* Holm asks for several alphas: what is decided at one must be decided at every larger one. */
static void a_larger_alpha_is_never_stricter(void **state)
{
	(void)state;
	for (size_t k = 0; k < 4; k++) {
		double before = 0;

		for (double alpha = 0.05 / 32; alpha <= 0.05; alpha *= 1.3) {
			double now = sequential_alpha(alpha, quarters, k);

			assert_true(now > before && now <= alpha);
			before = now;
		}
	}
}

static double gauss(struct rng *r)
{
	return sqrt(-2 * log(1 - rng_unit(r))) * cos(2 * M_PI * rng_unit(r));
}

static void a_walk_crosses_as_often_as_it_may(void **state)
{
	enum { WALKS = 100000 };
	struct rng r = {7};
	double z[4];
	unsigned crossed = 0;

	(void)state;
	for (size_t k = 0; k < 4; k++)
		z[k] = z_of(sequential_alpha(0.05, quarters, k));
	for (unsigned i = 0; i < WALKS; i++) {
		double s = 0;
		bool is_beyond = false;

		for (size_t k = 0; k < 4; k++) {
			s += 0.5 * gauss(&r);
			is_beyond = is_beyond || fabs(s) > z[k] * sqrt(quarters[k]);
		}
		crossed += is_beyond ? 1 : 0;
	}
	/* 0.05 +- 4 * sqrt(0.05 * 0.95 / WALKS) */
	assert_true(fabs((double)crossed / WALKS - 0.05) < 0.0028);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_the_published_ones),
		cmocka_unit_test(a_larger_alpha_is_never_stricter),
		cmocka_unit_test(a_walk_crosses_as_often_as_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
