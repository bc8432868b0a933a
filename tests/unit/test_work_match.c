/* Which run goes to which loaders, and the clock of another host. */
#include "common/work/match.h"
#include "common/work/offset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/bug.h"
#include "common/base/rng.h"

#define LOADERS 3
#define RUNS 4

static void accounts_are_words(void **state)
{
	static const struct {
		const char *accounts, *account;
		bool want;
	} cases[] = {
		{"*", "prod", true},
		{"prod", "prod", true},
		{"prod,web", "web", true},
		{"prod,web", "pro", false},
		{"prod,web", "prod,web", false},
		{"", "prod", false},
		{"production", "prod", false},
		{",,web", "web", true},
		{"a,*", "b", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(match_serves(cases[i].accounts, cases[i].account), cases[i].want);
}

struct run {
	const char *account;
	size_t n;
	bool has_waited;
	enum match want;
	const char *where; /* loaders of its shards, "021" */
};

static void runs_meet_loaders(void **state)
{
	static const struct {
		const char *name;
		struct match_loader loaders[LOADERS];
		struct run runs[RUNS];
	} cases[] = {
		{"the one with the most room",
		 {{"*", 1, 4, 0, 0}, {"*", 3, 4, 0, 0}, {"*", 2, 4, 0, 0}},
		 {{"a", 1, 0, MATCH_FITS, "1"}, {"a", 1, 0, MATCH_FITS, "1"}}},
		{"only who may call the account",
		 {{"a", 1, 1, 0, 0}, {"b", 1, 1, 0, 0}, {"a,b", 1, 1, 0, 0}},
		 {{"b", 1, 0, MATCH_FITS, "1"},
		  {"b", 1, 0, MATCH_FITS, "2"},
		  {"b", 1, 0, MATCH_LATER, ""},
		  {"a", 1, 0, MATCH_FITS, "0"}}},
		{"shards are spread",
		 {{"*", 4, 4, 0, 0}, {"*", 1, 4, 0, 0}, {"*", 2, 4, 0, 0}},
		 {{"a", 3, 0, MATCH_FITS, "021"}}},
		{"more shards than loaders",
		 {{"*", 4, 4, 0, 0}, {"*", 1, 4, 0, 0}, {"x", 2, 4, 0, 0}},
		 {{"a", 4, 0, MATCH_FITS, "0100"}}},
		{"all or none: the small one behind it goes first",
		 {{"*", 1, 4, 0, 0}, {"*", 1, 4, 0, 0}, {"x", 2, 4, 0, 0}},
		 {{"a", 3, 0, MATCH_LATER, ""}, {"a", 1, 0, MATCH_FITS, "0"}}},
		{"who has waited keeps what is free for itself",
		 {{"*", 1, 4, 0, 0}, {"*", 1, 4, 0, 0}, {"x", 2, 4, 0, 0}},
		 {{"a", 3, 1, MATCH_LATER, ""},
		  {"a", 1, 0, MATCH_LATER, ""},
		  {"x", 1, 0, MATCH_FITS, "2"}}},
		{"nobody waits for what can never be",
		 {{"*", 1, 1, 0, 0}, {"*", 1, 1, 0, 0}, {"x", 2, 4, 0, 0}},
		 {{"a", 3, 1, MATCH_NEVER, ""}, {"a", 2, 0, MATCH_FITS, "01"}}},
		{"nobody is there", {{"x", 1, 1, 0, 0}}, {{"a", 1, 1, MATCH_NEVER, ""}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct match_loader loaders[LOADERS];
		size_t of[16], count = 0;

		memcpy(loaders, cases[i].loaders, sizeof(loaders));
		while (count < LOADERS && loaders[count].accounts)
			count++;
		for (const struct run *r = cases[i].runs; r < cases[i].runs + RUNS && r->account;
		     r++) {
			if (match_run(loaders, count, r->account, r->n, r->has_waited, of) !=
			    r->want)
				fail_msg("%s: run %zu", cases[i].name, (size_t)(r - cases[i].runs));
			for (size_t k = 0; r->where[k]; k++)
				assert_int_equal(of[k], r->where[k] - '0');
		}
	}
}

/* Whatever the numbers: never more than there is, all or none, only who may. */
static void no_slot_is_given_twice(void **state)
{
	struct rng r = {.state = 7};

	(void)state;
	for (int turn = 0; turn < 2000; turn++) {
		struct match_loader loaders[6];
		size_t before = 0, after = 0, of[16], n = 1 + rng_below(&r, 12);
		enum match m;

		for (size_t i = 0; i < ARRAY_LEN(loaders); i++) {
			size_t slots = rng_below(&r, 5);

			loaders[i] = (struct match_loader){
				.accounts = rng_below(&r, 2) ? "a" : "a,b", .slots = slots};
			loaders[i].free = rng_below(&r, slots + 1);
			before += loaders[i].free;
		}
		m = match_run(loaders, ARRAY_LEN(loaders), rng_below(&r, 2) ? "a" : "b", n,
			      rng_below(&r, 2), of);
		for (size_t i = 0; i < ARRAY_LEN(loaders); i++) {
			assert_true(loaders[i].free <= loaders[i].slots);
			after += loaders[i].free;
		}
		assert_int_equal(before - after, m == MATCH_FITS ? n : 0);
	}
}

static void the_shortest_trip_is_believed(void **state)
{
	struct offset o = {0};
	int64_t offset_us, trip_us;

	(void)state;
	assert_false(offset_best(&o, &offset_us, NULL));
	offset_add(&o, 0, 10, 0, 0);	/* no clock was echoed */
	offset_add(&o, 500, 400, 0, 0); /* an answer from before the question */
	assert_false(offset_best(&o, &offset_us, NULL));
	/* 40 ms round trip, their clock 1000 ms ahead, all of the delay on the way back */
	offset_add(&o, 1000, 41000, 5041000, 6001);
	assert_true(offset_best(&o, &offset_us, &trip_us));
	assert_int_equal(trip_us, 40000);
	assert_true(llabs(offset_us - 1000000) <= 20500);
	/* 2 ms round trip, even both ways */
	offset_add(&o, 100000, 102000, 5102000, 6101);
	assert_true(offset_best(&o, &offset_us, &trip_us));
	assert_int_equal(trip_us, 2000);
	assert_true(llabs(offset_us - 1000000) <= 1500);
	/* it is forgotten after 16 more, for clocks drift */
	for (int64_t i = 0; i < OFFSET_SAMPLES; i++)
		offset_add(&o, 200000, 205000, 5205000, 5203);
	assert_true(offset_best(&o, &offset_us, &trip_us));
	assert_int_equal(trip_us, 5000);
	assert_true(llabs(offset_us) <= 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accounts_are_words),
		cmocka_unit_test(runs_meet_loaders),
		cmocka_unit_test(no_slot_is_given_twice),
		cmocka_unit_test(the_shortest_trip_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
