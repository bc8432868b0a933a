/*
 * tally.h - everything that is counted while a shard runs, and its place in shard.finished.
 *
 * All memory is taken at the start; counting a call allocates nothing. Latency figures (response,
 * service, billed, init, memory) come from calls with outcome ok only, the others enter only the
 * classes. Warm-up calls are counted apart and enter nothing else; those of them that were cold
 * starts are packed too.
 *
 *	struct tally *t = tally_new(&schedule, has_report);
 *	tally_due(t, &place);		// drawn from the schedule
 *	tally_done(t, &result);		// exactly once for each
 *	tally_json(t, data);		// adds due, series, blocks, calls and more
 *	tally_free(t);
 *
 * DIAGNOSTICS
 *	Outcomes that do not add up to what was due are a bug of ours: tally_json aborts.
 */
#ifndef PLIMSOLL_LOADER_TALLY_H
#define PLIMSOLL_LOADER_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/measure/calls.h"
#include "common/measure/outcome.h"
#include "common/stats/hdr.h"

#include "cmd/loader/blocks.h"
#include "cmd/loader/instances.h"
#include "cmd/loader/schedule.h"
#include "cmd/loader/target.h"

/* X(symbol, member of a series) */
#define FIGURES(X)                                                                                 \
	X(FIGURE_RESPONSE, "response")                                                             \
	X(FIGURE_SERVICE, "service")                                                               \
	X(FIGURE_BILLED, "billed")                                                                 \
	X(FIGURE_INIT, "init")                                                                     \
	X(FIGURE_MEMORY, "memory")
enum figure {
#define X(symbol, name) symbol,
	FIGURES(X)
#undef X
		FIGURE_COUNT
};

struct result { /* of one call */
	const struct place *place;
	enum outcome outcome;
	bool was_sent;
	int64_t late_us; /* sent - due */
	int64_t response_us, service_us;
	const struct answer *answer; /* NULL without one */
	const char *reason;	     /* without an answer: what stopped it, or NULL */
};

#define REASONS_MAX 16
struct reasons {
	struct {
		char text[REASON_SIZE];
		uint64_t count;
	} items[REASONS_MAX];
	size_t count;
	uint64_t others;
};

struct series {
	bool is_used;
	uint64_t outcomes[OUTCOME_COUNT];
	struct hdr *figures[FIGURE_COUNT]; /* those that can come are there from the start */
};

struct tally {
	uint64_t due, warmup_due[VARIANT_COUNT], done;
	uint64_t sent; /* measured calls that went out */
	uint64_t outcomes[VARIANT_COUNT][OUTCOME_COUNT], warmup[VARIANT_COUNT][OUTCOME_COUNT];
	struct series series[VARIANT_COUNT][TEMPERATURE_COUNT];
	struct reasons throttles, errors;
	struct instances instances;
	struct blocks blocks;
	struct calls calls;
	struct calls cold;		/* of the warm-up; joins calls at the end */
	struct hdr *late;		/* us, of measured calls that were sent */
	struct hdr *last;		/* response of ok calls since the last tally_progress */
	uint64_t failed[VARIANT_COUNT]; /* warm-up too: each may have ended its environment */
};

struct tally *tally_new(const struct schedule *s, bool has_report);
void tally_free(struct tally *t);
void tally_due(struct tally *t, const struct place *p);
void tally_done(struct tally *t, const struct result *r);
/* Due so far, outcomes so far (warm-up included), p50 and p95 since the last time. */
void tally_progress(struct tally *t, struct json *data);
void tally_json(struct tally *t, struct json *data);
/* Makes the packed calls sparser by whole rounds: half of them stay. False when none are left. */
bool tally_thin_calls(struct tally *t);
/* The packed calls with the cold starts of the warm-up, in the order in which they were due. Once
 * nothing is counted any more. */
const struct calls *tally_join_calls(struct tally *t);
/* Replaces the packed calls in data. */
void tally_put_calls(const struct tally *t, struct json *data);

/* k, so that every k-th whole round makes at most CALLS_MAX calls. */
uint32_t calls_every(uint64_t due_max, uint32_t round_calls);

#endif
