/*
 * replay.h - the recorded trace that a shard replays, read before the first call.
 *
 *	rc = replay_load(sh, folder, why);	// sets sh->workload.trace
 *
 * DIAGNOSTICS
 *	-errno with why: see datafile.h and common/measure/trace.h; -EINVAL for a payload that the
 *	shard does not have.
 */
#ifndef PLIMSOLL_LOADER_REPLAY_H
#define PLIMSOLL_LOADER_REPLAY_H

#include "cmd/loader/shard.h"

/* folder: where data files are, or NULL. Does nothing for other executors. */
MUST_CHECK int replay_load(struct shard *sh, const char *folder, char why[SHARD_WHY_SIZE]);

#endif
