/* welch, boot, holm, rate, quantile: against figures of scipy 1.17 and small simulations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <cmocka.h>

#include "common/base/rng.h"
#include "common/stats/boot.h"
#include "common/stats/holm.h"
#include "common/stats/lottery.h"
#include "common/stats/quantile.h"
#include "common/stats/rate.h"
#include "common/stats/welch.h"

#define INF ((double)INFINITY)
#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

static const double probabilities[] = {.6, .9, .95, .975, .99, .995, .9995};
/* scipy.stats.t.ppf */
static const struct {
	double df, t[7];
} quantiles[] = {
	{1,
	 {0.324919696233, 3.07768353718, 6.31375151468, 12.7062047362, 31.8205159538, 63.6567411629,
	  636.619248769}},
	{1.5,
	 {0.30074539257, 2.19639841757, 3.7051808201, 6.01666310443, 11.1973161796, 17.8203105145,
	  82.8474467037}},
	{2,
	 {0.288675134595, 1.88561808316, 2.91998558035, 4.30265272975, 6.96455673428, 9.92484320092,
	  31.5990545764}},
	{6,
	 {0.264834532934, 1.43975574727, 1.94318028052, 2.44691185114, 3.14266840329, 3.70742802132,
	  5.95881617882}},
	{7.3,
	 {0.262756805251, 1.40892231775, 1.88293001796, 2.34506673655, 2.96394044758, 3.45103165562,
	  5.28321175894}},
	{30,
	 {0.255605364952, 1.31041502539, 1.69726088659, 2.0422724563, 2.4572615424, 2.74999565357,
	  3.64595863504}},
	{1000,
	 {0.253414515839, 1.28239872146, 1.64637881729, 1.96233908083, 2.33008267476, 2.58075469807,
	  3.30028264842}},
	{1e6,
	 {0.253347170538, 1.28155241213, 1.64485515072, 1.95996635681, 2.32635160312, 2.57583422011,
	  3.29053646125}},
	{(double)INFINITY,
	 {0.2533471031358, 1.2815515655446, 1.64485362695147, 1.95996398454005, 2.32634787404084,
	  2.5758293035489, 3.29052673149193}},
};

static void test_student_quantile(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		for (size_t k = 0; k < ARRAY_LEN(probabilities); k++) {
			double want = quantiles[i].t[k], df = quantiles[i].df;

			assert_near(student_quantile(probabilities[k], df), want, 1e-8 * want);
			assert_near(student_quantile(1 - probabilities[k], df), -want, 1e-8 * want);
		}
	}
	assert_near(student_factor(0.95, INF), 1.95996398454005, 1e-10);
	assert_near(student_quantile(0.5, 7), 0, 1e-9);
}

static void test_student_cdf(void **state)
{
	static const double cases[][3] = {
		{0, 5, 0.5},
		{1, 1, 0.75},
		{-2.5, 4.2, 0.0319077067332688},
		{3.3, 17, 0.997884951298137},
		{8, 40, 0.999999999604746},
		{40, 3, 0.999982809659605},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_near(student_cdf(cases[i][0], cases[i][1]), cases[i][2], 1e-12);
}

/* scipy.stats.ttest_ind(b, a, equal_var=False).confidence_interval(level) */
static void test_welch(void **state)
{
	static const struct {
		size_t a_count, b_count;
		double a[6], b[4], level, df, low, high;
	} cases[] = {
		{4,
		 4,
		 {4.1, 4.2, 4.05, 4.3},
		 {4.9, 5.0, 4.8, 4.95},
		 .95,
		 5.632809179770508,
		 0.5760468415315275,
		 0.9239531584684707},
		{4,
		 4,
		 {4.1, 4.2, 4.05, 4.3},
		 {4.9, 5.0, 4.8, 4.95},
		 .975,
		 5.632809179770508,
		 0.5379915189491935,
		 0.9620084810508049},
		{5,
		 2,
		 {1, 2, 3, 4, 5},
		 {2.5, 2.6},
		 .99,
		 4.039696030396961,
		 -3.691919363873961,
		 2.791919363873961},
		{6,
		 4,
		 {10, 10.5, 9.8, 10.1, 10.2, 9.9},
		 {10.2, 10.0, 9.9, 10.4},
		 .95,
		 7.125365965541895,
		 -0.31231080317504967,
		 0.39564413650838537},
	};
	struct welch w;
	double low, high;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			welch_init(&w, cases[i].a, cases[i].a_count, cases[i].b, cases[i].b_count),
			0);
		welch_bounds(&w, cases[i].level, &low, &high);
		assert_near(w.df, cases[i].df, 1e-9);
		assert_near(low, cases[i].low, 1e-8);
		assert_near(high, cases[i].high, 1e-8);
	}
	assert_int_equal(welch_init(&w, cases[0].a, 1, cases[0].b, 4), -EDOM);
	const double bad[] = {1, INF};
	assert_int_equal(welch_init(&w, bad, 2, cases[0].b, 4), -EDOM);
	const double flat[] = {3, 3, 3};
	assert_int_equal(welch_init(&w, flat, 3, flat, 3), 0);
	welch_bounds(&w, 0.95, &low, &high);
	assert_near(high - low, 0, 0);
}

