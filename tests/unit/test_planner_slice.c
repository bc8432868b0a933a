/* A run cut into shards: what they share adds up; and what a run reserves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cmd/planner/plan.h"
#include "cmd/planner/slice.h"
#include "common/base/unit.h"
#include "tests/unit/example.h"

static const struct call_time known = {60, "last-run"};
static const struct price small = {2e-7, 1.66667e-5, 0.125};

struct cut_case {
	const char *name, *executor;
	double rate_per_s;
	uint32_t vus;
	uint64_t iterations;
	uint32_t spread, in_flight, variants, asked, want;
};

static const struct cut_case cut_cases[] = {
	{"one", "constant-arrival-rate", 10, 0, 0, 16, 64, 2, 1, 1},
	{"four alike", "constant-arrival-rate", 10, 0, 0, 16, 64, 2, 4, 4},
	{"sixteen over three", "constant-arrival-rate", 50, 0, 0, 16, 65, 2, 3, 3},
	{"no more than a round in flight", "constant-arrival-rate", 50, 0, 0, 16, 32, 2, 3, 3},
	{"one variant", "constant-arrival-rate", 10, 0, 0, 7, 20, 1, 3, 3},
	{"an environment each", "constant-arrival-rate", 10, 0, 0, 3, 12, 2, 16, 3},
	{"spread off", "constant-arrival-rate", 100, 0, 0, 0, 50, 2, 3, 3},
	{"spread off, slow: a round each", "constant-arrival-rate", 1, 0, 0, 0, 50, 2, 16, 3},
	{"spread off, one round in all", "constant-arrival-rate", 0.5, 0, 0, 0, 50, 2, 4, 1},
	{"spread off, few in flight", "constant-arrival-rate", 100, 0, 0, 0, 5, 2, 4, 2},
	{"users", "constant-vus", 0, 30, 0, 0, 30, 2, 4, 4},
	{"a user of each version", "constant-vus", 0, 5, 0, 0, 5, 2, 4, 2},
	{"a single user", "constant-vus", 0, 1, 0, 0, 1, 2, 4, 1},
	{"counted calls", "shared-iterations", 0, 10, 1001, 0, 10, 2, 3, 3},
	{"counted calls, few", "shared-iterations", 0, 10, 40, 0, 10, 2, 8, 2},
	{"counted calls of one version", "shared-iterations", 0, 7, 100, 0, 7, 1, 16, 7},
};

struct sums {
	double rate_per_s;
	uint64_t vus, iterations, spread, in_flight, requests;
};

static void check_part(const struct cut_case *c, const struct shape *whole, const struct slice *p)
{
	bool is_open = c->rate_per_s > 0;
	double off_ms;

	assert_ptr_equal(p->shape.test, &p->test);
	assert_int_equal(p->shape.variants, c->variants);
	assert_int_equal(p->test.duration_ms, whole->test->duration_ms);
	if (p->shape.in_flight < c->variants && c->want > 1)
		fail_msg("%s: %u in flight", c->name, p->shape.in_flight);
	if (!c->spread)
		return;
	off_ms = shape_round_ms(&p->shape) - shape_round_ms(whole);
	if (p->shape.spread < 1 || p->shape.in_flight < c->variants * p->shape.spread || !is_open ||
	    fabs(off_ms) > 1e-6)
		fail_msg("%s: spread %u, %u in flight, rounds are %g ms off", c->name,
			 p->shape.spread, p->shape.in_flight, off_ms);
}

static void check_cut(const struct cut_case *c)
{
	struct config_test test = {.executor = (char *)c->executor,
				   .rate_per_s = c->rate_per_s,
				   .vus = c->vus,
				   .iterations = c->iterations,
				   .spread = c->spread,
				   .shards = c->asked,
				   .duration_ms = 60000,
				   .warmup_ms = 5000};
	struct shape whole = {.test = &test,
			      .variants = c->variants,
			      .spread = c->spread,
			      .in_flight = c->in_flight};
	struct sums got = {0};
	struct estimate all, one;
	uint32_t of = slice_count(&whole);

	if (of != c->want)
		fail_msg("%s: %u shards", c->name, of);
	for (uint32_t i = 0; i < of; i++) {
		struct slice part;

		slice_cut(&whole, i, of, &part);
		check_part(c, &whole, &part);
		estimate_make(&part.shape, &known, &small, &one);
		got.rate_per_s += part.test.rate_per_s;
		got.vus += part.test.vus;
		got.iterations += part.test.iterations;
		got.spread += part.shape.spread;
		got.in_flight += part.shape.in_flight;
		got.requests += one.requests;
	}
	slices_estimate(&whole, of, &known, &small, &all);
	if (fabs(got.rate_per_s - c->rate_per_s) > 1e-9 || got.vus != c->vus ||
	    got.iterations != c->iterations || got.spread != c->spread ||
	    got.in_flight != c->in_flight || got.requests != all.requests)
		fail_msg("%s: rate %g, vus %llu, iterations %llu, spread %llu, in flight %llu",
			 c->name, got.rate_per_s, (unsigned long long)got.vus,
			 (unsigned long long)got.iterations, (unsigned long long)got.spread,
			 (unsigned long long)got.in_flight);
	/* With a spread the rounds are the same ones, so it is the same number of calls too. */
	estimate_make(&whole, &known, &small, &one);
	if (c->spread && one.requests != all.requests)
		fail_msg("%s: %llu calls, uncut %llu", c->name, (unsigned long long)all.requests,
			 (unsigned long long)one.requests);
}

