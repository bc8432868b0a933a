/*
 * gather.h - the shards of one run, merged: what the judge looks at.
 *
 * Pure: JSON in, figures out; no clock, no I/O. Shards are merged in index order, so that the
 * same results give the same figures to the bit, in whatever order they came.
 *
 *	struct gathered *g = gather_run(plan_data, shards, shard_count);
 *	...
 *	gathered_free(g);
 *
 * DIAGNOSTICS
 *	Nothing here fails: what cannot be read (a histogram, the packed calls) is named in
 *	g->doubts and left out, and the run is then suspect.
 */
#ifndef PLIMSOLL_COLLECTOR_GATHER_H
#define PLIMSOLL_COLLECTOR_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/measure/outcome.h"
#include "common/stats/hdr.h"
#include "common/verdict/sample.h"

/* How a run ended, from what its shards say; a later one wins over an earlier one. */
enum run_end { END_COMPLETE, END_INCOMPLETE, END_FAILED, END_CANCELLED };

struct gathered {
	struct sample *samples;
	size_t count;
	uint32_t every; /* the samples are every k-th round */
	size_t round_count, block_count;
	size_t environment_count[VARIANT_COUNT];  /* distinct names among the measured calls */
	struct json *environments[VARIANT_COUNT]; /* the names; owned arrays, NULL = nothing */
	uint64_t outcomes[VARIANT_COUNT][OUTCOME_COUNT];
	uint64_t warmup[VARIANT_COUNT][OUTCOME_COUNT];
	bool is_foreign; /* no self-check: a shard without due, outcomes or quality */
	bool is_warm;	 /* latency comes from calls known to be warm; else from all */
	struct hdr *hist[VARIANT_COUNT][FIGURE_COUNT]; /* NULL = no values */
	enum run_end end;
	char end_reason[160];
	struct json *throttle_reasons, *error_reasons; /* name -> count; owned */
	struct json *quality;			       /* of the worst shard; owned; may be NULL */
	struct json *shards;	    /* of several: what each says of itself; owned, or NULL */
	struct json *stopped;	    /* at which look it ended early; owned, or NULL */
	struct json *doubts;	    /* suspect because of...; owned array of names */
	struct wall started, ended; /* of the load, ns 0 = unknown */
};

/* plan is data of run.planned; shards[i] data of shard.finished, by index; NULL = missing. */
struct gathered *gather_run(const struct json *plan, const struct json *const *shards,
			    size_t shard_count);
void gathered_free(struct gathered *g);

/* Adds a name to g->doubts unless it is there. */
void gathered_doubt(struct gathered *g, const char *name);
/* What the estimates look at; valid as long as g is. */
struct measured gathered_measured(const struct gathered *g);
/* Sums of measured calls. */
uint64_t gathered_due(const struct gathered *g, enum variant v);

#endif
