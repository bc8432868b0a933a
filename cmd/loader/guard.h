/*
 * guard.h - what the loader refuses to call, whatever the plan says. Pure but for the environment.
 *
 * - lambda-invoke goes to Amazon's public hosts, or to exactly the endpoint that the account (or
 *   AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL) names; only the latter may be a private address.
 * - http goes to hosts on the allow list of the account's configuration and nowhere else; a
 *   private address only when the list names that very address (or localhost).
 * - rate and calls in flight stay below the limits of the configuration and of the options.
 */
#ifndef PLIMSOLL_LOADER_GUARD_H
#define PLIMSOLL_LOADER_GUARD_H

#include <stdbool.h>

#include "common/config/config.h"

#include "cmd/loader/shard.h"

struct guard {
	const struct config *config; /* NULL = none was given */
	double rate_max_per_s;	     /* 0 = no limit of its own */
	uint64_t in_flight_max;
	bool allow_private; /* a name on an allow list may be at a private address */
};

/* -EACCES with why; else whether this target may be on a private address. */
MUST_CHECK int guard_target(const struct guard *g, const struct shard *sh,
			    const struct shard_target *t, bool *allow_private,
			    char why[SHARD_WHY_SIZE]);
/* -EACCES with why when the shard asks for more than the limits allow. */
MUST_CHECK int guard_size(const struct guard *g, const struct shard *sh, char why[SHARD_WHY_SIZE]);
/* One entry of an allow list (host or host:port) against a target. */
bool guard_is_listed(const char *entry, const struct shard_target *t);

#endif
