/* What a person reads, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/sink/figures.h"
#include "cmd/sink/planned.h"
#include "cmd/sink/report.h"
#include "tests/unit/example.h"

static const struct look plain;

static struct event event_of(struct json *body, enum event_kind kind)
{
	return (struct event){.kind = kind,
			      .subject = json_get_str(body, "subject"),
			      .run = json_get_str(body, "plimsollrun"),
			      .data = json_get(body, "data")};
}

static void expect(struct buf *out, const char *want)
{
	assert_string_equal(buf_str(out), want);
	buf_clear(out);
}

static void test_run(void **state)
{
	static const char want[] =
		"worse (unconfirmed)  prod/hello  1 → 2  code\n"
		"               response_p50 is worse by more than 10 %\n"
		"               Not confirmed by a second run yet; plimsoll run measures it "
		"again.\n"
		"\n"
		"  metric            old     new    change     95 % interval\n"
		"  response_p50  61.0 ms  141 ms    +131 %     +128 … +134 %  worse        "
		"gate ±10 %, 80.0 ms (78.3 ms … 81.7 ms), 4 + 4 environments\n"
		"  error_ratio    0.00 %  1.32 %  +1.32 pp  -0.50 … +3.00 pp  cannot-tell  "
		"gate ±0.5 pp, interval-too-wide, blocks-widened\n"
		"\n"
		"  objectives  met      response_p95 < 300ms  (181 ms)\n"
		"  requests    old 152 ok; new 150 ok, 2 timeout\n"
		"  errors      2 Unhandled\n"
		"  cloud       352 invocations, 0 errors, 0 throttles by cloudwatch; not held "
		"against what was sent\n"
		"  coverage    coverage 0.75\n"
		"  run         raaaaaaaaaaaaaaaaaaaa  test compare, interleaved, cost 0.000180 "
		"USD\n"
		"\n";
	struct json *body = example("run.finished");
	struct event ev = event_of(body, EV_RUN_FINISHED);
	struct buf out = BUF_INIT(65536);

	(void)state;
	report_run(&ev, &plain, &out);
	expect(&out, want);
	report_run(&ev, &(struct look){.has_colour = true}, &out);
	assert_memory_equal(buf_str(&out),
			    "\033[1;31mworse (unconfirmed)\033[0m  \033[1mprod/hello", 46);
	buf_clear(&out);
	/* Where the basis of the intervals does not fit, it is left out. */
	report_run(&ev, &(struct look){.width = 100}, &out);
	assert_non_null(strstr(buf_str(&out), "worse        gate ±10 %\n"));
	buf_release(&out);
	json_free(body);
}

static void test_short_runs(void **state)
{
	static const struct {
		const char *outcome, *reason, *verdict, *want;
	} cases[] = {
		{"skipped", "no rule tests memory", "not-compared",
		 "skipped        prod/hello  1 → 2  code\n"
		 "               no rule tests memory\n"},
		{"refused", "0.90 USD is more than the limit of 0.50 USD a run", "cannot-tell",
		 "refused        prod/hello  1 → 2  code\n"
		 "               0.90 USD is more than the limit of 0.50 USD a run\n"},
		{"valid", NULL, "not-compared",
		 "not-compared   prod/hello  1 → 2  code\n"
		 "               Nothing was compared: only the objectives, if any, were "
		 "judged (run --dry-run says why).\n"},
	};
	struct buf out = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *body = example("run.finished");
		struct event ev = event_of(body, EV_RUN_FINISHED);

		json_put(ev.data, "metrics", json_arr());
		json_del(ev.data, "requests");
		json_del(ev.data, "verdict_reason");
		json_put_str(ev.data, "outcome", cases[i].outcome);
		json_del(ev.data, "reason");
		json_put_str(ev.data, "reason", cases[i].reason);
		json_put_str(ev.data, "verdict", cases[i].verdict);
		report_run(&ev, &plain, &out);
		expect(&out, cases[i].want);
		json_free(body);
	}
	buf_release(&out);
}

/* A gate that stayed open says what it saw, and what four times the environments would see. */
static void test_what_a_run_sees(void **state)
{
	static const struct {
		const char *verdict, *basis;
		int64_t environments;
		const char *want; /* NULL: nothing of more environments */
	} cases[] = {
		{"cannot-tell", "environments", 4,
		 "sees 33.0 %, 16 environments a side would see 21 %"},
		{"cannot-tell", "environments", 2, "8 environments a side would see 16 %"},
		{"cannot-tell", "blocks-widened", 4, NULL},
		{"no-difference", "environments", 4, NULL},
		{"worse", "environments", 4, NULL},
	};
	struct buf out = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *body = example("run.finished");
		struct event ev = event_of(body, EV_RUN_FINISHED);
		struct json *m = json_elem(json_get(ev.data, "metrics"), 0);

		json_put_str(m, "verdict", cases[i].verdict);
		json_put_str(m, "basis", cases[i].basis);
		json_put_int(m, "environments_old", cases[i].environments);
		json_put_int(m, "environments_new", cases[i].environments + (i == 1));
		json_put_real(m, "detectable", 0.33);
		report_run(&ev, &plain, &out);
		if (cases[i].want ? !strstr(buf_str(&out), cases[i].want)
				  : strstr(buf_str(&out), "would see") != NULL)
			fail_msg("%s", buf_str(&out));
		buf_clear(&out);
		json_free(body);
	}
	buf_release(&out);
}

