/* The lowest rank: buffers, lines, clocks, units, maps, random order, exit codes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/exit_code.h"
#include "common/base/lines.h"
#include "common/base/rng.h"
#include "common/base/strmap.h"
#include "common/base/unit.h"

static void buf_stops_at_its_maximum(void **state)
{
	struct buf b = BUF_INIT(8);

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "12345");
	buf_addf(&b, "%d", 678);
	assert_string_equal(buf_str(&b), "12345678");
	assert_false(buf_is_over(&b));
	buf_addc(&b, '9');
	buf_adds(&b, "");
	assert_true(buf_is_over(&b));
	assert_string_equal(buf_str(&b), "12345678");
	buf_clear(&b);
	buf_adds(&b, "abc");
	buf_consume(&b, 2);
	assert_string_equal(buf_str(&b), "c");
	buf_release(&b);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t ms;
	} rows[] = {
		{"30s", 0, 30000},    {"1h30m", 0, 5400000},
		{"250ms", 0, 250},    {"7d", 0, 604800000},
		{"1.5s", 0, 1500},    {"0s", 0, 0},
		{"", -EINVAL, 0},     {"30", -EINVAL, 0},
		{"s", -EINVAL, 0},    {"30 s", -EINVAL, 0},
		{"-1s", -EINVAL, 0},  {"1x", -EINVAL, 0},
		{"1e3s", -EINVAL, 0}, {"99999999999d", -ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -1;

		assert_int_equal(unit_parse_duration_ms(rows[i].text, &ms), rows[i].rc);
		if (!rows[i].rc)
			assert_int_equal(ms, rows[i].ms);
	}
}

static void other_units(void **state)
{
	double d;
	int64_t money;
	uint64_t size, u;

	(void)state;
	assert_int_equal(unit_parse_rate("300/m", &d), 0);
	assert_true(d == 5.0);
	assert_int_equal(unit_parse_rate("10", &d), -EINVAL);
	assert_int_equal(unit_parse_size("64KiB", &size), 0);
	assert_int_equal(size, 65536);
	assert_int_equal(unit_parse_money("0.50 USD", &money), 0);
	assert_int_equal(money, 500000);
	assert_int_equal(unit_parse_money("1 EUR", &money), -EINVAL);
	assert_int_equal(unit_parse_ratio("10%", &d), 0);
	assert_true(d > 0.0999 && d < 0.1001);
	assert_int_equal(unit_parse_points("0.5pp", &d), 0);
	assert_true(d > 0.00499 && d < 0.00501);
	assert_int_equal(unit_parse_points("0.5%", &d), -EINVAL);
	assert_int_equal(unit_parse_u64("18446744073709551615", &u), 0);
	assert_int_equal(unit_parse_u64("18446744073709551616", &u), -ERANGE);
	assert_int_equal(unit_parse_u64("-1", &u), -EINVAL);
}

static void dates(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t ms;
	} rows[] = {
		{"2026-11-22T15:04:05.123Z", 0, INT64_C(1795359845123)},
		{"2026-11-22T15:04:05Z", 0, INT64_C(1795359845000)},
		{"2026-11-22T16:04:05.000+01:00", 0, INT64_C(1795359845000)},
		{"2026-11-22T15:04:05.000+0000", 0, INT64_C(1795359845000)},
		{"2026-11-22T15:04:05", -EINVAL, 0},
		{"2026-13-22T15:04:05Z", -EINVAL, 0},
		{"2026-11-22T15:04:05.Z", -EINVAL, 0},
		{"3026-11-22T15:04:05Z", -EINVAL, 0}, /* beyond 64 bits of nanoseconds */
		{"0000-01-01T00:00:00Z", -EINVAL, 0},
		{"2026-11-22T15:04:05Zx", -EINVAL, 0},
		{"", -EINVAL, 0},
	};
	char text[WALL_RFC3339_SIZE], basic[WALL_BASIC_SIZE];
	struct wall w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(wall_parse_rfc3339(rows[i].text, &w), rows[i].rc);
		if (!rows[i].rc)
			assert_int_equal(wall_ms(w), rows[i].ms);
	}
	assert_int_equal(wall_parse_rfc3339(rows[0].text, &w), 0);
	wall_format_rfc3339(w, text);
	assert_string_equal(text, rows[0].text);
	wall_format_basic(w, basic);
	assert_string_equal(basic, "20261122T150405Z");
	assert_int_equal(wall_parse_basic("20150830T123600Z", &w), 0);
	assert_int_equal(wall_s(w), 1440938160);
	assert_int_equal(wall_parse_http("Sun, 22 Nov 2026 15:04:05 GMT", &w), 0);
	assert_int_equal(wall_ms(w), rows[1].ms);
	assert_int_equal(wall_parse_http("Sun, 22 Noe 2026 15:04:05 GMT", &w), -EINVAL);
}

