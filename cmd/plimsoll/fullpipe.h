/*
 * fullpipe.h - the five stages as `run` and `watch` start them.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_FULLPIPE_H
#define PLIMSOLL_CMD_PLIMSOLL_FULLPIPE_H

#include "cmd/plimsoll/pipeline.h"

struct fullpipe {
	const char *config, *state, *archive; /* archive NULL = the settings name one */
	const char *subject;		      /* one function, looked at once; NULL = follow all */
	const char *old_qualifier, *new_qualifier, *test, *payload; /* NULL = as planned */
	const char *purpose;	 /* "calibrate"; NULL = by the change's kind */
	const char *confirms;	 /* run id: this run confirms it; NULL = none */
	const char *events_file; /* what the sink gets is appended here too; NULL = none */
	const char *wait_cloud;	 /* "0s": the verdict ends it */
	const char *slots;
	bool requires_comparison, is_dry_run;
	bool wants_copy; /* the watcher makes a second version of the code where it may */
};

/* Up to the planner when it is a dry run. */
void fullpipe_build(const struct fullpipe *f, struct pipeline *p);

#endif
