/*
 * log_environments.h - a shard's calls with the environments that the provider's logs name.
 *
 * Pure. The result is the shard as it would have come had the answers named their environments, so
 * that it is gathered and judged like any other.
 *
 *	struct named_calls n = {0};
 *	struct json *named = log_environments_put(shard_data, stream_of, ctx, &n);
 *	if (named_calls_suffice(&n)) ...	// judge it
 *	json_free(named);
 *
 * Where each call has a stream of its own (an emulator) the judge does not believe the names, and
 * says what it said without them: there is nothing to tell again unless the basis has become that
 * of environments (amend.c).
 */
#ifndef PLIMSOLL_COLLECTOR_LOG_ENVIRONMENTS_H
#define PLIMSOLL_COLLECTOR_LOG_ENVIRONMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json/json.h"

#define NAMED_SHARE_MIN 0.9 /* of the calls; below, the logs have not all come in */

struct named_calls {
	size_t asked; /* measured calls that were answered well */
	size_t named;
};

/*
 * stream_of gives the log stream of a request id, or NULL. The shard's own names are replaced: logs
 * and answers name the same environment differently. Names are hashed, as the loader's are. NULL
 * when the shard has no packed calls that can be read. Counts are added to n.
 */
struct json *log_environments_put(const struct json *shard,
				  const char *(*stream_of)(const void *ctx, const char *id),
				  const void *ctx, struct named_calls *n);
bool named_calls_suffice(const struct named_calls *n);
/* stream_of for an answer to "environments" (ask_cloud.h). */
const char *log_stream_of(const void *answer, const char *id);

#endif
