/* plimsoll gate: what the last runs said, for a CI job. plimsoll-sink tells it and gives the code.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/event/event.h"

#define LOOK_AGAIN_MS 2000
#define TOLD_MAX_BYTES LOOK_EVENT_MAX_BYTES

struct gate_opts {
	struct opt_list to;
	const char *version;
	int64_t wait_ms;
	bool needs_comparison;
};

static const struct opt rows[] = {
	{"to", 't', OPT_LIST, offsetof(struct gate_opts, to), "SINK", NULL,
	 "where it is told: terminal, junit=PATH, github, file=PATH or exec=PROGRAM; may be "
	 "repeated (default terminal)"},
	{"version", 0, OPT_STRING, offsetof(struct gate_opts, version), "Q", NULL,
	 "only a run of this version (new) counts"},
	{"wait", 0, OPT_DURATION_MS, offsetof(struct gate_opts, wait_ms), "TIME", "0s",
	 "for a run that has not ended yet, and for figures its objectives rest on"},
	{"require-comparison", 0, OPT_FLAG, offsetof(struct gate_opts, needs_comparison), NULL,
	 NULL, "a run that was not compared cannot tell"},
};

/* What is looked for, and what was found: events, one a line. */
struct found {
	const char *version; /* NULL = any */
	struct buf lines;
	size_t count;
	bool is_awaited; /* a figure of another tool that an objective rests on has not come */
};

/* "unknown" that an amendment may still turn into an answer. */
static bool awaits_figure(const char *line)
{
	char why[EVENT_WHY_SIZE];
	const struct json *list;
	bool is_awaited = false;
	const char *outcome;
	struct event ev;

	if (event_parse(line, strlen(line), &ev, why) != 0)
		return false;
	outcome = json_get_str(ev.data, "outcome");
	list = json_get(ev.data, "objectives");
	for (size_t i = 0; outcome && strcmp(outcome, "valid") == 0 && i < json_len(list); i++) {
		const char *metric = json_get_str(json_elem(list, i), "metric");

		is_awaited = is_awaited || (metric && strchr(metric, '/') &&
					    !json_get(json_elem(list, i), "value"));
	}
	event_release(&ev);
	return is_awaited;
}

static void take_run(const struct archive_run *run, void *ctx)
{
	struct found *f = ctx;

	if (f->count > 0 && f->version) /* the newest of that version was first */
		return;
	if (f->version && strcmp(run->new_version, f->version) != 0)
		return;
	buf_addf(&f->lines, "%s\n", run->event);
	f->is_awaited = f->is_awaited || awaits_figure(run->event);
	f->count++;
}

/* The last run of each function, or of one, or of one version of it. */
static enum exit_code look_up(const struct door *d, struct found *f)
{
	struct archive_query q = {.function = d->subject, .is_last_only = !f->version};
	struct archive *a = look_archive(&d->settings, ARCHIVE_READ);
	char why[ARCHIVE_WHY_SIZE];
	int rc;

	buf_clear(&f->lines);
	f->count = 0;
	f->is_awaited = false;
	if (!a)
		return EXIT_CANNOT_TELL;
	q.is_tested_only = true;
	rc = archive_runs(a, &q, take_run, f, why);
	archive_close(a);
	if (rc != 0) {
		log_error("%s", why);
		return EXIT_AGAIN;
	}
	return f->count > 0 ? EXIT_FINE : EXIT_CANNOT_TELL;
}

static enum exit_code tell(const struct gate_opts *o, const struct found *f)
{
	static const char *const terminal[] = {"terminal"};
	const char *const *to = o->to.count ? o->to.items : terminal;
	size_t to_count = o->to.count ? o->to.count : 1, n = 0;
	const char *args[LOOK_SINK_ARGS + 1] = {NULL};
	struct buf out = BUF_INIT(TOLD_MAX_BYTES);
	int rc;

	args[n++] = "--only";
	if (o->needs_comparison)
		args[n++] = "--require-comparison";
	if (2 * to_count + n > LOOK_SINK_ARGS) {
		log_error("--to is given %zu times; give it at most %zu times", to_count,
			  (LOOK_SINK_ARGS - n) / 2);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < to_count; i++) {
		args[n++] = "--to";
		args[n++] = to[i];
	}
	rc = look_feed_sink(args, buf_str(&f->lines), &out);
	fputs(buf_str(&out), stdout);
	buf_release(&out);
	return rc < 0 ? EXIT_AGAIN : (enum exit_code)rc;
}

static void say_missing(const struct door *d, const struct gate_opts *o)
{
	log_error("no run of %s%s%s has ended; --wait TIME waits for one, plimsoll run makes one",
		  d->subject ? d->subject : "any function", o->version ? ", version " : "",
		  o->version ? o->version : "");
}

static enum exit_code gate(const struct door *d)
{
	const struct gate_opts *o = d->opts;
	struct mono until = mono_add_ns(mono_now(), o->wait_ms * NS_PER_MS);
	struct found f = {.version = o->version};
	enum exit_code code;

	if (o->version && !d->subject) {
		log_error("--version says which run of one function; name the function too");
		return EXIT_USAGE;
	}
	buf_init(&f.lines, LOOK_EVENT_MAX_BYTES);
	for (;;) {
		code = look_up(d, &f);
		if ((code != EXIT_CANNOT_TELL && !f.is_awaited) ||
		    !mono_is_before(mono_now(), until))
			break;
		poll(NULL, 0, LOOK_AGAIN_MS);
	}
	if (code == EXIT_FINE)
		code = tell(o, &f);
	else if (code == EXIT_CANNOT_TELL)
		say_missing(d, o);
	buf_release(&f.lines);
	return code;
}

const struct command command_gate = {
	.name = "gate",
	.group = "look",
	.help = "what the last runs said, as an exit code for CI",
	.synopsis = "[--version Q] [--wait TIME] [--to SINK]... [FUNCTION]",
	.about = "Tells the last run of every function, or of one, and ends with its exit code. "
		 "After a\n"
		 "deployment that the services test by themselves:\n"
		 "\n"
		 "  plimsoll gate prod/checkout --version 42 --wait 15m --to junit=plimsoll.xml",
	.exits = "  0 fine   1 a gate or an objective says no   2 cannot tell, or no such run\n"
		 "  100 you must change something   111 try again",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct gate_opts),
	.rest_max = 1,
	.wants = "name at most one function",
	.needs = NEEDS_FUNCTION,
	.run = gate,
};
