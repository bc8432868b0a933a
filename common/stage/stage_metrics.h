/*
 * stage_metrics.h - what a stage tells about itself (rank 5).
 *
 * The names are rows of common/prom/metrics.def (scope STAGE); here are the counters behind them.
 * Counted in a pipe too, where nobody asks.
 *
 *	stage_metrics_count(&st->metrics, ev->kind, STAGE_TAKEN);
 *	stage_metrics_write(st, &text);		// one page for Prometheus
 */
#ifndef PLIMSOLL_STAGE_STAGE_METRICS_H
#define PLIMSOLL_STAGE_STAGE_METRICS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/event/event.h"

/* X(symbol, word): what became of an event */
#define STAGE_RESULTS(X)                                                                           \
	X(STAGE_TAKEN, "taken")                                                                    \
	X(STAGE_PASSED, "passed")                                                                  \
	X(STAGE_LATER, "later")                                                                    \
	X(STAGE_REFUSED, "refused")                                                                \
	X(STAGE_SENT, "sent")

enum stage_result {
#define X(symbol, word) symbol,
	STAGE_RESULTS(X)
#undef X
		STAGE_RESULT_COUNT
};

struct stage_metrics {
	uint64_t events[EV_KIND_COUNT + 1][STAGE_RESULT_COUNT]; /* the last row: not ours */
	int64_t loop_delay_ns; /* the longest turn since the page was read last */
	int64_t lag_ms;	       /* of the event taken last: from its time until it was taken */
};

struct stage;

void stage_metrics_count(struct stage_metrics *m, enum event_kind kind, enum stage_result what);
/* Also begins a new longest turn. */
void stage_metrics_write(struct stage *st, struct buf *out);

#endif
