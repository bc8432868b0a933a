/*
 * args.h - options of a front-door command: its own rows plus --config, --state, --help.
 *
 *	struct run_opts o = {0};
 *	struct args a = {.rows = rows, .row_count = ARRAY_LEN(rows), .target = &o, .usage = &usage,
 *			 .rest_min = 1, .rest_max = 1};
 *	if (!args_parse(&a, argc, argv))
 *		return a.code;
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_ARGS_H
#define PLIMSOLL_CMD_PLIMSOLL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/exit_code.h"
#include "common/base/opt.h"
#include "common/config/config.h"

struct args {
	const struct opt_usage *usage;
	const struct opt *rows;
	size_t row_count;
	void *target;
	size_t rest_min, rest_max;
	/* filled */
	const char *config, *state; /* as given; NULL when not */
	bool is_help;
	const char *rest[64];
	size_t rest_count;
	enum exit_code code; /* valid when args_parse says false */
};

/* False: the command ends now with a->code (help was printed, or a mistake was told). */
bool args_parse(struct args *a, int argc, char **argv);

/*
 * Loads the configuration that args name or that is found; *path is the caller's. NULL *out with
 * EXIT_FINE: there is none. EXIT_USAGE: it has mistakes, which were told.
 */
enum exit_code args_config(const struct args *a, struct config **out, char **path);

#endif
