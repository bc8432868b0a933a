/* From events to a group of metrics: counted once, newest wins, never green by accident. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/sink/ledger.h"
#include "common/stats/hdr.h"
#include "tests/unit/example.h"

/* The example's event of a kind, changed at some places: path is dotted, value is JSON text. */
struct edit {
	const char *path, *value;
};

static void put_at(struct json *data, const char *path, const char *value)
{
	const char *dot = strrchr(path, '.');
	char *parent_path = dot ? x_strndup(path, (size_t)(dot - path)) : NULL;
	struct json *parent = parent_path ? json_at(data, parent_path) : data, *v;

	BUG_ON(json_parse(value, strlen(value), 65536, &v, NULL) != 0);
	json_put(parent, dot ? dot + 1 : path, v);
	free(parent_path);
}

static bool fold(struct json **doc, const char *kind, enum event_kind k, const struct edit *edits)
{
	struct json *body = example(kind);
	struct event ev = {.kind = k, .subject = "prod/hello", .data = json_get(body, "data")};
	bool has_changed;

	BUG_ON(wall_parse_rfc3339(json_get_str(body, "time"), &ev.time) != 0);
	for (; edits && edits->path; edits++)
		put_at(ev.data, edits->path, edits->value);
	has_changed = ledger_fold(doc, &ev);
	json_free(body);
	return has_changed;
}

#define CHANGED "function.changed", EV_FUNCTION_CHANGED
#define PLANNED "run.planned", EV_RUN_PLANNED
#define FINISHED "run.finished", EV_RUN_FINISHED
#define REMOVED "function.removed", EV_FUNCTION_REMOVED
#define EDITS(...) ((const struct edit[]){__VA_ARGS__, {0}})

/* The page, for looking into. */
static char *page_of(const struct json *doc, const struct ledger_export *exports, size_t count)
{
	struct prom p = PROM_INIT;
	struct buf text = BUF_INIT(64 * 1024);

	ledger_group(doc, exports, count, &p);
	prom_write(&p, &text);
	prom_release(&p);
	return buf_steal(&text);
}

