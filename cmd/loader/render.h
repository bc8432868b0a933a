/*
 * render.h - what differs from call to call: bodies and paths with their placeholders filled in.
 *
 * Values are a pure function of (seed, shard, pair): both variants of a pair get the same ones, and
 * a run that is repeated sends the same. With splitmix64 as next():
 *
 *	state = seed;  state = next() ^ shard;  state = next() ^ pair;  state = next() ^ part
 *	part: 1 = the path, 2 = the body, 3 = which row (of rows in random order)
 *	{{seq}} = pair * shards + shard;  the row of a call, in order: {{seq}} modulo rows
 *
 *	rc = render_init(&r, shard, folder, why);	// parses, reads rows: once a shard
 *	if (render_is_needed(&r, i, payload))
 *		render_call(&r, i, payload, pair);	// r.path, r.payload: until the next one
 *	render_release(&r);
 *
 * DIAGNOSTICS
 *	-errno with why: a placeholder that is none, a column that is missing, a file of rows that
 *	cannot be read or is another, a path that holds blanks.
 */
#ifndef PLIMSOLL_LOADER_RENDER_H
#define PLIMSOLL_LOADER_RENDER_H

#include "common/template/template.h"

#include "cmd/loader/rows.h"
#include "cmd/loader/shard.h"

#define RENDER_MAX_BYTES (256u * 1024u)
#define RENDER_ROWS_MAX_BYTES (16u * 1024u * 1024u)

struct render_payload {
	struct template body;
	struct rows rows;
};

struct render {
	const struct shard *shard;
	struct render_payload *payloads; /* owned; payload_count */
	struct template *paths;		 /* owned; variant_count * payload_count */
	struct buf path, body;
	struct shard_payload payload; /* as the shard's, with the body filled in */
};

MUST_CHECK int render_init(struct render *r, const struct shard *sh, const char *folder,
			   char why[SHARD_WHY_SIZE]);
void render_release(struct render *r);
/* Does each call of target i with this payload differ? */
bool render_is_needed(const struct render *r, size_t i, uint16_t payload);
/* No allocation once the buffers have grown. */
void render_call(struct render *r, size_t i, uint16_t payload, uint64_t pair);

#endif
