#include "common/base/strmap.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"

#define NEAREST_WORD_MAX 64

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_of(const char *key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	return h ^ (h >> 32);
}

/* The slot that holds the key, or the empty one where it would go. */
static uint32_t *slot_of(const struct strmap *m, const char *key)
{
	size_t i = hash_of(key) & (m->slot_count - 1);

	while (m->slots[i] && strcmp(m->items[m->slots[i] - 1].key, key) != 0)
		i = (i + 1) & (m->slot_count - 1);
	return &m->slots[i];
}

static void rebuild(struct strmap *m, size_t slot_count)
{
	free(m->slots);
	m->slots = x_calloc(slot_count, sizeof(*m->slots));
	m->slot_count = slot_count;
	for (size_t i = 0; i < m->count; i++)
		*slot_of(m, m->items[i].key) = (uint32_t)i + 1;
}

void *strmap_get(const struct strmap *m, const char *key)
{
	uint32_t at = m->slot_count ? *slot_of(m, key) : 0;

	return at ? m->items[at - 1].value : NULL;
}

void *strmap_put(struct strmap *m, const char *key, void *value)
{
	uint32_t *slot;

	if (2 * (m->count + 1) > m->slot_count)
		rebuild(m, MAX_OF(2 * m->slot_count, (size_t)16));
	slot = slot_of(m, key);
	if (*slot) {
		void *old = m->items[*slot - 1].value;

		m->items[*slot - 1].value = value;
		return old;
	}
	if (m->count == m->cap) {
		m->cap = MAX_OF(2 * m->cap, (size_t)8);
		m->items = x_realloc(m->items, m->cap, sizeof(*m->items));
	}
	m->items[m->count++] = (struct strmap_item){x_strdup(key), value};
	*slot = (uint32_t)m->count;
	return NULL;
}

/* Empties a slot; those behind it that had to go past it move up (Knuth, 6.4, algorithm R). */
static void empty_slot(struct strmap *m, size_t hole)
{
	size_t mask = m->slot_count - 1;

	for (size_t i = (hole + 1) & mask; m->slots[i]; i = (i + 1) & mask) {
		size_t home = hash_of(m->items[m->slots[i] - 1].key) & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue; /* its place is behind the hole */
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = 0;
}

void *strmap_remove(struct strmap *m, const char *key)
{
	uint32_t *slot = m->slot_count ? slot_of(m, key) : NULL;
	uint32_t at = slot ? *slot : 0;
	void *value;

	if (!at)
		return NULL;
	empty_slot(m, (size_t)(slot - m->slots));
	for (size_t i = 0; i < m->slot_count; i++)
		m->slots[i] -= m->slots[i] > at;
	value = m->items[at - 1].value;
	free(m->items[at - 1].key);
	memmove(&m->items[at - 1], &m->items[at], (m->count - at) * sizeof(*m->items));
	m->count--;
	return value;
}

void strmap_release(struct strmap *m, void (*free_value)(void *value))
{
	for (size_t i = 0; i < m->count; i++) {
		if (free_value)
			free_value(m->items[i].value);
		free(m->items[i].key);
	}
	free(m->items);
	free(m->slots);
	*m = (struct strmap){0};
}

/* Levenshtein distance, two rows; words longer than the maximum are never near. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_WORD_MAX + 1], len_b = strlen(b);

	if (strlen(a) > NEAREST_WORD_MAX || len_b > NEAREST_WORD_MAX)
		return NEAREST_WORD_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len_b; j++) {
			size_t swap = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = MIN_OF(swap, MIN_OF(row[j], diagonal) + 1);
		}
	}
	return row[len_b];
}

const char *nearest_name(const char *word, const char *const *names, size_t count)
{
	size_t best = MIN_OF((size_t)3, (strlen(word) + 1) / 2) + 1;
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, names[i]);

		if (d < best) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