static void expect_lines(const struct json *doc, const char *const *lines)
{
	char *page = page_of(doc, NULL, 0);

	for (; *lines; lines++) {
		bool is_absent = **lines == '!';
		char *whole = x_asprintf("\n%s%s", *lines + is_absent, is_absent ? "" : "\n");

		if ((strstr(page, whole) == NULL) != is_absent)
			fail_msg("%s\nin\n%s", *lines, page);
		free(whole);
	}
	free(page);
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_an_accepted_run_is_no_alert(void **state)
{
	static const struct {
		const char *run, *line;
	} cases[] = {
		{"raaaaaaaaaaaaaaaaaaa", "plimsoll_accepted 0"},
		{NULL, "plimsoll_accepted 0"},
		{"", "plimsoll_accepted 1"}, /* the last one */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *doc = NULL;
		const char *run = cases[i].run;

		assert_true(fold(&doc, FINISHED, NULL));
		if (run && !*run)
			run = json_str(json_at(doc, "last.run.id"));
		json_put_str(doc, "accepted", run);
		expect_lines(doc, LINES(cases[i].line));
		json_free(doc);
	}
}

static void test_a_run(void **state)
{
	struct json *doc = NULL;

	(void)state;
	assert_false(fold(&doc, CHANGED, NULL)); /* no group yet: nothing was tested */
	assert_null(doc);
	assert_true(fold(&doc, PLANNED, NULL));
	expect_lines(doc, LINES("plimsoll_run_pending 1", "plimsoll_runs_total 0",
				"plimsoll_last_change_timestamp_seconds 1795359600",
				"!plimsoll_verdict", "!plimsoll_last_run_timestamp_seconds"));
	assert_true(fold(&doc, FINISHED, NULL));
	expect_lines(
		doc,
		LINES("plimsoll_run_pending 0", "plimsoll_runs_total 1",
		      "plimsoll_verdict{verdict=\"worse\"} 1",
		      "plimsoll_verdict{verdict=\"better\"} 0",
		      "plimsoll_run_outcome{outcome=\"valid\"} 1",
		      "plimsoll_change_ratio{metric=\"response_p50\",bound=\"estimate\"} 1.311",
		      "plimsoll_change_ratio{metric=\"response_p50\",bound=\"low\"} 1.28",
		      "plimsoll_change_points{metric=\"error_ratio\",bound=\"high\"} 0.03",
		      "plimsoll_response_seconds{variant=\"old\",stat=\"p50\"} 0.061",
		      "plimsoll_response_seconds{variant=\"new\",stat=\"p50\"} 0.141",
		      "plimsoll_requests{variant=\"new\",class=\"ok\"} 150",
		      "plimsoll_requests{variant=\"new\",class=\"failed\"} 2",
		      "plimsoll_requests{variant=\"old\",class=\"throttled\"} 0",
		      "plimsoll_objective_met{objective=\"response_p95_lt_300ms\"} 1",
		      "plimsoll_test_cost_usd_total 0.00018",
		      "plimsoll_last_run_timestamp_seconds 1795359636",
		      "plimsoll_run_info{version=\"2\",run=\"raaaaaaaaaaaaaaaaaaaa\"} 1",
		      "plimsoll_external_value{tool=\"coverage\",metric=\"coverage\"} 0.75",
		      "!plimsoll_init_seconds"));
	assert_true(fold(&doc, CHANGED, NULL));
	expect_lines(doc, LINES("plimsoll_last_change_timestamp_seconds 1795359590"));
	assert_true(fold(&doc, REMOVED, NULL));
	assert_null(doc);
}

/* What the verdict did not look at comes from the histogram. */
static void test_percentiles_of_the_histogram(void **state)
{
	struct buf text = BUF_INIT(65536), quoted = BUF_INIT(65536);
	struct hdr *h = hdr_new();
	struct json *doc = NULL;

	(void)state;
	hdr_record_n(h, 50000, 98);
	hdr_record_n(h, 90000, 2);
	hdr_encode(h, &text);
	buf_addf(&quoted, "{\"new\":{\"response\":\"%s\"}}", buf_str(&text));
	fold(&doc, FINISHED, EDITS({"histograms", buf_str(&quoted)}));
	expect_lines(doc, LINES("plimsoll_response_seconds{variant=\"new\",stat=\"p50\"} 0.141",
				"plimsoll_response_seconds{variant=\"new\",stat=\"p95\"} 0.050015",
				"plimsoll_response_seconds{variant=\"new\",stat=\"p99\"} 0.090047",
				"!plimsoll_response_seconds{variant=\"old\",stat=\"p99\"}"));
	hdr_free(h);
	buf_release(&text);
	buf_release(&quoted);
	json_free(doc);
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *outcome, *verdict, *want;
	} cases[] = {
		{"\"valid\"", "\"better\"", "plimsoll_verdict{verdict=\"better\"} 1"},
		{"\"suspect\"", "\"better\"", "plimsoll_verdict{verdict=\"cannot-tell\"} 1"},
		{"\"failed\"", "\"no-difference\"", "plimsoll_verdict{verdict=\"cannot-tell\"} 1"},
		{"\"suspect\"", "\"worse\"", "plimsoll_verdict{verdict=\"worse\"} 1"},
		{"\"incomplete\"", "null", "plimsoll_verdict{verdict=\"cannot-tell\"} 1"},
		{"\"valid\"", "\"not-compared\"", "plimsoll_verdict{verdict=\"not-compared\"} 1"},
		{"\"failed\"", "\"not-compared\"", "plimsoll_verdict{verdict=\"cannot-tell\"} 1"},
		{"\"skipped\"", "null", "plimsoll_verdict{verdict=\"not-compared\"} 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *doc = NULL;

		fold(&doc, FINISHED,
		     EDITS({"outcome", cases[i].outcome}, {"verdict", cases[i].verdict}));
		expect_lines(doc, LINES(cases[i].want));
		json_free(doc);
	}
}

static void test_counted_once(void **state)
{
	struct json *doc = NULL;

	(void)state;
	fold(&doc, FINISHED, NULL);
	fold(&doc, FINISHED, NULL);
	/* The cloud knows the cost better; then an older revision comes once more. */
	fold(&doc, FINISHED,
	     EDITS({"rev", "1"}, {"cost_usd", "\"0.001000\""}, {"verdict", "\"cannot-tell\""}));
	fold(&doc, FINISHED, NULL);
	expect_lines(doc, LINES("plimsoll_runs_total 1", "plimsoll_test_cost_usd_total 0.001",
				"plimsoll_verdict{verdict=\"cannot-tell\"} 1"));
	/* A result from before is counted and changes nothing else. */
	fold(&doc, FINISHED,
	     EDITS({"run.id", "\"rold\""}, {"finished_at", "\"2026-11-22T14:00:00Z\""},
		   {"verdict", "\"better\""}));
	expect_lines(doc, LINES("plimsoll_runs_total 2", "plimsoll_test_cost_usd_total 0.00118",
				"plimsoll_verdict{verdict=\"cannot-tell\"} 1"));
	json_free(doc);
}

/* A skip says nothing new about the function: a red verdict stays red. */
static void test_skipped(void **state)
{
	struct json *doc = NULL;

	(void)state;
	assert_false(
		fold(&doc, FINISHED,
		     EDITS({"outcome", "\"skipped\""}, {"change.causes", "[\"first-seen\"]"})));
	assert_null(doc);
	fold(&doc, FINISHED, NULL);
	assert_true(fold(&doc, FINISHED,
			 EDITS({"run.id", "\"rskip\""}, {"outcome", "\"skipped\""},
			       {"verdict", "\"not-compared\""},
			       {"finished_at", "\"2026-11-22T16:00:00Z\""})));
	expect_lines(doc, LINES("plimsoll_verdict{verdict=\"worse\"} 1", "plimsoll_runs_total 1",
				"plimsoll_last_run_timestamp_seconds 1795359636"));
	json_free(doc);
}

static void test_pending_of_another_run(void **state)
{
	struct json *doc = NULL;

	(void)state;
	fold(&doc, PLANNED, EDITS({"run.id", "\"rnext\""}));
	fold(&doc, FINISHED, NULL);
	expect_lines(doc, LINES("plimsoll_run_pending 1"));
	fold(&doc, PLANNED, EDITS({"decision", "\"skip\""}, {"run.id", "\"rskip\""}));
	fold(&doc, FINISHED, EDITS({"run.id", "\"rnext\""}));
	expect_lines(doc, LINES("plimsoll_run_pending 0"));
	/* A plan that is told again after its result. */
	fold(&doc, PLANNED, EDITS({"run.id", "\"rnext\""}));
	expect_lines(doc, LINES("plimsoll_run_pending 0"));
	json_free(doc);
}

static void test_exports(void **state)
{
	static const struct ledger_export other = {"coverage", "lines"},
					  same = {"coverage", "coverage"};
	struct json *doc = NULL;
	char *page;

	(void)state;
	fold(&doc, FINISHED, NULL);
	page = page_of(doc, &other, 0); /* settings that export nothing */
	assert_null(strstr(page, "external_value"));
	free(page);
	page = page_of(doc, &other, 1);
	assert_null(strstr(page, "external_value"));
	free(page);
	page = page_of(doc, &same, 1);
	assert_non_null(strstr(page, "external_value"));
	free(page);
	json_free(doc);
}

/* Whatever an event says, the page stays one that a gateway takes. */
static void test_odd_data(void **state)
{
	struct json *doc = NULL;
	char *page;

	(void)state;
	fold(&doc, FINISHED,
	     EDITS({"external",
		    "[{\"tool\":\"a b\",\"metrics\":[{\"name\":\"x\\ny\",\"value\":1}]}]"},
		   {"verdict", "\"splendid\""}, {"outcome", "\"\\\"}\""},
		   {"objectives", "[{\"name\":\"§§\",\"is_met\":true},{\"is_met\":true}]"},
		   {"variants", "[{\"name\":\"new\",\"qualifier\":\"$LATEST\"}]"},
		   {"requests", "{\"neither\":{\"ok\":1},\"new\":{\"odd\":3}}"},
		   {"metrics", "[{\"name\":\"a b\",\"is_gate\":true,\"diff\":1},7,null]"}));
	expect_lines(doc, LINES("plimsoll_run_info{version=\"LATEST\",run="
				"\"raaaaaaaaaaaaaaaaaaaa\"} 1",
				"plimsoll_requests{variant=\"new\",class=\"failed\"} 3",
				"plimsoll_verdict{verdict=\"cannot-tell\"} 1",
				"!plimsoll_external_value{", "!plimsoll_objective_met{",
				"!plimsoll_change_ratio{"));
	page = page_of(doc, NULL, 0);
	assert_null(strstr(page, "neither"));
	free(page);
	json_free(doc);
}

static void test_size(void **state)
{
	struct buf external = BUF_INIT(65536), gates = BUF_INIT(65536);
	struct prom p = PROM_INIT;
	struct json *doc = NULL;

	(void)state;
	for (int i = 0; i < 40; i++) {
		buf_addf(&external, "%s{\"name\":\"m%d\",\"value\":1}",
			 i ? "," : "[{\"tool\":\"t\",\"metrics\":[", i);
		buf_addf(&gates,
			 "%s{\"name\":\"g%d\",\"is_gate\":true,\"diff\":1,\"low\":0,\"high\":2}",
			 i ? "," : "[", i);
	}
	buf_adds(&external, "]}]");
	buf_adds(&gates, ",{\"name\":\"billed_p50\",\"new\":1},{\"name\":\"init_p50\",\"new\":1},"
			 "{\"name\":\"memory_max\",\"new\":1},{\"name\":\"cost_per_million\","
			 "\"new\":1},{\"name\":\"response_p50\",\"new\":1,\"old\":1},"
			 "{\"name\":\"response_p95\",\"new\":1,\"old\":1},"
			 "{\"name\":\"response_p99\",\"new\":1,\"old\":1}]");
	fold(&doc, FINISHED,
	     EDITS({"external", buf_str(&external)}, {"metrics", buf_str(&gates)},
		   {"objectives",
		    "[{\"name\":\"a\",\"is_met\":true},{\"name\":\"b\",\"is_met\":true},"
		    "{\"name\":\"c\",\"is_met\":true},{\"name\":\"d\",\"is_met\":true},"
		    "{\"name\":\"e\",\"is_met\":true},{\"name\":\"f\",\"is_met\":true}]"}));
	ledger_group(doc, NULL, 0, &p);
	/* With the two that the gateway adds, all of them fit into 63. */
	assert_int_equal(p.count, PROM_SERIES_MAX);
	prom_release(&p);
	json_free(doc);
	buf_release(&external);
	buf_release(&gates);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_run),
		cmocka_unit_test(test_an_accepted_run_is_no_alert),
		cmocka_unit_test(test_percentiles_of_the_histogram),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_counted_once),
		cmocka_unit_test(test_skipped),
		cmocka_unit_test(test_pending_of_another_run),
		cmocka_unit_test(test_exports),
		cmocka_unit_test(test_odd_data),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
