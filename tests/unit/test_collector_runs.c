/* What the collector holds: order, repeats, bounds; and its pure parts about clouds and sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "cmd/collector/ask_cloud.h"
#include "cmd/collector/bookkeeping.h"
#include "cmd/collector/cloud.h"
#include "cmd/collector/runs.h"
#include "cmd/collector/secret_files.h"
#include "cmd/collector/sources.h"
#include "common/base/fsio.h"

#include <sys/stat.h>

static struct json *parse(const char *text)
{
	struct json *v = NULL;
	char why[JSON_WHY_SIZE];

	if (json_parse(text, strlen(text), 1 << 20, &v, why) != 0)
		fail_msg("%s: %s", why, text);
	return v;
}

static struct event event_of(enum event_kind kind, const char *id, const char *data)
{
	struct event ev;
	char why[EVENT_WHY_SIZE];
	struct wall time;

	assert_int_equal(wall_parse_rfc3339("2026-11-22T15:00:00.000Z", &time), 0);
	if (event_new(&ev, kind, id, "prod/hello", "rone", time, parse(data), why) != 0)
		fail_msg("%s", why);
	return ev;
}

static struct event shard_event(int index, int attempt)
{
	char *id = x_asprintf("rone.%d.%d", index, attempt);
	char *data =
		x_asprintf("{\"run\":\"rone\",\"shard\":{\"index\":%d,\"of\":2},\"attempt\":%d,"
			   "\"outcome\":\"complete\",\"series\":[]}",
			   index, attempt);
	struct event ev = event_of(EV_SHARD_FINISHED, id, data);

	free(id);
	free(data);
	return ev;
}

static struct event plan_event(int shards)
{
	char *data = x_asprintf("{\"run\":{\"id\":\"rone\",\"purpose\":\"change\"},"
				"\"decision\":\"test\",\"shards\":%d}",
				shards);
	struct event ev = event_of(EV_RUN_PLANNED, "rone", data);

	free(data);
	return ev;
}

/* Each letter an event: p plan, 0 1 shards, r a later attempt at shard 1, m a report. */
static void test_any_order(void **state)
{
	static const struct {
		const char *order;
		const char *complete; /* after each event: y or n */
	} cases[] = {
		{"p01", "nny"},	      {"01p", "nny"},	    {"1p0", "nny"},	{"p0011", "nnnyy"},
		{"pp0101", "nnnyyy"}, {"mp0m1m", "nnnnyy"}, {"p0rr1", "nnyyy"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct runs rs = {0};
		struct run *r = runs_of(&rs, "rone");

		print_message("%s\n", cases[i].order);
		for (size_t k = 0; cases[i].order[k]; k++) {
			char what = cases[i].order[k];
			struct event ev = what == 'p' ? plan_event(2)
					  : what == 'm'
						  ? event_of(EV_MEASUREMENT, "mone",
							     "{\"tool\":\"t\",\"metrics\":[]}")
					  : what == 'r' ? shard_event(1, 1)
							: shard_event(what - '0', 0);
			int rc = what == 'p'   ? run_take_plan(&rs, r, &ev)
				 : what == 'm' ? run_take_report(&rs, r, &ev)
					       : run_take_shard(&rs, r, &ev);

			assert_int_equal(rc, 0);
			assert_int_equal(run_is_complete(r), cases[i].complete[k] == 'y');
			event_release(&ev);
		}
		/* The later attempt stays, whichever came last. */
		if (strchr(cases[i].order, 'r'))
			assert_int_equal(r->shards[1].attempt, 1);
		assert_true(r->reports.count <= 1);
		runs_release(&rs, NULL);
		assert_int_equal(rs.bytes, 0);
	}
}

static void test_bounds(void **state)
{
	struct runs rs = {0};
	struct run *r = runs_of(&rs, "rone");
	struct event far = shard_event(RUN_SHARDS_MAX, 0), many = plan_event(RUN_SHARDS_MAX + 1);

	(void)state;
	assert_null(runs_of(&rs, NULL));
	assert_null(runs_of(&rs, ""));
	assert_ptr_equal(runs_of(&rs, "rone"), r);
	assert_int_equal(run_take_shard(&rs, r, &far), -EINVAL);
	assert_int_equal(run_take_plan(&rs, r, &many), -EINVAL);
	assert_null(runs_overdue(&rs));
	rs.bytes = RUNS_MAX_BYTES + 1;
	runs_of(&rs, "rtwo");
	assert_ptr_equal(runs_overdue(&rs), r); /* the oldest */
	rs.bytes = 0;
	run_close(&rs, r, NULL);
	assert_int_equal(r->state, RUN_OVER);
	/* Finished ones are forgotten in the end, so that a stage may live for years. */
	for (int i = 0; i < 2 * RUNS_MAX; i++) {
		char id[32];

		snprintf(id, sizeof(id), "r%d", i);
		run_close(&rs, runs_of(&rs, id), NULL);
	}
	assert_true(rs.by_id.count <= RUNS_MAX + 1);
	event_release(&far);
	event_release(&many);
	runs_release(&rs, NULL);
}

static void test_external_is_sorted(void **state)
{
	struct runs rs = {0};
	struct run *r = runs_of(&rs, "rone");
	const char *ids[] = {"mc", "ma", "mb"}, *tools[] = {"b", "b", "a"};
	struct json *all;

	(void)state;
	for (int i = 0; i < 3; i++) {
		char *data = x_asprintf("{\"tool\":\"%s\",\"metrics\":[{\"name\":\"%s\","
					"\"value\":1,\"unit\":\"1\"}]}",
					tools[i], ids[i]);
		struct event ev = event_of(EV_MEASUREMENT, ids[i], data);

		assert_int_equal(run_take_report(&rs, r, &ev), 0);
		event_release(&ev);
		free(data);
	}
	json_push(r->figures, parse("{\"tool\":\"aa\",\"metrics\":[]}"));
	all = run_external(r);
	assert_int_equal(json_len(all), 4);
	assert_string_equal(json_str(json_at(all, "0.metrics.0.name")), "mb");
	assert_string_equal(json_str(json_at(all, "1.tool")), "aa");
	assert_string_equal(json_str(json_at(all, "2.metrics.0.name")), "ma");
	assert_string_equal(json_str(json_at(all, "3.metrics.0.name")), "mc");
	json_free(all);
	runs_release(&rs, NULL);
}

#define TWO                                                                                        \
	"\"variants\":[{\"name\":\"old\",\"qualifier\":\"1\"},{\"name\":\"new\",\"qualifier\":"    \
	"\"2\"}]"

static void test_bookkeeping(void **state)
{
	static const struct {
		const char *name, *requests, *versions, *want;
	} cases[] = {
		{"equal", "\"old\":{\"ok\":100},\"new\":{\"ok\":90,\"throttled\":10}",
		 "\"old\":{\"invocations\":110,\"throttles\":0},"
		 "\"new\":{\"invocations\":100,\"throttles\":10}",
		 "closed"},
		{"within what is unknown", "\"old\":{\"ok\":95,\"timeout\":5},\"new\":{\"ok\":100}",
		 "\"old\":{\"invocations\":107,\"throttles\":0},"
		 "\"new\":{\"invocations\":110,\"throttles\":0}",
		 "closed"},
		{"calls are missing", "\"old\":{\"ok\":100},\"new\":{\"ok\":100}",
		 "\"old\":{\"invocations\":110,\"throttles\":0},"
		 "\"new\":{\"invocations\":109,\"throttles\":0}",
		 "open"},
		{"somebody else calls", "\"old\":{\"ok\":100},\"new\":{\"ok\":100}",
		 "\"old\":{\"invocations\":111,\"throttles\":0},"
		 "\"new\":{\"invocations\":110,\"throttles\":0}",
		 "open"},
		{"never sent counts on no side",
		 "\"old\":{\"ok\":100,\"not_sent\":7},\"new\":{\"ok\":100,\"dns\":3}",
		 "\"old\":{\"invocations\":110,\"throttles\":0},"
		 "\"new\":{\"invocations\":110,\"throttles\":0}",
		 "closed"},
		{"no dimension for one version", "\"old\":{\"ok\":100},\"new\":{\"ok\":100}",
		 "\"old\":{\"invocations\":110,\"throttles\":0}", "unchecked"},
		{"no dimension at all", "\"old\":{\"ok\":100},\"new\":{\"ok\":100}", "",
		 "unchecked"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *told = x_asprintf("{" TWO ",\"requests\":{%s},\"warmup_requests\":"
					"{\"old\":{\"ok\":10},\"new\":{\"ok\":10}}}",
					cases[i].requests);
		char *answer =
			x_asprintf("{\"invocations\":1,\"versions\":{%s}}", cases[i].versions);
		struct json *data = parse(told), *cloud = parse(answer);

		print_message("%s\n", cases[i].name);
		assert_string_equal(bookkeeping_of(data, cloud), cases[i].want);
		json_free(data);
		json_free(cloud);
		free(told);
		free(answer);
	}
}

static struct cloudwatch_result points(const double *values, size_t count)
{
	struct cloudwatch_result r = {.status = CW_COMPLETE, .count = count, .cap = count};

	r.points = x_calloc(count + 1, sizeof(*r.points));
	for (size_t i = 0; i < count; i++)
		r.points[i] = (struct cloudwatch_point){wall_from_s((int64_t)i * 60), values[i]};
	return r;
}

/* What CloudWatch answers with and without counting by version. */
static void test_cloud_figures(void **state)
{
	static const struct {
		const char *name, *variants, *want;
		size_t queries;
		double values[8][3];
		size_t counts[8];
	} cases[] = {
		{"versions counted alone",
		 TWO,
		 "{\"source\":\"cloudwatch\",\"invocations\":352,\"errors\":0,\"throttles\":3,"
		 "\"duration_p50_ms\":61.5,\"versions\":{\"old\":{\"invocations\":176,"
		 "\"throttles\":0},\"new\":{\"invocations\":173,\"throttles\":3}}}",
		 8,
		 {{300, 52}, {0}, {3}, {60, 61.5, 63}, {176}, {0}, {173}, {3}},
		 {2, 0, 1, 3, 1, 0, 1, 1}},
		{"only the function is counted (the emulator)",
		 TWO,
		 "{\"source\":\"cloudwatch\",\"invocations\":352,\"errors\":0,\"throttles\":0,"
		 "\"versions\":{}}",
		 8,
		 {{352}},
		 {1, 0, 0, 0, 0, 0, 0, 0}},
		{"nothing yet", TWO, "{\"source\":\"cloudwatch\",\"versions\":{}}", 8, {{0}}, {0}},
		{"$LATEST is not ours alone",
		 "\"variants\":[{\"name\":\"new\",\"qualifier\":\"$LATEST\"}]",
		 "{\"source\":\"cloudwatch\",\"invocations\":5,\"errors\":0,\"throttles\":0,"
		 "\"versions\":{}}",
		 4,
		 {{5}},
		 {1}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = x_asprintf("{\"function\":\"hello\",%s}", cases[i].variants);
		struct json *question = parse(text), *want = parse(cases[i].want), *got;
		struct buf resources[2] = {BUF_INIT(256), BUF_INIT(256)};
		struct cloudwatch_query queries[ASK_CLOUD_QUERIES_MAX];
		struct cloudwatch_result results[8];
		struct buf written = BUF_INIT(4096);
		size_t count = ask_cloud_queries(question, queries, resources);

		assert_int_equal(count, cases[i].queries);
		if (count == 8) {
			assert_string_equal(queries[4].resource, "hello:1");
			assert_string_equal(queries[7].resource, "hello:2");
		}
		for (size_t k = 0; k < 8; k++)
			results[k] = points(cases[i].values[k], cases[i].counts[k]);
		got = ask_cloud_figures(question, results, count);
		json_write(got, &written);
		print_message("%s: %s\n", cases[i].name, buf_str(&written));
		assert_true(json_is_equal(got, want));
		for (size_t k = 0; k < 8; k++)
			cloudwatch_result_release(&results[k]);
		buf_release(&resources[0]);
		buf_release(&resources[1]);
		buf_release(&written);
		json_free(question);
		json_free(want);
		json_free(got);
		free(text);
	}
}

static void test_revision(void **state)
{
	static const struct {
		const char *answer;
		bool is_changed;
	} cases[] = {
		{"{\"revision\":\"r1\",\"code_sha256\":\"c1\"}", false},
		{"{\"revision\":\"r2\",\"code_sha256\":\"c1\"}", true},
		{"{\"revision\":\"r1\",\"code_sha256\":\"c2\"}", true},
		{"{\"code_sha256\":\"c1\"}", false},
		{"{}", false},
	};
	struct json *plan = parse("{\"target\":{\"code_sha256\":\"c1\"},"
				  "\"change\":{\"revision\":\"r1\"}}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *answer = parse(cases[i].answer);

		assert_int_equal(cloud_compare_revision(plan, answer) != NULL, cases[i].is_changed);
		json_free(answer);
	}
	json_free(plan);
}

static void test_source_lines(void **state)
{
	static const struct {
		const char *output;
		size_t metrics, bad;
	} cases[] = {
		{"", 0, 0},
		{"{\"name\":\"coverage\",\"value\":0.75,\"unit\":\"1\"}\n", 1, 0},
		{"{\"name\":\"coverage\",\"value\":0.75}\n\n{\"name\":\"bugs\",\"value\":3}", 2, 0},
		{"not json\n{\"name\":\"bugs\",\"value\":3}\n", 1, 1},
		{"{\"value\":3}\n{\"name\":\"bugs\",\"value\":\"3\"}\n[]\n", 0, 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf output = BUF_INIT(4096);
		size_t bad = 0;
		struct json *o;

		buf_adds(&output, cases[i].output);
		o = sources_parse("sonar", &output, &bad);
		assert_string_equal(json_get_str(o, "tool"), "sonar");
		assert_int_equal(json_len(json_get(o, "metrics")), cases[i].metrics);
		assert_int_equal(bad, cases[i].bad);
		json_free(o);
		buf_release(&output);
	}
}

static void test_secret_files(void **state)
{
	struct config_named_secret secrets[] = {{(char *)"TOKEN", (char *)"s3cret"},
						{(char *)"OTHER", (char *)"file:/nonexistent/x"}};
	struct secret_files f;
	struct buf text = BUF_INIT(100);
	struct stat info;
	char *path;

	(void)state;
	assert_int_equal(secret_files_write(&f, secrets, 1), 0);
	assert_int_equal(strncmp(f.env[0], "TOKEN=/", 7), 0);
	assert_null(f.env[1]);
	path = x_strdup(f.env[0] + 6);
	assert_int_equal(fs_read(path, &text), 0);
	assert_string_equal(buf_str(&text), "s3cret");
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(stat(f.folder, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);
	secret_files_remove(&f);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(secret_files_write(&f, secrets, 2) < 0);
	assert_null(f.folder);
	free(path);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),	   cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_external_is_sorted), cmocka_unit_test(test_bookkeeping),
		cmocka_unit_test(test_cloud_figures),	   cmocka_unit_test(test_revision),
		cmocka_unit_test(test_source_lines),	   cmocka_unit_test(test_secret_files),
	};

	event_set_source("collector");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
