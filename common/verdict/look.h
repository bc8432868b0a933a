/*
 * look.h - whether a run may end early: by the calls so far, by the rule of the collector (rank 3).
 *
 * Pure. part is what a shard is told of its run's plan under "stop", by the names of run.planned:
 * stop.looks, run.id, compare, environments, lottery, price, target.memory_bytes and the metrics
 * that are gates. The collector comes to the same answer from the same calls, because all that
 * answers is here: sampling.h, metric.h, gate.h.
 *
 *	if (look_decides(part, 1, rounds, calls, instances))
 *		stop();
 *
 * A look at 5,000 calls costs some 20 ms of CPU where environments are not known (the bootstrap),
 * else a few.
 */
#ifndef PLIMSOLL_VERDICT_LOOK_H
#define PLIMSOLL_VERDICT_LOOK_H

#include <stdbool.h>

#include "common/json/json.h"
#include "common/measure/calls.h"

/*
 * Whether every gate is decided at this look (from 0 on), by the calls of the first so many rounds.
 * False for a look that is not planned, and for the last one: then the run has ended anyway.
 */
bool look_decides(const struct json *part, size_t look, uint32_t rounds, const struct calls *calls,
		  const struct json *instances);
/* How many whole rounds of all belong to a share of a run. */
uint32_t look_rounds(double fraction, uint64_t all);

#endif
