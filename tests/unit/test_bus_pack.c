/* One frame a message: there and back, every cut, lengths that lie. */
#include "common/bus/pack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PART(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static void there_and_back(void **state)
{
	static const struct {
		size_t count;
		struct bus_part parts[BUS_PARTS_MAX];
	} cases[] = {
		{1, {PART("")}},
		{1, {PART("x")}},
		{3, {PART("READY"), PART(""), PART("\0\xff\2")}},
		{BUS_PARTS_MAX, {PART("a"), [BUS_PARTS_MAX - 1] = PART("z")}},
	};
	struct bus_part got[BUS_PARTS_MAX];
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len_bytes = bus_packed_bytes(cases[i].parts, cases[i].count);
		char *frame = x_calloc(1, len_bytes);

		bus_pack(cases[i].parts, cases[i].count, frame);
		assert_int_equal(bus_unpack(frame, len_bytes, got, &count), 0);
		assert_int_equal(count, cases[i].count);
		for (size_t k = 0; k < count; k++) {
			assert_int_equal(got[k].len_bytes, cases[i].parts[k].len_bytes);
			if (got[k].len_bytes)
				assert_memory_equal(got[k].data, cases[i].parts[k].data,
						    got[k].len_bytes);
		}
		free(frame);
	}
}

/* A cut at the end of a part leaves a message with fewer parts; each other one leaves none. */
static void every_cut(void **state)
{
	const struct bus_part parts[] = {PART("WORK"), PART(""), PART("r1"), PART("{\"a\":1}")};
	size_t len_bytes = bus_packed_bytes(parts, ARRAY_LEN(parts)), ends[ARRAY_LEN(parts)];
	struct bus_part got[BUS_PARTS_MAX];
	char *frame = x_calloc(1, len_bytes);

	(void)state;
	bus_pack(parts, ARRAY_LEN(parts), frame);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		ends[i] = bus_packed_bytes(parts, i + 1);
	for (size_t cut = 0; cut <= len_bytes; cut++) {
		char *exact = x_calloc(1, cut + !cut); /* for the sanitizer: not a byte beyond */
		size_t count, whole = 0;

		memcpy(exact, frame, cut);
		for (size_t i = 0; i < ARRAY_LEN(parts); i++)
			if (ends[i] == cut)
				whole = i + 1;
		assert_int_equal(bus_unpack(exact, cut, got, &count), whole ? 0 : -EINVAL);
		if (whole)
			assert_int_equal(count, whole);
		free(exact);
	}
	free(frame);
}

static void what_is_none_of_ours(void **state)
{
#define FRAME(text) text, sizeof(text) - 1
	static const struct {
		const char *frame;
		size_t len_bytes;
		int want;
	} cases[] = {
		{FRAME(""), -EINVAL},
		{FRAME("\2"), -EINVAL},
		{FRAME("\1\0\0\0\1x"), -EPROTONOSUPPORT},
		{FRAME("\3\0\0\0\1x"), -EPROTONOSUPPORT},
		{FRAME("\0"), -EPROTONOSUPPORT},
		{FRAME("READY"), -EPROTONOSUPPORT},
		{FRAME("\2\0\0\0\1x"), 0},
		{FRAME("\2\0\0\0\2x"), -EINVAL},			  /* one byte too many */
		{FRAME("\2\0\0\0\0x"), -EINVAL},			  /* one too few */
		{FRAME("\2\0\0\0\1x\0\0\0"), -EINVAL},			  /* half a length */
		{FRAME("\2\1\0\0\0x"), -EINVAL},			  /* the other order */
		{FRAME("\2\xff\xff\xff\xffx"), -EINVAL},		  /* 2^32 - 1 */
		{FRAME("\2\x7f\xff\xff\xffx"), -EINVAL},		  /* 2^31 - 1 */
		{FRAME("\2\xff\xff\xff\xfc\0\0\0\1x"), -EINVAL},	  /* -4, back to itself */
		{FRAME("\2\0\0\0\1x\xff\xff\xff\xfb\0\0\0\1y"), -EINVAL}, /* -5 */
	};
	struct bus_part got[BUS_PARTS_MAX];
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(bus_unpack(cases[i].frame, cases[i].len_bytes, got, &count),
				 cases[i].want);
}

static void one_part_too_many(void **state)
{
	struct bus_part parts[BUS_PARTS_MAX + 1] = {{0}}, got[BUS_PARTS_MAX];
	char frame[1 + 4 * (BUS_PARTS_MAX + 1)] = {BUS_VERSION};
	size_t count;

	(void)state;
	assert_int_equal(bus_packed_bytes(parts, 0), 0);
	assert_int_equal(bus_packed_bytes(parts, BUS_PARTS_MAX), sizeof(frame) - 4);
	assert_int_equal(bus_packed_bytes(parts, BUS_PARTS_MAX + 1), 0);
	assert_int_equal(bus_unpack(frame, sizeof(frame) - 4, got, &count), 0);
	assert_int_equal(bus_unpack(frame, sizeof(frame), got, &count), -EINVAL);
}

static void the_largest_and_one_byte_more(void **state)
{
	char *data = x_calloc(1, BUS_MESSAGE_MAX_BYTES + 1), *frame;
	struct bus_part parts[] = {{data, BUS_MESSAGE_MAX_BYTES - 1}, {data, 1}},
			got[BUS_PARTS_MAX];
	size_t count, len_bytes = bus_packed_bytes(parts, 2);

	(void)state;
	assert_int_equal(len_bytes, 1 + 2 * 4 + BUS_MESSAGE_MAX_BYTES);
	frame = x_calloc(1, len_bytes + 1);
	bus_pack(parts, 2, frame);
	assert_int_equal(bus_unpack(frame, len_bytes, got, &count), 0);
	frame[len_bytes - 2]++; /* the last part is of two bytes */
	assert_int_equal(bus_unpack(frame, len_bytes + 1, got, &count), -EINVAL);
	parts[1].len_bytes = 2;
	assert_int_equal(bus_packed_bytes(parts, 2), 0);
	parts[1].len_bytes = SIZE_MAX; /* no sum that overflows */
	assert_int_equal(bus_packed_bytes(parts, 2), 0);
	free(frame);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(what_is_none_of_ours),
		cmocka_unit_test(one_part_too_many),
		cmocka_unit_test(the_largest_and_one_byte_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
