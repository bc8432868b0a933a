/*
 * test_template.c - placeholders: what is known, where mistakes are, what is filled in; CSV.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/template/csv.h"
#include "common/template/template.h"

static const char *const columns[] = {"id", "first name", "odd", "number", "object"};
static const struct template_cell cells[] = {
	{"7", 1, false},   {"\xc3\xa9 \"q\"", 6, false}, {"a\n\x01/\\&", 6, false},
	{"1.50", 4, true}, {"{\"a\": [1]}", 10, true},
};

static int find(void *ctx, const char *name, size_t len_bytes)
{
	(void)ctx;
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (strlen(columns[i]) == len_bytes && !memcmp(columns[i], name, len_bytes))
			return (int)i;
	return -1;
}

static void fill(const char *text, uint64_t seed, enum template_escape escape, struct buf *out)
{
	struct template t = {0};
	struct template_mistake mistake;
	struct rng rng = {seed};
	size_t len_bytes;

	if (template_parse(text, strlen(text), &t, &mistake) != 0)
		fail_msg("%s: %zu: %s", text, mistake.at_byte, mistake.why);
	assert_null(template_bind(&t, find, NULL, &len_bytes));
	buf_clear(out);
	template_fill(&t,
		      &(struct template_values){
			      .rng = &rng, .seq = 12, .variant = "old", .run = "r1", .row = cells},
		      escape, out);
	template_release(&t);
}

static void placeholders_are_filled_in(void **state)
{
	static const struct {
		enum template_escape escape;
		const char *text, *want;
	} cases[] = {
		{TEMPLATE_PLAIN, "", ""},
		{TEMPLATE_PLAIN, "no {placeholder}} here}}", "no {placeholder}} here}}"},
		{TEMPLATE_PLAIN, "{{seq}}", "12"},
		{TEMPLATE_PLAIN, "<{{ seq\t}}{{seq}}>", "<1212>"},
		{TEMPLATE_PLAIN, "{{variant}}/{{run}}/{{open}}", "old/r1/{{"},
		{TEMPLATE_PLAIN, "{{random 5 5}} {{random  -3  -3 }}", "5 -3"},
		{TEMPLATE_PLAIN, "{{row.id}}{{row.first name}}", "7\xc3\xa9 \"q\""},
		{TEMPLATE_JSON, "{\"a\":{\"b\":{{seq}}}}", "{\"a\":{\"b\":12}}"},
		{TEMPLATE_JSON, "{\"n\": \"{{row.first name}}\"}",
		 "{\"n\": \"\xc3\xa9 \\\"q\\\"\"}"},
		{TEMPLATE_JSON, "\"{{row.odd}}\"", "\"a\\n\\u0001/\\\\&\""},
		{TEMPLATE_JSON, "{{json row.odd}}", "\"a\\n\\u0001/\\\\&\""},
		{TEMPLATE_JSON, "{{row.number}} {{json row.number}}", "1.50 1.50"},
		{TEMPLATE_JSON, "{\"o\": {{row.object}}}", "{\"o\": {\"a\": [1]}}"},
		{TEMPLATE_PLAIN, "{{json row.id}}", "\"7\""},
		{TEMPLATE_URL, "/a?b={{row.odd}}&c={{row.first name}}",
		 "/a?b=a%0A%01%2F%5C%26&c=%C3%A9%20%22q%22"},
		{TEMPLATE_URL, "{{row.object}}", "%7B%22a%22%3A%20%5B1%5D%7D"},
		{TEMPLATE_URL, "{{variant}}{{open}}", "old%7B%7B"},
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fill(cases[i].text, 1, cases[i].escape, &out);
		if (strcmp(buf_str(&out), cases[i].want) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", cases[i].text, buf_str(&out),
				 cases[i].want);
	}
	buf_release(&out);
}

static void mistakes_are_found_where_they_are(void **state)
{
	static const struct {
		const char *text;
		size_t at_byte;
		const char *why;
	} cases[] = {
		{"ab{{sequence}}", 2, "unknown placeholder sequence, expected seq, random A B"},
		{"{{}}", 0, "unknown placeholder , expected"},
		{"{{ }}", 0, "unknown placeholder , expected"},
		{"{{seq}} {{seq", 8, "{{ without }}, expected the end"},
		{"{{random}}", 0, "unknown placeholder random"},
		{"{{random 5}}", 0, "unknown placeholder random 5"},
		{"{{random 5 4}}", 0, "unknown placeholder random 5 4"},
		{"{{random a b}}", 0, "unknown placeholder random a b"},
		{"{{random 1 2 3}}", 0, "unknown placeholder random 1 2 3"},
		{"{{random 0 99999999999999999999}}", 0, "unknown placeholder random 0 9"},
		{"{{row.}}", 0, "unknown placeholder row."},
		{"{{json seq}}", 0, "unknown placeholder json seq"},
		{"{{row}}", 0, "unknown placeholder row"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct template t = {0};
		struct template_mistake m;

		assert_int_equal(template_parse(cases[i].text, strlen(cases[i].text), &t, &m),
				 -EINVAL);
		if (m.at_byte != cases[i].at_byte ||
		    strncmp(m.why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %zu: %s", cases[i].text, m.at_byte, m.why);
	}
}

static void a_column_that_is_missing_is_named(void **state)
{
	static const char text[] = "{{row.id}} {{json row.nmae}}";
	struct template t = {0};
	struct template_mistake m;
	size_t len_bytes = 0;
	const char *name;

	(void)state;
	assert_int_equal(template_parse(text, strlen(text), &t, &m), 0);
	assert_true(t.has_rows);
	name = template_bind(&t, find, NULL, &len_bytes);
	assert_non_null(name);
	assert_int_equal(len_bytes, 4);
	assert_memory_equal(name, "nmae", 4);
	template_release(&t);
}

static void too_many_placeholders_are_refused(void **state)
{
	struct buf text = BUF_INIT(65536);
	struct template t = {0};
	struct template_mistake m;

	(void)state;
	for (int i = 0; i < TEMPLATE_PARTS_MAX; i++)
		buf_adds(&text, "x{{seq}}");
	assert_int_equal(template_parse(buf_str(&text), text.len_bytes, &t, &m), -E2BIG);
	buf_release(&text);
}

static void the_same_seed_fills_in_the_same(void **state)
{
	static const char text[] = "{{random 0 1000000}} {{uuid}} {{random 1 6}} {{uuid}}";
	struct buf a = BUF_INIT(4096), b = BUF_INIT(4096), c = BUF_INIT(4096);

	(void)state;
	fill(text, 1, TEMPLATE_PLAIN, &a);
	fill(text, 1, TEMPLATE_PLAIN, &b);
	fill(text, 2, TEMPLATE_PLAIN, &c);
	assert_string_equal(buf_str(&a), buf_str(&b));
	assert_string_not_equal(buf_str(&a), buf_str(&c));
	/* splitmix64 from 1, written down so that a change of the values is noticed */
	assert_string_equal(buf_str(&a), "566562 beeb8da1-658e-4c67-b893-a2eefb32555e 3 "
					 "71bb54d8-d101-45b9-834d-0bff90150280");
	buf_release(&a);
	buf_release(&b);
	buf_release(&c);
}

