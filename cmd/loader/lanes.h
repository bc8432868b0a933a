/*
 * lanes.h - request bytes: prepared once and shared by every equal call, or once for each call.
 *
 * A lane is one variant with one payload. A signature serves all calls that are due in its
 * second, so each lane is prepared at most once a second (and again when keys change); requests
 * without a signature once a run. Bytes stay until the last call that borrowed them is done.
 *
 * Where placeholders make every call another (render.h), each has bytes of its own, signed for it;
 * ahead.h has them prepared before they are due. Their buffers are used again.
 *
 *	rc = lanes_get(ln, variant_index, &place, due, &req, why);
 *	... send &req->request ...
 *	lanes_put(req);
 */
#ifndef PLIMSOLL_LOADER_LANES_H
#define PLIMSOLL_LOADER_LANES_H

#include "common/engine/request.h"

#include "cmd/loader/render.h"
#include "cmd/loader/session.h"
#include "cmd/loader/shard.h"
#include "cmd/loader/target.h"

struct prepared {
	struct prepared *next;
	struct prepared *next_spare;
	struct lanes *lanes; /* of one call alone: where it goes back to; NULL = shared */
	struct buf bytes;
	struct engine_request request; /* of those bytes */
	int64_t second;
	uint64_t generation;
	uint32_t users;
};

struct lane {
	struct prepared *all, *now;
};

struct lanes {
	const struct shard *shard;
	const struct session *session; /* NULL when no kind needs credentials */
	const struct target_kind *kinds[VARIANT_COUNT];
	struct sigv4_signer signers[VARIANT_COUNT];
	char **header_values[VARIANT_COUNT]; /* owned: secrets, wiped */
	struct lane *items;		     /* owned; variant_count * payload_count */
	struct target_scratch scratch;
	struct render render;
	struct prepared *singles, *spare; /* of one call each: all; those in no use */
	uint64_t sessions_used, last_generation;
};

/* Reads the credentials that headers name, and files of rows beneath folder. -errno with why. */
MUST_CHECK int lanes_init(struct lanes *ln, const struct shard *sh, const struct session *session,
			  const char *folder, char why[SHARD_WHY_SIZE]);
void lanes_release(struct lanes *ln); /* no call may be borrowing any more */
/* i: index of the target in the shard. */
MUST_CHECK int lanes_get(struct lanes *ln, size_t i, const struct place *place, struct wall due,
			 struct prepared **out, char why[SHARD_WHY_SIZE]);
void lanes_put(struct prepared *p);
/* Has each call of this target and payload bytes of its own? */
bool lanes_is_single(const struct lanes *ln, size_t i, uint16_t payload);
/* Changes with the keys. */
uint64_t lanes_generation(const struct lanes *ln);
/* Is it still signed with the keys of now? */
bool lanes_is_fresh(const struct lanes *ln, size_t i, const struct prepared *p);
/* Prepares what is shared by calls due then, so that a burst finds it ready. */
void lanes_ahead(struct lanes *ln, struct wall due);

#endif
