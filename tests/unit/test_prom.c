/* The metrics page: only what the table allows, in the form Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "common/prom/prom.h"

struct set_case {
	const char *name;
	enum prom_metric metric;
	const char *values[PROM_LABELS_MAX];
	double v;
	int want;
};

static const struct set_case set_cases[] = {
	{"a word of the list", PM_VERDICT, {"worse"}, 1, 0},
	{"not in the list", PM_VERDICT, {"bad"}, 1, -EINVAL},
	{"a prefix of a word", PM_VERDICT, {"wors"}, 1, -EINVAL},
	{"no labels", PM_RUN_PENDING, {NULL}, 1, 0},
	{"missing value", PM_VERDICT, {NULL}, 1, -EINVAL},
	{"two labels", PM_RESPONSE_SECONDS, {"new", "p95"}, 0.181, 0},
	{"second label wrong", PM_RESPONSE_SECONDS, {"new", "0.95"}, 0.181, -EINVAL},
	{"a name", PM_EXTERNAL_VALUE, {"sonarqube", "code_smells"}, 3, 0},
	{"free text is no name", PM_EXTERNAL_VALUE, {"a tool", "x"}, 3, -EINVAL},
	{"line feed", PM_EXTERNAL_VALUE, {"a\nb", "x"}, 3, -EINVAL},
	{"empty name", PM_EXTERNAL_VALUE, {"", "x"}, 3, -EINVAL},
	{"too long a name",
	 PM_EXTERNAL_VALUE,
	 {"0123456789012345678901234567890123456789012345678901234567890123x", "x"},
	 3,
	 -EINVAL},
	{"not a number", PM_RUN_PENDING, {NULL}, (double)NAN, -EINVAL},
	{"infinite", PM_RUN_PENDING, {NULL}, (double)INFINITY, -EINVAL},
};

static void test_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(set_cases); i++) {
		const struct set_case *c = &set_cases[i];
		struct prom p = PROM_INIT;
		int rc = prom_set(&p, c->metric, c->values, c->v);

		if (rc != c->want || p.count != (size_t)(rc == 0))
			fail_msg("%s: got %d with %zu samples", c->name, rc, p.count);
		prom_release(&p);
	}
}

static void test_page(void **state)
{
	static const char want[] =
		"# HELP plimsoll_verdict 1 for the verdict of the last run and 0 for the other "
		"words.\n"
		"# TYPE plimsoll_verdict gauge\n"
		"plimsoll_verdict{verdict=\"worse\"} 1\n"
		"plimsoll_verdict{verdict=\"better\"} 0\n"
		"# HELP plimsoll_response_seconds Response time of the last run, from when a call "
		"was due.\n"
		"# TYPE plimsoll_response_seconds gauge\n"
		"plimsoll_response_seconds{variant=\"new\",stat=\"p50\"} 0.141\n"
		"# HELP plimsoll_run_pending 1 while a change is to be tested and has no result "
		"yet.\n"
		"# TYPE plimsoll_run_pending gauge\n"
		"plimsoll_run_pending 0\n";
	struct prom p = PROM_INIT;
	struct buf out = BUF_INIT(64 * 1024);

	(void)state;
	assert_int_equal(prom_set(&p, PM_RUN_PENDING, NULL, 1), 0);
	assert_int_equal(prom_set(&p, PM_VERDICT, (const char *[]){"worse"}, 1), 0);
	assert_int_equal(prom_set(&p, PM_RESPONSE_SECONDS, (const char *[]){"new", "p50"}, 0.141),
			 0);
	/* Samples of one metric stay together however they were set; a second set replaces. */
	assert_int_equal(prom_set(&p, PM_VERDICT, (const char *[]){"better"}, 0), 0);
	assert_int_equal(prom_set(&p, PM_RUN_PENDING, NULL, 0), 0);
	prom_write(&p, &out);
	assert_string_equal(buf_str(&out), want);
	buf_release(&out);
	prom_release(&p);
}

