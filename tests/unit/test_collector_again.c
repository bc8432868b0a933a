/* What a confirmation has in common with the run that it repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/collector_judged.h"

/* A first run and its confirmation, as planner and collector hand on what is known of it. */
static void test_what_a_confirmation_rests_on(void **state)
{
	static const struct {
		const char *name;
		bool is_unnamed_first, is_unnamed_again, is_other;
		int64_t after_ms; /* -1: not known */
		int64_t shared;	  /* -1: not known */
		const char *says;
	} cases[] = {
		{"the same environments", .after_ms = 12000, .shared = 8,
		 .says = "; again 12.00 s later: 8 of 8 environments had answered the first run "
			 "too"},
		{"others", .is_other = true, .after_ms = 900000,
		 .says = "; again 15m 0s later: none of 8 environments had answered the first run"},
		{"the first named none", .is_unnamed_first = true, .after_ms = -1, .shared = -1,
		 .says = "; again: which environments answered both is not known"},
		{"the second names none", .is_unnamed_again = true, .after_ms = 12000, .shared = -1,
		 .says = "; again 12.00 s later: which environments answered both is not known"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sim s = {.seed = 30, .add_ms = 80, DEMO};
		struct json *plan = default_plan(4), *first, *o, *names;
		struct judged d;

		s.has_no_instances = cases[i].is_unnamed_first;
		d = judge(&s, default_plan(4), NULL);
		assert_int_equal(d.j.confirm_wanted, !cases[i].is_unnamed_first);
		first = again_keep(d.g, &d.j);
		release(&d);
		names = json_get(first, "environments");
		assert_int_equal(names != NULL, !cases[i].is_unnamed_first);
		for (int v = 0; names && cases[i].is_other && v < VARIANT_COUNT; v++)
			json_put(names, variant_name((enum variant)v), json_arr());
		json_put(plan, "first", first);
		json_put_str(json_get(plan, "run"), "purpose", "confirm");
		s.has_no_instances = cases[i].is_unnamed_again;
		d = judge(&s, plan, NULL);
		judgement_release(&d.j);
		if (cases[i].after_ms >= 0) {
			char text[WALL_RFC3339_SIZE];

			d.g->started = wall_add_ns((struct wall){0}, 1000000 * NS_PER_S);
			wall_format_rfc3339(
				wall_add_ns(d.g->started, -cases[i].after_ms * NS_PER_MS), text);
			json_put_str(first, "ended_at", text);
		}
		judge_run(d.plan, d.g, &(struct judge_facts){0}, &d.j);
		o = finish_judged(d.plan, d.g, &d.j, (struct wall){0});
		names = json_get(o, "basis");
		if (d.j.is_confirmed == cases[i].is_unnamed_again ||
		    !strstr(d.j.verdict_reason, cases[i].says) ||
		    json_get_int(names, "shared_environments", -1) != cases[i].shared ||
		    json_get_int(names, "after_ms", -1) != cases[i].after_ms)
			fail_msg("%s: %s", cases[i].name, d.j.verdict_reason);
		json_free(o);
		release(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_confirmation_rests_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
