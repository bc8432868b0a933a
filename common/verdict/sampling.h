/*
 * sampling.h - packed calls to samples, with rounds, blocks and environments numbered through the
 * run (rank 3).
 *
 *	struct sampling s = {.price = call_price_read(plan)};
 *	sampling_add_call(&s, shard, &call, "i-1");
 *	sampling_number(&s);
 *	struct measured m = {.samples = s.samples, .count = s.count, ...};
 *	sampling_release(&s);
 */
#ifndef PLIMSOLL_VERDICT_SAMPLING_H
#define PLIMSOLL_VERDICT_SAMPLING_H

#include "common/base/strmap.h"
#include "common/json/json.h"
#include "common/measure/calls.h"
#include "common/verdict/sample.h"

/* A block is the fewest whole rounds that last this long (docs/MEASURING.md). */
#define BLOCK_US 2500000

struct call_price {
	double per_request_usd, per_s_usd; /* per_s at the function's memory; 0 = unknown */
};
/* price and target.memory_bytes of run.planned. */
struct call_price call_price_read(const struct json *plan);

struct sampling {
	struct sample *samples; /* owned; so are the others */
	size_t count, cap;
	struct sampling_raw { /* of each sample, until rounds and blocks are numbered */
		uint64_t round_key;
		int64_t due_us;
	} * raw;
	size_t round_count, block_count;
	struct call_price price;
	struct strmap environments[VARIANT_COUNT]; /* name -> its number */
};

/* Rounds are told apart by their key: shard << 32 | round. The sample is all 0. */
struct sample *sampling_add(struct sampling *s, uint64_t round_key, int64_t due_us);
/* Its name in shard.finished's list of instances; NULL = unknown. */
const char *sampling_environment(const struct call_record *c, const struct json *instances);
/* environment NULL = unknown. */
void sampling_add_call(struct sampling *s, uint64_t shard, const struct call_record *c,
		       const char *environment);
/* Once, after the last one: fills round and block of each sample, and their counts. */
void sampling_number(struct sampling *s);
void sampling_release(struct sampling *s);

#endif
