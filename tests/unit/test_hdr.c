/* hdr, hlog: against texts and figures made by the Python package hdrhistogram 0.10.8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <zlib.h>
#include <cmocka.h>

#include "common/base/rng.h"
#include "common/digest/digest.h"
#include "common/stats/hlog.h"

#define HEX_HEAD "000000000000000300000000000000010000"
#define HEX_TAIL "0000d693a4003ff0000000000000"

#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

struct value {
	int64_t value, times;
};

static const struct golden {
	const char *name;
	struct value values[6];
	const char *text; /* what Python wrote */
	int64_t count, min, max, p50, p99;
	double mean;
} golden[] = {
	{"empty", {{0, 0}}, "HISTFAAAABx4nJNpmSzMgADMUJoRRFybvITB/gNEAABQ2gSH", 0, 0, 0, 0, 0, 0},
	{"one",
	 {{1, 1}},
	 "HISTFAAAACF4nJNpmSzMwMDAxAABzFCaEURcm7yEwf4DVIAJAFoyBIw=",
	 1,
	 1,
	 1,
	 1,
	 1,
	 1},
	{"a single zero counter is no run",
	 {{0, 1}, {2, 1}},
	 "HISTFAAAACJ4nJNpmSzMwMDAzAABMJoRRFybvITB/gNEgImRCQBe5QSP",
	 2,
	 0,
	 2,
	 0,
	 2,
	 1},
	{"wide",
	 {{60000, 1}, {61000, 2}, {141000, 1}, {3600000000, 1}},
	 "HISTFAAAACx4nJNpmSzMwMDAwwABzFCaEURcm7yEwf4DRGBpLpM1y2ZhptMvGZkAo0gIZQ==",
	 5,
	 60000,
	 3600809983,
	 61023,
	 3600809983,
	 720016886.4},
	{"large counts",
	 {{5, 1000}, {100000, 70000}, {2048, 1}, {2047, 1}},
	 "HISTFAAAAC14nJNpmSzMwMDAwwABzFCaEURcm7yEwf4DRIDzAv9HeSamjREPjnIAAKXOCUU=",
	 71002,
	 5,
	 100031,
	 100031,
	 100031,
	 98588.90026},
	{"a count of six bytes",
	 {{9, INT64_C(1) << 40}},
	 "HISTFAAAACR4nJNpmSzMwMDAzgABzFCaEURcm7yEwf4DRECwAQQcAHxaB18=",
	 INT64_C(1) << 40,
	 9,
	 9,
	 9,
	 9,
	 9},
};

static void inflate_text(const char *text, struct buf *out)
{
	struct buf raw = BUF_INIT(1 << 20);
	uLongf len = 1 << 20;

	assert_int_equal(digest_base64_decode(text, strlen(text), &raw), 0);
	char *room = buf_reserve(out, len);
	assert_int_equal(
		uncompress((Bytef *)room, &len, (Bytef *)raw.data + 8, (uLong)raw.len_bytes - 8),
		Z_OK);
	buf_commit(out, len);
	buf_release(&raw);
}

static void assert_figures(const struct hdr *h, const struct golden *g)
{
	assert_int_equal(hdr_count(h), g->count);
	assert_int_equal(hdr_min(h), g->min);
	assert_int_equal(hdr_max(h), g->max);
	assert_int_equal(hdr_percentile(h, 50), g->p50);
	assert_int_equal(hdr_percentile(h, 99), g->p99);
	assert_near(hdr_mean(h), g->mean, 1e-6 * (g->mean + 1));
}

static void test_equal_to_python(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(golden); i++) {
		const struct golden *g = &golden[i];
		struct hdr *h = hdr_new(), *back = NULL;
		struct buf text = BUF_INIT(1 << 20), ours = BUF_INIT(2 << 20);
		struct buf theirs = BUF_INIT(2 << 20);

		print_message("%s\n", g->name);
		for (size_t k = 0; k < ARRAY_LEN(g->values); k++)
			hdr_record_n(h, g->values[k].value, g->values[k].times);
		assert_figures(h, g);
		hdr_encode(h, &text);
		inflate_text(buf_str(&text), &ours);
		inflate_text(g->text, &theirs);
		assert_int_equal(ours.len_bytes, theirs.len_bytes);
		assert_memory_equal(ours.data, theirs.data, ours.len_bytes);
		assert_int_equal(hdr_decode(g->text, strlen(g->text), &back), 0);
		assert_figures(back, g);
		hdr_free(back);
		hdr_free(h);
		buf_release(&text);
		buf_release(&ours);
		buf_release(&theirs);
	}
}

