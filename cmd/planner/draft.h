/*
 * draft.h - one plan while it is being made: what the steps of plan_make hand to each other.
 *
 * choose.c decides whether, version.c between what, guard.c how much at once, estimate.c what it
 * costs and what it can see, budget.c cuts it to the money, write.c puts it into events. Each step
 * may turn the decision to skip or refuse, with its reason; later steps then only estimate.
 */
#ifndef PLIMSOLL_PLANNER_DRAFT_H
#define PLIMSOLL_PLANNER_DRAFT_H

#include "cmd/planner/estimate.h"
#include "cmd/planner/guard.h"
#include "cmd/planner/plan.h"
#include "cmd/planner/slice.h"
#include "common/digest/digest.h"

struct version {
	const char *qualifier, *code_sha256, *config_sha256; /* borrowed; NULL = not known */
	bool is_unused;					     /* nobody has called it yet */
};

struct draft {
	const struct plan_input *in;
	const struct json *change, *target; /* members of the event */
	struct subject subject;
	const struct config_account *account;
	const struct config_function *rule;
	const struct config_test *test;
	const char *purpose, *confirms; /* a run; NULL = none */
	char run_id[DIGEST_ID_SIZE];

	enum decision decision;
	struct buf reason;
	bool is_day_spent;

	bool has_old;
	struct json *past; /* owned; runs that stand in for an old version, or NULL */
	struct version old, new;
	struct room room;
	struct trace trace; /* of a replay, read for this plan */
	char trace_sha256_hex[SHA256_HEX_SIZE];
	struct shape shape;
	struct config_test cut; /* the test with less time, where money is short; shape's then */
	uint32_t free_spread;	/* what concurrency allows of the test's */
	int64_t spent_micro_usd;
	uint32_t shards;
	struct estimate estimate;
};

/* Sets the decision and the reason; the first that is not DECIDE_TEST stays. */
PRINTF_LIKE(3, 4) void draft_decide(struct draft *d, enum decision what, const char *fmt, ...);
/* Adds "; ..." to the reason. */
PRINTF_LIKE(2, 3) void draft_note(struct draft *d, const char *fmt, ...);

/* budget.c: what a run is paid from. */
struct funds {
	struct call_time call;
	struct price price;
	int64_t spent_micro_usd, left_micro_usd;
};
/*
 * Makes calls fewer, and then environments, until the money does; refuses where what is left could
 * not be judged, or saw nothing that is worth it. above: by how much all of it is too much.
 */
void budget_fit(struct draft *d, const struct funds *f, const char *above);
/* plan.c: what the estimate's plan can see. */
void draft_see(struct draft *d);
/* plan.c: what one host differs from another, in log time. */
double draft_lottery(const struct draft *d);

/* choose.c: the tests that the change is held against; at least one entry, NULL = no test. */
#define TESTS_MAX 64
size_t choose_tests(const struct draft *d, const struct config_test *out[TESTS_MAX]);
/* choose.c: whether the cause is worth the test, with the reason. */
void choose(struct draft *d);

/*
 * moving.c: the stages or the trace of a workload that has them, into d->shape. Refuses what
 * cannot be read.
 */
void moving_fill(struct draft *d);

/* version.c: what is under test, and what it is compared with. */
void version_pick(struct draft *d);

/* write.c: a plan as the data of run.planned. */
struct json *write_run(const struct draft *d);
void write_copy(struct json *into, const struct json *from, const char *key); /* if it is there */
/* Whole numbers stay whole: 300000, not 300000.0. */
void write_number(struct json *into, const char *key, double v);
const char *draft_cloud_name(const struct draft *d); /* borrowed */
/* reserve.c: what the bus sets aside before the run is begun. */
struct json *write_reserve(const struct draft *d);

/* write_shard.c: the part of one loader. */
struct json *write_shard(const struct draft *d, uint32_t index);
/* Random, and a function of the run: loaders draw the order of calls from it. */
uint64_t write_seed(const struct draft *d);
/* Bytes that the payloads take in an event. */
size_t write_payload_bytes(const struct draft *d);

#endif
