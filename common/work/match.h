/*
 * match.h - which run goes to which loaders: a pure function (rank 4).
 *
 * Runs are offered in order, the oldest first; all shards of a run must find room at once, spread
 * over as many loaders as there are. A run that does not fit is passed by, until it has waited for
 * too long: then the free slots it could use are kept for it, so that small runs behind it cannot
 * starve it. A run that needs more slots than its loaders have in all is never waited for.
 */
#ifndef PLIMSOLL_WORK_MATCH_H
#define PLIMSOLL_WORK_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct match_loader {
	const char *accounts; /* "prod,web"; "*" = all */
	size_t free, slots;   /* free shrinks as runs are placed */
	bool is_kept;	      /* its free slots wait for a large run */
	size_t mine;	      /* match_run's own */
};

enum match { MATCH_FITS, MATCH_LATER, MATCH_NEVER };

bool match_serves(const char *accounts, const char *account);
/*
 * Looks for n slots; when they are there, takes them and fills loader_of[n] with indexes of
 * loaders. has_waited: keep what is free for it if it must wait.
 */
enum match match_run(struct match_loader *loaders, size_t count, const char *account, size_t n,
		     bool has_waited, size_t *loader_of);

#endif
