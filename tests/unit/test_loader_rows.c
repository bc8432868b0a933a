/*
 * test_loader_rows.c - rows of data files: the wanted columns of CSV and NDJSON, and mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/loader/rows.h"

#define COLUMNS 3

/* The wanted columns' values joined by |, rows by ;, ' before what is JSON; or why it is none. */
static void read_all(enum rows_format format, const char *const wanted[COLUMNS], const char *text,
		     struct buf *out)
{
	struct rows r = {0};
	char why[ROWS_WHY_SIZE] = "";
	int rc;

	buf_clear(out);
	for (size_t i = 0; i < COLUMNS && wanted[i]; i++)
		assert_int_equal(rows_column(&r, wanted[i], strlen(wanted[i])), i);
	assert_int_equal(rows_column(&r, wanted[0], strlen(wanted[0])), 0);
	rc = rows_read(&r, text, strlen(text), format, why);
	if (rc != 0)
		buf_addf(out, "!%s", why);
	for (size_t i = 0; rc == 0 && i < r.count; i++) {
		const struct template_cell *row = rows_at(&r, i);

		for (size_t k = 0; k < r.column_count; k++) {
			buf_adds(out, row[k].is_json ? "'" : "");
			buf_add(out, row[k].at, row[k].len_bytes);
			buf_addc(out, k + 1 < r.column_count ? '|' : ';');
		}
	}
	rows_release(&r);
}

static void rows_are_read(void **state)
{
	static const struct {
		enum rows_format format;
		const char *wanted[COLUMNS], *text, *want;
	} cases[] = {
		{ROWS_CSV, {"b", "a"}, "a,b,c\n1,2,3\n4,\"5,\n\"\"x\",6\n", "2|1;5,\n\"x|4;"},
		{ROWS_CSV, {"a"}, "a,a\n1,2\n", "1;"},
		{ROWS_CSV, {"a b"}, "a b\r\n\r\n1\r\n", "1;"},
		{ROWS_CSV, {"x"}, "a,b\n1,2\n", "!it has no column \"x\""},
		{ROWS_CSV, {"a"}, "a,b\n", "!it holds no rows"},
		{ROWS_CSV, {"a"}, "", "!line 1 is no CSV, or there is none"},
		{ROWS_CSV, {"a"}, "a,b\n1,2\n3\n", "!line 3: 1 fields, the first line has 2"},
		{ROWS_CSV, {"a"}, "a\n1,2\n", "!line 2: 2 fields, the first line has 1"},
		{ROWS_CSV, {"a"}, "a\n\"1", "!line 2: a quote that is not closed, or bytes behind"},
		{ROWS_NDJSON,
		 {"id", "name"},
		 "{\"id\":1,\"name\":\"a\\n\\u00e9\"}\n\n{\"name\":\"b\",\"id\":\"x\"}\r\n",
		 "'1|a\n\xc3\xa9;x|b;"},
		{ROWS_NDJSON,
		 {"o", "/o/k/0", "a/b"},
		 "{\"o\":{\"k\":[true]},\"a/b\":null}",
		 "'{\"k\":[true]}|'true|'null;"},
		{ROWS_NDJSON,
		 {"x"},
		 "{\"x\":1}\n{\"y\":1}\n",
		 "!line 2 is no JSON, or has no \"x\""},
		{ROWS_NDJSON, {"x"}, "hello", "!line 1 is no JSON, or has no \"x\""},
		{ROWS_NDJSON, {"x"}, "\n\n", "!it holds no rows"},
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_all(cases[i].format, cases[i].wanted, cases[i].text, &out);
		if (strncmp(buf_str(&out), cases[i].want,
			    strlen(cases[i].want) + (*buf_str(&out) != '!')) != 0)
			fail_msg("%s: %s", cases[i].text, buf_str(&out));
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
