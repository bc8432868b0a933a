/*
 * test_loader_expect.c - checks on answers: what is compiled, and which check fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/engine/http1.h"

#include "cmd/loader/expect.h"
#include "cmd/loader/jsonscan.h"

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/json\r\nX-Empty:\r\nETag: \"a1\"\r\n"

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	char why[JSON_WHY_SIZE];

	if (json_parse(text, strlen(text), 65536, &j, why) != 0)
		fail_msg("%s: %s", text, why);
	return j;
}

static const char *failed(const char *expect, const char *body, size_t kept_bytes,
			  char reason[REASON_SIZE])
{
	struct expect e = {0};
	struct http1 r;
	struct json *j = parse(expect);
	char why[EXPECT_WHY_SIZE] = "", text[2048];
	const char *what;
	size_t used_bytes;

	if (expect_parse(&e, j, why) != 0)
		fail_msg("%s: %s", expect, why);
	json_free(j);
	snprintf(text, sizeof(text), HEAD "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	http1_init(&r);
	http1_begin(&r, false, kept_bytes);
	assert_int_equal(http1_feed(&r, text, strlen(text), &used_bytes), HTTP1_DONE);
	what = expect_failed(&e, &r.response);
	snprintf(reason, REASON_SIZE, "%s", what ? what : "");
	http1_release(&r);
	expect_release(&e);
	return reason;
}

static void the_first_check_that_fails_is_told(void **state)
{
	static const struct {
		const char *expect, *body, *want;
	} cases[] = {
		{"{}", "", ""},
		{"{\"status\":503}", "", ""}, /* the status is the target's affair */
		{"{\"headers\":{\"content-type\":{\"present\":true}}}", "", ""},
		{"{\"headers\":{\"X-Empty\":{\"present\":true}}}", "", ""},
		{"{\"headers\":{\"x-none\":{\"present\":true}}}", "", "expect:header:x-none"},
		{"{\"headers\":{\"x-none\":{\"present\":false}}}", "", ""},
		{"{\"headers\":{\"etag\":{\"present\":false}}}", "", "expect:header:etag"},
		{"{\"headers\":{\"etag\":{\"equals\":\"\\\"a1\\\"\"}}}", "", ""},
		{"{\"headers\":{\"etag\":{\"equals\":\"a1\"}}}", "", "expect:header:etag"},
		{"{\"headers\":{\"etag\":{\"contains\":\"a1\"}}}", "", ""},
		{"{\"headers\":{\"etag\":{\"contains\":\"A1\"}}}", "", "expect:header:etag"},
		{"{\"headers\":{\"x-none\":{\"contains\":\"a\"}}}", "", "expect:header:x-none"},
		{"{\"body_contains\":\"ell\"}", "hello", ""},
		{"{\"body_contains\":\"elk\"}", "hello", "expect:body_contains"},
		{"{\"body_contains\":\"e\"}", "", "expect:body_contains"},
		{"{\"body_bytes\":{\"min\":5,\"max\":5}}", "hello", ""},
		{"{\"body_bytes\":{\"min\":6}}", "hello", "expect:body_bytes"},
		{"{\"body_bytes\":{\"max\":4}}", "hello", "expect:body_bytes"},
		{"{\"body_bytes\":{}}", "hello", ""},
		{"{\"json\":{\"/ok\":true}}", "{\"ok\":true}", ""},
		{"{\"json\":{\"/ok\":true}}", "{\"ok\":false}", "expect:json:/ok"},
		{"{\"json\":{\"/ok\":true}}", "{\"ok\":\"true\"}", "expect:json:/ok"},
		{"{\"json\":{\"/ok\":true}}", "{}", "expect:json:/ok"},
		{"{\"json\":{\"/ok\":true}}", "<html>", "expect:json:/ok"},
		{"{\"json\":{\"/a\":null}}", "{\"a\":null}", ""},
		{"{\"json\":{\"/a\":1}}", "{\"a\":1.0}", ""},
		{"{\"json\":{\"/a\":0.5}}", "{\"a\":5e-1}", ""},
		{"{\"json\":{\"/a\":1}}", "{\"a\":2}", "expect:json:/a"},
		{"{\"json\":{\"/a\":1}}", "{\"a\":\"1\"}", "expect:json:/a"},
		{"{\"json\":{\"/a/1/b\":\"x\"}}", "{\"a\":[0,{\"b\":\"x\"}]}", ""},
		{"{\"json\":{\"\":\"x\"}}", "\"x\"", ""},
		{"{\"json\":{\"/s\":\"a\\\"\\u00e9\\ud83d\\ude00/\\n\"}}",
		 "{\"s\":\"a\\\"\\u00E9\\ud83d\\ude00\\/\\n\"}", ""},
		{"{\"json\":{\"/s\":\"\\u00e9\"}}", "{\"s\":\"\xc3\xa9\"}", ""},
		{"{\"json\":{\"/s\":\"ab\"}}", "{\"s\":\"a\\u0062\"}", ""},
		{"{\"json\":{\"/s\":\"ab\"}}", "{\"s\":\"a\\u0063\"}", "expect:json:/s"},
		{"{\"json\":{\"/s\":\"a\"}}", "{\"s\":\"a\\u0062\"}", "expect:json:/s"},
		{"{\"json\":{\"/s\":\"ab\"}}", "{\"s\":\"a\\q\"}", "expect:json:/s"},
		{"{\"json\":{\"/a\":1,\"/b c\":2},\"body_bytes\":{\"min\":1}}", "{\"a\":1}",
		 "expect:json:/b_c"},
		{"{\"json\":{\"/a\":1},\"body_bytes\":{\"min\":100}}", "{\"a\":2}",
		 "expect:body_bytes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char reason[REASON_SIZE];

		if (strcmp(failed(cases[i].expect, cases[i].body, 4096, reason), cases[i].want))
			fail_msg("%s on %s: \"%s\", expected \"%s\"", cases[i].expect,
				 cases[i].body, reason, cases[i].want);
	}
}

