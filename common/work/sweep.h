/*
 * sweep.h - removes files of results that nobody can ask for any more (rank 4).
 *
 * Slow and patient: once an hour, files of at least three days whose run Redis does not know. Runs
 * live in Redis for three days from the moment they were published, and for ever before that.
 */
#ifndef PLIMSOLL_WORK_SWEEP_H
#define PLIMSOLL_WORK_SWEEP_H

#include "common/jobs/jobs.h"

struct sweep;

/* dir is the collector's --state. */
struct sweep *sweep_new(struct loop *l, struct jobs *j, const char *dir);
void sweep_free(struct sweep *s); /* NULL is fine */

#endif
