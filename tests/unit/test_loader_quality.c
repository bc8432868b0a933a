/* When a run is suspect, and which limit of the loader it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/loader/machine.h"
#include "cmd/loader/quality.h"

#define GOOD .is_open = true, .is_complete = true, .took_ms = 10000, .places = 64

static const struct quality_case {
	const char *name;
	struct quality q;
	const char *keys;  /* of the doubts, in order */
	const char *limit; /* NULL = none */
} cases[] = {
	{"good", {GOOD, .achieved_ratio = 1}, "", NULL},
	{"late, and nothing to blame",
	 {GOOD, .achieved_ratio = 1, .late_p50_us = 30000},
	 "late",
	 NULL},
	{"late because our core is full",
	 {GOOD, .achieved_ratio = 1, .late_p50_us = 30000, .cpu_ratio = 0.97},
	 "late loader-busy limit-cpu",
	 "cpu"},
	{"a full core and nothing late",
	 {GOOD, .achieved_ratio = 1, .cpu_ratio = 0.97},
	 "loader-busy",
	 NULL},
	{"other programs",
	 {GOOD, .achieved_ratio = 1, .late_p50_us = 30000, .others_cpu_ratio = 0.7},
	 "late limit-machine",
	 "machine"},
	{"the hypervisor comes before other programs",
	 {GOOD, .achieved_ratio = 1, .late_p50_us = 30000, .others_cpu_ratio = 0.7,
	  .steal_ratio = 0.2},
	 "late limit-steal",
	 "steal"},
	{"all places taken, for we had no core to read the answers with",
	 {GOOD, .achieved_ratio = 1, .late_p50_us = 30000, .waited_ratio = 0.9,
	  .cpu_wait_ratio = 0.6},
	 "late limit-machine",
	 "machine"},
	{"all places taken, for our core was full",
	 {GOOD, .achieved_ratio = 0.5, .waited_ratio = 0.9, .cpu_ratio = 0.97},
	 "rate-not-reached loader-busy limit-cpu",
	 "cpu"},
	{"a slow target on a machine with other work",
	 {GOOD, .achieved_ratio = 0.5, .waited_ratio = 0.9, .others_cpu_ratio = 0.7},
	 "rate-not-reached limit-in-flight",
	 "in-flight"},
	{"waited, and nothing late", {GOOD, .achieved_ratio = 1, .cpu_wait_ratio = 0.6}, "", NULL},
	{"a busy machine and nothing late",
	 {GOOD, .achieved_ratio = 1, .others_cpu_ratio = 0.9, .steal_ratio = 0.3},
	 "",
	 NULL},
	{"places",
	 {GOOD, .achieved_ratio = 1, .late_p50_us = 30000, .waited_ratio = 0.7},
	 "late limit-in-flight",
	 "in-flight"},
	{"some waited, none late", {GOOD, .achieved_ratio = 1, .waited_ratio = 0.7}, "", NULL},
	{"calls that were never sent",
	 {GOOD, .achieved_ratio = 0.5, .waited_ratio = 0.9},
	 "rate-not-reached limit-in-flight",
	 "in-flight"},
	{"the target was down", {GOOD, .achieved_ratio = 0.1, .unreached_ratio = 0.9}, "", NULL},
	{"no descriptors left",
	 {GOOD, .achieved_ratio = 1, .local_faults = 3, .local_why = "Too many open files"},
	 "limit-connections",
	 "connections"},
	{"a narrow line",
	 {GOOD, .achieved_ratio = 0.9, .blocked_ratio = 0.5},
	 "rate-not-reached limit-bandwidth",
	 "bandwidth"},
	{"the loop itself",
	 {GOOD, .achieved_ratio = 1, .loop_p99_us = 200000, .cpu_ratio = 0.9},
	 "loop-delay loader-busy limit-cpu",
	 "cpu"},
	{"the clock was set back",
	 {GOOD, .achieved_ratio = 1, .clock_step_ms = -5000},
	 "clock-step",
	 NULL},
	{"closed: a full core is no missed rate",
	 {.is_complete = true, .cpu_ratio = 0.5},
	 "",
	 NULL},
};

static void keys_of(const struct json *suspect, char out[200])
{
	out[0] = '\0';
	for (size_t i = 0; i < json_len(suspect); i++) {
		const char *text = json_str(json_elem(suspect, i));
		size_t len = strlen(out);

		snprintf(out + len, 200 - len, "%s%.*s", i ? " " : "", (int)strcspn(text, ":"),
			 text);
	}
}

static void test_doubts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *o = quality_json(&cases[i].q);
		const char *limit = json_get_str(o, "limit");
		char keys[200];

		keys_of(json_get(o, "suspect"), keys);
		if (strcmp(keys, cases[i].keys) != 0 ||
		    strcmp(limit ? limit : "", cases[i].limit ? cases[i].limit : "") != 0)
			fail_msg("%s: %s; limit %s", cases[i].name, keys, limit ? limit : "none");
		json_free(o);
	}
}

static void test_proc_stat(void **state)
{
	struct machine_ticks t;
	struct machine m, not_begun = {0};
	struct machine_use use;

	(void)state;
	assert_true(machine_parse("cpu  10 20 30 400 50 6 7 8 9 9\n", &t));
	assert_int_equal(t.busy, 10 + 20 + 30 + 6 + 7);
	assert_int_equal(t.steal, 8);
	assert_int_equal(t.all, 73 + 8 + 400 + 50);
	assert_false(machine_parse("cpu0 1 2 3 4 5 6 7 8\n", &t));
	assert_false(machine_parse("cpu  1 2 3\n", &t));
	assert_false(machine_parse("", &t));
	assert_int_equal(machine_parse_wait("12 345 6\n"), 345);
	assert_int_equal(machine_parse_wait("12"), 0);
	assert_int_equal(machine_parse_wait(""), 0);
	machine_begin(&m);
	machine_end(&m, &use);
	assert_in_range(use.clock_step_ms + 100, 0, 200);
	machine_end(&not_begun, &use);
	assert_int_equal(use.clock_step_ms, 0);
	machine_end(&m, &use);
	assert_true(use.own_ratio >= 0 && use.others_ratio >= 0 && use.steal_ratio >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_proc_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
