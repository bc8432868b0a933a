#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/event/event.h"

/* tests/data/example.json: one event of each kind */
static struct json *examples;

static int load_examples(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	char why[JSON_WHY_SIZE];
	int rc = fs_read("tests/data/example.json", &text);

	(void)state;
	if (!rc)
		rc = json_parse(buf_str(&text), text.len_bytes, 1 << 20, &examples, why);
	buf_release(&text);
	return rc;
}

static int drop_examples(void **state)
{
	(void)state;
	json_free(examples);
	return 0;
}

/* A copy of the example of this kind. */
static struct json *example(const char *name)
{
	for (size_t i = 0; i < json_len(examples); i++) {
		struct json *e = json_elem(examples, i);

		if (strstr(json_get_str(e, "type"), name))
			return json_copy(e);
	}
	fail_msg("no example of %s", name);
	return NULL;
}

static int parse_json(const struct json *v, struct event *ev, char why[EVENT_WHY_SIZE])
{
	struct buf line = BUF_INIT(4 << 20);
	int rc;

	json_write(v, &line);
	rc = event_parse(buf_str(&line), line.len_bytes, ev, why);
	buf_release(&line);
	return rc;
}

static void test_every_example_is_good(void **state)
{
	uint32_t seen = 0;

	(void)state;
	for (size_t i = 0; i < json_len(examples); i++) {
		struct event ev, again;
		char why[EVENT_WHY_SIZE] = "";

		if (parse_json(json_elem(examples, i), &ev, why))
			fail_msg("example %zu: %s", i, why);
		seen |= EV_BIT(ev.kind);
		assert_string_equal(ev.type, event_kind_type(ev.kind));
		assert_non_null(ev.data);
		assert_string_equal(ev.subject, "prod/hello");
		/* Built by us from the same parts it is good as well. */
		if (event_new(&again, ev.kind, ev.id, ev.subject, ev.run, ev.time,
			      json_ref(ev.data), why))
			fail_msg("example %zu built: %s", i, why);
		assert_string_equal(again.id, ev.id);
		assert_true(json_is_equal(again.data, ev.data));
		event_release(&again);
		event_release(&ev);
	}
	assert_int_equal(seen, EV_BIT(EV_KIND_COUNT) - 1);
}

