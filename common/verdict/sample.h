/*
 * sample.h - the calls of a run as the estimates look at them (rank 3).
 *
 * Whoever has them (the collector from the results of the shards, the loader from its own calls)
 * numbers rounds, blocks and environments and hands over a struct measured; nothing in it is owned.
 */
#ifndef PLIMSOLL_VERDICT_SAMPLE_H
#define PLIMSOLL_VERDICT_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/measure/outcome.h"
#include "common/stats/hdr.h"

/*
 * X(symbol, name in events, unit, of a start). All but the cost have histograms. What is of a start
 * comes from cold and restored calls, one value an environment, the warm-up's among them.
 */
#define FIGURES(X)                                                                                 \
	X(FIG_RESPONSE, "response", "us", false)                                                   \
	X(FIG_SERVICE, "service", "us", false)                                                     \
	X(FIG_BILLED, "billed", "us", false)                                                       \
	X(FIG_INIT, "init", "us", true)                                                            \
	X(FIG_MEMORY, "memory", "KiB", false)                                                      \
	X(FIG_RESTORE, "restore", "us", true)                                                      \
	X(FIG_COLD_RESPONSE, "cold_response", "us", true)                                          \
	X(FIG_RESTORED_RESPONSE, "restored_response", "us", true)                                  \
	X(FIG_COST, "cost", "usd", false)
enum figure {
#define X(symbol, name, unit, is_start) symbol,
	FIGURES(X)
#undef X
		FIGURE_COUNT
};
const char *figure_name(enum figure f);
const char *figure_unit(enum figure f);
bool figure_is_start(enum figure f);

/* One call. */
struct sample {
	double value[FIGURE_COUNT]; /* 0 = not known; the cost is of a million such calls */
	uint32_t round, block;	    /* counted through all shards; block of measured calls only */
	uint32_t environment;	    /* 1, 2, ... within its variant; 0 = unknown */
	enum variant variant;
	enum outcome outcome;
	enum temperature temperature;
	bool is_warmup;
};

struct measured {
	const struct sample *samples;
	size_t count;
	size_t round_count, block_count;
	bool is_warm; /* latency comes from calls known to be warm; else from all */
	/* Of every call, where samples are only some of them. */
	const uint64_t (*outcomes)[OUTCOME_COUNT]; /* of each variant */
	struct hdr *const (*hist)[FIGURE_COUNT];   /* of each variant; NULL = no values */
};

/* Whether latency is to be judged on warm calls: from the ok calls by temperature. */
bool figures_are_warm(uint64_t ok[VARIANT_COUNT][TEMPERATURE_COUNT]);
/* Whether a call with outcome ok counts for latency on this run's temperature basis. */
bool measured_is_on_basis(const struct measured *m, enum temperature t);

#endif