static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cut_cases); i++)
		check_cut(&cut_cases[i]);
}

/* Remainders go to the first shards. */
static void test_remainders(void **state)
{
	static const struct {
		uint32_t spread, in_flight;
		uint64_t iterations;
	} want[] = {{6, 23, 334}, {5, 21, 332}, {5, 21, 332}};
	struct config_test test = {.executor = (char *)"constant-arrival-rate",
				   .rate_per_s = 48,
				   .iterations = 998,
				   .duration_ms = 60000};
	struct shape whole = {.test = &test, .variants = 2, .spread = 16, .in_flight = 65};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct slice part;

		slice_cut(&whole, i, 3, &part);
		assert_int_equal(part.shape.spread, want[i].spread);
		assert_int_equal(part.shape.in_flight, want[i].in_flight);
		assert_int_equal(part.test.iterations, want[i].iterations);
		assert_true(fabs(part.test.rate_per_s - 3 * want[i].spread) < 1e-9);
	}
}

static const char settings[] =
	"accounts:\n"
	"  prod: {provider: aws, region: us-east-1}\n"
	"  web: {provider: http, allow: [h.example]}\n"
	"functions:\n"
	"  prod/hello: {}\n"
	"  prod/users: {tests: [users]}\n"
	"  prod/few: {tests: [few]}\n"
	"  web/search: {url: 'http://h.example/'}\n"
	"tests:\n"
	"  compare: {workload: {rate: 10.5/s, spread: 16, shards: 3}}\n"
	"  users: {workload: {executor: constant-vus, vus: 8, duration: 10s}}\n"
	"  few: {workload: {rate: 10/s, spread: 2, shards: 4}}\n"
	"limits: {cost_per_day: 234567.890123 USD, cost_per_run: 100 USD, rate: 20/s, "
	"concurrency: 50, keep_free: 20%}\n";

static struct config *config_of(const char *text)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_parse("f.yaml", text, strlen(text), &c, &errs), 0);
	config_errors_release(&errs);
	return c;
}

/* The example's change with other limits and another subject, planned. */
static void plan_for(const struct config *c, const char *subject, const char *limits,
		     struct plan_list *out)
{
	struct json *body = example("function.changed"), *value;
	struct plan_options options = {0};
	struct buf line = BUF_INIT(65536);
	char why[EVENT_WHY_SIZE];
	struct event ev;

	assert_int_equal(json_parse(limits, strlen(limits), 4096, &value, NULL), 0);
	json_put(json_get(body, "data"), "limits", value);
	json_put_str(body, "subject", subject);
	json_write(body, &line);
	assert_int_equal(event_parse(buf_str(&line), line.len_bytes, &ev, why), 0);
	plan_make(&(struct plan_input){.event = &ev, .config = c, .options = &options}, out);
	event_release(&ev);
	buf_release(&line);
	json_free(body);
}

