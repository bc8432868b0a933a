/*
 * samples.h - the packed calls of the shards as one list, with rounds, blocks and environments
 * numbered through the run.
 */
#ifndef PLIMSOLL_COLLECTOR_SAMPLES_H
#define PLIMSOLL_COLLECTOR_SAMPLES_H

#include "cmd/collector/gather.h"

/* The calls of a tool that says nothing of rounds are cut into this many blocks in order. */
#define FOREIGN_BLOCKS 24

/* Fills samples, rounds, blocks and environments of g. */
void samples_gather(struct gathered *g, const struct json *plan, const struct json *const *shards,
		    size_t shard_count);

#endif
