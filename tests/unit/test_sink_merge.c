/* Pages of functions as one page: whose a sample is, and that a metric's samples stay together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/sink/merge.h"
#include "common/base/bug.h"

static void test_pages(void **state)
{
	static const struct {
		const char *what, *function, *page, *want;
	} cases[] = {
		{"nothing", "a", "", ""},
		{"one without labels", "a", "# HELP x is.\n# TYPE x gauge\nx 1\n",
		 "# HELP x is.\n# TYPE x gauge\nx{account=\"p\",function=\"a\"} 1\n"},
		{"one with labels", "b", "# HELP x is.\n# TYPE x gauge\nx{l=\"v\"} 2\n",
		 "# HELP x is.\n# TYPE x gauge\nx{account=\"p\",function=\"a\"} 1\n"
		 "x{account=\"p\",function=\"b\",l=\"v\"} 2\n"},
		{"another metric", "c", "# HELP y is.\n# TYPE y gauge\ny 3\n",
		 "# HELP x is.\n# TYPE x gauge\nx{account=\"p\",function=\"a\"} 1\n"
		 "x{account=\"p\",function=\"b\",l=\"v\"} 2\n"
		 "# HELP y is.\n# TYPE y gauge\ny{account=\"p\",function=\"c\"} 3\n"},
		{"first metric again", "d\"", "# HELP x is.\n# TYPE x gauge\nx 4\n",
		 "# HELP x is.\n# TYPE x gauge\nx{account=\"p\",function=\"a\"} 1\n"
		 "x{account=\"p\",function=\"b\",l=\"v\"} 2\n"
		 "x{account=\"p\",function=\"d\\\"\"} 4\n"
		 "# HELP y is.\n# TYPE y gauge\ny{account=\"p\",function=\"c\"} 3\n"},
	};
	struct buf out = BUF_INIT(4096);
	struct merge m = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		merge_add(&m, "p", cases[i].function, cases[i].page);
		buf_clear(&out);
		merge_write(&m, &out);
		if (strcmp(buf_str(&out), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].what, buf_str(&out));
	}
	merge_release(&m);
	buf_release(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
