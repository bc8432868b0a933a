/* plimsoll compare: the figures of two runs, or of one function through time, from the archive. */
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/history.h"
#include "cmd/plimsoll/look.h"
#include "common/base/log.h"
#include "common/base/unit.h"

static void figure_cell(struct table *t, const struct json *metric)
{
	const char *unit = json_get_str(metric, "unit");
	char text[UNIT_TEXT_SIZE];

	if (!json_is_num(json_get(metric, "new"))) {
		table_cell(t, "-", TEXT_DIM);
	} else if (unit && !strcmp(unit, "us")) {
		unit_format_duration_ns((int64_t)(json_get_real(metric, "new", 0) * 1e3), text);
		table_cell(t, text, TEXT_PLAIN);
	} else {
		table_cellf(t, TEXT_PLAIN, "%.6g %s", json_get_real(metric, "new", 0),
			    unit && strcmp(unit, "1") != 0 ? unit : "");
	}
}

static void print_comparison(const struct json *left, const struct json *right)
{
	const struct json *metrics = json_at(left, "data.metrics");
	struct table t = {.is_right = 6u};

	table_cell(&t, "", TEXT_DIM);
	table_cell(&t, look_or_dash(json_str(json_at(left, "data.run.id"))), TEXT_DIM);
	table_cell(&t, look_or_dash(json_str(json_at(right, "data.run.id"))), TEXT_DIM);
	table_end_row(&t);
	for (size_t i = 0; i < json_len(metrics); i++) {
		const char *name = look_or_dash(json_get_str(json_elem(metrics, i), "name"));

		table_cell(&t, name, TEXT_BOLD);
		figure_cell(&t, json_elem(metrics, i));
		figure_cell(&t, json_named(json_at(right, "data.metrics"), name));
		table_end_row(&t);
	}
	look_print(&t);
}

static enum exit_code compare_runs(const struct door *d)
{
	struct json *left = look_run(&d->settings, d->rest[0]), *right = NULL;
	enum exit_code code = EXIT_USAGE;

	if (left)
		right = look_run(&d->settings, d->rest[1]);
	if (right) {
		print_comparison(left, right);
		code = EXIT_FINE;
	}
	json_free(left);
	json_free(right);
	return code;
}

struct compare_opts {
	bool wants_history, is_csv;
	const char *metric;
};

static const struct opt rows[] = {
	{"history", 0, OPT_FLAG, offsetof(struct compare_opts, wants_history), NULL, NULL,
	 "one function through all its runs: where its level changed, and slow drift"},
	{"metric", 0, OPT_STRING, offsetof(struct compare_opts, metric), "NAME", "response_p50",
	 "of the history"},
	{"csv", 0, OPT_FLAG, offsetof(struct compare_opts, is_csv), NULL, NULL,
	 "the history for other programs: when, version, value"},
};

struct reading {
	struct history history;
	const char *metric;
};

static void read_run(const struct archive_run *run, void *ctx)
{
	struct reading *r = ctx;
	char why[JSON_WHY_SIZE];
	struct json *event = NULL;

	if (json_parse(run->event, strlen(run->event), LOOK_EVENT_MAX_BYTES, &event, why) == 0)
		history_add(&r->history, json_get(event, "data"), r->metric);
	json_free(event);
}

static enum exit_code read_runs(const struct door *d, struct reading *r)
{
	struct archive_query q = {
		.function = d->rest[0], .limit = CHANGE_SERIES_MAX, .is_tested_only = true};
	struct archive *a = look_archive(&d->settings, ARCHIVE_READ);
	char why[ARCHIVE_WHY_SIZE];
	int rc;

	if (!a)
		return EXIT_CANNOT_TELL;
	rc = archive_runs(a, &q, read_run, r, why);
	archive_close(a);
	if (rc != 0) {
		log_error("%s", why);
		return EXIT_AGAIN;
	}
	if (r->history.count > 0)
		return EXIT_FINE;
	log_error("no valid run of %s has %s; plimsoll status %s lists its runs", d->rest[0],
		  r->metric, d->rest[0]);
	return EXIT_CANNOT_TELL;
}

static enum exit_code compare_history(const struct door *d, const struct compare_opts *o)
{
	struct reading r = {.metric = o->metric};
	enum exit_code code = read_runs(d, &r);

	if (code == EXIT_FINE) {
		history_look(&r.history);
		if (o->is_csv)
			history_print_csv(&r.history);
		else
			history_print(&r.history, d->rest[0], o->metric);
	}
	history_release(&r.history);
	return code;
}

static enum exit_code compare(const struct door *d)
{
	const struct compare_opts *o = d->opts;
	size_t wanted = o->wants_history ? 1 : 2;

	if (d->rest_count != wanted) {
		log_error("expected %s; plimsoll compare --help",
			  o->wants_history ? "one function" : "two runs");
		return EXIT_USAGE;
	}
	return o->wants_history ? compare_history(d, o) : compare_runs(d);
}

const struct command command_compare = {
	.name = "compare",
	.group = "look",
	.help = "two runs side by side, or one function through all its runs",
	.synopsis = "RUN RUN | --history [--metric NAME] [--csv] FUNCTION",
	.about = "The new version's figures of two runs side by side. They were not measured in "
		 "the\n"
		 "same minutes, so this is no verdict; plimsoll run --old Q --new Q makes one.\n"
		 "\n"
		 "With --history one metric of a function through all its valid runs: where its "
		 "level\n"
		 "changed for good, and what the changes from version to version add up to, each "
		 "of\n"
		 "them too small to be seen alone.",
	.exits = "  0 shown   2 nothing to show   100 you must change something   111 try again",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct compare_opts),
	.rest_min = 1,
	.rest_max = 2,
	.wants = "name two runs, or a function with --history",
	.needs = NEEDS_SETTINGS,
	.run = compare,
};