static void random_numbers_cover_their_range(void **state)
{
	static const struct {
		const char *text;
		int64_t low, high;
	} cases[] = {
		{"{{random 1 6}}", 1, 6},
		{"{{random -2 2}}", -2, 2},
		{"{{random -9223372036854775807 9223372036854775807}}", INT64_MIN, INT64_MAX},
		{"{{random -9223372036854775807 -9223372036854775806}}", INT64_MIN + 1,
		 INT64_MIN + 2},
		{"{{random 9223372036854775806 9223372036854775807}}", INT64_MAX - 1, INT64_MAX},
	};
	struct buf out = BUF_INIT(64);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool is_low = false, is_high = false;

		for (uint64_t seed = 0; seed < 500; seed++) {
			long long v;

			fill(cases[i].text, seed, TEMPLATE_PLAIN, &out);
			v = strtoll(buf_str(&out), NULL, 10);
			assert_true(v >= cases[i].low && v <= cases[i].high);
			is_low = is_low || v == cases[i].low;
			is_high = is_high || v == cases[i].high;
		}
		assert_true(i == 2 || (is_low && is_high));
	}
	buf_release(&out);
}

static void uuids_are_of_version_4_and_differ(void **state)
{
	struct buf a = BUF_INIT(128);
	const char *s;

	(void)state;
	fill("{{uuid}}{{uuid}}", 9, TEMPLATE_PLAIN, &a);
	s = buf_str(&a);
	assert_int_equal(a.len_bytes, 72);
	for (size_t i = 0; i < 36; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		assert_int_equal(s[i] == '-', is_dash);
		assert_true(is_dash || strchr("0123456789abcdef", s[i]));
	}
	assert_int_equal(s[14], '4');
	assert_non_null(strchr("89ab", s[19]));
	assert_true(memcmp(s, s + 36, 36) != 0);
	buf_release(&a);
}

/* Fields joined by |, records by newline, ! for a mistake. */
static void read_all(const char *text, struct buf *out)
{
	char room[256];
	struct csv c;
	bool is_last;
	size_t len_bytes;
	int rc;

	buf_clear(out);
	csv_begin(&c, text, strlen(text));
	while ((rc = csv_field(&c, room, &len_bytes, &is_last)) == 1) {
		buf_add(out, room, len_bytes);
		buf_addc(out, is_last ? ';' : '|');
	}
	if (rc < 0)
		buf_addf(out, "!%zu", c.line);
}

static void csv_is_read_as_rfc_4180_says(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""},
		{"a", "a;"},
		{"a,b\r\n1,2\r\n", "a|b;1|2;"},
		{"a,b\n1,2", "a|b;1|2;"},
		{"\xef\xbb\xbf"
		 "a,b\n",
		 "a|b;"},
		{",\n", "|;"},
		{"a,\n", "a|;"},
		{"a,", "a|;"},
		{"\"a,b\",\"c\"\"d\",\"\"\n", "a,b|c\"d|;"},
		{"\"two\r\nlines\",x\n", "two\r\nlines|x;"},
		{" a , b ", " a | b ;"},
		{"a\"b,c", "a\"b|c;"},
		{"a\rb", "a\rb;"},
		{"a\n\n\r\nb\n", "a;b;"},
		{"a\n\"b", "a;!2"},
		{"a\n\"b\"c\n", "a;!2"},
		{"\"a\nb\nc", "!3"},
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_all(cases[i].text, &out);
		if (strcmp(buf_str(&out), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].text, buf_str(&out));
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placeholders_are_filled_in),
		cmocka_unit_test(mistakes_are_found_where_they_are),
		cmocka_unit_test(a_column_that_is_missing_is_named),
		cmocka_unit_test(too_many_placeholders_are_refused),
		cmocka_unit_test(the_same_seed_fills_in_the_same),
		cmocka_unit_test(random_numbers_cover_their_range),
		cmocka_unit_test(uuids_are_of_version_4_and_differ),
		cmocka_unit_test(csv_is_read_as_rfc_4180_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
