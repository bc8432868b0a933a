/*
 * ledger.h - what is known of a function now: the state behind its group of metrics. Pure.
 *
 * One JSON document a function, kept by the skeleton's state; folding the events in gives the
 * newest. A run is counted once, whatever is repeated; a result that is older than the one there
 * is counted and changes nothing else. A skipped run leaves the last verdict in force.
 *
 *	struct json *doc = stage_state_get(st, key);
 *	if (ledger_fold(&doc, ev))
 *		stage_state_put(st, key, doc);		// the group has to be pushed again
 *	rc = ledger_group(doc, NULL, 0, &prom);
 */
#ifndef PLIMSOLL_SINK_LEDGER_H
#define PLIMSOLL_SINK_LEDGER_H

#include "common/event/event.h"
#include "common/prom/prom.h"

/* Repeats of the last runs are recognised; older ones do not come in practice. */
#define LEDGER_RUNS_MAX 32

/*
 * *doc may be NULL (nothing known) and may stay so: a function that was only seen, never tested,
 * has no group. True when it changed. On function.removed *doc is freed and NULL.
 */
bool ledger_fold(struct json **doc, const struct event *ev);

struct ledger_export { /* a figure of another tool that may become a metric */
	const char *tool, *metric;
};
#define LEDGER_EXTERNAL_MAX 10
#define LEDGER_OBJECTIVES_MAX 5

/*
 * The group's samples. With exports NULL the first LEDGER_EXTERNAL_MAX figures of other tools
 * are told, else only those. Figures that have no place in a metric are left out. The member
 * "accepted" is put into doc by the caller: the run that a person accepted.
 */
void ledger_group(const struct json *doc, const struct ledger_export *exports, size_t export_count,
		  struct prom *out);

#endif
