/*
 * lanes.h - request bytes, prepared once and shared by every equal call.
 *
 * A lane is one variant with one payload. A signature serves all calls that are due in its
 * second, so each lane is prepared at most once a second (and again when keys change); requests
 * without a signature once a run. Bytes stay until the last call that borrowed them is done.
 *
 *	rc = lanes_get(ln, variant_index, payload, due, &req, why);
 *	... send &req->request ...
 *	lanes_put(req);
 */
#ifndef PLIMSOLL_LOADER_LANES_H
#define PLIMSOLL_LOADER_LANES_H

#include "common/engine/request.h"

#include "cmd/loader/session.h"
#include "cmd/loader/shard.h"
#include "cmd/loader/target.h"

struct prepared {
	struct prepared *next;
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
	uint64_t sessions_used, last_generation;
};

/* Reads the credentials that headers name. -errno with why. */
MUST_CHECK int lanes_init(struct lanes *ln, const struct shard *sh, const struct session *session,
			  char why[SHARD_WHY_SIZE]);
void lanes_release(struct lanes *ln); /* no call may be borrowing any more */
/* i: index of the target in the shard. */
MUST_CHECK int lanes_get(struct lanes *ln, size_t i, uint16_t payload, struct wall due,
			 struct prepared **out, char why[SHARD_WHY_SIZE]);
void lanes_put(struct prepared *p);
/* Prepares what calls due then will ask for, so that a burst finds it ready. */
void lanes_ahead(struct lanes *ln, struct wall due);

#endif
