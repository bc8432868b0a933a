/*
 * runs_feed.h - a row of pl_measured as the events that the collector would read in a pipe (rank
 * 5).
 */
#ifndef PLIMSOLL_STAGE_RUNS_FEED_H
#define PLIMSOLL_STAGE_RUNS_FEED_H

#include "common/stage/bus_private.h"

struct shard_file {
	char *name, *sha;
};

/* A run in hand, from its row until it is acknowledged. */
struct run {
	struct run *next; /* among those that are offered, or told */
	char *id, *subject, *end, *why;
	int64_t reports;	   /* so many of other tools were told */
	int64_t rev;		   /* known to Redis or on its way there; -1 = none */
	struct json *lines;	   /* array: what is to be offered */
	size_t offered;		   /* of those */
	struct shard_file *shards; /* by index; name NULL = no result */
	size_t shard_count;
	bool is_waiting, is_acked;
};

/* The next of the rows; plan borrows from them. */
struct run *run_read(struct bus_parts *rows, struct redis_part *plan);
void run_free(struct run *r);
/*
 * Makes its lines. -EINVAL: no plan that anybody could use (rejected); else a fault of the world
 * while reading a result, which may be over soon: the run comes again.
 */
MUST_CHECK int run_feed(struct stage *st, struct run *r, const struct redis_part *plan,
			const struct json *reports);
void run_add_reports(struct run *r, const struct json *reports);

#endif
