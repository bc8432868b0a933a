/* plimsoll accept: this slowdown is meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "common/base/log.h"

struct accept_opts {
	const char *reason;
};

static const struct opt rows[] = {
	{"reason", 0, OPT_STRING, offsetof(struct accept_opts, reason), "TEXT", "",
	 "why it is meant; kept in the archive"},
};

struct last_run {
	char *run, *version, *code_sha256;
};

static void keep(const struct archive_run *r, void *ctx)
{
	struct last_run *last = ctx;

	last->run = x_strdup(r->run);
	last->version = x_strdup(r->new_version);
	last->code_sha256 = x_strdup(r->new_code);
}

static enum exit_code accept_last(struct archive *a, const char *subject, const char *reason)
{
	struct archive_query q = {.function = subject, .limit = 1, .is_tested_only = true};
	struct last_run last = {0};
	char why[ARCHIVE_WHY_SIZE];
	int rc = archive_runs(a, &q, keep, &last, why);

	if (!rc && !last.run) {
		log_error("%s has not been tested yet; there is nothing to accept", subject);
		return EXIT_USAGE;
	}
	if (!rc)
		rc = archive_accept(a,
				    &(struct archive_baseline){subject, last.run, last.version,
							       last.code_sha256, reason,
							       wall_now()},
				    why);
	if (rc)
		log_error("%s", why);
	else
		printf("%s: version %s (run %s) is the baseline now\n", subject, last.version,
		       last.run);
	free(last.run);
	free(last.version);
	free(last.code_sha256);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

static enum exit_code accept(const struct door *d)
{
	const struct accept_opts *o = d->opts;
	struct archive *archive = look_archive(&d->settings, ARCHIVE_WRITE);
	enum exit_code code = archive ? accept_last(archive, d->subject, o->reason) : EXIT_USAGE;

	archive_close(archive);
	return code;
}

const struct command command_accept = {
	.name = "accept",
	.group = "on call",
	.help = "this slowdown is meant: a new baseline",
	.synopsis = "FUNCTION [--reason TEXT]",
	.about =
		"Takes the last tested version of the function as its new baseline: later changes\n"
		"are compared against it, and an alert about it ends with the next run.",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct accept_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one function",
	.needs = NEEDS_FUNCTION,
	.run = accept,
};
