/*
 * owed.h - the groups of metrics that a gateway is owed, and the events that wait for them.
 *
 * Every change of a group counts its version up. A push renders one version; when the gateway has
 * it, the events up to that version are done, and the group is owed no longer unless it has
 * changed meanwhile.
 *
 *	owed_wait(owed_add(&o, "prod/hello"), event_id);
 *	group = owed_next(&o, mono_now(), &wait_ns);	// in the order they came
 *	version = owed_get(&o, group)->version;		// ... push it ...
 *	if (owed_settle(&o, group, version, done, ctx))
 *		owed_remove(&o, group);
 */
#ifndef PLIMSOLL_SINK_OWED_H
#define PLIMSOLL_SINK_OWED_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/strmap.h"

struct owed_event;

struct owed_group {
	struct mono not_before; /* it may be tried again then */
	unsigned version;	/* counts its changes */
	bool is_refused;	/* as it stands; a change clears this and not_before */
	struct owed_event *first, **end;
};

struct owed {
	struct strmap groups; /* name -> struct owed_group, in the order they came */
};

void owed_release(struct owed *o);

/* One more version; the group is new when it was not owed yet. */
struct owed_group *owed_add(struct owed *o, const char *group);
/* The event is done with the group's present version. */
void owed_wait(struct owed_group *g, const char *id);
struct owed_group *owed_get(const struct owed *o, const char *group); /* NULL: not owed */
/* The first that may be tried now, else NULL; lowers *wait_ns to when the first of them may. */
const char *owed_next(const struct owed *o, struct mono now, int64_t *wait_ns);
/* Calls done() for the events up to version. NULL when the group has changed since. */
struct owed_group *owed_settle(struct owed *o, const char *group, unsigned version,
			       void (*done)(const char *id, void *ctx), void *ctx);
void owed_remove(struct owed *o, const char *group);
size_t owed_refused(const struct owed *o);

#endif
