/*
 * target.h - what of a function would be called: its versions read, one published where that is
 * allowed and wanted, and the concurrency that there is for it.
 */
#ifndef PLIMSOLL_CMD_WATCHER_TARGET_H
#define PLIMSOLL_CMD_WATCHER_TARGET_H

#include "cmd/watcher/account.h"

struct target {
	struct lambda_list versions; /* newest first; owned */
	struct lambda_function own;  /* owned: the version under test, as it was read by number */
	const struct lambda_function *function; /* under test: own, or what target_find was given */
	bool is_immutable;
};

void target_release(struct target *t);
/*
 * f is $LATEST as it is now. Publishes it where the account allows that and no version equals it
 * yet. 0; -EAGAIN: the version is not ready yet, or the code has changed meanwhile; else the fault.
 */
MUST_CHECK int target_find(struct account *a, const char *name, const struct lambda_function *f,
			   struct target *out, struct aws_error *err);
/* The version that an alias names; nothing is published. Same results. */
MUST_CHECK int target_of_version(struct account *a, const char *name, const char *version,
				 struct target *out, struct aws_error *err);
/* data.limits, or NULL when it cannot be read (told once). The caller frees it. */
struct json *target_limits(struct account *a, const char *name);

#endif
