/*
 * history.h - one metric of one function through all its runs: values, levels, slow drift.
 *
 * Two looks at the same history. Levels: where the new version's own value changed for good
 * (common/stats/change.h); it needs no comparison, but what the world did in between is in it.
 * Drift: each run compared a version with the one before in the same minutes, so those changes add
 * up along the chain of versions with the errors' squares; what each single run is too coarse to
 * see shows in the sum.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_HISTORY_H
#define PLIMSOLL_CMD_PLIMSOLL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json/json.h"
#include "common/stats/change.h"

struct history_point {
	char when[17], version[64], old_version[64];
	double value; /* in the unit */
	bool has_diff;
	double diff, low, high; /* log of the ratio to the version before; at 95 % */
	/* along the chain of versions up to here, this run included */
	size_t since; /* index of the chain's first run */
	double sum, sum_low, sum_high;
};

struct history {
	struct history_point *points; /* owned; oldest first after history_look */
	size_t count, cap;
	char unit[16];
	struct change_point changes[CHANGE_POINTS_MAX];
	size_t change_count;
};

/* data of run.finished, the newest first; left out when the run is not valid or has no such figure.
 */
void history_add(struct history *h, const struct json *data, const char *metric);
/* Puts the oldest first; finds the chain and the levels. Equal runs give equal answers. At most
 * CHANGE_SERIES_MAX runs. */
void history_look(struct history *h);
void history_release(struct history *h);

/* For people, and for other tools: "finished_at,version,value", one run a line. */
void history_print(const struct history *h, const char *subject, const char *metric);
void history_print_csv(const struct history *h);

#endif
