/*
 * test_change.c - levels in a history, held against Apache Otava on the same made-up series
 * (tests/data/history.csv, written by tests/bench/history_otava.py).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/bug.h"
#include "common/base/buf.h"
#include "common/base/fsio.h"
#include "common/stats/change.h"

#define VALUES 40
#define FLAT_FIRST 10 /* values before the creep begins */
#define FILE_MAX_BYTES (1u << 20)

static size_t found(const double *values, size_t count, struct change_point *out)
{
	struct change_point unused[CHANGE_POINTS_MAX];

	return change_points(values, count, count, out ? out : unused);
}

static void test_steps(void **state)
{
	static const struct {
		const char *name;
		size_t count;
		double values[16];
		size_t want, at;
	} cases[] = {
		{"nothing", 0, {0}, 0, 0},
		{"one", 1, {1}, 0, 0},
		{"too few to tell", 4, {1, 1, 2, 2}, 0, 0},
		{"equal", 8, {3, 3, 3, 3, 3, 3, 3, 3}, 0, 0},
		{"a step", 12, {1, 1.1, 1, .9, 1, 1.1, 2, 2.1, 2, 1.9, 2, 2.1}, 1, 6},
		{"down", 12, {2, 2.1, 2, 1.9, 1, 1.1, 1, 1, 1.1, 1, .9, 1}, 1, 4},
		{"one far value is no level", 10, {1, 1.1, 1, .9, 9, 1, 1.1, 1, .9, 1}, 0, 0},
	};
	struct change_point points[CHANGE_POINTS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = found(cases[i].values, cases[i].count, points);

		if (n != cases[i].want || (n && points[0].at != cases[i].at))
			fail_msg("%s: %zu points, the first at %zu", cases[i].name, n,
				 n ? points[0].at : 0);
	}
	assert_int_equal(found(cases[4].values, 12, points), 1);
	assert_float_equal(points[0].before, 6.1 / 6, 1e-12);
	assert_float_equal(points[0].after, 12.1 / 6, 1e-12);
	assert_true(points[0].p > 0 && points[0].p < CHANGE_LEVEL);
}

static void test_two_steps(void **state)
{
	double values[30];
	struct change_point points[CHANGE_POINTS_MAX];

	(void)state;
	for (size_t i = 0; i < 30; i++)
		values[i] = (double)(i / 10) + 0.05 * sin((double)i * 7);
	assert_int_equal(found(values, 30, points), 2);
	assert_int_equal(points[0].at, 10);
	assert_int_equal(points[1].at, 20);
	assert_float_equal(points[0].after, points[1].before, 1e-12);
}

struct series {
	double values[VALUES];
	unsigned long otava_points, otava_first;
};

/* "name,points,first,v1,v2,..." */
static void read_series(char *line, struct series *out)
{
	char *at = strchr(line, ',') + 1;

	out->otava_points = strtoul(at, &at, 10);
	out->otava_first = strtoul(at + 1, &at, 10);
	for (size_t i = 0; i < VALUES; i++)
		out->values[i] = log(strtod(at + 1, &at));
}

static size_t first_found(const double *values)
{
	for (size_t n = 4; n <= VALUES; n++)
		if (found(values, n, NULL))
			return n;
	return 0;
}

struct tally {
	size_t flat, ours, theirs; /* points in flat series */
	size_t early, their_early; /* "found" before the creep began: chance */
	size_t creeps, not_later, sum, their_sum;
};

static void count_creep(struct tally *t, const struct series *s)
{
	size_t first = first_found(s->values), their_first = s->otava_first;

	assert_true(first > 0);
	t->early += first <= FLAT_FIRST;
	t->their_early += their_first <= FLAT_FIRST;
	if (first <= FLAT_FIRST || their_first <= FLAT_FIRST)
		return;
	t->creeps++;
	t->not_later += first <= their_first;
	t->sum += first;
	t->their_sum += their_first;
}

static void test_against_otava(void **state)
{
	struct buf text = BUF_INIT(FILE_MAX_BYTES);
	struct tally t = {0};
	char *rest;

	(void)state;
	assert_int_equal(fs_read("tests/data/history.csv", &text), 0);
	rest = text.data;
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		struct series s;

		read_series(line, &s);
		if (strncmp(line, "flat", 4) == 0) {
			t.flat++;
			t.ours += found(s.values, VALUES, NULL);
			t.theirs += s.otava_points;
		} else {
			count_creep(&t, &s);
		}
	}
	buf_release(&text);
	print_message("%zu flat series: %zu points, Otava %zu; before the creep %zu, Otava %zu; "
		      "creep found after "
		      "%.1f runs on average, Otava %.1f; not later in %zu of %zu\n",
		      t.flat, t.ours, t.theirs, t.early, t.their_early,
		      (double)t.sum / (double)t.creeps - FLAT_FIRST,
		      (double)t.their_sum / (double)t.creeps - FLAT_FIRST, t.not_later, t.creeps);
	assert_int_equal(t.flat, 100);
	assert_true(t.ours <= t.theirs && t.early <= t.their_early);
	assert_int_equal(t.not_later, t.creeps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_two_steps),
		cmocka_unit_test(test_against_otava),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
