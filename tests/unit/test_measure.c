#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "common/digest/digest.h"
#include "common/measure/calls.h"

static void test_names(void **state)
{
	enum outcome o;
	enum temperature t;
	enum variant v;

	(void)state;
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		assert_int_equal(outcome_parse(outcome_name((enum outcome)i), &o), 0);
		assert_int_equal(o, i);
	}
	for (int i = 0; i < TEMPERATURE_COUNT; i++) {
		assert_int_equal(temperature_parse(temperature_name((enum temperature)i), &t), 0);
		assert_int_equal(t, i);
	}
	assert_int_equal(variant_parse("new", &v), 0);
	assert_int_equal(v, VARIANT_NEW);
	assert_string_equal(variant_name(VARIANT_OLD), "old");
	assert_int_equal(variant_parse("New", &v), -EINVAL);
	assert_int_equal(variant_parse(NULL, &v), -EINVAL);
	assert_int_equal(outcome_parse("okay", &o), -EINVAL);
	assert_int_equal(temperature_parse("", &t), -EINVAL);
}

static struct call_record record(const char *id)
{
	struct call_record r = {
		.due_us = -2,
		.round = 0x01020304,
		.variant = VARIANT_NEW,
		.outcome = OUT_THROTTLED,
		.temperature = TEMP_COLD,
		.response_us = 10,
		.service_us = 9,
		.billed_us = 8,
		.init_us = 7,
		.memory_kib = UINT32_MAX,
		.instance = 0x0201,
		.id_bytes = (uint8_t)strlen(id),
	};

	memcpy(r.id, id, strlen(id));
	return r;
}

/* By hand from the layout in calls.h. */
static void test_bytes(void **state)
{
	static const char want[] =
		"PLC1"
		"\x02\0\0\0"
		"\x03\0\0\0"
		"\xfe\xff\xff\xff"
		"\x04\x03\x02\x01"
		"\x05"
		"\x02"
		"\x01\x02"
		"\x0a\0\0\0"
		"\x09\0\0\0"
		"\x08\0\0\0"
		"\x07\0\0\0"
		"\xff\xff\xff\xff"
		"\x02"
		"ab"
		"\xff\xff\xff\x7f"
		"\x04\x03\x02\x01"
		"\x05"
		"\x02"
		"\x01\x02"
		"\x0a\0\0\0"
		"\x09\0\0\0"
		"\x08\0\0\0"
		"\x07\0\0\0"
		"\xff\xff\xff\xff"
		"\x10"
		"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
	struct calls c = CALLS_INIT;
	struct call_record far = record("00112233-4455-6677-8899-aabbccddeeff");
	struct buf text = BUF_INIT(1000), raw = BUF_INIT(1000);

	(void)state;
	far.due_us = INT64_C(1) << 40; /* held at its maximum */
	calls_add(&c, &(struct call_record){0});
	c.items[0] = record("ab");
	calls_add(&c, &far);
	c.every = 3;
	calls_encode(&c, &text);
	assert_int_equal(digest_base64_decode(buf_str(&text), text.len_bytes, &raw), 0);
	assert_int_equal(raw.len_bytes, sizeof(want) - 1);
	assert_memory_equal(raw.data, want, sizeof(want) - 1);
	calls_release(&c);
	buf_release(&text);
	buf_release(&raw);
}

static void test_round_trip(void **state)
{
	static const char *const ids[] = {
		"",
		"x",
		"0123456789abcdef",
		"0123456789abcdefg",
		"00112233-4455-6677-8899-aabbccddeeff",
		"00112233-4455-6677-8899-AABBCCDDEEFF",
		"00112233x4455-6677-8899-aabbccddeeff",
		"001122330-455-6677-8899-aabbccddeeff",
	};
	struct calls c = CALLS_INIT, back;
	struct buf text = BUF_INIT(10000), again = BUF_INIT(10000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct call_record r = record(ids[i]);

		r.outcome = (enum outcome)(i % OUTCOME_COUNT);
		r.due_us = (int64_t)i * 1000 - 2000;
		calls_add(&c, &r);
	}
	calls_encode(&c, &text);
	assert_int_equal(calls_decode(buf_str(&text), text.len_bytes, &back), 0);
	assert_int_equal(back.count, c.count);
	assert_int_equal(back.every, 1);
	for (size_t i = 0; i < c.count; i++) {
		assert_int_equal(back.items[i].id_bytes, c.items[i].id_bytes);
		assert_memory_equal(back.items[i].id, ids[i], strlen(ids[i]));
		assert_int_equal(back.items[i].outcome, c.items[i].outcome);
		assert_true(back.items[i].due_us == c.items[i].due_us);
	}
	calls_encode(&back, &again);
	assert_string_equal(buf_str(&again), buf_str(&text));
	buf_release(&again);
	calls_release(&back);
	calls_release(&c);
	buf_release(&text);
}

static void test_decode_refusals(void **state)
{
	static const struct {
		const char *raw;
		size_t len_bytes;
	} cases[] = {
		{"", 0},
		{"PLC1\0\0\0\0\1\0\0", 11},
		{"PLC2\0\0\0\0\1\0\0\0", 12},
		{"PLC1\0\0\0\0\0\0\0\0", 12},	      /* every 0 */
		{"PLC1\0\0\0\0\1\0\0\0x", 13},	      /* bytes behind the last */
		{"PLC1\1\0\0\0\1\0\0\0", 12},	      /* a record is owed */
		{"PLC1\xff\xff\xff\xff\1\0\0\0", 12}, /* more than CALLS_MAX */
		{"PLC1\1\0\0\0\1\0\0\0"
		 "\0\0\0\0\0\0\0\0\x14\0\0\0" /* outcome 10 */
		 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		 45},
		{"PLC1\1\0\0\0\1\0\0\0"
		 "\0\0\0\0\0\0\0\0\0\4\0\0" /* temperature 4 */
		 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		 45},
		{"PLC1\1\0\0\0\1\0\0\0"
		 "\0\0\0\0\0\0\0\0\0\0\0\0"
		 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2a", /* id cut short */
		 46},
		{"PLC1\1\0\0\0\1\0\0\0"
		 "\0\0\0\0\0\0\0\0\0\0\0\0"
		 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x25" /* id of 37 */
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 82},
	};
	struct calls c;

	(void)state;
	assert_int_equal(calls_decode("UExDMQ!=", 8, &c), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(1000);

		digest_base64(cases[i].raw, cases[i].len_bytes, &text);
		if (calls_decode(buf_str(&text), text.len_bytes, &c) != -EINVAL)
			fail_msg("case %zu was not refused", i);
		buf_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_decode_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
