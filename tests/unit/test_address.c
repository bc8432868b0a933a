/* Which addresses may be called; which of several is tried next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "common/engine/address.h"

enum verdict { PUBLIC, PRIVATE, NEVER };

static const struct {
	const char *text;
	enum verdict want;
} cases[] = {
	{"1.1.1.1", PUBLIC},
	{"52.94.133.131", PUBLIC},
	{"9.255.255.255", PUBLIC},
	{"10.0.0.0", PRIVATE},
	{"10.255.255.255", PRIVATE},
	{"11.0.0.0", PUBLIC},
	{"0.0.0.0", PRIVATE},
	{"0.1.2.3", PRIVATE},
	{"100.63.255.255", PUBLIC},
	{"100.64.0.0", PRIVATE},
	{"100.127.255.255", PRIVATE},
	{"100.128.0.0", PUBLIC},
	{"126.255.255.255", PUBLIC},
	{"127.0.0.1", PRIVATE},
	{"127.255.255.255", PRIVATE},
	{"128.0.0.0", PUBLIC},
	{"169.253.255.255", PUBLIC},
	{"169.254.169.254", PRIVATE},
	{"169.255.0.0", PUBLIC},
	{"172.15.255.255", PUBLIC},
	{"172.16.0.0", PRIVATE},
	{"172.31.255.255", PRIVATE},
	{"172.32.0.0", PUBLIC},
	{"192.0.0.8", PRIVATE},
	{"192.0.2.1", PRIVATE},
	{"192.167.255.255", PUBLIC},
	{"192.168.0.0", PRIVATE},
	{"192.169.0.0", PUBLIC},
	{"198.17.255.255", PUBLIC},
	{"198.18.0.0", PRIVATE},
	{"198.19.255.255", PRIVATE},
	{"198.20.0.0", PUBLIC},
	{"198.51.100.1", PRIVATE},
	{"203.0.113.1", PRIVATE},
	{"223.255.255.255", PUBLIC},
	{"224.0.0.0", NEVER},
	{"239.255.255.255", NEVER},
	{"240.0.0.0", NEVER},
	{"255.255.255.255", NEVER},
	{"2606:4700::1111", PUBLIC},
	{"2a05:d018::1", PUBLIC},
	{"::", PRIVATE},
	{"::1", PRIVATE},
	{"::7f00:1", PRIVATE},
	{"::ffff:127.0.0.1", PRIVATE},
	{"::ffff:10.0.0.1", PRIVATE},
	{"::ffff:169.254.169.254", PRIVATE},
	{"::ffff:224.0.0.1", NEVER},
	{"::ffff:1.1.1.1", PUBLIC},
	{"::ffff:0:127.0.0.1", PRIVATE},
	{"64:ff9b::7f00:1", PRIVATE},
	{"64:ff9b::101:101", PUBLIC},
	{"64:ff9b:1::1", PRIVATE},
	{"100::1", PRIVATE},
	{"2001::1", PRIVATE},
	{"2001:db8::1", PRIVATE},
	{"2001:4860:4860::8888", PUBLIC},
	{"2002:7f00:1::", PRIVATE},
	{"2002:a01:203::1", PRIVATE},
	{"2002:101:101::", PUBLIC},
	{"fbff::1", PUBLIC},
	{"fc00::1", PRIVATE},
	{"fdff:ffff::1", PRIVATE},
	{"fe80::1", PRIVATE},
	{"febf::1", PRIVATE},
	{"fec0::1", PRIVATE},
	{"ff02::1", NEVER},
};

static struct sockaddr_in6 parse(const char *text)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		return v6;
	assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
	memcpy(&v6, &v4, sizeof(v4));
	return v6;
}

static void what_may_be_called(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_in6 a = parse(cases[i].text);
		const char *strict = address_objection((struct sockaddr *)&a, false);
		const char *loose = address_objection((struct sockaddr *)&a, true);

		if (!strict != (cases[i].want == PUBLIC) || !loose == (cases[i].want == NEVER))
			print_error("%s: %s, %s\n", cases[i].text, strict ? strict : "may",
				    loose ? loose : "may");
		assert_int_equal(!strict, cases[i].want == PUBLIC);
		assert_int_equal(!loose, cases[i].want != NEVER);
	}
}

static void other_families_are_refused(void **state)
{
	const struct sockaddr unix_socket = {.sa_family = AF_UNIX};

	(void)state;
	assert_null(address_objection(&unix_socket, true));
	assert_non_null(address_objection(&unix_socket, false));
}

/* Also what comes past the check by some other way is not connected to. */
static void connecting_checks_again(void **state)
{
	struct address a = {.len_bytes = sizeof(a.to.v4)};
	int fd = -1;

	(void)state;
	a.to.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(80)};
	a.to.v4.sin_addr.s_addr = htonl(0xa9fea9fe);
	assert_int_equal(address_connect(&a, false, &fd), -EACCES);
	assert_int_equal(fd, -1);
}

static void addresses_take_turns(void **state)
{
	struct address_set set = {.count = 3};
	struct mono now = mono_now(), later = mono_add_ns(now, 60 * NS_PER_S);
	static const size_t want[] = {0, 1, 2, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_ptr_equal(address_next(&set, now), &set.items[want[i]]);
	address_set_down(&set.items[1], now);
	assert_ptr_equal(address_next(&set, now), &set.items[2]);
	assert_ptr_equal(address_next(&set, now), &set.items[0]);
	assert_ptr_equal(address_next(&set, now), &set.items[2]);
	assert_ptr_equal(address_next(&set, later), &set.items[0]);
	assert_ptr_equal(address_next(&set, later), &set.items[1]);
	for (size_t i = 0; i < set.count; i++)
		address_set_down(&set.items[i], now);
	assert_ptr_equal(address_next(&set, now), &set.items[2]); /* all are down: in turn */
	assert_ptr_equal(address_next(&set, now), &set.items[0]);
}

static void names_and_literals(void **state)
{
	(void)state;
	assert_true(address_is_literal("127.0.0.1"));
	assert_true(address_is_literal("::1"));
	assert_false(address_is_literal("localhost"));
	assert_false(address_is_literal("127.0.0.1.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_be_called),
		cmocka_unit_test(other_families_are_refused),
		cmocka_unit_test(connecting_checks_again),
		cmocka_unit_test(addresses_take_turns),
		cmocka_unit_test(names_and_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
