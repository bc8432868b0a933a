/* plimsoll watch: the whole pipe in the foreground. */
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

static const struct opt_usage usage = {
	.program = "plimsoll watch",
	.synopsis = "[options]",
	.about = "Notices changes of the accounts in the settings, tests each and tells the "
		 "verdict.\n"
		 "Ctrl-C ends it; what was measured so far is told.",
};

int cmd_watch(int argc, char **argv)
{
	struct watch_opts o = {0};
	struct args a = {.usage = &usage, .rows = rows, .row_count = ARRAY_LEN(rows), .target = &o};
	struct pipeline p = {0};
	struct settings s;
	enum exit_code code;

	if (!args_parse(&a, argc, argv))
		return a.code;
	code = settings_open(&a, &s);
	if (code != EXIT_FINE)
		return code;
	fullpipe_build(&(struct fullpipe){.config = s.path,
					  .state = s.state_dir,
					  .archive = s.archive,
					  .slots = o.slots,
					  .wait_cloud = "10m"},
		       &p);
	code = pipeline_run(&p);
	if (p.was_cancelled)
		code = EXIT_CANCELLED;
	pipeline_release(&p);
	settings_release(&s);
	return code;
}
