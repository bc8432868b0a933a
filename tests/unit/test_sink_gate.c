/* Exit codes: every row of the table, and what several runs make of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/sink/gate.h"
#include "common/base/bug.h"

/* met: "" no objectives, else one letter each: y met, n missed, u unknown. */
static struct json *run(const char *id, const char *confirms, const char *outcome,
			const char *verdict, const char *met)
{
	struct json *data = json_obj(), *names = json_obj(), *objectives = json_arr();

	json_put_str(names, "id", id);
	json_put_str(names, "confirms", confirms);
	json_put(data, "run", names);
	json_put_str(data, "outcome", outcome);
	json_put_str(data, "verdict", verdict);
	for (; *met; met++) {
		struct json *o = json_obj();

		json_put(o, "is_met", *met == 'u' ? json_new_null() : json_new_bool(*met == 'y'));
		json_push(objectives, o);
	}
	json_put(data, "objectives", objectives);
	return data;
}

static void test_one_run(void **state)
{
	static const struct {
		const char *outcome, *verdict, *met;
		bool needs_comparison;
		enum exit_code want;
	} cases[] = {
		{"valid", "better", "", false, EXIT_FINE},
		{"valid", "no-difference", "yy", false, EXIT_FINE},
		{"valid", "not-compared", "", false, EXIT_FINE},
		{"valid", "not-compared", "y", true, EXIT_CANNOT_TELL},
		{"valid", "not-compared", "n", true, EXIT_GATE_NO},
		{"valid", "better", "", true, EXIT_FINE},
		{"skipped", "not-compared", "", false, EXIT_FINE},
		{"skipped", NULL, "", true, EXIT_FINE},
		{"valid", "worse", "", false, EXIT_GATE_NO},
		{"valid", "better", "yn", false, EXIT_GATE_NO},
		{"valid", "cannot-tell", "n", false, EXIT_GATE_NO},
		{"valid", "cannot-tell", "y", false, EXIT_CANNOT_TELL},
		{"valid", "better", "u", false, EXIT_CANNOT_TELL},
		{"valid", NULL, "", false, EXIT_CANNOT_TELL},
		{"valid", "splendid", "", false, EXIT_CANNOT_TELL},
		{"suspect", "better", "y", false, EXIT_CANNOT_TELL},
		{"suspect", "worse", "n", false, EXIT_CANNOT_TELL},
		{"invalid", "better", "", false, EXIT_CANNOT_TELL},
		{"refused", "cannot-tell", "", false, EXIT_USAGE},
		{"incomplete", "cannot-tell", "", false, EXIT_AGAIN},
		{"cancelled", "better", "", false, EXIT_AGAIN},
		{"failed", "better", "y", false, EXIT_AGAIN},
		{"unheard-of", "better", "", false, EXIT_CANNOT_TELL},
		{NULL, "better", "", false, EXIT_CANNOT_TELL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gate g = {.needs_comparison = cases[i].needs_comparison};
		struct json *data =
			run("ra", NULL, cases[i].outcome, cases[i].verdict, cases[i].met);

		gate_add(&g, data);
		if (gate_code(&g) != cases[i].want)
			fail_msg("%s %s %s: %d", cases[i].outcome, cases[i].verdict, cases[i].met,
				 (int)gate_code(&g));
		gate_release(&g);
		json_free(data);
	}
}

struct step {
	const char *id, *confirms, *outcome, *verdict;
};

static void test_several(void **state)
{
	static const struct {
		const char *name;
		struct step steps[4];
		bool may_be_empty;
		enum exit_code want;
	} cases[] = {
		{"nothing", {{0}}, false, EXIT_CANNOT_TELL},
		{"nothing, allowed", {{0}}, true, EXIT_FINE},
		{"an amendment replaces",
		 {{"ra", NULL, "valid", "cannot-tell"}, {"ra", NULL, "valid", "better"}},
		 false,
		 EXIT_FINE},
		{"one red among green",
		 {{"ra", NULL, "valid", "better"},
		  {"rb", NULL, "valid", "worse"},
		  {"rc", NULL, "valid", "cannot-tell"}},
		 false,
		 EXIT_GATE_NO},
		{"try again outranks red",
		 {{"ra", NULL, "valid", "worse"}, {"rb", NULL, "failed", NULL}},
		 false,
		 EXIT_AGAIN},
		{"refused outranks try again",
		 {{"ra", NULL, "refused", NULL}, {"rb", NULL, "failed", NULL}},
		 false,
		 EXIT_USAGE},
		{"confirmed",
		 {{"ra", NULL, "valid", "worse"}, {"rb", "ra", "valid", "worse"}},
		 false,
		 EXIT_GATE_NO},
		{"not confirmed is not green",
		 {{"ra", NULL, "valid", "worse"}, {"rb", "ra", "valid", "no-difference"}},
		 false,
		 EXIT_CANNOT_TELL},
		{"not confirmed, and figures of the cloud for the first come later",
		 {{"ra", NULL, "valid", "worse"},
		  {"rb", "ra", "valid", "no-difference"},
		  {"ra", NULL, "valid", "worse"}},
		 false,
		 EXIT_CANNOT_TELL},
		{"not confirmed, the first was told elsewhere",
		 {{"rb", "ra", "valid", "better"}},
		 false,
		 EXIT_CANNOT_TELL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gate g = {.may_be_empty = cases[i].may_be_empty};

		for (const struct step *s = cases[i].steps; s->id; s++) {
			struct json *data = run(s->id, s->confirms, s->outcome, s->verdict, "");

			gate_add(&g, data);
			json_free(data);
		}
		if (gate_code(&g) != cases[i].want)
			fail_msg("%s: %d", cases[i].name, (int)gate_code(&g));
		gate_release(&g);
	}
}

/* Runs that have left the map still count. */
static void test_bounded(void **state)
{
	struct gate g = {0};
	char id[16];

	(void)state;
	for (int i = 0; i < GATE_RUNS_MAX + 10; i++) {
		struct json *data;

		snprintf(id, sizeof(id), "r%d", i);
		data = run(id, NULL, "valid", i == 0 ? "worse" : "better", "");
		gate_add(&g, data);
		json_free(data);
	}
	assert_int_equal(g.runs.count, GATE_RUNS_MAX);
	assert_int_equal(gate_code(&g), EXIT_GATE_NO);
	gate_release(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_run),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