static void test_values_outside_of_the_range(void **state)
{
	struct hdr *h = hdr_new();

	(void)state;
	hdr_record(h, -5);
	hdr_record(h, INT64_MAX);
	assert_int_equal(hdr_min(h), 0);
	assert_int_equal(hdr_max(h), 3600809983);
	assert_int_equal(hdr_count(h), 2);
	hdr_clear(h);
	assert_int_equal(hdr_count(h), 0);
	assert_int_equal(hdr_max(h), 0);
	hdr_free(h);
}

/* Every bucket keeps 3 digits, and the buckets tile the range without a gap. */
static void test_buckets_tile(void **state)
{
	struct hdr *h = hdr_new();
	int64_t next = 0;

	(void)state;
	for (size_t i = 0; i < h->counts_len; i++) {
		struct hdr_bucket b = hdr_bucket_at(h, i);

		assert_int_equal(b.low, next);
		assert_true(b.high - b.low <= b.low / 1000);
		next = b.high + 1;
	}
	hdr_free(h);
}

static void test_round_trip_and_merge(void **state)
{
	struct rng rng = {7};
	struct hdr *a = hdr_new(), *b = hdr_new(), *all = hdr_new(), *back = NULL;
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t v = (int64_t)(rng_next(&rng) >> (rng_below(&rng, 30) + 32));

		hdr_record(i % 3 ? a : b, v);
		hdr_record(all, v);
	}
	assert_int_equal(hdr_add(a, b), 0);
	assert_memory_equal(a->counts, all->counts, all->counts_len * sizeof(a->counts[0]));
	assert_int_equal(hdr_count(a), 20000);
	assert_int_equal(hdr_count_at_most(a, INT64_MAX), 20000);
	hdr_encode(a, &text);
	assert_int_equal(hdr_decode(buf_str(&text), text.len_bytes, &back), 0);
	assert_memory_equal(back->counts, all->counts, all->counts_len * sizeof(a->counts[0]));
	assert_int_equal(hdr_max(back), hdr_max(all));
	assert_int_equal(hdr_min(back), hdr_min(all));
	/* A full counter leaves the target as it was. */
	hdr_clear(b);
	hdr_record_n(b, 1, INT64_MAX);
	assert_int_equal(hdr_add(a, b), -EOVERFLOW);
	assert_int_equal(hdr_count(a), 20000);
	hdr_free(a);
	hdr_free(b);
	hdr_free(all);
	hdr_free(back);
	buf_release(&text);
}

static void test_other_ranges(void **state)
{
	struct hdr *ns = NULL, *us = hdr_new(), *back = NULL;
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	assert_int_equal(hdr_new_range(1000, INT64_C(3600000000000), 2, &ns), 0);
	hdr_record(ns, 5000000);
	hdr_encode(ns, &text);
	assert_int_equal(hdr_decode(buf_str(&text), text.len_bytes, &back), -ERANGE);
	assert_int_equal(hdr_decode_any(buf_str(&text), text.len_bytes, &back), 0);
	assert_int_equal(back->digits, 2);
	assert_int_equal(hdr_max(back), hdr_max(ns));
	assert_int_equal(hdr_add(us, ns), 0);
	assert_int_equal(hdr_count(us), 1);
	hdr_free(ns);
	assert_int_equal(hdr_new_range(0, 100, 3, &ns), -EINVAL);
	assert_int_equal(hdr_new_range(10, 19, 3, &ns), -EINVAL);
	assert_int_equal(hdr_new_range(1, 100, 6, &ns), -EINVAL);
	assert_int_equal(hdr_new_range(1, INT64_MAX, 5, &ns), -E2BIG);
	assert_int_equal(hdr_new_range(INT64_C(1) << 60, INT64_MAX, 3, &ns), -EINVAL);
	hdr_free(us);
	hdr_free(back);
	buf_release(&text);
}

