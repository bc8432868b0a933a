/* plimsoll load: options and scenarios into workloads, and how they are cut and drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cmd/plimsoll/load_plan.h"
#include "cmd/plimsoll/load_report.h"
#include "cmd/plimsoll/load_scenario.h"

/* ---- options ---- */

struct plan_case {
	const char *name;
	struct load_ask ask;
	const char *executor;
	const char *says; /* in the description */
	double rate_per_s;
	uint32_t vus;
	uint64_t calls;
	int64_t duration_ms;
	uint32_t in_flight;
};

#define CAR "constant-arrival-rate"
static const struct plan_case plan_cases[] = {
	{"nothing said",
	 {.rate_default_per_s = 50},
	 CAR,
	 "50 calls a second for 10 s (500",
	 50,
	 0,
	 500,
	 10000,
	 100},
	{"slow: connections all the same", {.rate = "6/m"}, CAR, "0.1 calls", 0.1, 0, 1, 10000, 64},
	{"a bare number is a second's",
	 {.rate = "20000"},
	 CAR,
	 "20000 calls",
	 20000,
	 0,
	 200000,
	 10000,
	 1000},
	{"time by count",
	 {.rate = "100/s", .requests = 250},
	 CAR,
	 "2.50 s",
	 100,
	 0,
	 250,
	 2500,
	 200},
	{"rate by count",
	 {.requests = 250, .duration_ms = 500, .rate_default_per_s = 50},
	 CAR,
	 "500",
	 500,
	 0,
	 250,
	 500,
	 1000},
	{"connections bound", {.rate = "100/s", .connections = 7}, CAR, "", 100, 0, 1000, 10000, 7},
	{"calls share connections",
	 {.rate = "100/s", .connections = 7, .is_http2 = true},
	 CAR,
	 "",
	 100,
	 0,
	 1000,
	 10000,
	 200},
	{"users", {.vus = 64}, "constant-vus", "64 users", 0, 64, 0, 10000, 64},
	{"users and a count",
	 {.vus = 64, .requests = 10},
	 "shared-iterations",
	 "until 10",
	 0,
	 10,
	 10,
	 600000,
	 10},
	{"each user a count",
	 {.vus = 3, .requests = 10, .executor = "per-vu-iterations"},
	 "per-vu-iterations",
	 "10 times",
	 0,
	 3,
	 30,
	 600000,
	 3},
	{"stages",
	 {.stages = "2s:100/s,1s:0"},
	 "ramping-arrival-rate",
	 "from 0/s to 100/s in 2 s",
	 0,
	 0,
	 150,
	 3000,
	 200},
	{"a shape",
	 {.shape = "spike", .rate = "100/s", .start_rate = "10/s"},
	 "ramping-arrival-rate",
	 "from 10/s to 10/s in 4 s, to 100/s in 0 s, to 100/s in 2 s",
	 0,
	 0,
	 280,
	 10000,
	 200},
	{"a shape of users",
	 {.shape = "triangle", .vus = 15, .duration_ms = 2000},
	 "ramping-vus",
	 "from 2 to 15 in 1 s, to 2 in 1 s users",
	 0,
	 15,
	 0,
	 2000,
	 15},
	{"stages of users",
	 {.stages = "2s:10,1s:4", .executor = "ramping-vus", .start_vus = 2},
	 "ramping-vus",
	 "from 2 to 10 in 2 s, to 4",
	 0,
	 10,
	 0,
	 3000,
	 10},
};

