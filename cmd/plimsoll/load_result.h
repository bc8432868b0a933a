/*
 * load_result.h - the results of a load's shards, added up: of one workload, or of all. Pure.
 *
 * Histograms are merged, never averaged. What tells how far to believe them is the worst of all
 * shards.
 *
 *	load_result_init(&r);
 *	load_result_add(&r, &work, processes, ev.data);	// of each shard.finished
 *	hdr_percentile(r.response, 95);
 *	load_result_release(&r);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_RESULT_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_RESULT_H

#include "cmd/plimsoll/load_plan.h"
#include "common/json/json.h"
#include "common/measure/outcome.h"
#include "common/stats/hdr.h"

enum load_figure { LOAD_RESPONSE, LOAD_SERVICE, LOAD_FIGURE_COUNT };
const char *load_figure_name(enum load_figure f); /* "response" */

struct load_result {
	uint64_t due, sent, outcomes[OUTCOME_COUNT], warmup_due;
	struct hdr *figures[LOAD_FIGURE_COUNT]; /* us, of the calls that were ok */
	uint64_t bytes_sent, bytes_received;
	bool has_bytes;
	double asked_per_s; /* 0 = no rate was asked for, not of all */
	bool has_closed;
	double achieved_per_s; /* calls sent a second; of all shards */
	int64_t duration_ms;   /* of the longest shard, warm-up and last answers included */
	double started_s;      /* wall clock of the first; 0 = none began */
	int64_t late_p50_us, late_p99_us, loop_p99_us;
	double cpu_ratio;     /* of the busiest process */
	struct json *suspect; /* array of sentences, each once */
	char limit[24];	      /* the loader's own limit that was in the way; "" = none */
	double others_cpu_ratio, cpu_wait_ratio, steal_ratio,
		waited_ratio;  /* the most of any loader */
	struct json *reasons;  /* reason -> count */
	size_t shards, failed; /* told; of them without a result */
	bool was_cut;	       /* cancelled or aborted */
	char failure[400];     /* why the first one failed or was cut */
};

void load_result_init(struct load_result *r);
void load_result_release(struct load_result *r);
/* data: of one of the processes that share w. -EINVAL: it is no whole result, r is unchanged as far
 * as it matters. */
MUST_CHECK int load_result_add(struct load_result *r, const struct load_work *w, uint32_t processes,
			       const struct json *data);
/* Calls that a stopped load never sent (most were not due yet) or cut off. */
bool load_was_stopped(const struct load_result *r, enum outcome o);
/* Of all that was due, the share that was not ok; what was stopped does not count. 0 when nothing
 * was due. */
double load_error_ratio(const struct load_result *r);

#endif