static const struct {
	const char *kind, *path, *value; /* value NULL: the member is taken away */
} broken[] = {
	{"function.changed", "specversion", "\"0.3\""},
	{"function.changed", "specversion", NULL},
	{"function.changed", "id", NULL},
	{"function.changed", "id", "\"\""},
	{"function.changed", "id", "\"a\\nb\""},
	{"function.changed", "source", NULL},
	{"function.changed", "time", NULL},
	{"function.changed", "time", "\"yesterday\""},
	{"function.changed", "time", "5"},
	{"function.changed", "subject", NULL},
	{"function.changed", "subject", "\"prod\""},
	{"function.changed", "subject", "\"prod/../x\""},
	{"function.changed", "subject", "\"../x\""},
	{"function.changed", "subject", "\"/\""},
	{"function.changed", "data", NULL},
	{"function.changed", "data", "[]"},
	{"function.changed", "data.change", "\"x\""},
	{"function.changed", "data.change.id", NULL},
	{"function.changed", "data.change.id", "\"../../etc\""},
	{"function.changed", "data.change.kind", "\"exploded\""},
	{"function.changed", "data.change.kind", "\"removed\""},
	{"function.changed", "data.change.kind", "\"code|config\""},
	{"function.changed", "data.change.kind", "\"\""},
	{"function.changed", "data.change.causes", "\"code\""},
	{"function.changed", "data.change.causes", "[1]"},
	{"function.changed", "data.target.memory_bytes", "-1"},
	{"function.changed", "data.target.memory_bytes", "1.5"},
	{"function.changed", "data.target.memory_bytes", "1e300"},
	{"function.changed", "data.target.is_immutable", "1"},
	{"function.changed", "data.candidates", "[1]"},
	{"function.changed", "data.candidates", "[{}]"},
	{"function.changed", "data.candidates.1.published_at", "\"x\""},
	{"function.changed", "data.limits.unreserved", "\"many\""},
	{"function.removed", "data.change.kind", "\"code\""},
	{"run.planned", "plimsollrun", "\"a/b\""},
	{"run.planned", "data.run.id", NULL},
	{"run.planned", "data.decision", NULL},
	{"run.planned", "data.decision", "\"maybe\""},
	{"run.planned", "data.variants.0.name", NULL},
	{"run.planned", "data.variants",
	 "[{\"name\":\"old\"},{\"name\":\"new\"},{\"name\":\"new\"}]"},
	{"run.planned", "data.shards", "-1"},
	{"run.planned", "data.estimate.cost_usd", "0.1"},
	{"run.planned", "data.estimate.cost_usd", "\"1e9\""},
	{"run.planned", "data.estimate.cost_usd", "\"1.\""},
	{"run.planned", "data.metrics.0.tolerance.points", "2"},
	{"shard.planned", "data.run", NULL},
	{"shard.planned", "data.run", "{\"id\":\"x\"}"},
	{"shard.planned", "data.shard.index", "-1"},
	{"shard.planned", "data.account", "\"a/b\""},
	{"shard.planned", "data.targets", NULL},
	{"shard.planned", "data.targets.0.method", "\"telepathy\""},
	{"shard.planned", "data.targets.0.url", "\"http://x\\r\\nHost: y\""},
	{"shard.planned", "data.targets.0.headers", "{\"X\":\"a\\r\\nb\"}"},
	{"shard.planned", "data.workload.executor", "\"fast\""},
	{"shard.planned", "data.workload.rate_per_s", "1e9"},
	{"shard.planned", "data.workload.seed", "\"18446744073709551616\""},
	{"shard.planned", "data.workload.seed", "5"},
	{"shard.planned", "data.limits.abort_error_ratio", "1.01"},
	{"shard.finished", "data.outcome", NULL},
	{"shard.finished", "data.outcome", "\"perfect\""},
	{"shard.finished", "data.series", "{}"},
	{"shard.finished", "data.series.0.variant", "\"middle\""},
	{"shard.finished", "data.series.0.outcomes", "{\"ok\":-1}"},
	{"shard.finished", "data.series.0.outcomes", "{\"ok\":\"1\"}"},
	{"shard.finished", "data.series.0.samples_ms", "[1,-1]"},
	{"shard.finished", "data.calls", "7"},
	{"shard.finished", "data.quality.suspect", "[{}]"},
	{"measurement.reported", "data.metrics", NULL},
	{"measurement.reported", "data.metrics.0.name", NULL},
	{"measurement.reported", "data.metrics.0.value", "\"0.75\""},
	{"run.finished", "data.verdict", "\"fine\""},
	{"run.finished", "data.requests", "{\"new\":{\"ok\":1.5}}"},
	{"run.finished", "data.histograms", "{\"new\":{\"response\":1}}"},
	{"run.finished", "data.objectives.0.is_met", "\"yes\""},
	{"run.finished", "data.rev", "-1"},
};

/* Replaces or removes the member at a path of objects and array indexes. */
static void set_at(struct json *root, const char *path, const char *value)
{
	const char *dot = strrchr(path, '.');
	char *head = dot ? x_strndup(path, (size_t)(dot - path)) : NULL;
	struct json *parent = head ? json_at(root, head) : root, *v = NULL;

	assert_non_null(parent);
	if (!value)
		json_del(parent, dot ? dot + 1 : path);
	else if (json_parse(value, strlen(value), 10000, &v, NULL))
		fail_msg("bad test value %s", value);
	else
		json_put(parent, dot ? dot + 1 : path, v);
	free(head);
}

