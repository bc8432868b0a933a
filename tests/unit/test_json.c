#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <cmocka.h>

#include "common/json/json.h"

static struct json *parsed(const char *text)
{
	struct json *v = NULL;
	char why[JSON_WHY_SIZE];

	if (json_parse(text, strlen(text), 1 << 20, &v, why))
		fail_msg("%s: %s", text, why);
	return v;
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		size_t len_bytes; /* 0 = strlen */
		int want;
	} cases[] = {
		{"", 0, -EINVAL},
		{"{", 0, -EINVAL},
		{"{\"a\":1}x", 0, -EINVAL},
		{"{\"a\":1,\"a\":2}", 0, -EINVAL},
		{"{\"a\":{\"b\":1,\"b\":1}}", 0, -EINVAL},
		{"{\"a\":\"\\u0000\"}", 0, -EINVAL},
		{"{\"a\":\"x\0y\"}", 11, -EINVAL},
		{"{\"a\":1}\0", 8, -EINVAL},
		{"{\"a\":\"\xff\"}", 0, -EINVAL},
		{"{\"a\":\"\xc3\"}", 0, -EINVAL},
		{"{\"a\":\"\\ud800\"}", 0, -EINVAL},
		{"{\"a\":NaN}", 0, -EINVAL},
		{"{\"a\":1e999}", 0, -EINVAL},
		{"{\"a\":9223372036854775808}", 0, -EINVAL},
		{"\xef\xbb\xbf{}", 0, -EINVAL},
		{"{\"a\":01}", 0, -EINVAL},
		{"{'a':1}", 0, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len_bytes = cases[i].len_bytes ? cases[i].len_bytes : strlen(cases[i].text);
		char why[JSON_WHY_SIZE] = "";
		struct json *v = NULL;

		if (json_parse(cases[i].text, len_bytes, 1000, &v, why) != cases[i].want)
			fail_msg("case %zu: %s was not refused as it should", i, cases[i].text);
		assert_null(v);
		assert_non_null(strstr(why, " at byte "));
		assert_int_equal(json_parse(cases[i].text, len_bytes, 1000, &v, NULL),
				 cases[i].want);
	}
}

static int parse_repeated(const char *head, const char *part, size_t times, const char *tail,
			  size_t max_bytes)
{
	struct buf text = BUF_INIT(4 << 20);
	struct json *v = NULL;
	int rc;

	buf_adds(&text, head);
	for (size_t i = 0; i < times; i++)
		buf_adds(&text, part);
	buf_adds(&text, tail);
	rc = json_parse(buf_str(&text), text.len_bytes, max_bytes, &v, NULL);
	json_free(v);
	buf_release(&text);
	return rc;
}

static void test_bounds(void **state)
{
	(void)state;
	assert_int_equal(parse_repeated("", "[", 1 << 20, "", 2 << 20), -ELOOP);
	assert_int_equal(parse_repeated("", "{\"a\":", 33, "1", 1000), -ELOOP);
	assert_int_equal(parse_repeated("", "[", 32, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 1000), 0);
	/* Brackets inside a string, also behind an escaped quote, are text. */
	assert_int_equal(parse_repeated("\"\\\"", "[", 100, "\"", 1000), 0);
	assert_int_equal(parse_repeated("[", "[],", 300000, "1]", 2 << 20), -E2BIG);
	assert_int_equal(parse_repeated("[", "1,", 65534, "1]", 2 << 20), 0);
	assert_int_equal(parse_repeated("[", "1,", 65535, "1]", 2 << 20), -E2BIG);
	assert_int_equal(parse_repeated("[", "1,", 100, "1]", 203), 0);
	assert_int_equal(parse_repeated("[", "1,", 100, "1]", 202), -E2BIG);
}

static void test_written_as_read(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"null",
		"true",
		"\"x\"",
		"-9223372036854775808",
		"{\"z\":1,\"a\":[1,2.5,\"x\",null,false,{}],\"m\":{\"k\":[]}}",
		"[0.1,1.0,-0.0,1e+300,123456.789,0.30000000000000004,5.5e-05]",
		"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f/\xc3\xa9\xf0\x9f\x98\x80\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct json *v = parsed(texts[i]);
		struct buf out = BUF_INIT(1000);

		json_write(v, &out);
		assert_string_equal(buf_str(&out), texts[i]);
		buf_release(&out);
		json_free(v);
	}
}

static void test_sorted_and_pretty(void **state)
{
	struct json *v = parsed("{\"z\":1,\"a\":[1,{}],\"m\":{\"y\":1,\"b\":2}}");
	struct buf out = BUF_INIT(1000);

	(void)state;
	json_write_sorted(v, &out);
	assert_string_equal(buf_str(&out), "{\"a\":[1,{}],\"m\":{\"b\":2,\"y\":1},\"z\":1}");
	buf_clear(&out);
	json_write_pretty(v, &out);
	assert_string_equal(buf_str(&out), "{\n  \"z\": 1,\n  \"a\": [\n    1,\n    {}\n  ],\n"
					   "  \"m\": {\n    \"y\": 1,\n    \"b\": 2\n  }\n}");
	buf_release(&out);
	json_free(v);
}