static void test_amendment(void **state)
{
	struct json *body = example("run.finished");
	struct event ev = event_of(body, EV_RUN_FINISHED);
	struct buf out = BUF_INIT(65536);

	(void)state;
	report_amendment(&ev, "worse", &plain, &out);
	expect(&out, "worse (unconfirmed)  prod/hello  amended, the verdict stands; run "
		     "raaaaaaaaaaaaaaaaaaaa\n"
		     "  cloud     352 invocations, 0 errors, 0 throttles by cloudwatch; not held "
		     "against what was sent\n"
		     "  coverage  coverage 0.75\n");
	report_amendment(&ev, "cannot-tell", &plain, &out);
	assert_non_null(strstr(buf_str(&out), "amended, it was cannot-tell;"));
	buf_release(&out);
	json_free(body);
}

static void test_progress(void **state)
{
	struct json *body = example("shard.progress");
	struct event ev = event_of(body, EV_SHARD_PROGRESS);
	struct buf out = BUF_INIT(4096);

	(void)state;
	report_progress(&ev, 0, 79, &out);
	expect(&out, "prod/hello  7 s of 35  66 ok  p50 61.0 ms");
	report_progress(&ev, 2, 12, &out);
	expect(&out, "prod/hello  ");
	report_progress(&ev, 2, 79, &out);
	expect(&out, "prod/hello  7 s of 35  66 ok  p50 61.0 ms  (and 2 more)");
	json_put_int(json_get(ev.data, "shard"), "of", 3);
	report_progress(&ev, 0, 79, &out);
	expect(&out, "prod/hello  7 s of 35  66 ok  p50 61.0 ms  (1 of 3 loaders)");
	buf_release(&out);
	json_free(body);
}

static void test_inventory(void **state)
{
	struct json *body = example("run.finished");
	struct event ev = event_of(body, EV_RUN_FINISHED);
	struct buf out = BUF_INIT(4096);
	struct json *causes = json_arr();

	(void)state;
	assert_false(report_is_first_seen(&ev));
	json_put_str(ev.data, "outcome", "skipped");
	assert_false(report_is_first_seen(&ev));
	json_push(causes, json_new_str("first-seen"));
	json_put(json_get(ev.data, "change"), "causes", causes);
	assert_true(report_is_first_seen(&ev));
	report_inventory(1, 1, "prod", &plain, &out);
	expect(&out, "noted          1 function seen for the first time in prod; a change of one "
		     "will be tested\n");
	report_inventory(120, 2, "prod", &plain, &out);
	expect(&out, "noted          120 functions seen for the first time in 2 accounts; a "
		     "change of one will be tested\n");
	buf_release(&out);
	json_free(body);
}

static void test_figures(void **state)
{
	static const struct {
		double v;
		const char *unit, *want;
	} cases[] = {
		{0, "us", "0 µs"},	     {999, "us", "999 µs"},
		{1500, "us", "1.50 ms"},     {61000, "us", "61.0 ms"},
		{141000, "us", "141 ms"},    {1240000, "us", "1.24 s"},
		{0.0132, "1", "1.32 %"},     {512, "KiB", "512 KiB"},
		{131072, "KiB", "128 MiB"},  {0.0042, "usd", "0.0042 USD"},
		{3, "widgets", "3 widgets"}, {0.75, NULL, "0.75"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *v = json_new_real(cases[i].v);
		char out[FIGURE_SIZE];

		figure_value(v, cases[i].unit, out);
		assert_string_equal(out, cases[i].want);
		json_free(v);
	}
}

/* A plan without an answer gets one, and only then. */
static void test_planned(void **state)
{
	static const struct {
		const char *decision, *outcome;
		size_t to_test;
	} cases[] = {{"test", "incomplete", 1}, {"skip", "skipped", 0}, {"refuse", "refused", 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *body = example("run.planned");
		struct event ev = event_of(body, EV_RUN_PLANNED), end;
		struct planned p = {0};

		json_put_str(ev.data, "decision", cases[i].decision);
		planned_add(&p, &ev);
		assert_int_equal(planned_count(&p), cases[i].to_test);
		assert_true(planned_next(&p, wall_from_s(1795359700), &end));
		assert_string_equal(json_get_str(end.data, "outcome"), cases[i].outcome);
		assert_string_equal(json_get_str(end.data, "finished_at"),
				    "2026-11-22T15:01:40.000Z");
		assert_string_equal(end.id, "raaaaaaaaaaaaaaaaaaaa.f0");
		assert_string_equal(end.subject, "prod/hello");
		event_release(&end);
		assert_false(planned_next(&p, wall_from_s(1795359700), &end));
		planned_add(&p, &ev);
		planned_remove(&p, "raaaaaaaaaaaaaaaaaaaa");
		assert_false(planned_next(&p, wall_from_s(1795359700), &end));
		planned_release(&p);
		json_free(body);
	}
}

static int set_up(void **state)
{
	(void)state;
	event_set_source("sink");
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_short_runs),
		cmocka_unit_test(test_what_a_run_sees),
		cmocka_unit_test(test_amendment),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_inventory),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_planned),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
