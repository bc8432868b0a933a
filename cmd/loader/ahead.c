/*
 * ahead.c - see ahead.h.
 */
#include "cmd/loader/ahead.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MIN 1024u
#define CALLS_MAX 4096u
#define BYTES_MAX (32u * 1024u * 1024u) /* of all requests in the ring, about */
#define AHEAD_MAX_NS (2 * NS_PER_S)	/* further, and a change of keys would undo it */
#define HEAD_BYTES 2048u		/* of one, about */

/* Two rounds at least: a whole burst is ready while the next one is being prepared. */
static uint32_t calls_ahead(const struct schedule *s, const struct shard *sh)
{
	size_t longest = 0;
	uint32_t n = MAX_OF(2 * s->round_n, CALLS_MIN);

	for (size_t k = 0; k < sh->payload_count; k++)
		longest = MAX_OF(longest, sh->payloads[k].len_bytes);
	n = MIN_OF(n, CALLS_MAX);
	return MIN_OF(n, (uint32_t)(BYTES_MAX / (HEAD_BYTES + 2 * longest)) + 1);
}

static bool has_singles(const struct lanes *ln)
{
	for (size_t i = 0; i < ln->shard->workload.variant_count; i++)
		for (uint16_t k = 0; k < ln->shard->payload_count; k++)
			if (lanes_is_single(ln, i, k))
				return true;
	return false;
}

void ahead_init(struct ahead *a, struct schedule *s, struct lanes *lanes,
		const uint8_t index_of[VARIANT_COUNT])
{
	*a = (struct ahead){.schedule = s, .lanes = lanes, .index_of = index_of};
	if (executor_is_closed(s->w.executor) || !has_singles(lanes))
		return;
	a->cap = calls_ahead(s, lanes->shard);
	a->items = x_calloc(a->cap, sizeof(*a->items));
}

static struct ahead_item *item_at(const struct ahead *a, uint32_t i)
{
	return &a->items[(a->first + i) % a->cap];
}

/* What cannot be prepared is tried again, and reported, when it is due. */
static void prepare(struct ahead *a, struct ahead_item *item)
{
	size_t i = a->index_of[item->place.variant];
	char why[SHARD_WHY_SIZE];

	if (lanes_get(a->lanes, i, &item->place, wall_add_ns(a->origin, item->place.due_ns),
		      &item->request, why) != 0)
		item->request = NULL;
}

/* False when all are fresh. */
static bool refresh_one(struct ahead *a)
{
	uint64_t generation = lanes_generation(a->lanes);

	if (generation != a->generation)
		a->fresh = 0;
	a->generation = generation;
	for (; a->fresh < a->count; a->fresh++) {
		struct ahead_item *item = item_at(a, a->fresh);
		size_t i = a->index_of[item->place.variant];

		if (!item->request || lanes_is_fresh(a->lanes, i, item->request))
			continue;
		lanes_put(item->request);
		prepare(a, item);
		return true;
	}
	return false;
}

bool ahead_step(struct ahead *a, int64_t now_ns)
{
	struct ahead_item *item;

	if (refresh_one(a))
		return true;
	if (a->count == a->cap || a->is_at_end)
		return false;
	if (a->count > 0 && item_at(a, a->count - 1)->place.due_ns - now_ns > AHEAD_MAX_NS)
		return false;
	item = item_at(a, a->count);
	if (!schedule_next(a->schedule, 0, &item->place)) {
		a->is_at_end = true;
		return false;
	}
	a->count++;
	a->fresh++;
	item->request = NULL;
	if (lanes_is_single(a->lanes, a->index_of[item->place.variant], item->place.payload))
		prepare(a, item);
	return true;
}

bool ahead_next(struct ahead *a, struct place *place, struct prepared **request)
{
	*request = NULL;
	if (a->count == 0)
		return !a->is_at_end && schedule_next(a->schedule, 0, place);
	*place = a->items[a->first].place;
	*request = a->items[a->first].request;
	a->first = (a->first + 1) % a->cap;
	a->count--;
	a->fresh -= a->fresh > 0;
	return true;
}

int ahead_request(struct ahead *a, const struct place *place, struct wall due,
		  struct prepared *prepared, struct prepared **out, char why[SHARD_WHY_SIZE])
{
	size_t i = a->index_of[place->variant];

	if (prepared && lanes_is_fresh(a->lanes, i, prepared)) {
		*out = prepared;
		return 0;
	}
	if (prepared)
		lanes_put(prepared);
	a->late += a->cap > 0 && lanes_is_single(a->lanes, i, place->payload);
	return lanes_get(a->lanes, i, place, due, out, why);
}

void ahead_release(struct ahead *a)
{
	for (; a->count > 0; a->count--, a->first = (a->first + 1) % a->cap)
		if (a->items[a->first].request)
			lanes_put(a->items[a->first].request);
	free(a->items);
	*a = (struct ahead){0};
}
