/*
 * runs.h - the runs the collector holds: what has come of each, in any order.
 *
 * A run is complete when its plan and all shards the plan owes are there. Nothing here sends
 * events or looks at a clock.
 *
 *	struct run *r = runs_of(&runs, ev->run);
 *	rc = run_take_shard(r, ev);
 *	if (run_is_complete(r)) ...
 *
 * Memory is bounded: when what is held is reckoned at more than RUNS_MAX_BYTES, the oldest run is
 * to be finished with what it has (runs_overdue). A line counts as its length, what is kept as a
 * tree of values as RUN_TREE_FACTOR times that.
 */
#ifndef PLIMSOLL_COLLECTOR_RUNS_H
#define PLIMSOLL_COLLECTOR_RUNS_H

#include "common/base/loop.h"
#include "common/base/strmap.h"
#include "common/event/event.h"

#define RUNS_MAX_BYTES (16u * 1024u * 1024u)
#define RUN_TREE_FACTOR 6
#define RUNS_MAX 8192	     /* remembered, finished ones too: so long is a repeat known as one */
#define RUN_SHARDS_MAX 256   /* of one run */
#define RUN_MEASURES_MAX 100 /* reports of other tools, of one run */

enum run_state {
	RUN_WAITING,  /* for its plan or for shards */
	RUN_CHECKING, /* all there; the revision is being read again */
	RUN_TOLD,     /* run.finished has been sent; amendments may follow */
	RUN_OVER,     /* nothing more will be said: only the id is remembered */
};

/* Held as the line it came in: as a tree of values a shard takes up to ten times as much. */
struct run_shard {
	char *line; /* owned; NULL = missing */
	int64_t attempt;
	size_t bytes;
};

struct run {
	char *id, *subject; /* subject NULL until an event brought one */
	enum run_state state;
	struct json *plan; /* data of run.planned, owned; NULL = not yet */
	char *plan_line;   /* the event as it came, for sources; owned */
	struct run_shard *shards;
	size_t shard_count;	/* places in shards */
	struct json *told;	/* data of the last run.finished, owned */
	struct strmap reports;	/* event id -> {tool, metrics} as struct json */
	struct json *figures;	/* of our own sources: {tool, metrics}, ...; owned array */
	bool keeps_shards;	/* when it is told: it may be judged once more */
	bool is_dirty;		/* something came that run.finished does not say yet */
	struct wall last;	/* time of the last event that the verdict rests on */
	struct wall last_heard; /* ... or of a report of another tool */
	size_t bytes;		/* what is held of it is reckoned at */
	uint64_t order;
	/* own.h's */
	struct collector *owner;
	struct loop_timer amend_timer;
	size_t sources_left;	 /* programs that have not ended */
	struct cloud_ask *ask;	 /* at work for this run, or NULL */
	struct mono cloud_until; /* the cloud is asked so long; 0 = it has not been asked yet */
};

struct runs {
	struct strmap by_id; /* id -> struct run */
	size_t bytes;
	uint64_t next_order;
};

void runs_release(struct runs *rs, void (*before)(struct run *r));
/* Finds or begins one. NULL when id is missing or no id of a run. */
struct run *runs_of(struct runs *rs, const char *id);
/* The oldest run that should be given up to stay within memory, or NULL. */
struct run *runs_overdue(const struct runs *rs);
/* Frees all but the id, and forgets the oldest finished runs beyond RUNS_MAX. */
void run_close(struct runs *rs, struct run *r, void (*before)(struct run *r));

/* Forgets the id too: what comes of it from now on begins a new run. */
void run_forget(struct runs *rs, struct run *r, void (*before)(struct run *r));

/* A repeat is harmless: 0, and nothing changes. -EINVAL for a shard past RUN_SHARDS_MAX. */
MUST_CHECK int run_take_plan(struct runs *rs, struct run *r, const struct event *ev);
MUST_CHECK int run_take_shard(struct runs *rs, struct run *r, const struct event *ev);
MUST_CHECK int run_take_report(struct runs *rs, struct run *r, const struct event *ev);

/* The data of shard i, read again from its line; the caller frees it. NULL when it is missing. */
struct json *run_shard_data(const struct run *r, size_t i);
/* All that are owed, so; freed by run_shards_free. */
struct json **run_shards_data(const struct run *r, size_t owed);
void run_shards_free(struct json **shards, size_t owed);

bool run_is_complete(const struct run *r);
size_t run_shards_owed(const struct run *r);
size_t run_shards_missing(const struct run *r);
/* "test", "skip", "refuse"; "" without a plan. */
const char *run_decision(const struct run *r);
/*
 * Figures and reports as they stand in run.finished: sorted by tool, then by event id. Only
 * amendments have them, even when they are there earlier, so that the first run.finished depends
 * neither on the order in which events came nor on how fast a source answered.
 */
struct json *run_external(const struct run *r);
void run_drop_shards(struct runs *rs, struct run *r);
/* The run has been told as data (kept), in a line of so many bytes: its shards are let go, unless
 * keeps_shards. */
void run_set_told(struct runs *rs, struct run *r, const struct json *data, size_t bytes);

#endif
