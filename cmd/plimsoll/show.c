/* plimsoll show, compare: whole runs, from the archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "cmd/plimsoll/paths.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/base/unit.h"

static const struct opt_usage show_usage = {
	.program = "plimsoll show",
	.synopsis = "[--json] RUN",
	.about = "One run, told as it was when it ended. RUN is its id or the first characters of "
		 "it.",
};

struct show_opts {
	bool is_json;
};

static const struct opt show_rows[] = {
	{"json", 0, OPT_FLAG, offsetof(struct show_opts, is_json), NULL, NULL,
	 "the whole run.finished event"},
};

/* The event, through the sink that told it the first time. */
static enum exit_code tell(const struct json *event)
{
	struct buf line = BUF_INIT(4u * 1024u * 1024u), out = BUF_INIT(4u * 1024u * 1024u);
	char *program = paths_program("plimsoll-sink");
	const char *argv[] = {program, "--to", "terminal", "--only", "--log-level", "error", NULL};
	struct proc_spec spec = {.argv = argv};
	int rc;

	json_write(event, &line);
	buf_addc(&line, '\n');
	rc = proc_run(&spec, &line, 10000, &out, NULL);
	if (rc < 0 || rc > 128)
		log_error("cannot run %s", program);
	else
		fputs(buf_str(&out), stdout);
	buf_release(&line);
	buf_release(&out);
	free(program);
	return rc < 0 || rc > 128 || fflush(stdout) ? EXIT_AGAIN : EXIT_FINE;
}

static enum exit_code print_event(const struct json *event)
{
	struct buf text = BUF_INIT(16u * 1024u * 1024u);

	json_write_pretty(event, &text);
	puts(buf_str(&text));
	buf_release(&text);
	return fflush(stdout) ? EXIT_AGAIN : EXIT_FINE;
}

/* NULL (told) when there is no such run. */
static struct json *find_run(const struct settings *s, const char *prefix)
{
	struct archive *a = look_archive(s, ARCHIVE_READ);
	struct json *event = NULL;
	char why[ARCHIVE_WHY_SIZE];

	if (!a)
		return NULL;
	if (archive_run(a, prefix, &event, why))
		log_error("%s; plimsoll status lists the runs", why);
	archive_close(a);
	return event;
}

int cmd_show(int argc, char **argv)
{
	struct show_opts o = {0};
	struct args a = {.usage = &show_usage,
			 .rows = show_rows,
			 .row_count = 1,
			 .target = &o,
			 .rest_min = 1,
			 .rest_max = 1};
	struct settings s;
	struct json *event;
	enum exit_code code;

	if (!args_parse(&a, argc, argv))
		return a.code;
	code = settings_open(&a, &s);
	if (code != EXIT_FINE)
		return code;
	event = find_run(&s, a.rest[0]);
	code = !event ? EXIT_USAGE : o.is_json ? print_event(event) : tell(event);
	json_free(event);
	settings_release(&s);
	return code;
}

static const struct opt_usage compare_usage = {
	.program = "plimsoll compare",
	.synopsis = "RUN RUN",
	.about = "The new version's figures of two runs side by side. They were not measured in "
		 "the\n"
		 "same minutes, so this is no verdict; plimsoll run --old Q --new Q makes one.",
};

static const struct json *metric_of(const struct json *event, const char *name)
{
	const struct json *metrics = json_at(event, "data.metrics");

	for (size_t i = 0; i < json_len(metrics); i++) {
		const char *other = json_get_str(json_elem(metrics, i), "name");

		if (other && !strcmp(other, name))
			return json_elem(metrics, i);
	}
	return NULL;
}

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

static enum exit_code print_comparison(const struct json *left, const struct json *right)
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
		figure_cell(&t, metric_of(right, name));
		table_end_row(&t);
	}
	return look_print(&t);
}

int cmd_compare(int argc, char **argv)
{
	struct args a = {.usage = &compare_usage, .rest_min = 2, .rest_max = 2};
	struct json *left = NULL, *right = NULL;
	struct settings s;
	enum exit_code code;

	if (!args_parse(&a, argc, argv))
		return a.code;
	code = settings_open(&a, &s);
	if (code != EXIT_FINE)
		return code;
	left = find_run(&s, a.rest[0]);
	if (left)
		right = find_run(&s, a.rest[1]);
	code = left && right ? print_comparison(left, right) : EXIT_USAGE;
	json_free(left);
	json_free(right);
	settings_release(&s);
	return code;
}
