/* plimsoll accept: this slowdown is meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "cmd/plimsoll/remember.h"
#include "common/base/log.h"

struct accept_opts {
	const char *reason;
	struct bus_opts bus;
};

static const struct opt rows[] = {
	{"reason", 0, OPT_STRING, offsetof(struct accept_opts, reason), "TEXT", "",
	 "why it is meant; kept in the archive"},
	BUS_OPT_ROWS(struct accept_opts, bus),
};

struct last_run {
	char *run, *version, *code_sha256, *event;
};

static void keep(const struct archive_run *r, void *ctx)
{
	struct last_run *last = ctx;

	last->run = x_strdup(r->run);
	last->version = x_strdup(r->new_version);
	last->code_sha256 = x_strdup(r->new_code);
	last->event = x_strdup(r->event);
}

static void last_run_release(struct last_run *last)
{
	free(last->run);
	free(last->version);
	free(last->code_sha256);
	free(last->event);
}

/* EXIT_FINE with the last tested run, else told. */
static enum exit_code find_last(struct archive *a, const char *subject, struct last_run *last)
{
	struct archive_query q = {.function = subject, .limit = 1, .is_tested_only = true};
	char why[ARCHIVE_WHY_SIZE];

	if (archive_runs(a, &q, keep, last, why)) {
		log_error("%s", why);
		return EXIT_AGAIN;
	}
	if (last->run && *last->version)
		return EXIT_FINE;
	log_error("%s has not been tested yet; there is nothing to accept", subject);
	return EXIT_USAGE;
}

/* For those who ask later why it was: plimsoll why, the archive's views. */
static int note_in_archive(struct archive *a, const char *subject, const struct last_run *last,
			   const char *reason)
{
	struct archive_baseline b = {subject,		last->run, last->version,
				     last->code_sha256, reason,	   wall_now()};
	char why[ARCHIVE_WHY_SIZE];
	int rc = archive_accept(a, &b, why);

	if (rc)
		log_error("%s", why);
	return rc;
}

static struct json *accepted_doc(const struct last_run *last)
{
	struct json *doc = json_obj();

	json_put_str(doc, "version", last->version);
	json_put_str(doc, "code_sha256", last->code_sha256);
	json_put_str(doc, "run", last->run);
	return doc;
}

/* For the planner, which holds changes against it, and the sink, which ends the alert. */
static enum exit_code note_in_state(const struct door *d, const struct last_run *last)
{
	char *key = x_asprintf("accepted/%s", d->subject);
	struct json *doc = accepted_doc(last);
	const struct accept_opts *o = d->opts;
	enum exit_code code = remember_put(d, &o->bus, key, doc);

	free(key);
	return code;
}

/* The run is told to the Pushgateway once more, now as accepted: the alert ends at once. */
static void end_alert(const struct settings *s, const struct last_run *last)
{
	const char *args[] = {"--config", s->path,	 "--state", s->state_dir, "--only",
			      "--to",	  "pushgateway", "--retry", "5s",	  "--sweep",
			      "0s",	  "--log-level", "error",   NULL};
	struct buf out = BUF_INIT(4096);

	for (size_t i = 0; i < s->config->sink_count; i++) {
		if (strcmp(s->config->sinks[i].kind, "pushgateway") != 0)
			continue;
		if (look_feed_sink(args, last->event, &out) == 111)
			log_warn("the Pushgateway did not take it; the alert ends with the next "
				 "run");
		break;
	}
	buf_release(&out);
}

static enum exit_code accept(const struct door *d)
{
	const struct accept_opts *o = d->opts;
	const struct settings *s = &d->settings;
	struct archive *archive = look_archive(s, ARCHIVE_WRITE);
	struct last_run last = {0};
	enum exit_code code;

	if (!archive)
		return EXIT_USAGE;
	code = find_last(archive, d->subject, &last);
	if (code == EXIT_FINE && note_in_archive(archive, d->subject, &last, o->reason))
		code = EXIT_AGAIN;
	if (code == EXIT_FINE)
		code = note_in_state(d, &last);
	if (code == EXIT_FINE) {
		end_alert(s, &last);
		printf("%s: version %s (run %s) is the baseline now\n", d->subject, last.version,
		       last.run);
	}
	last_run_release(&last);
	archive_close(archive);
	return code;
}

const struct command command_accept = {
	.name = "accept",
	.group = "on call",
	.help = "this slowdown is meant: a new baseline",
	.synopsis = "FUNCTION [--reason TEXT]",
	.about = "Takes the last tested version of the function as its baseline: every later "
		 "change is "
		 "held\nagainst it until another is accepted, and an alert about its run ends.",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct accept_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one function",
	.needs = NEEDS_FUNCTION,
	.run = accept,
};
