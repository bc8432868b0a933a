/* plimsoll compare: the figures of two runs, from the archive. */
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "common/base/unit.h"

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
		figure_cell(&t, metric_of(right, name));
		table_end_row(&t);
	}
	look_print(&t);
}

static enum exit_code compare(const struct door *d)
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

const struct command command_compare = {
	.name = "compare",
	.group = "look",
	.help = "the figures of two runs side by side",
	.synopsis = "RUN RUN",
	.about = "The new version's figures of two runs side by side. They were not measured in "
		 "the\n"
		 "same minutes, so this is no verdict; plimsoll run --old Q --new Q makes one.",
	.rest_min = 2,
	.rest_max = 2,
	.wants = "name two runs",
	.needs = NEEDS_SETTINGS,
	.run = compare,
};
