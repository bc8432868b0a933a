/* Reports of the function's logs: which request id stands in which stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/aws/logs.h"

#define ID "3897a7c2-8ac6-462b-9f29-0c3a5e7d1b42"
#define REPORT(id) "REPORT RequestId: " id "\tDuration: 46.40 ms\tBilled Duration: 47 ms\t"
#define PLATFORM(type, id)                                                                         \
	"{\"time\":\"2026-11-23T01:00:00Z\",\"type\":\"" type "\",\"record\":{\"requestId\":\"" id \
	"\",\"status\":\"success\"}}"

static void test_report_id(void **state)
{
	static const struct {
		const char *message;
		bool is_json;
		const char *want; /* NULL = no report */
	} cases[] = {
		{REPORT(ID), false, ID},
		{REPORT(ID) "\nXRAY TraceId: 1-5\tSegmentId: a\tSampled: true\t\n", false, ID},
		{REPORT("a"), false, "a"},
		{"START RequestId: " ID " Version: 3", false, NULL},
		{"hello REPORT RequestId: " ID "\tDuration: 1 ms", false, NULL},
		{"REPORT RequestId: " ID, false, NULL},
		{"REPORT RequestId: " ID " Duration: 1 ms", false, NULL},
		{"REPORT RequestId: \tDuration: 1 ms", false, NULL},
		{REPORT(ID "0"), false, NULL},
		{REPORT("a b"), false, NULL},
		{REPORT("a\"b"), false, NULL},
		{"REPORT RequestId:", false, NULL},
		{"", false, NULL},
		{PLATFORM("platform.report", ID), false, NULL},
		{PLATFORM("platform.report", ID), true, ID},
		{PLATFORM("platform.start", ID), true, NULL},
		{PLATFORM("platform.report", ""), true, NULL},
		{PLATFORM("platform.report", ID "0"), true, NULL},
		{PLATFORM("platform.report", "a b"), true, NULL},
		{REPORT(ID), true, NULL},
		{"{\"type\":\"platform.report\",\"record\":{\"requestId\":1}}", true, NULL},
		{"{\"type\":\"platform.report\",\"record\":[]}", true, NULL},
		{"{\"type\":\"platform.report\"}", true, NULL},
		{"{\"type\":\"platform.report\",", true, NULL},
		{"[]", true, NULL},
		{"", true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char id[LOGS_ID_MAX_BYTES + 1] = "";
		bool is_report = logs_report_id(cases[i].message, cases[i].is_json, id);

		assert_int_equal(is_report, cases[i].want != NULL);
		if (cases[i].want)
			assert_string_equal(id, cases[i].want);
	}
}

static struct json *event(const char *stream, const char *id)
{
	char *message = x_asprintf("REPORT RequestId: %s\tDuration: 1.00 ms\t", id);
	struct json *o = json_obj();

	json_put_str(o, "logStreamName", stream);
	json_put_int(o, "timestamp", 1795395600000);
	json_put_str(o, "message", message);
	free(message);
	return o;
}

static void take(struct logs_calls *calls, struct json *events_take, const char *token)
{
	struct buf body = BUF_INIT(1u << 20);
	struct json *page = json_obj();
	char why[JSON_WHY_SIZE], *next;

	json_put(page, "events", events_take);
	json_put_str(page, "nextToken", token);
	json_write(page, &body);
	assert_null(logs_take_page(calls, buf_str(&body), body.len_bytes, &next, why));
	if (token && *token)
		assert_string_equal(next, token);
	else
		assert_null(next);
	free(next);
	json_free(page);
	buf_release(&body);
}

/* Streams come interleaved, and an empty page with a token is none that ends. */
static void test_pages(void **state)
{
	struct json *first = json_arr(), *last = json_arr();
	struct logs_calls calls;

	(void)state;
	logs_calls_init(&calls, false);
	json_push(first, event("s/[1]a", "r1"));
	json_push(first, event("s/[1]b", "r2"));
	json_push(first, event("s/[1]a", "r3"));
	take(&calls, first, "more");
	take(&calls, json_arr(), "and more");
	json_push(last, event("s/[1]b", "r4"));
	json_push(last, event("s/[1]a", "r1")); /* told twice: the same */
	json_push(last, event("s/[1]a", "r2")); /* printed by the function: in neither */
	json_push(last, event("", "r5"));
	json_push(last, json_new_int(3));
	take(&calls, last, "");
	assert_string_equal(logs_calls_stream(&calls, "r1"), "s/[1]a");
	assert_null(logs_calls_stream(&calls, "r2"));
	assert_string_equal(logs_calls_stream(&calls, "r3"), "s/[1]a");
	assert_string_equal(logs_calls_stream(&calls, "r4"), "s/[1]b");
	assert_null(logs_calls_stream(&calls, "r5"));
	assert_null(logs_calls_stream(&calls, ""));
	assert_int_equal(calls.streams.count, 2);
	assert_false(calls.is_cut);
	logs_calls_release(&calls);
}

static void test_bad_pages(void **state)
{
	static const char *const bodies[] = {"",
					     "{",
					     "[]",
					     "null",
					     "{\"nextToken\":\"x\"}",
					     "{\"events\":{},\"nextToken\":\"x\"}",
					     "{\"events\":[{\"message\":\"\\uD800\"}]}",
					     "{\"events\":[],\"events\":[]}"};
	struct logs_calls calls;

	(void)state;
	logs_calls_init(&calls, false);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		char why[JSON_WHY_SIZE], *next;

		assert_non_null(logs_take_page(&calls, bodies[i], strlen(bodies[i]), &next, why));
		assert_null(next);
	}
	assert_int_equal(calls.by_id.count, 0);
	logs_calls_release(&calls);
}

/* What a function writes can fill any log: reading ends. */
static void test_bound(void **state)
{
	struct logs_calls calls;
	char id[LOGS_ID_MAX_BYTES + 1];

	(void)state;
	logs_calls_init(&calls, false);
	for (size_t at = 0; at < LOGS_CALLS_MAX + 10;) {
		struct json *events = json_arr();

		for (size_t i = 0; i < 5001; i++, at++) {
			(void)snprintf(id, sizeof(id), "r%zu", at);
			json_push(events, event("s", id));
		}
		take(&calls, events, NULL);
	}
	assert_true(calls.is_cut);
	assert_int_equal(calls.by_id.count, LOGS_CALLS_MAX);
	logs_calls_release(&calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_id),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_bad_pages),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
