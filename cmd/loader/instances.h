/*
 * instances.h - which execution environments answered: names to small numbers, in fixed memory.
 *
 * Names are kept as hashes only: what a function calls its environment may be telling. A name
 * that is new when the table is full stays unknown.
 *
 *	uint16_t i = instances_note(&in, name, len);	// 1 + index; 0 = unknown
 *	instances_count_call(&in, i, VARIANT_OLD);
 *	instances_seen(&in, VARIANT_OLD);		// how many answered it
 */
#ifndef PLIMSOLL_LOADER_INSTANCES_H
#define PLIMSOLL_LOADER_INSTANCES_H

#include <stddef.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/measure/outcome.h"

#define INSTANCES_MAX 4096
#define INSTANCE_SLOTS 16384u /* a power of two, well above the maximum */
#define INSTANCE_NAME_SIZE 9

struct instance {
	uint64_t hash;
	uint32_t calls[VARIANT_COUNT];
	char name[INSTANCE_NAME_SIZE]; /* 8 hex digits of its SHA-256 */
};

struct instances {
	size_t count;
	uint32_t seen[VARIANT_COUNT];
	struct instance items[INSTANCES_MAX];
	uint16_t slots[INSTANCE_SLOTS]; /* 1 + index; 0 = empty */
};

uint16_t instances_note(struct instances *in, const char *name, size_t len_bytes);
void instances_count_call(struct instances *in, uint16_t number, enum variant v);
uint32_t instances_seen(const struct instances *in, enum variant v);
struct json *instances_json(const struct instances *in); /* the list of names; the caller's */

#endif
