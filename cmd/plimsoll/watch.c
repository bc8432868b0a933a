/* plimsoll watch: the whole pipe in the foreground. */
#include <stdlib.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/fullpipe.h"
#include "cmd/plimsoll/settings.h"
#include "common/base/log.h"

struct watch_opts {
	const char *slots;
};

static const struct opt rows[] = {
	{"slots", 0, OPT_STRING, offsetof(struct watch_opts, slots), "N", "4",
	 "functions tested side by side"},
};

static enum exit_code watch(const struct door *d)
{
	const struct watch_opts *o = d->opts;
	char *pause = settings_pause_reason(&d->settings);
	struct pipeline p = {0};
	enum exit_code code;

	if (pause)
		log_warn("load is paused (%s); changes wait for plimsoll resume", pause);
	free(pause);
	fullpipe_build(&(struct fullpipe){.config = d->settings.path,
					  .state = d->settings.state_dir,
					  .archive = d->settings.archive,
					  .slots = o->slots,
					  .wait_cloud = "10m"},
		       &p);
	code = pipeline_run(&p);
	if (p.was_cancelled)
		code = EXIT_CANCELLED;
	pipeline_release(&p);
	return code;
}

const struct command command_watch = {
	.name = "watch",
	.group = "use",
	.help = "the whole pipe in the foreground, live",
	.synopsis = "[options]",
	.about = "Notices changes of the accounts in the settings, tests each and tells the "
		 "verdict.\n"
		 "Ctrl-C ends it; what was measured so far is told.",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct watch_opts),
	.needs = NEEDS_SETTINGS,
	.run = watch,
};
