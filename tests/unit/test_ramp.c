/*
 * test_ramp.c - due times of stages against an exact reckoning, named shapes, recorded traces.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/measure/ramp.h"
#include "common/measure/shape.h"
#include "common/measure/trace.h"

/* The times are of 60 decimal digits (Python's decimal), rounded to the nanosecond. */
static const struct {
	const char *name;
	struct ramp ramp;
	double total;
	struct {
		double calls;
		int64_t due_ns;
	} want[9];
} vectors[] = {
	{"from nothing",
	 {0, 1, {{100, 4000}}},
	 200,
	 {{0, 0}, {1, 282842712}, {50, 2000000000}, {199, 3989987469}, {200, 4000000000}}},
	{"up, level, down",
	 {10, 3, {{50, 3000}, {50, 2000}, {0, 5000}}},
	 315,
	 {{0, 0},
	  {1, 94097151},
	  {89, 2979946380},
	  {90, 3000000000},
	  {91, 3020000000},
	  {189, 4980000000},
	  {190, 5000000000},
	  {191, 5020040161},
	  {314, 9552786405}}},
	{"a pause and a jump",
	 {20, 5, {{20, 1000}, {0, 0}, {0, 2500}, {7, 0}, {7, 3000}}},
	 41,
	 {{19, 950000000}, {20, 3500000000}, {21, 3642857143}, {40, 6357142857}}},
	{"steep, then next to nothing",
	 {0, 3, {{100000, 2000}, {0.5, 0}, {0.5, 10000}}},
	 100005,
	 {{12345, 702709044},
	  {99999, 1999990000},
	  {100000, 2000000000},
	  {100003, INT64_C(8000000000)}}},
	{"a day, all but level",
	 {333.333, 1, {{333.334, 86400000}}},
	 28800014.4,
	 {{1, 3000003}, {14400028, INT64_C(43200094799953)}, {28800028, INT64_C(86400000000000)}}},
	{"spike",
	 {5, 5, {{5, 4000}, {50, 0}, {50, 2000}, {5, 0}, {5, 4000}}},
	 140,
	 {{19, 3800000000},
	  {20, 4000000000},
	  {119, 5980000000},
	  {120, 6000000000},
	  {139, 9800000000}}},
	{"odd figures",
	 {3.7, 3, {{11.3, 1234}, {2.9, 777}, {2.9, 4321}}},
	 27.3026,
	 {{3, 554713756}, {7, 1022219980}, {13, 1647013840}, {20, 3813862069}, {26, 5882827586}}},
};

static void due_times_are_exact_to_the_nanosecond(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct ramp_walk walk = {0};

		assert_true(fabs(ramp_total(&vectors[i].ramp) - vectors[i].total) < 1e-6);
		for (size_t k = 0; k < ARRAY_LEN(vectors[i].want); k++) {
			double calls = vectors[i].want[k].calls;
			int64_t got;

			if (k && calls == 0)
				break;
			got = ramp_walk_to(&vectors[i].ramp, &walk, calls);
			if (got != vectors[i].want[k].due_ns)
				fail_msg("%s: call %g is due at %lld instead of %lld",
					 vectors[i].name, calls, (long long)got,
					 (long long)vectors[i].want[k].due_ns);
		}
	}
}

static void figures_of_a_ramp(void **state)
{
	const struct ramp *r = &vectors[1].ramp, *pause = &vectors[2].ramp;

	(void)state;
	assert_int_equal(ramp_duration_ms(r), 10000);
	assert_true(ramp_peak(r) == 50);
	assert_true(ramp_at(r, -NS_PER_S) == 10);
	assert_true(ramp_at(r, 1500 * NS_PER_MS) == 30);
	assert_true(ramp_at(r, 7500 * NS_PER_MS) == 25);
	assert_true(ramp_at(r, 11 * NS_PER_S) == 0);
	assert_true(ramp_at(pause, NS_PER_S) == 0);
	assert_true(ramp_at(pause, 3500 * NS_PER_MS) == 7);
	assert_true(fabs(ramp_most_within(r, 1000) - 50) < 1e-9);
	assert_true(fabs(ramp_most_within(&vectors[5].ramp, 4000) - 110) < 1e-9);
	assert_true(fabs(ramp_most_within(&vectors[0].ramp, 4000) - 200) < 1e-9);
}

static void shapes_are_stages(void **state)
{
	static const struct {
		const char *name;
		double total, at[5]; /* at 0, 30, 50, 70 and 99 s of 100 */
	} cases[] = {
		{"increasing", 5500, {10, 37, 55, 73, 99.1}},
		{"triangle", 5500, {10, 64, 100, 64, 11.8}},
		{"spike", 2800, {10, 10, 100, 10, 10}},
	};
	struct ramp r, same;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(shape_make(cases[i].name, 10, 100, 100000, 1, &r), 0);
		assert_int_equal(ramp_duration_ms(&r), 100000);
		assert_true(fabs(ramp_total(&r) - cases[i].total) < 1e-6);
		for (size_t k = 0; k < 5; k++) {
			static const int64_t at_s[] = {0, 30, 50, 70, 99};
			double got = ramp_at(&r, at_s[k] * NS_PER_S);

			if (fabs(got - cases[i].at[k]) > 1e-6)
				fail_msg("%s at %lld s: %g", cases[i].name, (long long)at_s[k],
					 got);
		}
	}
	assert_int_equal(shape_make("random", 10, 100, 100001, 1, &r), 0);
	assert_int_equal(shape_make("random", 10, 100, 100001, 1, &same), 0);
	assert_memory_equal(&r, &same, sizeof(r));
	assert_int_equal(ramp_duration_ms(&r), 100001);
	assert_in_range(ramp_total(&r), 4200, 6800); /* 49 levels of 10 to 100: 5500, sd 370 */
	for (int64_t s = 0; s < 100; s++)
		assert_in_range(ramp_at(&r, s * NS_PER_S), 10, 100);
	assert_int_equal(shape_make("random", 10, 100, 100001, 2, &same), 0);
	assert_memory_not_equal(&r, &same, sizeof(r));
	assert_int_equal(shape_make("square", 10, 100, 1000, 1, &r), -EINVAL);
}

