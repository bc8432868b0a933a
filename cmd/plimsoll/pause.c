/* plimsoll pause, resume: a file that every loader looks at once a second. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/args.h"
#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/paths.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

static const struct opt_usage pause_usage = {
	.program = "plimsoll pause",
	.synopsis = "[REASON]",
	.about = "Stops all load within a second and lets none start until `plimsoll resume`.\n"
		 "Works through a file in the state folder, so it needs no service to be up.",
};

static const struct opt_usage resume_usage = {
	.program = "plimsoll resume",
	.synopsis = "",
	.about = "Lets load start again after `plimsoll pause`.",
};

/* The pause file's path, or NULL with *code. */
static char *parse(const struct opt_usage *usage, size_t rest_max, int argc, char **argv,
		   const char **reason, enum exit_code *code)
{
	struct args a = {.usage = usage, .rest_max = rest_max};
	char *dir, *path;

	if (!args_parse(&a, argc, argv)) {
		*code = a.code;
		return NULL;
	}
	*reason = a.rest_count ? a.rest[0] : "paused by hand";
	dir = paths_state_dir(a.state);
	path = paths_pause(dir);
	free(dir);
	return path;
}

int cmd_pause(int argc, char **argv)
{
	enum exit_code code = EXIT_FINE;
	const char *reason;
	char *path = parse(&pause_usage, 1, argc, argv, &reason, &code);
	int rc;

	if (!path)
		return code;
	rc = fs_write_atomic(path, reason, strlen(reason), 0644);
	if (rc)
		log_error("cannot write %s: %s", path, strerror(-rc));
	else
		printf("paused (%s); plimsoll resume lets load start again\n", path);
	free(path);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

int cmd_resume(int argc, char **argv)
{
	enum exit_code code = EXIT_FINE;
	const char *reason;
	char *path = parse(&resume_usage, 0, argc, argv, &reason, &code);

	if (!path)
		return code;
	if (unlink(path) == 0) {
		puts("resumed");
	} else if (errno == ENOENT) {
		puts("was not paused");
	} else {
		log_error("cannot remove %s: %s", path, strerror(errno));
		code = EXIT_AGAIN;
	}
	free(path);
	return code;
}
