/*
 * test_loader_report_line.c - REPORT lines as Lambda writes them, and what looks like them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/loader/jsonscan.h"
#include "cmd/loader/report_line.h"
#include "common/base/buf.h"
#include "common/base/rng.h"

#define ID "3897a7c2-1111-4222-8333-444455556666"
#define OTHER "00000000-1111-4222-8333-444455556666"
#define WARM(id)                                                                                   \
	"REPORT RequestId: " id "\tDuration: 61.02 ms\tBilled Duration: 62 ms\t"                   \
	"Memory Size: 128 MB\tMax Memory Used: 37 MB\t"

static void report_lines_are_read(void **state)
{
	static const struct {
		const char *name, *tail;
		bool is_found;
		struct report want;
	} cases[] = {
		{"warm",
		 "START\nEND\n" WARM(ID) "\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"cold",
		 "START RequestId: " ID " Version: $LATEST\nEND RequestId: " ID "\n"
		 "REPORT RequestId: " ID "\tDuration: 469.40 ms\tBilled Duration: 500 ms\t"
		 "Memory Size: 1024 MB\tMax Memory Used: 21 MB\tInit Duration: 100.99 ms\t\n",
		 true,
		 {TEMP_COLD, 469400, 500000, 100990, 21 * 1024}},
		{"restored from a snapshot",
		 "REPORT RequestId: " ID "\tDuration: 61.02 ms\tBilled Duration: 62 ms\t"
		 "Memory Size: 512 MB\tMax Memory Used: 90 MB\tRestore Duration: 511.25 ms\t"
		 "Billed Restore Duration: 303 ms\t\n",
		 true,
		 {TEMP_RESTORED, 61020, 62000, 511250, 90 * 1024}},
		{"X-Ray line behind it",
		 WARM(ID) "\nXRAY TraceId: 1-5-6\tSegmentId: ab\tSampled: true\t\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"a status field that is new",
		 WARM(ID) "Status: timeout\t\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"integer milliseconds, no newline",
		 "REPORT RequestId: " ID "\tDuration: 6 ms\tBilled Duration: 6 ms\t"
		 "Memory Size: 128 MB\tMax Memory Used: 0 MB",
		 true,
		 {TEMP_WARM, 6000, 6000, 0, 0}},
		{"tail cut at the front",
		 "ation: 3 ms\n" WARM(ID) "\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"a forged line before the real one",
		 "REPORT RequestId: x\tDuration: 1 ms\tInit Duration: 9 ms\n" WARM(ID) "\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"a forged line behind it loses against the id",
		 WARM(ID) "\nREPORT RequestId: x\tDuration: 1 ms\tInit Duration: 9 ms\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"of two other ids the last counts",
		 "REPORT RequestId: x\tDuration: 1 ms\tInit Duration: 9 ms\n" WARM(OTHER) "\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"another id still counts",
		 WARM(OTHER) "\n",
		 true,
		 {TEMP_WARM, 61020, 62000, 0, 37 * 1024}},
		{"JSON, warm",
		 "{\"time\":\"2026-11-22T15:00:00Z\",\"type\":\"platform.report\",\"record\":"
		 "{\"requestId\":\"" ID
		 "\",\"status\":\"success\",\"metrics\":{\"durationMs\":12.3,"
		 "\"billedDurationMs\":13,\"memorySizeMB\":128,\"maxMemoryUsedMB\":66}}}\n",
		 true,
		 {TEMP_WARM, 12300, 13000, 0, 66 * 1024}},
		{"JSON, cold",
		 "{\"time\":\"t\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"" ID
		 "\",\"metrics\":{\"durationMs\":12.3,\"billedDurationMs\":164,\"memorySizeMB\":"
		 "128,"
		 "\"maxMemoryUsedMB\":66,\"initDurationMs\":150.2}}}\n",
		 true,
		 {TEMP_COLD, 12300, 164000, 150200, 66 * 1024}},
		{"JSON, restored",
		 "{\"type\":\"platform.report\",\"record\":{\"metrics\":{\"durationMs\":1,"
		 "\"billedDurationMs\":2,\"maxMemoryUsedMB\":1,\"restoreDurationMs\":3.5,"
		 "\"billedRestoreDurationMs\":4}}}\n",
		 true,
		 {TEMP_RESTORED, 1000, 2000, 3500, 1024}},
		{"nothing printed", "", false, {0}},
		{"only output of the function", "hi\nREPORT of the day\n", false, {0}},
		{"cut in the middle", "REPORT RequestId: " ID "\tDurat", false, {0}},
		{"a number that is none",
		 "REPORT RequestId: " ID "\tDuration: x ms\t\n",
		 false,
		 {0}},
		{"another JSON line",
		 "{\"type\":\"platform.start\",\"record\":{\"metrics\":{\"durationMs\":1}}}\n",
		 false,
		 {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct report got = {0};
		bool is_found =
			report_parse(cases[i].tail, strlen(cases[i].tail), ID, strlen(ID), &got);

		if (is_found != cases[i].is_found || got.temperature != cases[i].want.temperature ||
		    got.duration_us != cases[i].want.duration_us ||
		    got.billed_us != cases[i].want.billed_us ||
		    got.init_us != cases[i].want.init_us ||
		    got.memory_kib != cases[i].want.memory_kib)
			fail_msg("%s: found %d temperature %d duration %u billed %u init %u memory "
				 "%u",
				 cases[i].name, is_found, got.temperature, got.duration_us,
				 got.billed_us, got.init_us, got.memory_kib);
	}
}

static void pointers_find_values_in_json(void **state)
{
	static const char text[] =
		"{ \"a\":\"x\\\"}y\", \"n\": -1.5e3 ,\"t\":true,\"f\":false,\"z\":null,"
		"\"o\":{\"b/c\":[10,[1,{\"k\":\"v\"}],\"]\"],\"~\":1},\"e\":{},\"l\":[]}";
	static const struct {
		const char *pointer;
		bool is_found;
		enum json_slice_kind kind;
		const char *want;
	} cases[] = {
		{"/a", true, JSON_SLICE_STR, "x\\\"}y"},
		{"/n", true, JSON_SLICE_NUM, "-1.5e3"},
		{"/t", true, JSON_SLICE_TRUE, "true"},
		{"/f", true, JSON_SLICE_FALSE, "false"},
		{"/z", true, JSON_SLICE_NULL, "null"},
		{"/o/b~1c/0", true, JSON_SLICE_NUM, "10"},
		{"/o/b~1c/1/1/k", true, JSON_SLICE_STR, "v"},
		{"/o/b~1c/2", true, JSON_SLICE_STR, "]"},
		{"/o/~0", true, JSON_SLICE_NUM, "1"},
		{"/e", true, JSON_SLICE_OTHER, "{}"},
		{"/l", true, JSON_SLICE_OTHER, "[]"},
		{"", true, JSON_SLICE_OTHER, text},
		{"/e/x", false, 0, ""},
		{"/l/0", false, 0, ""},
		{"/o/b~1c/3", false, 0, ""},
		{"/o/b~1c/x", false, 0, ""},
		{"/missing", false, 0, ""},
		{"/a/deeper", false, 0, ""},
		{"a", false, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_slice v = {JSON_SLICE_OTHER, "", 0};
		bool is_found = json_find(text, strlen(text), cases[i].pointer, &v);

		if (is_found != cases[i].is_found)
			fail_msg("%s: found %d", cases[i].pointer, is_found);
		if (is_found && (v.kind != cases[i].kind || v.len_bytes != strlen(cases[i].want) ||
				 memcmp(v.at, cases[i].want, v.len_bytes) != 0))
			fail_msg("%s: kind %d %.*s", cases[i].pointer, v.kind, (int)v.len_bytes,
				 v.at);
	}
}

/* Hostile and cut texts must end without reading past them (ASan watches). */
static void broken_json_is_survived(void **state)
{
	static const char whole[] =
		"{\"a\":[1,{\"b\":\"c\\u0041\"},true],\"d\":{\"e\":[[[\"f\"]]]}}";
	static const char *const odd[] = {
		"",  "{", "[",	"\"",	    "{\"", "{\"a",   "{\"a\"",	  "{\"a\":", "nul",
		"}", "]", "{]", "{\"a\":]", "\\",  "{\"a\\", "{\"a\" 1}", "{,}"};
	struct json_slice v;

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		char *copy = test_malloc(n + 1);

		memcpy(copy, whole, n);
		(void)json_find(copy, n, "/d/e/0/0/0", &v);
		(void)json_find(copy, n, "/a/1/b", &v);
		test_free(copy);
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_false(json_find(odd[i], strlen(odd[i]), "/a", &v));
}

