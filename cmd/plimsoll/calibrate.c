/* plimsoll calibrate: what this function's own noise is, from runs of two copies of one code. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/events.h"
#include "cmd/plimsoll/fullpipe.h"
#include "cmd/plimsoll/look.h"
#include "cmd/plimsoll/remember.h"
#include "common/base/log.h"
#include "common/event/event.h"
#include "common/stats/lottery.h"
#include "common/stats/welch.h"

#define METRIC "response_p50"
#define LEVEL 0.95
#define POWER 0.8
#define RUNS_MAX 1000
#define RUNS_MIN 5 /* fewer say nothing of a spread */

struct calibrate_opts {
	uint64_t runs;
	const char *test, *payload;
	struct bus_opts bus;
};

#define ROW(field) offsetof(struct calibrate_opts, field)
static const struct opt rows[] = {
	{"runs", 'n', OPT_U64, ROW(runs), "N", "10", "how often it is measured; 5 at least"},
	{"test", 0, OPT_STRING, ROW(test), "NAME", NULL, "a test of the settings"},
	{"payload", 0, OPT_STRING, ROW(payload), "TEXT|@FILE", NULL,
	 "what the function is called with; else the rule's"},
	BUS_OPT_ROWS(struct calibrate_opts, bus),
};
#undef ROW

struct calibration {
	struct lottery_run *runs; /* owned */
	size_t count;
	double tolerance; /* of the gate, as a ratio */
};

/* The standard error that the run's own interval stands for. */
static void take_figures(struct calibration *c, const struct json *data)
{
	const struct json *m = json_named(json_get(data, "metrics"), METRIC);
	const char *basis = json_get_str(m, "basis"), *outcome = json_get_str(data, "outcome");
	double low = log1p(json_get_real(m, "low", (double)NAN));
	double high = log1p(json_get_real(m, "high", (double)NAN));
	double old = json_get_real(m, "environments_old", 1);
	double new = json_get_real(m, "environments_new", 1);
	struct lottery_run r = {.diff = log1p(json_get_real(m, "diff", (double)NAN))};

	if (!outcome || strcmp(outcome, "valid") != 0 || !basis || !isfinite(high - low))
		return;
	r.are_known = strcmp(basis, "environments") == 0;
	r.environments =
		r.are_known ? 2 / (1 / old + 1 / new) : json_get_real(data, "environments", 1);
	r.se = (high - low) / 2 /
	       student_factor(json_get_real(m, "level", LEVEL),
			      r.are_known ? old + new - 2 : (double)INFINITY);
	c->tolerance = json_get_real(json_get(m, "tolerance"), "ratio", 0.1);
	c->runs[c->count++] = r;
}

static void see_event(const struct line *line, void *ctx)
{
	struct calibration *c = ctx;
	char why[EVENT_WHY_SIZE];
	struct event ev;

	if (event_parse(line->data, line->len_bytes, &ev, why))
		return;
	if (ev.kind == EV_RUN_FINISHED && c->count < RUNS_MAX)
		take_figures(c, ev.data);
	event_release(&ev);
}

/* As the judge would have it now: an interval that is widened by what was found. */
static size_t false_alarms(const struct calibration *c, double lottery)
{
	double edge = log1p(c->tolerance), z = student_factor(LEVEL, (double)INFINITY);
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct lottery_run *r = &c->runs[i];
		double among = lottery_error(lottery, r->environments);
		double se = r->are_known ? r->se : sqrt(r->se * r->se + among * among);

		count += fabs(r->diff) - z * se > edge;
	}
	return count;
}

static double mean_se(const struct calibration *c, double lottery)
{
	double sum = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct lottery_run *r = &c->runs[i];
		double among = lottery_error(lottery, r->environments);

		sum += r->are_known ? r->se * r->se : r->se * r->se + among * among;
	}
	return sqrt(sum / (double)c->count);
}

static struct json *document(const struct calibration *c, double lottery, double visible)
{
	struct json *doc = json_obj();
	char at[WALL_RFC3339_SIZE];

	wall_format_rfc3339(wall_now(), at);
	json_put_real(doc, "lottery", lottery);
	json_put_int(doc, "runs", (int64_t)c->count);
	json_put_int(doc, "false_alarms", (int64_t)false_alarms(c, lottery));
	json_put_real(doc, "smallest_visible", visible);
	json_put_str(doc, "at", at);
	return doc;
}

