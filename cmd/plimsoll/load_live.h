/*
 * load_live.h - a load while it runs: one line that is written over on a terminal, and the series
 * by the second as CSV. Both come from shard.progress.
 *
 *	struct load_live live = {.plan = &plan, .is_shown = isatty(STDERR_FILENO), .csv = file};
 *	load_live_progress(&live, ev.data);	// of each shard.progress
 *	load_live_show(&live);			// once a second
 *	load_live_end(&live);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_LIVE_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_LIVE_H

#include <stdio.h>

#include "cmd/plimsoll/load_plan.h"
#include "common/json/json.h"

#define LOAD_SHARDS_MAX (LOAD_WORKS_MAX * LOAD_PROCESSES_MAX)

struct load_second { /* of one shard, warm-up included */
	int64_t elapsed_ms, due, ok, not_ok, in_flight, p50_us, p95_us;
};

struct load_live {
	const struct load_plan *plan;
	bool is_shown;
	FILE *csv; /* NULL = none; the caller's */
	/* its own */
	struct load_second last[LOAD_SHARDS_MAX], before[LOAD_SHARDS_MAX];
	bool is_known[LOAD_SHARDS_MAX], has_line;
};

/* Any event of a shard: progress, or its result, which holds the rest. */
void load_live_progress(struct load_live *l, const struct json *data);
void load_live_show(struct load_live *l);
void load_live_end(struct load_live *l); /* clears the line */

#endif
