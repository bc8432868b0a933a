/*
 * own.h - what collector.c and amend.c share: the program's state, and telling. Nobody else's.
 */
#ifndef PLIMSOLL_COLLECTOR_OWN_H
#define PLIMSOLL_COLLECTOR_OWN_H

#include "cmd/collector/cloud.h"
#include "cmd/collector/judge.h"
#include "cmd/collector/sources.h"
#include "common/stage/stage.h"

struct collector_opts {
	struct cloud_opts cloud;
	const char *environments; /* what logs said of a run, kept; NULL = none */
};

struct collector {
	struct stage *st;
	struct runs runs;
	struct sources sources;
	struct cloud cloud;
	struct config *config, *retired; /* a retired one may still be in use by a source */
	const struct collector_opts *opts;
	struct json *environments; /* of opts->environments; NULL = the logs are asked */
	size_t busy;		   /* runs that something outside is still asked about */
	bool is_ending, is_stopping;
};

/* run.finished of these data; the event is the caller's. */
MUST_CHECK int collector_event(const struct run *r, struct json *data, struct event *ev,
			       char why[EVENT_WHY_SIZE]);
void collector_tell(struct collector *c, struct run *r, struct json *data_take);
/* What it measured, for later runs: before it is told, so that both go out together on the bus. */
void collector_remember(const struct collector *c, const struct run *r, const struct gathered *g,
			const struct judgement *j);
/* Nothing more will be said of it. */
void collector_close(struct collector *c, struct run *r);

#endif
