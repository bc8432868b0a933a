/* Columns line up by what is seen, not by bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/table.h"

static void fill(struct table *t)
{
	static const char *const cells[] = {"name", "old", "new",   NULL, "p50", "61.0 ms",
					    "",	    NULL,  "a → b", "5",  "x",	 NULL};

	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		if (cells[i])
			table_cell(t, cells[i], i == 0 ? TEXT_BOLD : TEXT_PLAIN);
		else
			table_end_row(t);
	}
}

static void expect(struct table *t, bool has_colour, const char *want)
{
	struct buf out = BUF_INIT(4096);

	fill(t);
	table_write(t, has_colour, &out);
	assert_string_equal(buf_str(&out), want);
	table_release(t);
	buf_release(&out);
}

static void test_columns(void **state)
{
	(void)state;
	expect(&(struct table){.indent = 2, .is_right = 1u << 1}, false,
	       "  name       old  new\n"
	       "  p50    61.0 ms\n"
	       "  a → b        5  x\n");
	expect(&(struct table){0}, true,
	       "\033[1mname\033[0m   old      new\n"
	       "p50    61.0 ms\n"
	       "a → b  5        x\n");
}

/* A column that is empty in every row takes no room. */
static void test_empty_column(void **state)
{
	struct table t = {0};
	struct buf out = BUF_INIT(256);

	(void)state;
	table_cell(&t, "a", TEXT_PLAIN);
	table_cell(&t, "", TEXT_PLAIN);
	table_cellf(&t, TEXT_PLAIN, "%d %%", 7);
	table_end_row(&t);
	table_write(&t, false, &out);
	assert_string_equal(buf_str(&out), "a  7 %\n");
	table_release(&t);
	buf_release(&out);
}

static void test_colour_needs_a_terminal(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	setenv("TERM", "xterm", 1);
	assert_false(text_has_colour(fds[1]));
	close(fds[0]);
	close(fds[1]);
}

static void test_strangers_cannot_steer_the_terminal(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""},
		{"plain\nä → b\n", "plain\nä → b\n"},
		{"\033[1;31mworse\033[0m", "\033[1;31mworse\033[0m"},
		{"\033[2Jx", "?[2Jx"},
		{"\033]0;title\a", "?]0;title?"},
		{"a\rb\bc\177", "a?b?c?"},
		{"\302\2332J \302\240", "??2J \302\240"},
		{"\033[", "?["},
		{"\033", "?"},
		{"\302", "\302"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(100);

		buf_adds(&out, cases[i].text);
		text_tame(&out);
		assert_string_equal(buf_str(&out), cases[i].want);
		buf_release(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_empty_column),
		cmocka_unit_test(test_colour_needs_a_terminal),
		cmocka_unit_test(test_strangers_cannot_steer_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