static void pack(const uint8_t *raw, size_t len, uint32_t length_off, struct buf *text)
{
	uint8_t packed[4096] = {0x1c, 0x84, 0x93, 0x14};
	uLongf n = sizeof(packed) - 8;

	assert_int_equal(compress(packed + 8, &n, raw, (uLong)len), Z_OK);
	uint32_t told = (uint32_t)n + length_off;
	for (int i = 0; i < 4; i++)
		packed[4 + i] = (uint8_t)(told >> (24 - 8 * i));
	buf_clear(text);
	digest_base64(packed, 8 + n, text);
}

static void unhex(const char *hex, uint8_t *out)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

static void test_hostile_payloads(void **state)
{
	static const struct {
		const char *name, *hex;
		uint32_t length_off;
		int rc;
	} cases[] = {
		{"good", "1c84931300000002" HEX_HEAD HEX_TAIL "0102", 0, 0},
		{"outer length wrong", "1c84931300000002" HEX_HEAD HEX_TAIL "0102", 1, -EINVAL},
		{"inner cookie of V1", "1c84930100000002" HEX_HEAD HEX_TAIL "0102", 0, -EINVAL},
		{"payload shorter than told", "1c84931300000003" HEX_HEAD HEX_TAIL "0102", 0,
		 -EINVAL},
		{"payload longer than told", "1c84931300000001" HEX_HEAD HEX_TAIL "0102", 0,
		 -EINVAL},
		{"header cut short", "1c84931300000002" HEX_HEAD, 0, -EINVAL},
		{"zero run past the end", "1c84931300000004" HEX_HEAD HEX_TAIL "ffffff0f", 0,
		 -EINVAL},
		{"the most negative run", "1c84931300000009" HEX_HEAD HEX_TAIL "ffffffffffffffffff",
		 0, -EINVAL},
		{"counts overflow",
		 "1c84931300000012" HEX_HEAD HEX_TAIL "feffffffffffffffff"
		 "feffffffffffffffff",
		 0, -EOVERFLOW},
		{"word cut short", "1c84931300000002" HEX_HEAD HEX_TAIL "8080", 0, -EINVAL},
		{"payload told too large for any counts",
		 "1c849313ffffffff" HEX_HEAD HEX_TAIL "0102", 0, -EINVAL},
		{"another range", "1c84931300000002" HEX_HEAD "00000000ffff3ff00000000000000102", 0,
		 -ERANGE},
		{"shifted",
		 "1c849313000000020000000100000003"
		 "0000000000000001"
		 "0000" HEX_TAIL "0102",
		 0, -EINVAL},
	};
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t raw[256];
		struct hdr *h = NULL;

		print_message("%s\n", cases[i].name);
		unhex(cases[i].hex, raw);
		pack(raw, strlen(cases[i].hex) / 2, cases[i].length_off, &text);
		assert_int_equal(hdr_decode(buf_str(&text), text.len_bytes, &h), cases[i].rc);
		hdr_free(h);
	}
	buf_release(&text);
}

static void test_texts_that_are_none(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{"", -EINVAL},
		{"HISTFAAA", -EINVAL},
		{"not base64!", -EINVAL},
		{"HISTFAAAACF4nJNpmSzMwMDAxAABzFCaEURcm7yEwf4DVIAJAFoyBIw", -EINVAL},
		{"HISTEwAAACF4nJNpmSzMwMDAxAABzFCaEURcm7yEwf4DVIAJAFoyBIw=", -ENOTSUP},
		{"DHISTwAAACF4nJNpmSzMwMDAxAABzFCaEURcm7yEwf4DVIAJAFoyBIw=", -EINVAL},
	};
	struct hdr *h = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(hdr_decode(cases[i].text, strlen(cases[i].text), &h), cases[i].rc);
}

/* 1 GiB of zeros behind a small text is not inflated: the header justifies no such length. */
static void test_inflate_bomb(void **state)
{
	uint8_t *raw = x_calloc(1, 64 << 20), *packed = x_calloc(1, 1 << 20);
	uLongf n = (1 << 20) - 8;
	struct buf text = BUF_INIT(2 << 20);
	struct hdr *h = NULL;

	(void)state;
	unhex("1c84931303ffffd8" HEX_HEAD HEX_TAIL, raw);
	assert_int_equal(compress(packed + 8, &n, raw, 64 << 20), Z_OK);
	unhex("1c849314", packed);
	for (int i = 0; i < 4; i++)
		packed[4 + i] = (uint8_t)(n >> (24 - 8 * i));
	digest_base64(packed, 8 + n, &text);
	assert_int_equal(hdr_decode_any(buf_str(&text), text.len_bytes, &h), -EINVAL);
	free(raw);
	free(packed);
	buf_release(&text);
}