static void test_broken_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct json *e = example(broken[i].kind);
		struct event ev;
		char why[EVENT_WHY_SIZE] = "";

		set_at(e, broken[i].path, broken[i].value);
		if (parse_json(e, &ev, why) != -EINVAL)
			fail_msg("%s with %s = %s was taken", broken[i].kind, broken[i].path,
				 broken[i].value ? broken[i].value : "nothing");
		assert_non_null(strstr(why, ":"));
		json_free(e);
	}
}

static void test_lenient_where_it_may_be(void **state)
{
	static const struct {
		const char *kind, *path, *value;
	} cases[] = {
		{"function.changed", "data.target.colour", "\"red\""},
		{"function.changed", "traceparent", "\"00-x\""},
		{"function.changed", "data.change.first_seen", "true"},
		{"function.changed", "data.limits", "null"},
		{"function.changed", "data.target.memory_bytes", "134217728.0"},
		{"function.changed", "data.candidates", "[]"},
		{"run.finished", "data.objectives.0.is_met", "null"},
		{"run.finished", "data.metrics.0.new", "null"},
		{"run.finished", "data.cloud", NULL},
		{"shard.finished", "subject", NULL},
		{"shard.finished", "data.clock_offset_ms", "-3"},
		{"measurement.reported", "subject", "\"shop:checkout\""},
		{"measurement.reported", "source", "\"sh\""},
		{"measurement.reported", "plimsollrun", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *e = example(cases[i].kind);
		struct event ev;
		char why[EVENT_WHY_SIZE];

		set_at(e, cases[i].path, cases[i].value);
		if (parse_json(e, &ev, why))
			fail_msg("%s: %s", cases[i].path, why);
		event_release(&ev);
		json_free(e);
	}
}

/* What the shell loader of docs makes out of shard.planned. */
static void test_foreign_shard_finished(void **state)
{
	static const char line[] =
		"{\"specversion\":\"1.0\",\"type\":\"plimsoll.shard.finished.v1\",\"id\":\"r.0.0\","
		"\"plimsollrun\":\"raaaaaaaaaaaaaaaaaaaa\",\"source\":\"sh\",\"subject\":\"web/a\","
		"\"time\":\"2026-11-22T15:00:00.000Z\",\"data\":{\"run\":\"raaaaaaaaaaaaaaaaaaaa\","
		"\"shard\":{\"index\":0,\"of\":1},\"attempt\":0,\"outcome\":\"complete\","
		"\"series\":"
		"[{\"variant\":\"new\",\"temperature\":\"unknown\",\"samples_ms\":[1.203,0,99]}]}}";
	struct event ev;
	char why[EVENT_WHY_SIZE];

	(void)state;
	if (event_parse(line, strlen(line), &ev, why))
		fail_msg("%s", why);
	assert_int_equal(ev.kind, EV_SHARD_FINISHED);
	assert_string_equal(ev.line, line);
	assert_int_equal(ev.line_bytes, strlen(line));
	event_release(&ev);
}

static void test_other_types_and_no_events(void **state)
{
	static const char other[] =
		"{\"specversion\":\"1.0\",\"type\":\"com.example.x\",\"id\":\"1\","
		"\"source\":\"/s\",\"time\":\"2026-11-22T15:00:00Z\",\"data\":7}";
	static const char *const bad[] = {
		"",	    "null",
		"[]",	    "7",
		"{}",	    "{\"type\":5}",
		"not json", "{\"specversion\":\"1.0\",\"type\":\"x\",\"id\":\"1\"}"};
	struct event ev;
	char why[EVENT_WHY_SIZE];

	(void)state;
	assert_int_equal(event_parse(other, strlen(other), &ev, why), 0);
	assert_int_equal(ev.kind, EV_OTHER);
	assert_int_equal(json_int(ev.data), 7);
	event_release(&ev);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why[0] = '\0';
		if (event_parse(bad[i], strlen(bad[i]), &ev, why) != -EINVAL || !why[0])
			fail_msg("taken, or no reason given: %s", bad[i]);
	}
}

