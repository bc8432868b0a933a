/* The list of who may speak on the bus, and keys. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/bus/allow.h"

#define KEY_A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define KEY_B "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static void test_lists(void **state)
{
	static const struct {
		const char *text;
		size_t names;
		const char *why; /* part of it; NULL: fine */
	} cases[] = {
		{"", 0, NULL},
		{"\n\n# x\n   # y\n", 0, NULL},
		{"a " KEY_A "\n", 1, NULL},
		{"  a \t " KEY_A " \r\nb.c-d_9 " KEY_B, 2, NULL},
		{"a\n", 0, ":1: expected NAME"},
		{"# x\na short\n", 0, ":2: expected NAME"},
		{"a " KEY_A "x\n", 0, "expected NAME"},
		{"a rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf~\n", 0, "expected NAME"},
		{"a/b " KEY_A "\n", 0, "a name is"},
		{"a " KEY_A " # c\n", 0, "more than a name"},
		{"a " KEY_A "\na " KEY_B "\n", 0, ":2: this name stands twice"},
		{"a " KEY_A "\nb " KEY_A "\n", 0, ":2: this key stands twice"},
	};

	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/plimsoll-bus-list-%d", getpid());
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bus_list list = {0};
		char why[200] = "";
		int rc;

		assert_int_equal(fs_write_atomic(path, cases[i].text, strlen(cases[i].text), 0600),
				 0);
		rc = bus_list_read(path, &list, why);
		assert_int_equal(rc, cases[i].why ? -EINVAL : 0);
		assert_int_equal(list.names.count, cases[i].names);
		if (cases[i].why && !strstr(why, cases[i].why))
			fail_msg("case %zu: %s", i, why);
		bus_list_release(&list);
	}
	unlink(path);
}

static void test_keys(void **state)
{
	char key[BUS_KEY_SIZE] = "", public_key[BUS_KEY_SIZE], secret_key[BUS_KEY_SIZE];

	(void)state;
	bus_key_new(public_key, secret_key);
	assert_int_equal(bus_key_public(secret_key, key), 0);
	assert_string_equal(key, public_key);
	assert_int_equal(bus_key_public("short", key), -EINVAL);
	assert_int_equal(
		bus_key_public("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
			       "\"\"\"\"\"\"\"\"\"\"",
			       key),
		-EINVAL);
	assert_true(bus_key_is_fine(KEY_A));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