static void test_numbers(void **state)
{
	static const struct {
		double v;
		const char *want;
	} cases[] = {{0, "0"},
		     {0.1, "0.1"},
		     {1.0 / 3, "0.3333333333333333"},
		     {1795359636, "1795359636"},
		     {-0.0042, "-0.0042"},
		     {2e-7, "2e-07"},
		     {134217728, "134217728"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct prom p = PROM_INIT;
		struct buf out = BUF_INIT(4096);

		assert_int_equal(prom_set(&p, PM_LAST_RUN, NULL, cases[i].v), 0);
		prom_write(&p, &out);
		buf_truncate(&out, out.len_bytes - 1);
		assert_string_equal(strrchr(buf_str(&out), ' ') + 1, cases[i].want);
		buf_release(&out);
		prom_release(&p);
	}
}

static void test_series_limit(void **state)
{
	struct prom p = PROM_INIT;
	char name[16];

	(void)state;
	for (int i = 0; i < PROM_SERIES_MAX; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		assert_int_equal(prom_set(&p, PM_EXTERNAL_VALUE, (const char *[]){"t", name}, i),
				 0);
	}
	assert_int_equal(prom_set(&p, PM_EXTERNAL_VALUE, (const char *[]){"t", "more"}, 0), -E2BIG);
	/* A series that is there may still change. */
	assert_int_equal(prom_set(&p, PM_EXTERNAL_VALUE, (const char *[]){"t", "m0"}, 7), 0);
	prom_release(&p);
}

static void test_slug(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *slug;
	} cases[] = {
		{"response_p95 < 300ms", 0, "response_p95_lt_300ms"},
		{"error_ratio <= 0.1%", 0, "error_ratio_le_0.1pct"},
		{"x>=1", 0, "x_ge_1"},
		{"$LATEST", 0, "LATEST"},
		{"shop:checkout", 0, "shop_checkout"},
		{"a\n\"b", 0, "a_b"},
		{"plain-name.1", 0, "plain-name.1"},
		{"", -EINVAL, NULL},
		{"$$", -EINVAL, NULL},
		{"0123456789012345678901234567890123456789012345678901234567890123x", -EINVAL,
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[PROM_NAME_SIZE];

		assert_int_equal(prom_slug(cases[i].text, out), cases[i].want);
		if (cases[i].want == 0)
			assert_string_equal(out, cases[i].slug);
	}
}

static void test_group_path(void **state)
{
	static const struct {
		const char *account, *function, *want;
	} cases[] = {
		{"prod", "hello", "/metrics/job/plimsoll/account/prod/function/hello"},
		{"_", "_service", "/metrics/job/plimsoll/account/_/function/_service"},
		{"a/b", "x", "/metrics/job/plimsoll/account@base64/YS9i/function/x"},
		{"prod", "", "/metrics/job/plimsoll/account/prod/function@base64/="},
		{"prod", "..", "/metrics/job/plimsoll/account/prod/function@base64/Li4="},
		{"prod", "\xff\xff\xfe", "/metrics/job/plimsoll/account/prod/function@base64/___-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *pairs[] = {"job",	   "plimsoll",	     "account", cases[i].account,
				       "function", cases[i].function};
		struct buf out = BUF_INIT(1024);

		prom_group_path(pairs, 3, &out);
		assert_string_equal(buf_str(&out), cases[i].want);
		buf_release(&out);
	}
}

static void test_escape(void **state)
{
	struct buf out = BUF_INIT(256);

	(void)state;
	prom_escape("a\\b\"c\nd", true, &out);
	assert_string_equal(buf_str(&out), "a\\\\b\\\"c\\nd");
	buf_clear(&out);
	prom_escape("a\\b\"c\nd", false, &out);
	assert_string_equal(buf_str(&out), "a\\\\b\"c\\nd");
	buf_release(&out);
}

static void test_reference(void **state)
{
	struct buf md = BUF_INIT(64 * 1024);

	(void)state;
	prom_reference(&md);
	for (size_t m = 0; m < PROM_METRIC_COUNT; m++)
		assert_non_null(strstr(buf_str(&md), prom_metric_name((enum prom_metric)m)));
	assert_non_null(strstr(buf_str(&md), "| `bound` | `estimate` `low` `high` |"));
	buf_release(&md);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),	cmocka_unit_test(test_page),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_series_limit),
		cmocka_unit_test(test_slug),	cmocka_unit_test(test_group_path),
		cmocka_unit_test(test_escape),	cmocka_unit_test(test_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
