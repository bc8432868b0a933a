/* Short money: fewer calls, then fewer environments, then a refusal with its figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cmd/planner/ledger.h"
#include "cmd/planner/plan.h"
#include "tests/unit/example.h"

/* 1,408 calls of 60 ms for 458 micro-dollars; answers of "named" say their environment. */
static const char settings[] =
	"accounts:\n"
	"  prod: {provider: aws, region: us-east-1, publish_versions: keep 5}\n"
	"functions:\n"
	"  prod/named: {instance: /instance}\n"
	"  prod/unknown: {}\n"
	"tests:\n"
	"  compare: {warmup: 20s}\n"
	"  staged: {workload: {executor: ramping-arrival-rate, shape: spike}}\n"
	"  users: {workload: {executor: constant-vus, vus: 4, duration: 5m}}\n"
	"  counted: {workload: {executor: shared-iterations, vus: 4, iterations: 5000}}\n"
	"objectives: {prod/*: [error_ratio < 1%]}\n";

#define DAY_MICRO_USD 20000000
#define GONE "of limits.cost_per_day (20.0000 USD) are spent already"

static const struct budget_case {
	const char *name, *function, *test;
	int64_t left_micro_usd; /* of the day */
	enum decision decision;
	const char *reason; /* a part of it */
	int64_t requests, spread;
	double call_ms;
} cases[] = {
	{"all of it", "prod/named", "compare", 458, DECIDE_TEST, "asked for; sees 19 % and more",
	 1408, 16, 60},
	{"little is left: fewer calls", "prod/named", "compare", 200, DECIDE_TEST,
	 "asked for; cut to 608 calls with 16 environments a side: it would cost 0.000458 USD, and "
	 "19.9998 USD " GONE "; sees 21 % and more",
	 608, 16, 60},
	{"less: fewer environments", "prod/named", "compare", 100, DECIDE_TEST,
	 "cut to 300 calls with 6 environments a side", 300, 6, 60},
	{"too little to see anything", "prod/named", "compare", 85, DECIDE_REFUSE,
	 "" GONE
	 "; 0.000085 USD is left: 258 calls with 3 environments a side, which see 67 % and more "
	 "where 10 % is asked (all of them: 19 %); to set: limits.cost_per_day: 20.000373 USD",
	 1408, 16, 60},
	{"too little to judge", "prod/named", "compare", 70, DECIDE_REFUSE,
	 "; 0.000070 USD is left, and the least that can be judged, 232 calls with 2 environments "
	 "a side, costs 0.000076 USD; to set: limits.cost_per_day: 20.000388 USD",
	 1408, 16, 60},
	{"nothing is left", "prod/named", "compare", 0, DECIDE_REFUSE,
	 "; 0.000000 USD is left, and", 1408, 16, 60},
	{"environments unknown: 24 blocks", "prod/unknown", "compare", 300, DECIDE_TEST,
	 "cut to 900 calls with 15 environments a side", 900, 15, 60},
	{"environments unknown: the cheapest way", "prod/unknown", "compare", 200, DECIDE_REFUSE,
	 "the least that can be judged, 806 calls with 13 environments a side, costs", 1408, 16,
	 60},
	{"stages are not cut", "prod/named", "staged", 100, DECIDE_REFUSE,
	 "" GONE "; to set: limits.cost_per_day: 20.", 0, 0, 60},
	{"counted calls are not cut", "prod/named", "counted", 100, DECIDE_REFUSE,
	 "" GONE "; to set: limits.cost_per_day: 20.", 0, 0, 60},
	{"users for a shorter time", "prod/unknown", "users", 2000, DECIDE_TEST, "cut to ", 0, 0,
	 60},
	{"users for less than 24 blocks", "prod/unknown", "users", 100, DECIDE_REFUSE,
	 "the least that can be judged, ", 0, 0, 60},
};

static struct config *config_of(const char *text)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	if (config_parse("f.yaml", text, strlen(text), &c, &errs)) {
		config_errors_print(&errs, stderr);
		fail();
	}
	config_errors_release(&errs);
	return c;
}

static void make_event(const char *subject, struct event *out)
{
	struct json *body = example("function.changed");
	struct buf line = BUF_INIT(65536);
	char why[EVENT_WHY_SIZE];

	json_put_str(json_get(json_get(body, "data"), "change"), "kind", "manual");
	json_put_str(body, "subject", subject);
	json_write(body, &line);
	assert_int_equal(event_parse(buf_str(&line), line.len_bytes, out, why), 0);
	buf_release(&line);
	json_free(body);
}

static void make(const struct config *c, const struct budget_case *bc, const struct json *past,
		 struct plan_list *out)
{
	struct plan_options options = {.test = bc->test};
	struct event ev;

	make_event(bc->function, &ev);
	plan_make(&(struct plan_input){.event = &ev,
				       .config = c,
				       .options = &options,
				       .past = past,
				       .call_ms = bc->call_ms,
				       .spent_micro_usd = DAY_MICRO_USD - bc->left_micro_usd},
		  out);
	event_release(&ev);
	assert_int_equal(out->count, 1);
}

static void check(const struct budget_case *bc, const struct plan *p)
{
	const char *reason = json_get_str(p->run, "reason");
	int64_t requests = json_get_int(json_get(p->run, "estimate"), "requests", -1);
	int64_t spread = json_get_int(p->run, "environments", -1);
	bool is_test = bc->decision == DECIDE_TEST;

	if (p->decision != bc->decision || !strstr(reason, bc->reason) ||
	    (bc->requests && (requests != bc->requests || spread != bc->spread)))
		fail_msg("%s: %lld calls, %lld a side, %s", bc->name, (long long)requests,
			 (long long)spread, reason);
	assert_int_equal(p->shard_count, is_test);
	assert_int_equal(p->is_day_spent, !is_test);
	assert_true(!is_test || p->cost_micro_usd <= bc->left_micro_usd);
	if (is_test && bc->spread)
		assert_int_equal(json_int(json_at(p->shards[0], "workload.spread")), bc->spread);
}

static void test_short_money(void **state)
{
	struct config *c = config_of(settings);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_list list = {0};

		make(c, &cases[i], NULL, &list);
		check(&cases[i], &list.items[0]);
		plan_list_release(&list);
	}
	config_free(c);
}

/* By what was left the first time, though the run itself has used it up meanwhile. */
static void test_a_repeat_is_cut_alike(void **state)
{
	struct budget_case bc = cases[2];
	struct config *c = config_of(settings);
	struct plan_list first = {0}, again = {0};
	struct json *past;

	(void)state;
	make(c, &bc, NULL, &first);
	past = ledger_note_plan(NULL, (struct wall){0}, &first.items[0]);
	bc.left_micro_usd = 0;
	make(c, &bc, past, &again);
	assert_true(again.items[0].is_repeat);
	assert_true(json_is_equal(first.items[0].run, again.items[0].run));
	assert_true(json_is_equal(first.items[0].shards[0], again.items[0].shards[0]));
	json_free(past);
	plan_list_release(&first);
	plan_list_release(&again);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_money),
		cmocka_unit_test(test_a_repeat_is_cut_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
