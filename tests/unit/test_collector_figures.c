/* Objectives on figures that other tools tell after the verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cmd/collector/judge.h"

static struct json *parsed(const char *text)
{
	struct json *o;

	assert_int_equal(json_parse(text, strlen(text), 65536, &o, NULL), 0);
	return o;
}

#define SONAR "{\"tool\":\"sonar\",\"metrics\":[{\"name\":\"coverage\",\"value\":"
#define SONAR_80 SONAR "80,\"unit\":\"1\"}]}"
#define CLOUD "{\"source\":\"cloudwatch\",\"errors\":2,\"duration_p50_ms\":61.5}"

/* Figures of others, in what was told; a figure that is not there is never met. */
static void test_objectives_on_figures(void **state)
{
	static const struct {
		const char *metric, *op;
		double limit;
		const char *outcome, *external, *cloud;
		int is_met;
		const char *reason; /* NULL = none */
	} cases[] = {
		{"sonar/coverage", ">=", 80, "valid", "[]", "{}", -1, "no figure from sonar"},
		{"sonar/coverage", ">=", 80, "valid", NULL, NULL, -1, "no figure from sonar"},
		{"sonar/coverage", ">=", 80, "valid", "[" SONAR_80 "]", NULL, 1, NULL},
		{"sonar/coverage", ">", 80, "valid", "[" SONAR_80 "]", NULL, 0, NULL},
		{"sonar/coverage", "<=", 80, "valid", "[" SONAR_80 "]", NULL, 1, NULL},
		{"sonar/coverage", "<", 80, "valid", "[" SONAR_80 "]", NULL, 0, NULL},
		{"sonar/coverage", "=~", 80, "valid", "[" SONAR_80 "]", NULL, -1, NULL},
		{"sonar/coverage", ">=", -1, "valid", "[" SONAR "-0.5}]}]", NULL, 1, NULL},
		/* of several each must */
		{"sonar/coverage", ">=", 80, "valid", "[" SONAR_80 "," SONAR "79}]}]", NULL, 0,
		 NULL},
		{"sonar/coverage", ">=", 80, "valid", "[" SONAR "79}]}," SONAR_80 "]", NULL, 0,
		 NULL},
		{"sonar/coverage", ">=", 80, "valid", "[" SONAR_80 "," SONAR "81}]}]", NULL, 1,
		 NULL},
		/* another name, another tool, no number */
		{"sonar/cover", ">=", 80, "valid", "[" SONAR_80 "]", NULL, -1,
		 "no figure from sonar"},
		{"sona/coverage", ">=", 80, "valid", "[" SONAR_80 "]", NULL, -1,
		 "no figure from sona"},
		{"sonars/coverage", ">=", 80, "valid", "[" SONAR_80 "]", NULL, -1,
		 "no figure from sonars"},
		{"sonar/coverage", ">=", 80, "valid", "[" SONAR "\"80\"}]}]", NULL, -1,
		 "no figure from sonar"},
		{"sonar/coverage", ">=", 80, "valid", "[" SONAR "null}]},{},7]", NULL, -1,
		 "no figure from sonar"},
		/* no data is never green */
		{"sonar/coverage", ">=", 80, "suspect", "[" SONAR_80 "]", NULL, -1,
		 "the run is not valid"},
		{"sonar/coverage", ">=", 80, "incomplete", "[" SONAR_80 "]", NULL, -1,
		 "the run is not valid"},
		/* the cloud */
		{"cloudwatch/errors", "<", 3, "valid", "[]", CLOUD, 1, NULL},
		{"cloudwatch/errors", "<", 2, "valid", NULL, CLOUD, 0, NULL},
		{"cloudwatch/duration_p50_ms", "<=", 61.5, "valid", NULL, CLOUD, 1, NULL},
		{"cloudwatch/throttles", "<", 1, "valid", NULL, CLOUD, -1,
		 "no figure from cloudwatch"},
		{"cloudwatch/source", "<", 1, "valid", NULL, CLOUD, -1,
		 "no figure from cloudwatch"},
		{"azure/errors", "<", 3, "valid", NULL, CLOUD, -1, "no figure from azure"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *data = json_obj(), *o = json_obj();
		const struct json *met;

		json_put_str(o, "metric", cases[i].metric);
		json_put_str(o, "op", cases[i].op);
		json_put_real(o, "limit", cases[i].limit);
		/* as an earlier amendment left it: nothing of that stays */
		json_put_str(o, "reason", "of before");
		json_put_real(o, "value", 4711);
		json_put(data, "objectives", json_arr());
		json_push(json_get(data, "objectives"), o);
		json_put_str(data, "outcome", cases[i].outcome);
		if (cases[i].external)
			json_put(data, "external", parsed(cases[i].external));
		if (cases[i].cloud)
			json_put(data, "cloud", parsed(cases[i].cloud));
		print_message("%s %s %g, row %zu\n", cases[i].metric, cases[i].op, cases[i].limit,
			      i);
		objectives_judge_figures(data);
		met = json_get(o, "is_met");
		assert_int_equal(json_is(met, JSON_T_BOOL) ? json_bool(met) : -1, cases[i].is_met);
		if (cases[i].reason)
			assert_string_equal(json_get_str(o, "reason"), cases[i].reason);
		else
			assert_null(json_get(o, "reason"));
		assert_true(json_get_real(o, "value", 0) < 4711);
		json_free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objectives_on_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
