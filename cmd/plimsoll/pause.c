/* plimsoll pause: a file that every loader looks at once a second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/paths.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

static enum exit_code pause_load(const struct door *d)
{
	const char *reason = d->rest_count ? d->rest[0] : "paused by hand";
	char *path = paths_pause_of(d->state);
	int rc = fs_write_atomic(path, reason, strlen(reason), 0644);

	if (rc)
		log_error("cannot write %s: %s", path, strerror(-rc));
	else
		printf("paused (%s); plimsoll resume lets load start again\n", path);
	free(path);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

const struct command command_pause = {
	.name = "pause",
	.group = "on call",
	.help = "stops all load within a second",
	.synopsis = "[REASON]",
	.about = "Stops all load within a second and lets none start until `plimsoll resume`.\n"
		 "Works through a file in the state folder, so it needs no service to be up.",
	.rest_max = 1,
	.wants = "give the reason as one argument, in quotes",
	.needs = TAKES_STATE,
	.run = pause_load,
};
