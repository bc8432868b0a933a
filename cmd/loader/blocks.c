/*
 * blocks.c - see blocks.h.
 */
#include "cmd/loader/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"

#define ENCODED_MAX_BYTES (64u * 1024u)

void blocks_init(struct blocks *b, size_t value_max)
{
	memset(b, 0, sizeof(*b));
	b->items = x_calloc(BLOCKS_DUE_MAX, sizeof(*b->items));
	b->values = x_calloc(value_max, sizeof(*b->values));
	b->value_max = value_max;
	b->scratch = hdr_new();
}

void blocks_release(struct blocks *b)
{
	for (size_t i = 0; i < b->count; i++)
		for (size_t v = 0; v < VARIANT_COUNT; v++)
			free(b->items[i].text[v]);
	free(b->items);
	free(b->values);
	hdr_free(b->scratch);
	memset(b, 0, sizeof(*b));
}

static uint32_t new_value(struct blocks *b)
{
	uint32_t found = b->free_list;

	if (found)
		b->free_list = b->values[found - 1].next;
	else if (b->value_count < b->value_max)
		found = (uint32_t)++b->value_count;
	return found;
}

/* Gives the values of one variant back and leaves their histogram as text. */
static void encode(struct blocks *b, struct block *block, size_t v)
{
	struct buf text = BUF_INIT(ENCODED_MAX_BYTES);

	if (!block->first[v])
		return;
	hdr_clear(b->scratch);
	for (uint32_t at = block->first[v]; at;) {
		struct block_value *value = &b->values[at - 1];
		uint32_t next = value->next;

		hdr_record(b->scratch, value->response_us);
		value->next = b->free_list;
		b->free_list = at;
		at = next;
	}
	block->first[v] = 0;
	hdr_encode(b->scratch, &text);
	BUG_ON(buf_is_over(&text));
	block->text[v] = buf_steal(&text);
}

static bool is_done(const struct block *block)
{
	for (size_t v = 0; v < VARIANT_COUNT; v++)
		if (block->done[v] != block->due[v])
			return false;
	return true;
}

static void end_blocks(struct blocks *b, size_t before)
{
	for (; b->ended < before && is_done(&b->items[b->ended]); b->ended++)
		for (size_t v = 0; v < VARIANT_COUNT; v++)
			encode(b, &b->items[b->ended], v);
}

void blocks_due(struct blocks *b, uint32_t i, enum variant v)
{
	size_t at = MIN_OF(i, BLOCKS_DUE_MAX - 1);

	b->items[at].due[v]++;
	if (at >= b->count) {
		b->count = at + 1;
		end_blocks(b, at);
	}
}

void blocks_done(struct blocks *b, uint32_t i, enum variant v, bool is_ok, uint32_t response_us)
{
	size_t at = MIN_OF(i, BLOCKS_DUE_MAX - 1);
	struct block *block = &b->items[at];
	uint32_t value;

	block->done[v]++;
	if (!is_ok) {
		block->bad[v]++;
	} else if ((value = new_value(b))) {
		b->values[value - 1] = (struct block_value){response_us, block->first[v]};
		block->first[v] = value;
	} else {
		b->lost++;
	}
	if (at + 1 < b->count && at == b->ended)
		end_blocks(b, b->count - 1);
}

struct json *blocks_json(struct blocks *b)
{
	struct json *list = json_arr();

	end_blocks(b, b->count);
	for (size_t i = 0; i < b->ended; i++) {
		const struct block *block = &b->items[i];

		for (size_t v = 0; v < VARIANT_COUNT; v++) {
			struct json *o;

			if (!block->due[v])
				continue;
			o = json_obj();
			json_put_int(o, "i", (int64_t)i);
			json_put_str(o, "variant", variant_name((enum variant)v));
			json_put_int(o, "due", block->due[v]);
			json_put_int(o, "bad", block->bad[v]);
			json_put_str(o, "response", block->text[v]);
			json_push(list, o);
		}
	}
	return list;
}
