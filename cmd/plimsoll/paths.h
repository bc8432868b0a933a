/*
 * paths.h - where the front door keeps and finds things.
 *
 * A person's state lives under $XDG_STATE_HOME/plimsoll (~/.local/state/plimsoll): watcher and
 * planner state, archive.sqlite, the pause file. Services use /var/lib/plimsoll by --state.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_PATHS_H
#define PLIMSOLL_CMD_PLIMSOLL_PATHS_H

#include "common/base/bug.h"

/* All results are the caller's to free. */
char *paths_state_dir(const char *given); /* given, else the XDG folder; created, 0700 */
char *paths_archive(const char *state_dir);
char *paths_pause(const char *state_dir);
char *paths_pause_of(const char *given); /* of paths_state_dir(given) */
/* given, ./plimsoll.yaml, $XDG_CONFIG_HOME/plimsoll/plimsoll.yaml, /etc/...; NULL when none is. */
char *paths_config(const char *given);
/* A program of ours: beside this one, else by name through PATH. */
char *paths_program(const char *name);

#endif
