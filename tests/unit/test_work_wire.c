/* What stands in a message, and what does not get in. */
#include "common/work/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct message {
	const char *part[10];
};

static size_t parts_of(const struct message *m, struct bus_part *out)
{
	size_t n = 0;

	for (; n < ARRAY_LEN(m->part) && m->part[n]; n++)
		out[n] = (struct bus_part){m->part[n], strlen(m->part[n])};
	return n;
}

static int read_one(const struct message *one, struct wire *m)
{
	struct bus_part parts[10];
	size_t count = parts_of(one, parts);

	return wire_read(m, parts, count);
}

static void good_messages_are_read(void **state)
{
	static const struct {
		struct message m;
		enum wire_kind kind;
	} cases[] = {
		{{{"READY", "nonce", "0", "4", "12", "prod,web", "99"}}, WIRE_READY},
		{{{"READY", "nonce", "0", "4", "12", "*", "99", "from a newer one"}}, WIRE_READY},
		{{{"READY-ACK", "30000", "99", "1763800000000"}}, WIRE_READY_ACK},
		{{{"WORK", "ra", "0", "1.l", "30000", "0", "0", "{\"a\":1}"}}, WIRE_WORK},
		{{{"BEAT", "ra", "1023", "1.l", "n", "1", "5"}}, WIRE_BEAT},
		{{{"BEAT-ACK", "ra", "0", "1.l", "OK", "", "5", "6"}}, WIRE_BEAT_ACK},
		{{{"FAIL", "ra", "0", "1.l", "n", "2", "why it is \xc3\xa9"}}, WIRE_FAIL},
		{{{"FAIL-ACK", "ra", "0", "1.l", "STALE"}}, WIRE_FAIL_ACK},
		{{{"RESULT", "ra", "0", "1.l", "n", SHA, "{}"}}, WIRE_RESULT},
		{{{"ACK", "ra", "0", "1.l", "DUP"}}, WIRE_ACK},
	};
	struct wire m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(read_one(&cases[i].m, &m), 0);
		assert_int_equal(m.kind, cases[i].kind);
		for (size_t k = 0; k < m.count; k++)
			assert_string_equal(m.text[k], cases[i].m.part[k + 1]);
		wire_release(&m);
	}
}

static void bad_messages_are_refused(void **state)
{
	static const struct message cases[] = {
		{{NULL}},
		{{"NONSENSE", "1"}},
		{{"BEA", "ra", "0", "1.l", "n", "1", "5"}},
		{{"ACK", "ra", "0", "1.l"}},
		{{"ACK", "", "0", "1.l", "OK"}},
		{{"ACK", "a run", "0", "1.l", "OK"}},
		{{"ACK", "../ra", "0", "1.l", "OK"}},
		{{"ACK", "ra", "1024", "1.l", "OK"}},
		{{"ACK", "ra", "-1", "1.l", "OK"}},
		{{"ACK", "ra", "1x", "1.l", "OK"}},
		{{"ACK", "ra", "99999999999999999999", "1.l", "OK"}},
		{{"ACK", "ra", "0", "1\xff", "OK"}},
		{{"ACK", "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", "0",
		  "1.l", "OK"}},
		{{"BEAT", "ra", "0", "1.l", "n", "1", "9999999999999999"}},
		{{"FAIL", "ra", "0", "1.l", "n", "1", "line\nbreak"}},
		{{"RESULT", "ra", "0", "1.l", "n", "abc", "{}"}},
		{{"RESULT", "ra", "0", "1.l", "n", SHA, ""}},
		{{"RESULT", "ra", "0", "1.l", "n", SHA, "{}\n{}"}},
	};
	struct wire m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(read_one(&cases[i], &m), -EINVAL);
		wire_release(&m);
	}
}

static void a_nul_in_a_frame_is_refused(void **state)
{
	struct bus_part parts[] = {{"ACK", 3}, {"r\0a", 3}, {"0", 1}, {"1.l", 3}, {"OK", 2}};
	struct wire m;

	(void)state;
	assert_int_equal(wire_read(&m, parts, ARRAY_LEN(parts)), -EINVAL);
	wire_release(&m);
	parts[1] = (struct bus_part){"ra", 2};
	assert_int_equal(wire_read(&m, parts, ARRAY_LEN(parts)), 0);
	wire_release(&m);
}

static void a_long_line_goes_through_and_a_longer_one_does_not(void **state)
{
	size_t most = 1024u * 1024u;
	char *line = x_calloc(1, most + 2);
	struct bus_part parts[] = {{"RESULT", 6}, {"ra", 2}, {"0", 1},	  {"1.l", 3},
				   {"n", 1},	  {SHA, 64}, {line, most}};
	struct wire m;

	(void)state;
	memset(line, 'x', most + 1);
	assert_int_equal(wire_read(&m, parts, ARRAY_LEN(parts)), 0);
	assert_int_equal(m.len_bytes[RESULT_LINE], most);
	wire_release(&m);
	parts[6].len_bytes++;
	assert_int_equal(wire_read(&m, parts, ARRAY_LEN(parts)), -EINVAL);
	wire_release(&m);
	free(line);
}

/* Every kind, each frame cut off, doubled and broken: nothing but a refusal or a message. */
static void broken_frames_do_no_harm(void **state)
{
	static const struct message whole = {
		{"WORK", "ra", "0", "1.l", "30000", "0", "0", "{\"a\":1}"}};
	struct bus_part parts[10];
	size_t count = parts_of(&whole, parts);
	struct wire m;

	(void)state;
	for (size_t cut = 0; cut <= count; cut++) {
		assert_int_equal(wire_read(&m, parts, cut), cut == count ? 0 : -EINVAL);
		wire_release(&m);
	}
	for (size_t i = 0; i < count; i++) {
		struct bus_part kept = parts[i];

		parts[i] = (struct bus_part){"\x01\xff", 2};
		assert_int_equal(wire_read(&m, parts, count), i == count - 1 ? 0 : -EINVAL);
		wire_release(&m);
		parts[i] = kept;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_messages_are_read),
		cmocka_unit_test(bad_messages_are_refused),
		cmocka_unit_test(a_nul_in_a_frame_is_refused),
		cmocka_unit_test(a_long_line_goes_through_and_a_longer_one_does_not),
		cmocka_unit_test(broken_frames_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