/* Feeds the text in pieces of every size; the lines must come out the same. */
static void lines_in_pieces(void **state)
{
	static const char text[] = "one\n\nthirteen char\nlast";
	static const struct {
		enum line_kind kind;
		const char *text;
	} want[] = {
		{LINE_OK, "one"}, {LINE_OK, ""}, {LINE_TOO_LONG, NULL}, {LINE_TRUNCATED, "last"}};

	(void)state;
	for (size_t piece = 1; piece <= sizeof(text) - 1; piece++) {
		struct lines ln;
		struct line line;
		size_t got = 0;

		lines_init(&ln, 10);
		for (size_t at = 0; at <= sizeof(text) - 1; at += piece) {
			enum line_kind kind;
			size_t left = sizeof(text) - 1 - at;

			if (left)
				lines_feed(&ln, text + at, MIN_OF(piece, left));
			if (left <= piece)
				lines_feed(&ln, "", 0);
			while ((kind = lines_next(&ln, &line)) != LINE_NONE) {
				assert_true(got < ARRAY_LEN(want));
				assert_int_equal(kind, want[got].kind);
				if (want[got].text)
					assert_string_equal(line.data, want[got].text);
				got++;
			}
		}
		assert_int_equal(got, ARRAY_LEN(want));
		lines_release(&ln);
	}
}

static void maps_keep_their_order(void **state)
{
	struct strmap m = {0};
	char key[16];
	int values[500];

	(void)state;
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_null(strmap_put(&m, key, &values[i]));
	}
	assert_ptr_equal(strmap_remove(&m, "key250"), &values[250]);
	assert_null(strmap_get(&m, "key250"));
	assert_ptr_equal(strmap_get(&m, "key499"), &values[499]);
	assert_string_equal(m.items[250].key, "key251");
	assert_ptr_equal(strmap_put(&m, "key7", &values[8]), &values[7]);
	strmap_release(&m, NULL);
}

/* Random puts and removals against a plain list: contents and order. */
static void strmap_is_a_list_without_repeats(void **state)
{
	struct rng r = {20261122};
	struct strmap m = {0};
	int list[64], values[64];
	size_t count = 0;

	(void)state;
	for (int turn = 0; turn < 200000; turn++) {
		int n = (int)rng_below(&r, 64);
		bool is_put = rng_below(&r, 2) == 0;
		char key[16];
		size_t at = 0;

		snprintf(key, sizeof(key), "k%d", n);
		while (at < count && list[at] != n)
			at++;
		assert_ptr_equal(is_put ? strmap_put(&m, key, &values[n]) : strmap_remove(&m, key),
				 at < count ? &values[n] : NULL);
		if (is_put && at == count) {
			list[count++] = n;
		} else if (!is_put && at < count) {
			memmove(&list[at], &list[at + 1], (count - at - 1) * sizeof(*list));
			count--;
		}
		assert_int_equal(m.count, count);
		for (size_t i = 0; i < count; i++) {
			assert_ptr_equal(m.items[i].value, &values[list[i]]);
			assert_ptr_equal(strmap_get(&m, m.items[i].key), &values[list[i]]);
		}
	}
	strmap_release(&m, NULL);
}

static void misspelt_names(void **state)
{
	static const char *const names[] = {"functions", "accounts", "limits", "url"};

	(void)state;
	assert_string_equal(nearest_name("functons", names, 4), "functions");
	assert_string_equal(nearest_name("account", names, 4), "accounts");
	assert_null(nearest_name("zebra", names, 4));
	assert_null(nearest_name("x", names, 4));
}

/* First values of the public generator for seed 1234567 (prng.di.unimi.it). */
static void splitmix64_vectors(void **state)
{
	static const uint64_t want[] = {
		UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
		UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
		UINT64_C(16408922859458223821)};
	struct rng r = {1234567};
	uint32_t items[6] = {0, 1, 2, 3, 4, 5}, sum = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(rng_next(&r) == want[i]);
	rng_shuffle(&r, items, 6);
	for (size_t i = 0; i < 6; i++)
		sum += 1u << items[i];
	assert_int_equal(sum, 63);
}

static void worse_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(exit_code_worse(EXIT_FINE, EXIT_CANNOT_TELL), EXIT_CANNOT_TELL);
	assert_int_equal(exit_code_worse(EXIT_GATE_NO, EXIT_CANNOT_TELL), EXIT_GATE_NO);
	assert_int_equal(exit_code_worse(EXIT_GATE_NO, EXIT_AGAIN), EXIT_AGAIN);
	assert_int_equal(exit_code_worse(EXIT_USAGE, EXIT_AGAIN), EXIT_USAGE);
	assert_int_equal(exit_code_worse(EXIT_BUG, EXIT_USAGE), EXIT_BUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_stops_at_its_maximum),
		cmocka_unit_test(durations),
		cmocka_unit_test(other_units),
		cmocka_unit_test(dates),
		cmocka_unit_test(lines_in_pieces),
		cmocka_unit_test(maps_keep_their_order),
		cmocka_unit_test(strmap_is_a_list_without_repeats),
		cmocka_unit_test(misspelt_names),
		cmocka_unit_test(splitmix64_vectors),
		cmocka_unit_test(worse_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
