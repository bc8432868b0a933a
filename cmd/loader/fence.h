/*
 * fence.h - one run at a time for each function, also between loaders: flock under the state.
 *
 * Shards of one run in one process share the lock. Without a state folder the fence holds inside
 * this process only. The kernel drops the lock when the process dies, however it dies.
 */
#ifndef PLIMSOLL_LOADER_FENCE_H
#define PLIMSOLL_LOADER_FENCE_H

#include "common/base/bug.h"

struct fence {
	struct fence *next;
	char *subject, *run;
	int fd; /* -1 without a state folder */
	unsigned users;
};

struct fences {
	char *folder; /* NULL = this process only */
	struct fence *first;
};

/* state_dir may be NULL. -errno when the folder cannot be made. */
MUST_CHECK int fences_open(struct fences *f, const char *state_dir);
void fences_close(struct fences *f);
/* 0 and *out; -EAGAIN while another run has the function; -errno when the file cannot be opened. */
MUST_CHECK int fence_take(struct fences *f, const char *subject, const char *run,
			  struct fence **out);
void fence_drop(struct fences *f, struct fence *held); /* NULL is fine */

#endif
