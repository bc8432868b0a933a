/*
 * blocks.h - response times by block, encoded as each block ends.
 *
 * A block ends when a later one has begun and all its calls are done; until then its few values
 * are kept as they are (a dense histogram a block would take 184 KiB each). Memory is set aside
 * at the start; a value that finds none is counted as lost, and makes the result suspect.
 */
#ifndef PLIMSOLL_LOADER_BLOCKS_H
#define PLIMSOLL_LOADER_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/measure/outcome.h"
#include "common/stats/hdr.h"

#include "cmd/loader/schedule.h"

struct block {
	uint32_t due[VARIANT_COUNT], done[VARIANT_COUNT], bad[VARIANT_COUNT];
	uint32_t first[VARIANT_COUNT]; /* 1 + index of the newest value; 0 = none */
	char *text[VARIANT_COUNT];     /* owned; NULL until it ended, or when nothing was ok */
};

struct block_value {
	uint32_t response_us, next;
};

struct blocks {
	struct block *items; /* owned; BLOCKS_DUE_MAX */
	size_t count;	     /* begun */
	size_t ended;	     /* the first so many are encoded */
	struct block_value *values;
	size_t value_max;
	size_t value_count; /* handed out so far */
	uint32_t free_list; /* 1 + index */
	uint64_t lost;
	struct hdr *scratch;
};

void blocks_init(struct blocks *b, size_t value_max);
void blocks_release(struct blocks *b);
void blocks_due(struct blocks *b, uint32_t i, enum variant v);
/* response_us counts when the call was ok. */
void blocks_done(struct blocks *b, uint32_t i, enum variant v, bool is_ok, uint32_t response_us);
/* Ends what is open and gives shard.finished's list; the caller's. */
struct json *blocks_json(struct blocks *b);

#endif