static void test_paths(void **state)
{
	struct json *v = parsed("{\"a\":{\"b\":[10,{\"c\":\"x\"}]},\"m~n\":1,\"s/t\":2,\"\":3}");
	static const struct {
		const char *path;
		bool is_there;
	} at[] = {{"a.b.1.c", true}, {"a.b.0", true},  {"a.b.2", false},     {"a.b.01", false},
		  {"a.b.-1", false}, {"a.x.y", false}, {"a.b.1.c.d", false}, {"", true}},
	  pointers[] = {{"/a/b/1/c", true}, {"", true},	      {"/", true},	 {"/m~0n", true},
			{"/s~1t", true},    {"/m~2n", false}, {"/m~", false},	 {"a", false},
			{"/a/b/x", false},  {"/a/b/", false}, {"/a/b/00", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (!!json_at(v, at[i].path) != at[i].is_there)
			fail_msg("json_at %s", at[i].path);
	for (size_t i = 0; i < ARRAY_LEN(pointers); i++)
		if (!!json_pointer(v, pointers[i].path) != pointers[i].is_there)
			fail_msg("json_pointer %s", pointers[i].path);
	assert_int_equal(json_int(json_pointer(v, "/s~1t")), 2);
	assert_string_equal(json_str(json_at(v, "a.b.1.c")), "x");
	json_free(v);
}

static void test_neutral_values(void **state)
{
	struct json *v =
		parsed("{\"i\":7,\"r\":-2.9,\"big\":1e30,\"s\":\"x\",\"t\":true,\"n\":null}");

	(void)state;
	assert_null(json_get(NULL, "a"));
	assert_null(json_at(NULL, "a.b"));
	assert_null(json_str(NULL));
	assert_int_equal(json_int(NULL), 0);
	assert_int_equal(json_len(NULL), 0);
	assert_null(json_elem(v, 0));
	assert_int_equal(json_int(json_get(v, "r")), -2);
	assert_true(json_int(json_get(v, "big")) == INT64_MAX);
	assert_int_equal(json_get_int(v, "s", 5), 5);
	assert_int_equal(json_get_int(v, "n", 6), 6);
	assert_true(json_get_real(v, "i", 0) == 7.0);
	assert_true(json_get_bool(v, "t", false));
	assert_true(json_get_bool(v, "s", true));
	assert_null(json_get_str(v, "i"));
	assert_true(json_is(json_get(v, "n"), JSON_T_NULL));
	assert_false(json_is(json_get(v, "absent"), JSON_T_NULL));
	assert_int_equal(json_type(NULL), JSON_T_NULL);
	json_free(v);
	json_free(NULL);
}

static void test_element_by_name(void **state)
{
	const char *text = "[{\"name\": 1}, 7, {\"name\": \"b\", \"i\": 2}, {\"name\": \"b\"}]";
	struct json *list = NULL;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), 1000, &list, NULL), 0);
	assert_int_equal(json_get_int(json_named(list, "b"), "i", 0), 2);
	assert_null(json_named(list, "a"));
	assert_null(json_named(json_elem(list, 2), "b"));
	assert_null(json_named(NULL, "b"));
	json_free(list);
}

static void test_building(void **state)
{
	struct json *o = json_obj(), *list = json_arr(), *copy;
	struct buf out = BUF_INIT(1000);
	const char *key;
	struct json *value;
	size_t count = 0;

	(void)state;
	json_push(list, json_new_real(INFINITY));
	json_push(list, json_new_str("\xff"));
	json_push(list, json_new_strn("abc", 2));
	json_put(o, "list", list);
	json_put_str(o, "gone", NULL);
	json_put_real(o, "nan", NAN);
	json_put_int(o, "i", INT64_MIN);
	json_put_bool(o, "b", true);
	copy = json_copy(o);
	json_put_int(o, "i", 1);
	assert_false(json_is_equal(o, copy));
	json_del(o, "i");
	json_write(o, &out);
	assert_string_equal(buf_str(&out), "{\"list\":[null,null,\"ab\"],\"b\":true}");
	for (void *it = NULL; json_next(copy, &it, &key, &value);)
		count++;
	assert_int_equal(count, 3);
	json_free(json_ref(copy));
	assert_int_equal(json_len(copy), 3);
	json_free(copy);
	json_free(o);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),	cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_written_as_read), cmocka_unit_test(test_sorted_and_pretty),
		cmocka_unit_test(test_paths),		cmocka_unit_test(test_neutral_values),
		cmocka_unit_test(test_element_by_name), cmocka_unit_test(test_building),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