static enum exit_code conclude(const struct door *d, const struct calibrate_opts *o,
			       const struct calibration *c)
{
	char *key = x_asprintf("calibrated/%s", d->subject);
	double lottery = lottery_of(c->runs, c->count), visible;
	double reach =
		student_factor(LEVEL, (double)INFINITY) + student_quantile(POWER, (double)INFINITY);
	enum exit_code code;

	visible = expm1(log1p(c->tolerance) + reach * mean_se(c, lottery));
	code = remember_put(d, &o->bus, key, document(c, lottery, visible));
	if (code == EXIT_FINE)
		look_printf("%s: hosts differ by %.1f %% (%s, %zu runs of equal code)\n"
			    "called different though equal: %zu of %zu runs (tolerance %g %%)\n"
			    "smallest slowdown that such a run finds four times in five: %.0f %%\n"
			    "plans and verdicts of %s use this from now on\n",
			    d->subject, 100 * lottery,
			    c->runs[0].are_known ? "between environments" : "between runs",
			    c->count, false_alarms(c, lottery), c->count, 100 * c->tolerance,
			    100 * visible, d->subject);
	free(key);
	return code;
}

static enum exit_code measure(const struct fullpipe *f, struct calibration *c, size_t runs)
{
	for (size_t i = 0; i < runs; i++) {
		size_t before = c->count;
		struct pipeline p = {0};
		enum exit_code code;

		log_info("calibration %zu of %zu", i + 1, runs);
		if (unlink(f->events_file) && errno != ENOENT)
			log_warn("cannot remove %s: %s", f->events_file, strerror(errno));
		fullpipe_build(f, &p);
		code = pipeline_run(&p);
		if (p.was_cancelled)
			code = EXIT_CANCELLED;
		pipeline_release(&p);
		events_read(f->events_file, see_event, c);
		if (code == EXIT_CANCELLED || code == EXIT_USAGE)
			return code;
		if (c->count == before)
			log_warn("this run says nothing; the next may");
	}
	return EXIT_FINE;
}

/* The watcher makes all copies, and so it deletes them too. */
static void drop_copies(const struct fullpipe *f)
{
	struct pipeline p = {0};
	struct pipeline_stage *s = pipeline_add(&p, "watcher");

	pipeline_option(s, "--config", f->config);
	pipeline_option(s, "--state", f->state);
	pipeline_arg(s, "--once");
	pipeline_arg(s, "--drop-copies");
	pipeline_arg(s, f->subject);
	if (pipeline_run(&p) != EXIT_FINE)
		log_warn("the copy of %s that was made for this stays; publish_versions: keep "
			 "deletes it later",
			 f->subject);
	pipeline_release(&p);
}

static enum exit_code measure_and_clean(const struct fullpipe *f, struct calibration *c,
					size_t runs)
{
	enum exit_code code = measure(f, c, runs);

	drop_copies(f);
	return code;
}

static enum exit_code calibrate(const struct door *d)
{
	const struct calibrate_opts *o = d->opts;
	char *events = x_asprintf("%s/calibrate-%d.ndjson", d->settings.state_dir, (int)getpid());
	struct calibration c = {.runs = x_calloc(RUNS_MAX, sizeof(*c.runs))};
	struct fullpipe f = {
		.config = d->settings.path,
		.state = d->settings.state_dir,
		.archive = d->settings.archive,
		.subject = d->subject,
		.test = o->test,
		.payload = o->payload,
		.purpose = "calibrate",
		.events_file = events,
		.wait_cloud = "0s",
		.wants_copy = true,
	};
	enum exit_code code = EXIT_USAGE;

	if (o->runs < RUNS_MIN || o->runs > RUNS_MAX)
		log_error("--runs %llu: expected %d to %d", (unsigned long long)o->runs, RUNS_MIN,
			  RUNS_MAX);
	else
		code = measure_and_clean(&f, &c, (size_t)o->runs);
	if (code == EXIT_FINE && c.count < RUNS_MIN) {
		log_error("only %zu of %llu runs were valid; nothing is concluded from fewer than "
			  "%d",
			  c.count, (unsigned long long)o->runs, RUNS_MIN);
		code = EXIT_CANNOT_TELL;
	}
	if (code == EXIT_FINE)
		code = conclude(d, o, &c);
	unlink(events);
	free(events);
	free(c.runs);
	return code;
}

const struct command command_calibrate = {
	.name = "calibrate",
	.group = "use",
	.help = "measures how much equal code differs, for plans and verdicts",
	.synopsis = "[ACCOUNT/]FUNCTION [--runs N]",
	.about = "Measures two published copies of the same code against each other, again and "
		 "again:\n"
		 "what they differ by is the lottery of hosts and noise, not a change. Plans then "
		 "say the\n"
		 "smallest effect they can really see, and where environments are unknown verdicts "
		 "are\n"
		 "widened by this instead of an assumed 5 %. Calls the function for real.\n"
		 "\n"
		 "The second copy is made where publish_versions: allows it, and deleted at the "
		 "end: the\n"
		 "description of the function is edited, a version published, the description put "
		 "back\n"
		 "(lambda:UpdateFunctionConfiguration). Else: do the same by hand.",
	.exits = "  0 measured   2 too few valid runs   100 refused, or something to change   111 "
		 "try again\n"
		 "  130 cancelled",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct calibrate_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one function",
	.needs = NEEDS_FUNCTION,
	.run = calibrate,
};