#define ONE "HISTFAAAACF4nJNpmSzMwMDAxAABzFCaEURcm7yEwf4DVIAJAFoyBIw="

static void test_log_lines(void **state)
{
	static const struct {
		const char *line;
		int rc;
		enum hlog_kind kind;
		const char *tag;
		double start_s, length_s, max;
	} cases[] = {
		{"#[Histogram log format version 1.3]", 0, HLOG_COMMENT, "", 0, 0, 0},
		{"# any words", 0, HLOG_COMMENT, "", 0, 0, 0},
		{"", 0, HLOG_COMMENT, "", 0, 0, 0},
		{"#[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09]", 0,
		 HLOG_START_TIME, "", 1441812279.474, 0, 0},
		{"#[BaseTime: 12.5 (seconds since epoch)]", 0, HLOG_BASE_TIME, "", 12.5, 0, 0},
		{"#[StartTime: soon (seconds)]", -EINVAL, HLOG_COMMENT, "", 0, 0, 0},
		{"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\"", 0, HLOG_LEGEND, "", 0,
		 0, 0},
		{"0.127,1.007,2.769," ONE, 0, HLOG_INTERVAL, "", 0.127, 1.007, 2.769},
		{"Tag=A,0.127,1.007,2.769," ONE "\r", 0, HLOG_INTERVAL, "A", 0.127, 1.007, 2.769},
		{"Tag=A;" ONE, -EINVAL, HLOG_COMMENT, "", 0, 0, 0},
		{"0.127,1.007," ONE, -EINVAL, HLOG_COMMENT, "", 0, 0, 0},
		{"0.127,1.007,2.769,HISTF", -EINVAL, HLOG_INTERVAL, "", 0.127, 1.007, 2.769},
		{"words", -EINVAL, HLOG_COMMENT, "", 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hlog_entry e;

		print_message("%s\n", cases[i].line);
		assert_int_equal(hlog_parse(cases[i].line, strlen(cases[i].line), &e), cases[i].rc);
		if (cases[i].rc == 0) {
			assert_int_equal(e.kind, cases[i].kind);
			assert_string_equal(e.tag, cases[i].tag);
			assert_near(e.start_s, cases[i].start_s, 1e-9);
			assert_near(e.length_s, cases[i].length_s, 1e-9);
			assert_near(e.max, cases[i].max, 1e-9);
			assert_int_equal(e.hist != NULL, e.kind == HLOG_INTERVAL);
		}
		hlog_release(&e);
	}
}

static void test_log_written_and_read(void **state)
{
	struct buf log = BUF_INIT(1 << 20);
	struct hdr *h = hdr_new();
	struct hlog_entry e;
	size_t intervals = 0;

	(void)state;
	hdr_record_n(h, 60000, 3);
	hlog_write_head(&log, 1441812279.5);
	hlog_write_interval(&log, "new", 1, 2, h);
	for (const char *at = buf_str(&log); *at;) {
		size_t len = strcspn(at, "\n");

		assert_int_equal(hlog_parse(at, len, &e), 0);
		if (e.kind == HLOG_INTERVAL) {
			intervals++;
			assert_string_equal(e.tag, "new");
			assert_int_equal(hdr_count(e.hist), 3);
		}
		hlog_release(&e);
		at += len + 1;
	}
	assert_int_equal(intervals, 1);
	hdr_free(h);
	buf_release(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_to_python),
		cmocka_unit_test(test_values_outside_of_the_range),
		cmocka_unit_test(test_buckets_tile),
		cmocka_unit_test(test_round_trip_and_merge),
		cmocka_unit_test(test_other_ranges),
		cmocka_unit_test(test_hostile_payloads),
		cmocka_unit_test(test_texts_that_are_none),
		cmocka_unit_test(test_inflate_bomb),
		cmocka_unit_test(test_log_lines),
		cmocka_unit_test(test_log_written_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
