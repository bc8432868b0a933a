/* plimsoll resume: removes what plimsoll pause wrote. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/paths.h"
#include "common/base/log.h"

static enum exit_code resume(const struct door *d)
{
	char *path = paths_pause_of(d->state);
	enum exit_code code = EXIT_FINE;

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

const struct command command_resume = {
	.name = "resume",
	.group = "on call",
	.help = "lets load start again",
	.synopsis = "",
	.about = "Lets load start again after `plimsoll pause`.",
	.needs = TAKES_STATE,
	.run = resume,
};