static void test_quantiles(void **state)
{
	double v[] = {4, 1, 3, 2}, one[] = {7};

	(void)state;
	assert_near(quantile_in_place(v, 4, 0.5), 2.5, 0);
	assert_near(quantile_of_sorted(v, 4, 0.25), 1.75, 1e-12);
	assert_near(quantile_of_sorted(v, 4, 1), 4, 0);
	assert_near(quantile_in_place(one, 1, 0.5), 7, 0);
	assert_true(isnan(quantile_in_place(NULL, 0, 0.5)));
}

static void test_quantiles_of_draws(void **state)
{
	static const struct boot_value b[] = {{4, 1}, {1, 0}, {3, 1}, {2, 0}};
	static const uint32_t twice_first[] = {2, 0}, none[] = {0, 0}, both[] = {1, 1},
			      twice_second[] = {0, 2};
	static const struct {
		const uint32_t *times;
		double q, want;
	} cases[] = {
		{NULL, 0.5, 2.5},	 {both, 0.25, 1.75},
		{twice_first, 0.5, 1.5}, /* 1 1 2 2 */
		{twice_first, 1, 2},	 {twice_first, 0, 1},
		{twice_second, 0, 3},	 {twice_second, 0.5, 3.5},
		{twice_second, 1, 4},	 {none, 0.5, (double)NAN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct boot_value *values = x_calloc(4, sizeof(*values));
		struct boot_sample s;
		double got;

		memcpy(values, b, sizeof(b));
		boot_sample_init(&s, values, 4, 2, cases[i].q);
		got = boot_sample_quantile(&s, cases[i].times);
		if (!(fabs(got - cases[i].want) < 1e-12) && !(isnan(got) && isnan(cases[i].want)))
			fail_msg("case %zu: %g, want %g", i, got, cases[i].want);
		assert_near(boot_sample_mean(&s, twice_first), 1.5, 0);
		boot_sample_release(&s);
	}
}

/* The short cut finds what writing out every draw and sorting it finds, to the bit. */
static void test_draws_against_writing_them_out(void **state)
{
	static const double qs[] = {0, 0.05, 0.5, 0.95, 0.99, 1};
	struct rng rng = {7};

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t count = 1 + rng_below(&rng, 60), blocks = 1 + rng_below(&rng, 8), all = 0;
		struct boot_value *values = x_calloc(count, sizeof(*values));
		double out[60 * 8 * 2], q = qs[rng_below(&rng, ARRAY_LEN(qs))];
		uint32_t times[8] = {0};
		struct boot_sample s;

		for (size_t b = 0; b < blocks; b++)
			times[rng_below(&rng, blocks)]++;
		for (size_t i = 0; i < count; i++) {
			values[i] = (struct boot_value){(double)rng_below(&rng, 40) / 3,
							(uint32_t)rng_below(&rng, blocks)};
			for (uint32_t t = 0; t < times[values[i].block]; t++)
				out[all++] = values[i].value;
		}
		boot_sample_init(&s, values, count, blocks, q);
		double got = boot_sample_quantile(&s, times), want = quantile_in_place(out, all, q);
		if (isnan(want) ? !isnan(got) : got != want)
			fail_msg("round %d: %.17g, want %.17g", round, got, want);
		boot_sample_release(&s);
	}
}

static double gauss(struct rng *r)
{
	return sqrt(-2 * log(1 - rng_unit(r))) * cos(2 * M_PI * rng_unit(r));
}

struct means {
	const double *v;
};

static double mean_of_draw(const uint32_t *times, size_t count, void *ctx)
{
	const struct means *m = ctx;
	double sum = 0, n = 0;

	for (size_t i = 0; i < count; i++) {
		sum += times[i] * m->v[i];
		n += times[i];
	}
	return sum / n;
}