static const struct {
	const char *name;
	struct load_ask ask;
	const char *says;
} refusals[] = {
	{"both models", {.rate = "1/s", .vus = 2}, "open model"},
	{"all three", {.rate = "1/s", .requests = 2, .duration_ms = 5}, "leave one out"},
	{"no rate", {.rate = "0/s"}, "more than 0"},
	{"a wild rate", {.rate = "1000001/s"}, "1000000/s"},
	{"a rate that comes out wild", {.requests = 1000000, .duration_ms = 1}, "1000000/s"},
	{"too many users", {.vus = 70000}, "65536"},
	{"unknown executor", {.executor = "ramping"}, "per-vu-iterations"},
	{"users for a rate", {.vus = 1, .executor = CAR}, "--rate"},
	{"a rate for users", {.rate = "1/s", .executor = "constant-vus"}, "--vus"},
	{"count without a count", {.vus = 1, .executor = "shared-iterations"}, "--requests"},
	{"stages without", {.executor = "ramping-vus"}, "--stages"},
	{"stages too many", {.stages = "1s:1", .executor = "constant-vus"}, "no --stages"},
	{"stages and a rate", {.stages = "1s:1", .rate = "1/s"}, "leave out"},
	{"a shape of nothing", {.shape = "spike"}, "--rate"},
	{"a shape unknown", {.shape = "sawtooth", .rate = "1/s"}, "increasing random"},
	{"a shape and stages", {.shape = "spike", .rate = "1/s", .stages = "1s:1"}, "one of them"},
	{"half a user", {.stages = "1s:1.5", .executor = "ramping-vus"}, "--stages 1s:1.5"},
	{"no stage", {.stages = "1s:5,"}, "--stages"},
	{"odd arrival", {.arrival = "burst"}, "uniform or poisson"},
	{"odd seed", {.seed = "-1"}, "2^64"},
	{"streams of HTTP/1", {.streams = 2}, "--http 2"},
	{"more processes than users", {.vus = 2, .processes = "3"}, "more than 2"},
	{"no process", {.processes = "0"}, "1 to 64"},
	{"long timeout", {.timeout_ms = 901000}, "15m"},
};

static void check_plan(const struct plan_case *c, const struct load_plan *p)
{
	const struct load_work *w = &p->works[0];
	struct buf words = BUF_INIT(4096);

	load_describe(w, &words);
	if (strcmp(w->executor, c->executor) != 0)
		fail_msg("%s: %s", c->name, w->executor);
	if (!strstr(buf_str(&words), c->says))
		fail_msg("%s: %s", c->name, buf_str(&words));
	if (w->rate_per_s != c->rate_per_s || w->vus != c->vus || load_calls(w) != c->calls ||
	    w->duration_ms != c->duration_ms || w->in_flight != c->in_flight)
		fail_msg("%s: %g/s, %u vus, %llu calls, %lld ms, %u in flight", c->name,
			 w->rate_per_s, w->vus, (unsigned long long)load_calls(w),
			 (long long)w->duration_ms, w->in_flight);
	buf_release(&words);
}

static void options_make_a_plan(void **state)
{
	struct load_plan *p = x_calloc(1, sizeof(*p));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plan_cases); i++) {
		struct load_ask ask = plan_cases[i].ask;
		struct buf why = BUF_INIT(2048);

		ask.rate_default_per_s = 50;
		if (load_plan_make(&ask, p, &why))
			fail_msg("%s: %s", plan_cases[i].name, buf_str(&why));
		check_plan(&plan_cases[i], p);
		buf_release(&why);
	}
	free(p);
}

static void contradictions_are_refused(void **state)
{
	struct load_plan *p = x_calloc(1, sizeof(*p));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct load_ask ask = refusals[i].ask;
		struct buf why = BUF_INIT(2048);

		ask.rate_default_per_s = 50;
		if (!load_plan_make(&ask, p, &why) || !strstr(buf_str(&why), refusals[i].says))
			fail_msg("%s: %s", refusals[i].name, buf_str(&why));
		buf_release(&why);
	}
	free(p);
}

