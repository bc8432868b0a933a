/*
 * instances.c - see instances.h.
 */
#include "cmd/loader/instances.h"

#include <stdio.h>
#include <string.h>

#include "common/digest/digest.h"

#define NAME_LOOKED_AT_BYTES 256

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/: only finds the slot's candidate. */
static uint64_t hash_of(const char *name, size_t len_bytes)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len_bytes; i++)
		h = (h ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void name_it(struct instance *item, const char *name, size_t len_bytes)
{
	uint8_t sha[SHA256_BYTES];

	digest_sha256(name, len_bytes, sha);
	digest_hex(sha, (INSTANCE_NAME_SIZE - 1) / 2, item->name);
}

uint16_t instances_note(struct instances *in, const char *name, size_t len_bytes)
{
	size_t looked_at_bytes = MIN_OF(len_bytes, NAME_LOOKED_AT_BYTES);
	uint64_t h = hash_of(name, looked_at_bytes);
	size_t slot = (size_t)(h % INSTANCE_SLOTS);

	for (; in->slots[slot]; slot = (slot + 1) % INSTANCE_SLOTS)
		if (in->items[in->slots[slot] - 1].hash == h)
			return in->slots[slot];
	if (in->count == INSTANCES_MAX)
		return 0;
	in->items[in->count].hash = h;
	name_it(&in->items[in->count], name, looked_at_bytes);
	in->slots[slot] = (uint16_t)++in->count;
	return in->slots[slot];
}

void instances_count_call(struct instances *in, uint16_t number, enum variant v)
{
	if (number != 0 && in->items[number - 1].calls[v]++ == 0)
		in->seen[v]++;
}

uint32_t instances_seen(const struct instances *in, enum variant v)
{
	return in->seen[v];
}

struct json *instances_json(const struct instances *in)
{
	struct json *list = json_arr();

	for (size_t i = 0; i < in->count; i++)
		json_push(list, json_new_str(in->items[i].name));
	return list;
}
