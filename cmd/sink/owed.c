#include "cmd/sink/owed.h"

#include <stdlib.h>
#include <string.h>

struct owed_event {
	struct owed_event *next;
	unsigned version;
	char id[];
};

static void free_group(void *value)
{
	struct owed_group *g = value;

	while (g->first) {
		struct owed_event *e = g->first;

		g->first = e->next;
		free(e);
	}
	free(g);
}

void owed_release(struct owed *o)
{
	strmap_release(&o->groups, free_group);
}

struct owed_group *owed_get(const struct owed *o, const char *group)
{
	return strmap_get(&o->groups, group);
}

struct owed_group *owed_add(struct owed *o, const char *group)
{
	struct owed_group *g = owed_get(o, group);

	if (g == NULL) {
		g = x_calloc(1, sizeof(*g));
		g->end = &g->first;
		strmap_put(&o->groups, group, g);
	}
	g->version++;
	/* New content may please the gateway where the old did not. */
	g->not_before = (struct mono){0};
	g->is_refused = false;
	return g;
}

void owed_wait(struct owed_group *g, const char *id)
{
	size_t size_bytes = strlen(id) + 1;
	struct owed_event *e = x_calloc(1, sizeof(*e) + size_bytes);

	memcpy(e->id, id, size_bytes);
	e->version = g->version;
	*g->end = e;
	g->end = &e->next;
}

const char *owed_next(const struct owed *o, struct mono now, int64_t *wait_ns)
{
	for (size_t i = 0; i < o->groups.count; i++) {
		const struct owed_group *g = o->groups.items[i].value;

		if (!mono_is_before(now, g->not_before))
			return o->groups.items[i].key;
		*wait_ns = MIN_OF(*wait_ns, mono_diff_ns(g->not_before, now));
	}
	return NULL;
}

struct owed_group *owed_settle(struct owed *o, const char *group, unsigned version,
			       void (*done)(const char *id, void *ctx), void *ctx)
{
	struct owed_group *g = owed_get(o, group);

	while (g->first && g->first->version <= version) {
		struct owed_event *e = g->first;

		g->first = e->next;
		if (!g->first)
			g->end = &g->first;
		done(e->id, ctx);
		free(e);
	}
	return g->version == version ? g : NULL;
}

void owed_remove(struct owed *o, const char *group)
{
	free_group(strmap_remove(&o->groups, group));
}

size_t owed_refused(const struct owed *o)
{
	size_t count = 0;

	for (size_t i = 0; i < o->groups.count; i++)
		count += ((const struct owed_group *)o->groups.items[i].value)->is_refused;
	return count;
}