/* The mean of 60 blocks: the bootstrap agrees with the normal interval within a tenth. */
static void test_bootstrap(void **state)
{
	double v[60], mean = 0, squares = 0, low, high, low_again, high_again;
	struct means m = {v};
	struct rng rng = {3};
	struct boot b, again;

	(void)state;
	for (int i = 0; i < 60; i++) {
		v[i] = gauss(&rng);
		mean += v[i] / 60;
	}
	for (int i = 0; i < 60; i++)
		squares += (v[i] - mean) * (v[i] - mean);
	boot_run(&b, 60, boot_seed("raaaaaaaaaaaaaaaaaaaa"), mean_of_draw, &m);
	assert_int_equal(boot_bounds(&b, 0.95, &low, &high), 0);
	double half = 1.96 * sqrt(squares / 60 / 60);
	assert_near(low, mean - half, 0.1 * half);
	assert_near(high, mean + half, 0.1 * half);
	boot_run(&again, 60, boot_seed("raaaaaaaaaaaaaaaaaaaa"), mean_of_draw, &m);
	assert_int_equal(boot_bounds(&again, 0.95, &low_again, &high_again), 0);
	assert_true(low == low_again && high == high_again);
	boot_release(&b);
	boot_release(&again);
	boot_run(&b, 0, 1, mean_of_draw, &m);
	assert_int_equal(boot_bounds(&b, 0.95, &low, &high), -EDOM);
	boot_release(&b);
	assert_true(boot_seed("a") != boot_seed("b"));
}

static void test_widening(void **state)
{
	double low = -0.03, high = 0.04;

	(void)state;
	boot_widen(0.95, 0.05, 16, 0, &low, &high);
	double term = 1.959963984540054 * 0.05 * sqrt(2.0 / 16);
	assert_near(low, -hypot(0.03, term), 1e-12);
	assert_near(high, hypot(0.04, term), 1e-12);
	low = 0.01; /* an estimate outside of its interval keeps at least the lottery */
	high = 0.04;
	boot_widen(0.95, 0.05, 1, 0, &low, &high);
	assert_true(low < -0.13 && high > 0.13);
}

static bool by_p_value(size_t i, double alpha, void *ctx)
{
	return ((const double *)ctx)[i] <= alpha;
}

static void test_holm(void **state)
{
	static const struct {
		double p[3];
		bool decided[3];
		double alpha[3];
	} cases[] = {
		{{.01, .02, .04}, {true, true, true}, {.05 / 3, .025, .05}},
		{{.04, .01, .03}, {false, true, false}, {.025, .05 / 3, .025}},
		{{.02, .02, .02}, {false, false, false}, {.05 / 3, .05 / 3, .05 / 3}},
		{{.001, .001, .05}, {true, true, true}, {.05 / 3, .05 / 3, .05}},
		{{.001, .2, .049}, {true, false, false}, {.05 / 3, .025, .025}},
	};
	struct holm_answer a[3];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double p[3] = {cases[i].p[0], cases[i].p[1], cases[i].p[2]};

		holm_run(3, 0.05, by_p_value, p, a);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(a[k].is_decided, cases[i].decided[k]);
			assert_near(a[k].alpha, cases[i].alpha[k], 1e-12);
		}
	}
	double one[] = {0.05};
	holm_run(1, 0.05, by_p_value, one, a);
	assert_true(a[0].is_decided);
	holm_run(0, 0.05, by_p_value, one, a);
}

static void spread_evenly(struct rate_block *b, size_t blocks, uint32_t due, uint32_t bad)
{
	for (size_t i = 0; i < blocks; i++)
		b[i] = (struct rate_block){due / (uint32_t)blocks + (i < due % blocks),
					   bad / (uint32_t)blocks + (i < bad % blocks)};
}