static void traces_are_read(void **state)
{
	static const struct {
		const char *name, *text;
		size_t count;
		int64_t offsets_ns[4];
		int payloads[4]; /* -1 = the trace has none */
	} cases[] = {
		{"seconds", "0\n0.5\n0.5\n2\n", 4, {0, 500000000, 500000000, 2000000000}, {-1}},
		{"ms", "offset_ms\r\n0.25\r\n1\r\n", 2, {0, 750000}, {-1}},
		{"payloads", "offset_s,payload\n1,2\n1.25,0", 2, {0, 250000000}, {2, 0}},
		{"since 1970",
		 "# night\n\n1763800000.000000001\n1763800001.5\n",
		 2,
		 {0, 1499999999},
		 {-1}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trace t;
		char why[TRACE_WHY_SIZE] = "";

		if (trace_parse(cases[i].text, strlen(cases[i].text), &t, why) != 0)
			fail_msg("%s: %s", cases[i].name, why);
		assert_int_equal(t.count, cases[i].count);
		assert_true((t.payloads == NULL) == (cases[i].payloads[0] < 0));
		for (size_t k = 0; k < t.count; k++) {
			assert_int_equal(t.offsets_ns[k], cases[i].offsets_ns[k]);
			if (t.payloads)
				assert_int_equal(t.payloads[k], cases[i].payloads[k]);
		}
		trace_release(&t);
	}
}

static void wrong_traces_are_refused_with_their_line(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "no call"},
		{"offset_s\n", "no call"},
		{"time\n1\n", "line 1: expected an offset"},
		{"1\n2\nx\n", "line 3: the offset"},
		{"2\n1\n", "line 2: the offset is before"},
		{"1\n2,0\n", "line 2: more than an offset"},
		{"1,0\n2\n", "line 2: no payload"},
		{"1,65536\n", "line 1: expected OFFSET,PAYLOAD"},
		{"1,\n", "line 1: expected OFFSET,PAYLOAD"},
		{"1 2\n", "line 1: expected OFFSET,PAYLOAD"},
		{"99999999999999999999\n", "line 1: the offset is not"},
		{"-1\n", "line 1: expected an offset"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trace t;
		char why[TRACE_WHY_SIZE] = "";

		assert_int_equal(trace_parse(cases[i].text, strlen(cases[i].text), &t, why),
				 -EINVAL);
		if (!strstr(why, cases[i].why))
			fail_msg("\"%s\": \"%s\" does not hold \"%s\"", cases[i].text, why,
				 cases[i].why);
	}
}

static void traces_are_scaled_in_time_and_rate(void **state)
{
	static const struct {
		double speed, rate;
		size_t count;
		int64_t due_ms[8];
		size_t entries[8];
	} cases[] = {
		{1, 1, 4, {0, 100, 400, 1000}, {0, 1, 2, 3}},
		{2, 1, 4, {0, 50, 200, 500}, {0, 1, 2, 3}},
		{0.5, 0.5, 2, {0, 800}, {0, 2}},
		{1, 2, 8, {0, 50, 100, 250, 400, 700, 1000, 1000}, {0, 0, 1, 1, 2, 2, 3, 3}},
		{1, 0.75, 3, {0, 200, 800}, {0, 1, 2}},
	};
	static const char text[] = "0\n0.1\n0.4\n1\n";
	char why[TRACE_WHY_SIZE];
	struct trace t;

	(void)state;
	assert_int_equal(trace_parse(text, sizeof(text) - 1, &t, why), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(trace_calls(&t, cases[i].rate), cases[i].count);
		for (size_t k = 0; k < cases[i].count; k++) {
			size_t entry;
			int64_t due_ns = trace_due_ns(&t, cases[i].speed, cases[i].rate, k, &entry);

			assert_in_range(due_ns - cases[i].due_ms[k] * NS_PER_MS + 5, 0, 10);
			assert_int_equal(entry, cases[i].entries[k]);
		}
	}
	assert_true(trace_most_within(&t, 1, 1, 1000) == 3);
	assert_true(trace_most_within(&t, 2, 1, 1000) == 4);
	assert_true(trace_most_within(&t, 1, 2, 300) == 4);
	trace_release(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(due_times_are_exact_to_the_nanosecond),
		cmocka_unit_test(figures_of_a_ramp),
		cmocka_unit_test(shapes_are_stages),
		cmocka_unit_test(traces_are_read),
		cmocka_unit_test(wrong_traces_are_refused_with_their_line),
		cmocka_unit_test(traces_are_scaled_in_time_and_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
