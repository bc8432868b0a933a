/*
 * several.h - a run that several loaders carried together: whether they did so at the same time.
 *
 * Pure. Adds to g what run.finished says of each shard, and doubts: shards that began apart share
 * no rounds, and more environments than asked for mean that some answered for others. (Of a single
 * shard the loader itself says so.)
 */
#ifndef PLIMSOLL_COLLECTOR_SEVERAL_H
#define PLIMSOLL_COLLECTOR_SEVERAL_H

#include "cmd/collector/gather.h"

#define SHARDS_APART_MS_MAX 1000

/* After outcomes and environments were gathered. */
void several_gather(struct gathered *g, const struct json *plan, const struct json *const *shards,
		    size_t shard_count);

#endif