static void test_sizes(void **state)
{
	struct json *e = example("run.planned"), *f = example("run.finished");
	char *long_text = x_calloc(70001, 1);
	struct event ev;
	char why[EVENT_WHY_SIZE];

	(void)state;
	memset(long_text, 'x', 70000);
	json_put_str(json_get(e, "data"), "note", long_text);
	json_put_str(json_get(f, "data"), "note", long_text);
	assert_int_equal(parse_json(e, &ev, why), -E2BIG);
	assert_int_equal(event_new(&ev, EV_RUN_PLANNED, "r1", "a/b", "r1", wall_from_s(0),
				   json_copy(json_get(e, "data")), why),
			 -E2BIG);
	assert_int_equal(parse_json(f, &ev, why), 0);
	event_release(&ev);
	for (int i = 0; i < 15; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		json_put_str(json_get(f, "data"), name, long_text);
	}
	assert_int_equal(parse_json(f, &ev, why), -E2BIG);
	json_free(e);
	json_free(f);
	free(long_text);
}

/* More than the line's buffer holds: a line that is cut must not look like a short one. */
static void test_new_of_one_huge_text(void **state)
{
	const size_t len_bytes = 5 * (size_t)EVENT_LINE_MAX_BYTES;
	struct json *e = example("run.planned");
	char *text = x_calloc(len_bytes + 1, 1);
	struct event ev;
	char why[EVENT_WHY_SIZE];

	(void)state;
	memset(text, 'x', len_bytes);
	json_put_str(json_get(e, "data"), "note", text);
	assert_int_equal(event_new(&ev, EV_RUN_PLANNED, "r1", "a/b", "r1", wall_from_s(0),
				   json_copy(json_get(e, "data")), why),
			 -E2BIG);
	json_free(e);
	free(text);
}

static void test_new_refuses_our_mistakes(void **state)
{
	struct event ev;
	char why[EVENT_WHY_SIZE];

	(void)state;
	assert_int_equal(
		event_new(&ev, EV_RUN_PLANNED, "r1", "a/b", NULL, wall_from_s(0), json_obj(), why),
		-EINVAL);
	assert_int_equal(
		event_new(&ev, EV_MEASUREMENT, "m1", NULL, NULL, wall_from_s(0), NULL, why),
		-EINVAL);
}

static void test_names(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
	} cases[] = {
		{"prod/hello", true},
		{"a/b", true},
		{"a.b-c_D9/x", true},
		{"a/.", false},
		{"a/..", false},
		{"a/b/c", false},
		{"/b", false},
		{"a/", false},
		{"a b/c", false},
		{"", false},
		{"a", false},
		{"a/\xc3\xa9", false},
		{"a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};
	struct subject s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if ((subject_parse(cases[i].text, &s) == 0) != cases[i].is_good)
			fail_msg("%s", cases[i].text);
	assert_int_equal(subject_parse("prod/hello", &s), 0);
	assert_string_equal(s.account, "prod");
	assert_string_equal(s.function, "hello");
	assert_false(name_is_valid(NULL));
	assert_string_equal(event_kind_name(EV_RUN_PLANNED), "run.planned");
	assert_string_equal(event_kind_name(EV_OTHER), "other");
}

static void test_reference(void **state)
{
	struct buf page = BUF_INIT(1 << 20);

	(void)state;
	event_reference(&page);
	assert_false(buf_is_over(&page));
	for (int k = 0; k < EV_KIND_COUNT; k++)
		assert_non_null(strstr(buf_str(&page), event_kind_type((enum event_kind)k)));
	assert_non_null(strstr(buf_str(&page), "| `data.variants[].name` | `old` `new` | yes |"));
	buf_release(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_example_is_good),
		cmocka_unit_test(test_broken_events),
		cmocka_unit_test(test_lenient_where_it_may_be),
		cmocka_unit_test(test_foreign_shard_finished),
		cmocka_unit_test(test_other_types_and_no_events),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_new_of_one_huge_text),
		cmocka_unit_test(test_new_refuses_our_mistakes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_reference),
	};

	return cmocka_run_group_tests(tests, load_examples, drop_examples);
}