static void test_reserve(void **state)
{
	static const struct {
		const char *name, *subject, *limits, *resources;
	} cases[] = {
		{"the account's, less what is kept free and in use", "prod/hello",
		 "{\"unreserved\": 100, \"in_use\": 10}",
		 "[{\"name\":\"concurrency:prod\",\"amount\":50,\"limit\":70},"
		 "{\"name\":\"concurrency\",\"amount\":50,\"limit\":50},"
		 "{\"name\":\"rate\",\"amount\":10500,\"limit\":20000}]"},
		{"a reservation of its own", "prod/hello",
		 "{\"unreserved\": 100, \"reserved\": 50}",
		 "[{\"name\":\"concurrency\",\"amount\":40,\"limit\":50},"
		 "{\"name\":\"rate\",\"amount\":10500,\"limit\":20000}]"},
		{"nothing is known of the account", "prod/hello", "{}",
		 "[{\"name\":\"concurrency\",\"amount\":50,\"limit\":50},"
		 "{\"name\":\"rate\",\"amount\":10500,\"limit\":20000}]"},
		{"users have no rate", "prod/users", "{}",
		 "[{\"name\":\"concurrency\",\"amount\":8,\"limit\":50}]"},
		{"a URL", "web/search", "{}",
		 "[{\"name\":\"concurrency\",\"amount\":32,\"limit\":50},"
		 "{\"name\":\"rate\",\"amount\":10500,\"limit\":20000}]"},
	};
	struct config *c = config_of(settings);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_list list = {0};
		struct buf got = BUF_INIT(4096);
		const struct json *reserve;

		plan_for(c, cases[i].subject, cases[i].limits, &list);
		reserve = json_get(list.items[0].run, "reserve");
		assert_non_null(reserve);
		assert_string_equal(json_get_str(reserve, "day"), "2026-11-22");
		assert_string_equal(json_get_str(reserve, "cost_per_day_usd"), "234567.890123");
		json_write(json_get(reserve, "resources"), &got);
		if (strcmp(buf_str(&got), cases[i].resources) != 0)
			fail_msg("%s: %s", cases[i].name, buf_str(&got));
		buf_release(&got);
		plan_list_release(&list);
	}
	config_free(c);
}

static void test_shards_of_a_plan(void **state)
{
	struct config *c = config_of(settings);
	struct plan_list list = {0};
	const struct plan *p;

	(void)state;
	plan_for(c, "prod/hello", "{}", &list);
	p = &list.items[0];
	assert_int_equal(p->shard_count, 3);
	assert_int_equal(json_get_int(p->run, "shards", 0), 3);
	for (size_t i = 0; i < p->shard_count; i++) {
		const struct json *s = p->shards[i];

		assert_int_equal(json_int(json_at(s, "shard.index")), i);
		assert_int_equal(json_int(json_at(s, "shard.of")), 3);
		assert_int_equal(json_len(json_get(s, "targets")), 2);
		assert_string_equal(json_str(json_at(s, "workload.seed")),
				    json_str(json_at(p->shards[0], "workload.seed")));
		assert_string_equal(json_get_str(s, "deadline"), json_get_str(p->run, "deadline"));
	}
	plan_list_release(&list);
	plan_for(c, "prod/few", "{}", &list);
	assert_int_equal(list.items[0].shard_count, 2);
	assert_non_null(strstr(json_get_str(list.items[0].run, "reason"),
			       "; 2 shards instead of 4: there is not more to share; "));
	plan_list_release(&list);
	config_free(c);
}

/* What the plan says is what is booked, to the micro-dollar. */
static void test_money_survives_the_event(void **state)
{
	static const int64_t cases[] = {0,	 1,	   115,		999999,	      1000000,
					1000001, 52800176, 99999999999, 1000000000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[UNIT_TEXT_SIZE];
		int64_t back = -1;

		unit_format_usd(cases[i], text);
		assert_int_equal(unit_parse_money(text, &back), 0);
		assert_int_equal(back, cases[i]);
	}
	for (int64_t usd = 1; usd < INT64_C(4000000000); usd = usd * 3 + 1) {
		char text[UNIT_TEXT_SIZE];
		int64_t back = -1;

		unit_format_usd(usd, text);
		assert_int_equal(unit_parse_money(text, &back), 0);
		assert_int_equal(back, usd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_remainders),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_shards_of_a_plan),
		cmocka_unit_test(test_money_survives_the_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