static void what_was_not_kept_cannot_be_checked(void **state)
{
	static const struct {
		const char *expect, *want;
	} cases[] = {
		{"{\"body_contains\":\"0123\"}", ""},
		{"{\"body_contains\":\"89\"}", "expect:body_longer_than_kept"},
		{"{\"json\":{\"/a\":1}}", "expect:body_longer_than_kept"},
		{"{\"body_bytes\":{\"min\":10,\"max\":10}}", ""},
		{"{\"body_bytes\":{\"max\":9}}", "expect:body_bytes"},
		{"{\"headers\":{\"x\":{\"present\":true}}}", "expect:header:x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char reason[REASON_SIZE];

		assert_string_equal(failed(cases[i].expect, "0123456789", 4, reason),
				    cases[i].want);
	}
}

static void statuses_are_one_a_list_or_a_class(void **state)
{
	static const struct {
		const char *expect;
		int status;
		bool is_good;
	} cases[] = {
		{"{}", 200, true},
		{"{}", 299, true},
		{"{}", 300, false},
		{"{\"status\":null}", 204, true},
		{"{\"status\":204}", 204, true},
		{"{\"status\":204}", 200, false},
		{"{\"status\":\"2xx\"}", 226, true},
		{"{\"status\":\"2xx\"}", 199, false},
		{"{\"status\":[200,\"3xx\",404]}", 200, true},
		{"{\"status\":[200,\"3xx\",404]}", 301, true},
		{"{\"status\":[200,\"3xx\",404]}", 404, true},
		{"{\"status\":[200,\"3xx\",404]}", 403, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct expect e = {0};
		struct json *j = parse(cases[i].expect);
		char why[EXPECT_WHY_SIZE];

		assert_int_equal(expect_parse(&e, j, why), 0);
		if (expect_has_status(&e, cases[i].status) != cases[i].is_good)
			fail_msg("%s: %d", cases[i].expect, cases[i].status);
		expect_release(&e);
		json_free(j);
	}
}

static void what_is_no_check_is_refused(void **state)
{
	static const struct {
		const char *expect, *why;
	} cases[] = {
		{"{\"status\":99}", "neither a status"},
		{"{\"status\":600}", "neither a status"},
		{"{\"status\":\"6xx\"}", "neither a status"},
		{"{\"status\":\"2x\"}", "neither a status"},
		{"{\"status\":[]}", "empty list"},
		{"{\"status\":[1,2,3]}", "neither a status"},
		{"{\"headers\":{\"a\":{}}}", "headers.a asks for none"},
		{"{\"headers\":{\"a\":\"b\"}}", "headers.a asks for none"},
		{"{\"json\":{\"ok\":true}}", "no JSON pointer"},
		{"{\"json\":{\"/ok\":[]}}", "json./ok is no text"},
		{"{\"body_bytes\":{\"min\":2,\"max\":1}}", "min is above max"},
	};
	struct json *many = json_obj(), *values = json_obj();
	struct expect e = {0};
	char why[EXPECT_WHY_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *j = parse(cases[i].expect);

		assert_int_not_equal(expect_parse(&e, j, why), 0);
		if (!strstr(why, cases[i].why))
			fail_msg("%s: %s", cases[i].expect, why);
		expect_release(&e);
		json_free(j);
	}
	for (int i = 0; i <= EXPECT_CHECKS_MAX; i++) {
		char pointer[16];

		snprintf(pointer, sizeof(pointer), "/%d", i);
		json_put_int(values, pointer, i);
	}
	json_put(many, "json", values);
	assert_int_not_equal(expect_parse(&e, many, why), 0);
	assert_non_null(strstr(why, "more than 32 checks"));
	expect_release(&e);
	json_free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_check_that_fails_is_told),
		cmocka_unit_test(what_was_not_kept_cannot_be_checked),
		cmocka_unit_test(statuses_are_one_a_list_or_a_class),
		cmocka_unit_test(what_is_no_check_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
