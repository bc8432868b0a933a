/*
 * command.h - the front door's commands. Adding one is a file with its struct command and a word in
 * COMMANDS.
 *
 *	static enum exit_code run(const struct door *d)
 *	{
 *		const struct status_opts *o = d->opts;
 *		...
 *	}
 *	const struct command command_status = {
 *		.name = "status",
 *		.group = "look",
 *		.help = "the last run of every function",
 *		.synopsis = "[FUNCTION]",
 *		.about = "The last run of every function, or the last runs of one.",
 *		.rest_max = 1,
 *		.needs = NEEDS_FUNCTION,
 *		.run = run,
 *	};
 *
 * The dispatcher parses, opens what the command needs, calls it and releases everything; it also
 * tells a standard output that could not be written.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_COMMAND_H
#define PLIMSOLL_CMD_PLIMSOLL_COMMAND_H

#include <stdbool.h>

#include "cmd/plimsoll/settings.h"
#include "common/base/exit_code.h"
#include "common/base/opt.h"

/* In the order of --help; groups stay together. A name may have several words ("admin key new"):
 * the one with the most words that fit is run. */
#define COMMANDS(X)                                                                                \
	X(init)                                                                                    \
	X(check)                                                                                   \
	X(add)                                                                                     \
	X(list)                                                                                    \
	X(run)                                                                                     \
	X(calibrate)                                                                               \
	X(load)                                                                                    \
	X(watch)                                                                                   \
	X(status)                                                                                  \
	X(show)                                                                                    \
	X(recompute)                                                                               \
	X(why)                                                                                     \
	X(compare)                                                                                 \
	X(gate)                                                                                    \
	X(hist)                                                                                    \
	X(pause)                                                                                   \
	X(resume)                                                                                  \
	X(accept)                                                                                  \
	X(credential)                                                                              \
	X(sign)                                                                                    \
	X(admin_install)                                                                           \
	X(admin_acl)                                                                               \
	X(admin_doctor)                                                                            \
	X(admin_dead_list)                                                                         \
	X(admin_dead_retry)                                                                        \
	X(admin_dead_drop)                                                                         \
	X(admin_key_new)                                                                           \
	X(admin_key_list)                                                                          \
	X(admin_key_revoke)

enum needs {
	TAKES_CONFIG = 1,				 /* --config is an option of it */
	TAKES_STATE = 2,				 /* --state is */
	NEEDS_SETTINGS = 4 | TAKES_CONFIG | TAKES_STATE, /* door.settings is filled */
	NEEDS_FUNCTION = 8 | NEEDS_SETTINGS, /* the first argument names one: door.subject */
};

/* What a command works with; all of it is the dispatcher's. */
struct door {
	const void *opts;	    /* the command's struct, filled from its rows */
	const char *config, *state; /* as given; NULL when not */
	const char **rest;	    /* arguments that are no options */
	size_t rest_count;
	struct settings settings;
	char *subject; /* "prod/hello" of rest[0]; NULL when that was left out */
};

struct command {
	const char *name, *group, *help; /* help: one line of plimsoll --help */
	const char *synopsis, *about, *exits;
	const struct opt *rows;
	size_t row_count, opts_bytes;
	size_t rest_min, rest_max;
	const char *wants; /* "name one function": told with the usage; NULL = no arguments */
	enum needs needs;
	enum exit_code (*run)(const struct door *d);
};

#define X(name) extern const struct command command_##name;
COMMANDS(X)
#undef X

/* argv[0] is the command's own name, or its last word. */
enum exit_code command_dispatch(const struct command *c, int argc, char **argv);

#endif
