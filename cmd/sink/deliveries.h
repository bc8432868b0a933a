/*
 * deliveries.h - on the bus: which destination has which event.
 *
 * Every event is offered to each sink that wants it and that has not acknowledged it to an earlier
 * process. A sink that has no room, or cannot just now, gets its events later, in order; the others
 * are not kept waiting. What a sink has is told to the stage (stage_ack), so that a restart does
 * not tell it again; when all have it, the event is done.
 *
 *	deliveries_init(&d, st, &sinks);
 *	deliveries_add(&d, ev);
 *	deliveries_done(&d, sink, event_id);	// of one whose deliver() said -EINPROGRESS
 */
#ifndef PLIMSOLL_SINK_DELIVERIES_H
#define PLIMSOLL_SINK_DELIVERIES_H

#include "cmd/sink/sinks.h"
#include "common/base/strmap.h"

struct deliveries {
	struct stage *st;
	struct sinks *all;
	struct strmap open; /* event id -> struct delivery */
	struct loop_timer again;
	size_t late_bytes;
};

void deliveries_init(struct deliveries *d, struct stage *st, struct sinks *all);
void deliveries_release(struct deliveries *d);
void deliveries_add(struct deliveries *d, const struct event *ev);
void deliveries_done(struct deliveries *d, struct sink *s, const char *event_id);
/* What waits for sinks that are behind may take so much memory. */
bool deliveries_have_room(const struct deliveries *d);

#endif