static void parts_add_up(void **state)
{
	static const struct load_ask asks[] = {
		{.rate = "1003/s", .duration_ms = 1500, .connections = 100},
		{.vus = 65, .requests = 1001},
		{.stages = "3s:10,1s:101", .executor = "ramping-vus"},
	};
	struct load_plan *p = x_calloc(1, sizeof(*p));
	struct load_work *part = x_calloc(1, sizeof(*part));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		for (uint32_t n = 1; n <= 7; n++) {
			uint64_t calls = 0, vus = 0, in_flight = 0;
			struct buf why = BUF_INIT(2048);
			double target = 0;

			assert_int_equal(load_plan_make(&asks[i], p, &why), 0);
			for (uint32_t k = 0; k < n; k++) {
				load_cut(&p->works[0], k, n, part);
				calls += load_calls(part);
				vus += part->vus;
				in_flight += part->in_flight;
				target += part->ramp.stages[1].target;
			}
			assert_int_equal(calls, load_calls(&p->works[0]));
			assert_int_equal(vus, p->works[0].vus);
			assert_int_equal(in_flight, p->works[0].in_flight);
			assert_true(target == p->works[0].ramp.stages[1].target);
			buf_release(&why);
		}
	}
	free(part);
	free(p);
}

/* ---- scenarios ---- */

static const char all_six[] =
	"scenarios:\n"
	"  a: {executor: constant-arrival-rate, rate: 600, timeUnit: 1m, duration: 5s, maxVUs: 9}\n"
	"  b: {executor: ramping-arrival-rate, startRate: 5, preAllocatedVUs: 3,\n"
	"      stages: [{target: 10, duration: 2s}, {duration: 1s, target: 0}]}\n"
	"  c: {executor: constant-vus, vus: 4, duration: 1m, startTime: 10s}\n"
	"  d: {executor: ramping-vus, startVUs: 2, stages: [{target: 7, duration: 1s}]}\n"
	"  e: {executor: shared-iterations, vus: 2, iterations: 9, maxDuration: 30s}\n"
	"  f: {executor: per-vu-iterations}\n";

static void every_executor_of_k6_is_read(void **state)
{
	struct load_plan *p = x_calloc(1, sizeof(*p));
	struct config_errors errs = {0};
	const struct load_work *w = p->works;

	(void)state;
	assert_int_equal(load_scenario_parse("s.yaml", all_six, strlen(all_six), p, &errs), 0);
	assert_int_equal(p->work_count, 6);
	assert_true(w[0].rate_per_s == 10 && w[0].duration_ms == 5000 && w[0].in_flight == 9);
	assert_true(w[1].ramp.start == 5 && w[1].ramp.count == 2 && w[1].duration_ms == 3000);
	assert_true(load_calls(&w[1]) == 20 && load_peak_per_s(&w[1]) == 10 && w[1].in_flight == 3);
	assert_true(w[2].vus == 4 && w[2].start_ms == 10000 && w[2].duration_ms == 60000);
	assert_true(w[3].vus == 7 && w[3].ramp.start == 2 && w[3].duration_ms == 1000);
	assert_true(w[4].vus == 2 && w[4].iterations == 9 && w[4].duration_ms == 30000);
	assert_true(w[5].vus == 1 && w[5].iterations == 1 && w[5].duration_ms == 600000);
	for (size_t i = 0; i < p->work_count; i++)
		assert_true(strlen(w[i].name) == 1 && w[i].executor && w[i].arrival);
	config_errors_release(&errs);
	free(p);
}

static const struct {
	const char *text, *says; /* line:column and words */
} mistakes[] = {
	{"", "s.yaml:1:1: no scenarios"},
	{"scenarios: {}", "1:12: no scenarios"},
	{"scenarios: {a: {executor: constant-vus, vus: 1, duration: 1s}}\nthresholds: {}",
	 "2:1: unknown key \"thresholds\""},
	{"scenarios: {a: 5}", "1:16: a is"},
	{"scenarios: {a: {vus: 5}}", "1:13: a has no executor"},
	{"scenarios: {a: {executor: constant, vus: 5}}", "1:27: executor is"},
	{"scenarios:\n  a:\n    executor: constant-vus\n    vu: 5\n    duration: 1s",
	 "4:5: unknown key \"vu\" (did you mean \"vus\"?)"},
	{"scenarios: {a: {executor: constant-vus, rate: 5, duration: 1s}}",
	 "1:41: rate is not a key of constant-vus"},
	{"scenarios: {a: {executor: constant-vus, vus: 5}}", "1:13: a has no duration"},
	{"scenarios: {a: {executor: constant-vus, vus: 1.5, duration: 1s}}", "1:46: vus is"},
	{"scenarios: {a: {executor: constant-vus, vus: 0, duration: 1s}}", "1:46: vus is"},
	{"scenarios: {a: {executor: constant-vus, vus: 1, duration: soon}}", "1:59: duration is"},
	{"scenarios: {a: {executor: constant-vus, vus: 1, duration: 1s, startTime: 2m}}",
	 "1:74: startTime is"},
	{"scenarios: {a: {executor: ramping-vus, stages: []}}", "1:48: stages is"},
	{"scenarios: {a: {executor: ramping-vus, stages: [{target: 1}]}}", "1:49: a stage is"},
	{"scenarios: {\"a b\": {executor: constant-vus, duration: 1s}}", "the name \"a b\""},
	{"scenarios: [", "s.yaml:"},
};

