/* plimsoll run: tests one function now and says what the change did. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/ask.h"
#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/dry_run.h"
#include "cmd/plimsoll/events.h"
#include "cmd/plimsoll/fullpipe.h"
#include "cmd/plimsoll/settings.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/digest/digest.h"
#include "common/event/event.h"

struct run_opts {
	const char *old_qualifier, *new_qualifier, *test, *payload, *wait_cloud;
	bool is_dry_run, has_no_confirm, requires_comparison;
};

#define ROW(field) offsetof(struct run_opts, field)
static const struct opt rows[] = {
	{"old", 0, OPT_STRING, ROW(old_qualifier), "Q", NULL,
	 "the version to compare against; else the newest before the one under test"},
	{"new", 0, OPT_STRING, ROW(new_qualifier), "Q", NULL, "the version under test"},
	{"test", 0, OPT_STRING, ROW(test), "NAME", NULL, "a test of the settings"},
	{"payload", 0, OPT_STRING, ROW(payload), "TEXT|@FILE", NULL,
	 "what the function is called with"},
	{"dry-run", 0, OPT_FLAG, ROW(is_dry_run), NULL, NULL,
	 "says calls, money, concurrency, time and the smallest effect it can see; calls nothing"},
	{"no-confirm", 0, OPT_FLAG, ROW(has_no_confirm), NULL, NULL,
	 "takes a worse as it is; else it is measured once more"},
	{"require-comparison", 0, OPT_FLAG, ROW(requires_comparison), NULL, NULL,
	 "exit 2 when there is no old version to compare with"},
	{"wait-cloud", 0, OPT_STRING, ROW(wait_cloud), "TIME", "0s",
	 "stays this long for the cloud's own figures after the verdict"},
};
#undef ROW

/* True when the rule or the option says what to send, or that nothing is ever sent. */
static bool has_payload(const struct settings *s, const struct run_opts *o,
			const char *subject_text)
{
	const struct config_function *rule;
	struct subject subject;

	if (o->payload)
		return true;
	if (subject_parse(subject_text, &subject))
		return false;
	rule = config_rule(s->config, subject.account, subject.function);
	return rule && (rule->payload_count || rule->url ||
			(rule->has_tests && !rule->test_count && !o->test));
}

/* What came out of one pass through the pipe. */
struct pass {
	enum exit_code code;
	bool was_cancelled;
	char run_to_confirm[DIGEST_ID_SIZE]; /* "" = none */
};

/* Looks for a worse that wants confirmation among the events that the sink saw; the last word
 * counts. */
static void see_event(const struct line *line, void *ctx)
{
	char why[EVENT_WHY_SIZE];
	struct pass *pass = ctx;
	struct event ev;

	if (event_parse(line->data, line->len_bytes, &ev, why))
		return;
	if (ev.kind == EV_RUN_FINISHED && ev.run)
		snprintf(pass->run_to_confirm, sizeof(pass->run_to_confirm), "%s",
			 json_get_bool(ev.data, "confirm_wanted", false) ? ev.run : "");
	event_release(&ev);
}

static struct pass run_pass(const struct fullpipe *f)
{
	struct pipeline p = {0};
	struct pass pass = {0};

	if (unlink(f->events_file) && errno != ENOENT)
		log_warn("cannot remove %s: %s", f->events_file, strerror(errno));
	fullpipe_build(f, &p);
	pass.code = pipeline_run(&p);
	pass.was_cancelled = p.was_cancelled;
	pipeline_release(&p);
	events_read(f->events_file, see_event, &pass);
	return pass;
}

/* The first pass, and a second one where a worse is to be confirmed. */
static enum exit_code run_for_real(struct fullpipe *f, bool has_no_confirm)
{
	struct pass first = run_pass(f), second;

	if (first.was_cancelled)
		return EXIT_CANCELLED;
	if (first.code != EXIT_GATE_NO || !first.run_to_confirm[0] || has_no_confirm)
		return first.code;
	log_info("worse: measuring once more to confirm it (--no-confirm leaves that out)");
	f->confirms = first.run_to_confirm;
	second = run_pass(f);
	return second.was_cancelled ? EXIT_CANCELLED : second.code;
}

static enum exit_code run_subject(const struct settings *s, const struct run_opts *o,
				  const char *subject)
{
	char *events = x_asprintf("%s/run-%d.ndjson", s->state_dir, (int)getpid());
	char *asked = NULL;
	struct fullpipe f = {
		.config = s->path,
		.state = s->state_dir,
		.archive = s->archive,
		.subject = subject,
		.old_qualifier = o->old_qualifier,
		.new_qualifier = o->new_qualifier,
		.test = o->test,
		.payload = o->payload,
		.events_file = events,
		.wait_cloud = o->wait_cloud,
		.requires_comparison = o->requires_comparison,
		.is_dry_run = o->is_dry_run,
	};
	enum exit_code code = EXIT_USAGE;

	if (!o->is_dry_run && !has_payload(s, o, subject)) {
		f.payload = asked = ask_payload(subject, "--payload");
		if (!asked)
			goto out;
	}
	code = o->is_dry_run ? dry_run(&f) : run_for_real(&f, o->has_no_confirm);
out:
	unlink(events);
	free(events);
	free(asked);
	return code;
}

/* A run that waited for an end of the pause would hang a pipeline. */
static bool is_paused(const struct settings *s)
{
	char *reason = settings_pause_reason(s);

	if (reason)
		log_error("load is paused (%s); plimsoll resume lets it start again", reason);
	free(reason);
	return reason != NULL;
}

static enum exit_code run(const struct door *d)
{
	const struct run_opts *o = d->opts;

	if (!o->is_dry_run && is_paused(&d->settings))
		return EXIT_AGAIN;
	return run_subject(&d->settings, o, d->subject);
}

const struct command command_run = {
	.name = "run",
	.group = "use",
	.help = "tests one function now and says what the change did",
	.synopsis = "[ACCOUNT/]FUNCTION [options]",
	.about = "Calls the function for real, with load: tests of real functions have real "
		 "effects.\n"
		 "Every call says that it is a test: ClientContext custom.plimsoll_run, or the "
		 "header\n"
		 "Plimsoll-Run over HTTP. Old and new versions are called interleaved.",
	.exits = "  0 better, no difference, or nothing to compare   1 worse, or an objective "
		 "missed\n"
		 "  2 cannot tell   100 refused, or something to change   111 try again   130 "
		 "cancelled",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct run_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one function",
	.needs = NEEDS_FUNCTION,
	.run = run,
};
