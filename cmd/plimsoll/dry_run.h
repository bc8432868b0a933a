/*
 * dry_run.h - what a test would cost and see; nothing is called.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_DRY_RUN_H
#define PLIMSOLL_CMD_PLIMSOLL_DRY_RUN_H

#include "cmd/plimsoll/fullpipe.h"

/* EXIT_FINE; EXIT_USAGE when the plan is refused. */
enum exit_code dry_run(const struct fullpipe *f);

#endif