static void test_rates(void **state)
{
	static const struct {
		const char *name;
		uint32_t old_due, old_bad, new_due, new_bad;
		double low, high; /* what the interval must lie between */
	} cases[] = {
		{"one in three", 150, 0, 150, 50, 0.25, 0.43},
		{"none at all", 150, 0, 150, 0, -0.03, 0.03},
		{"one hiccup stays open", 150, 0, 150, 1, -0.03, 0.05},
		{"all fail", 150, 0, 150, 150, 0.94, 1.0001},
		{"mended", 150, 50, 150, 0, -0.43, -0.25},
	};
	struct rate_block old[12], new[12];
	struct rate_diff d;
	double low, high;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		spread_evenly(old, 12, cases[i].old_due, cases[i].old_bad);
		spread_evenly(new, 12, cases[i].new_due, cases[i].new_bad);
		assert_int_equal(rate_diff_init(&d, old, 12, new, 12), 0);
		rate_diff_bounds(&d, 0.95, &low, &high);
		assert_true(low >= cases[i].low && high <= cases[i].high);
		assert_true(low <= d.new.share - d.old.share &&d.new.share - d.old.share <= high);
		assert_near(d.design_effect, 1, 0.2);
	}
	/* All failures in one block of twelve: hardly more than one event. */
	spread_evenly(old, 12, 150, 0);
	spread_evenly(new, 12, 150, 0);
	new[3].bad = 12;
	assert_int_equal(rate_diff_init(&d, old, 12, new, 12), 0);
	rate_diff_bounds(&d, 0.95, &low, &high);
	assert_true(d.design_effect > 8 && low < 0 && high > 0.2);
	assert_int_equal(rate_diff_init(&d, old, 1, new, 12), -EDOM);
	spread_evenly(old, 12, 0, 0);
	assert_int_equal(rate_diff_init(&d, old, 12, new, 12), -EDOM);
	assert_near(rate_upper_of_none(150, 0.95), 0.0197735, 1e-6);
	assert_near(rate_upper_of_none(0, 0.95), 1, 0);
}

/* Newcombe 1998, table II, method 10 with the normal factor: 56/70 - 48/80 = .2, .0524 to .3339. */
static void test_rate_of_the_paper(void **state)
{
	struct rate_diff d = {.old = {80, 48, 0.6, 8},
			      .new = {70, 56, 0.8, 8},
			      .design_effect = 1,
			      .df = (double)INFINITY};
	double low, high;

	(void)state;
	rate_diff_bounds(&d, 0.95, &low, &high);
	assert_near(low, 0.0524, 5e-5);
	assert_near(high, 0.3339, 5e-5);
}

/* Clustered errors (the share itself wanders from block to block): coverage stays near 95 %. */
static void test_rate_coverage(void **state)
{
	struct rng rng = {11};
	int covered = 0;
	const int trials = 2000;

	(void)state;
	for (int t = 0; t < trials; t++) {
		struct rate_block side[2][12];
		struct rate_diff d;
		double low, high;

		for (int k = 0; k < 24; k++) {
			double share = 0.04 + 0.16 * pow(rng_unit(&rng), 2); /* mean 0.0933 */
			struct rate_block *b = &side[k / 12][k % 12];

			*b = (struct rate_block){13, 0};
			for (int i = 0; i < 13; i++)
				b->bad += rng_unit(&rng) < share;
		}
		assert_int_equal(rate_diff_init(&d, side[0], 12, side[1], 12), 0);
		rate_diff_bounds(&d, 0.95, &low, &high);
		covered += low <= 0 && 0 <= high;
	}
	print_message("covered %d of %d\n", covered, trials);
	assert_true(covered > trials * 94 / 100 && covered < trials * 99 / 100);
}

/* Runs made with a lottery of 5 %, 16 environments a side and a bootstrap error of 1 %. */
static void test_lottery(void **state)
{
	struct lottery_run runs[400], known[] = {{0, 0.02, 8, true}, {0.1, 0.02, 8, true}};
	struct rng rng = {7};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		double sd = hypot(lottery_error(0.05, 16), 0.01);
		double gauss = sqrt(-2 * log(1 - rng_unit(&rng))) * cos(2 * M_PI * rng_unit(&rng));

		runs[i] = (struct lottery_run){sd * gauss, 0.01, 16, false};
	}
	assert_near(lottery_of(runs, ARRAY_LEN(runs)), 0.05, 0.005);
	/* se of 2 % with 8 a side: 2 % * sqrt(8 / 2), whatever the difference was */
	assert_near(lottery_of(known, 2), 0.04, 1e-12);
	runs[0].diff = 0; /* less than the bootstrap explains: no lottery */
	assert_near(lottery_of(runs, 1), 0, 0);
	assert_true(isnan(lottery_of(runs, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_student_quantile),
		cmocka_unit_test(test_student_cdf),
		cmocka_unit_test(test_welch),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_quantiles_of_draws),
		cmocka_unit_test(test_draws_against_writing_them_out),
		cmocka_unit_test(test_bootstrap),
		cmocka_unit_test(test_widening),
		cmocka_unit_test(test_lottery),
		cmocka_unit_test(test_holm),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_rate_of_the_paper),
		cmocka_unit_test(test_rate_coverage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
