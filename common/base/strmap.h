/*
 * strmap.h - a map from short strings to pointers, in insertion order (rank 0).
 *
 *	struct strmap m = {0};
 *	strmap_put(&m, "prod/hello", fn);
 *	for (size_t i = 0; i < m.count; i++)
 *		use(m.items[i].key, m.items[i].value);
 *
 * Keys are copied. Values are the caller's. Removal keeps the order of the others.
 */
#ifndef PLIMSOLL_BASE_STRMAP_H
#define PLIMSOLL_BASE_STRMAP_H

#include <stddef.h>
#include <stdint.h>

struct strmap_item {
	char *key;
	void *value;
};

struct strmap {
	struct strmap_item *items;
	size_t count;
	/* the map's own */
	size_t cap;
	uint32_t *slots; /* 1 + index into items; 0 = empty */
	size_t slot_count;
};

void *strmap_get(const struct strmap *m, const char *key);	  /* NULL when absent */
void *strmap_put(struct strmap *m, const char *key, void *value); /* the value replaced, or NULL */
void *strmap_remove(struct strmap *m, const char *key);		  /* the value removed, or NULL */
/* Frees the keys and the table; free_value (may be NULL) is called on each value. */
void strmap_release(struct strmap *m, void (*free_value)(void *value));

/* The nearest of names by edit distance (at most 3 and under half the length), or NULL. */
const char *nearest_name(const char *word, const char *const *names, size_t count);

#endif