static void mistakes_are_told_with_their_place(void **state)
{
	struct load_plan *p = x_calloc(1, sizeof(*p));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct config_errors errs = {0};
		char told[512] = "";
		int rc = load_scenario_parse("s.yaml", mistakes[i].text, strlen(mistakes[i].text),
					     p, &errs);

		if (errs.count)
			snprintf(told, sizeof(told), "%s:%d:%d: %s", errs.items[0].file,
				 errs.items[0].line, errs.items[0].column, errs.items[0].text);
		if (!rc || !strstr(told, mistakes[i].says))
			fail_msg("%s: %d %s", mistakes[i].text, rc, told);
		config_errors_release(&errs);
	}
	free(p);
}

/* ---- the histogram ---- */

static void a_histogram_holds_every_value_in_few_rows(void **state)
{
	static const int64_t highest[] = {1, 2, 9, 130, 1100, 55000, 3000000, 3600000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(highest); i++) {
		struct hdr *h = hdr_new();
		struct buf out = BUF_INIT(64 * 1024);
		int64_t sum = 0, rows = 0;

		for (int64_t k = 0; k < 1000; k++)
			hdr_record(h, MAX_OF(highest[i] * (k + 1) / 1000, INT64_C(1)));
		load_report_histogram(h, &out);
		for (char *at = out.data, *end; at && *at; at = end + 1) {
			end = strchr(at, '\n');
			*end = '\0';
			sum += strtoll(strrchr(at, ' '), NULL, 10);
			rows++;
		}
		assert_int_equal(sum, 1000);
		assert_in_range(rows, 1, 20);
		hdr_free(h);
		buf_release(&out);
	}
}

static const struct {
	const char *name;
	struct load_result r;
	double ratio;
} ratio_cases[] = {
	{"nothing was due", {.due = 0}, 0},
	{"one of four failed", {.due = 4, .outcomes = {[OUT_OK] = 3, [OUT_TIMEOUT] = 1}}, 0.25},
	{"one was not sent", {.due = 4, .outcomes = {[OUT_OK] = 3, [OUT_NOT_SENT] = 1}}, 0.25},
	{"stopped: not sent and cut off do not count",
	 {.due = 9,
	  .was_cut = true,
	  .outcomes = {[OUT_OK] = 3, [OUT_TIMEOUT] = 1, [OUT_NOT_SENT] = 3, [OUT_ABORTED] = 2}},
	 0.25},
	{"stopped before anything was due",
	 {.due = 5, .was_cut = true, .outcomes = {[OUT_NOT_SENT] = 5}},
	 0},
};

static void what_was_stopped_did_not_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ratio_cases); i++)
		if (load_error_ratio(&ratio_cases[i].r) != ratio_cases[i].ratio)
			fail_msg("%s: %g", ratio_cases[i].name,
				 load_error_ratio(&ratio_cases[i].r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_make_a_plan),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(parts_add_up),
		cmocka_unit_test(every_executor_of_k6_is_read),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(a_histogram_holds_every_value_in_few_rows),
		cmocka_unit_test(what_was_stopped_did_not_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