/* Anything a target may send: made of the pieces that the parsers look for. */
static void noise_is_survived(void **state)
{
	static const char *const pieces[] = {"{",
					     "}",
					     "[",
					     "]",
					     "\"",
					     "\\",
					     ":",
					     ",",
					     "a",
					     "\n",
					     "\t",
					     " ",
					     "REPORT RequestId: ",
					     "Duration: ",
					     "1",
					     ".5",
					     " ms",
					     "true",
					     "null",
					     "-",
					     "\"type\":\"platform.report\"",
					     "\"record\":{",
					     "\"metrics\":{",
					     "\"durationMs\":"};
	struct rng r = {.state = 7};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct buf text = BUF_INIT(4096);
		size_t count = (size_t)rng_below(&r, 40);
		struct json_slice v;
		struct report rep;
		char *exact;

		for (size_t k = 0; k < count; k++)
			buf_adds(&text, pieces[rng_below(&r, ARRAY_LEN(pieces))]);
		exact = malloc(text.len_bytes +
			       !text.len_bytes); /* so that ASan sees a read past the end */
		memcpy(exact, buf_str(&text), text.len_bytes);
		(void)json_find(exact, text.len_bytes, "/a/0/a", &v);
		(void)json_find(exact, text.len_bytes, "", &v);
		(void)report_parse(exact, text.len_bytes, "1", 1, &rep);
		free(exact);
		buf_release(&text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_lines_are_read),
		cmocka_unit_test(pointers_find_values_in_json),
		cmocka_unit_test(broken_json_is_survived),
		cmocka_unit_test(noise_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
