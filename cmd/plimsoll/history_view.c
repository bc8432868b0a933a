/* history_view.c - a history as a table with a curve; see history.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/plimsoll/history.h"
#include "cmd/plimsoll/look.h"
#include "common/base/unit.h"

#define CURVE_COLUMNS 60
#define ROWS_MAX 40 /* of the table; the levels and the drift look at all */

static void value_text(const struct history *h, double value, char out[UNIT_TEXT_SIZE])
{
	if (strcmp(h->unit, "us") == 0)
		unit_format_duration_ns((int64_t)(value * 1e3), out);
	else
		snprintf(out, UNIT_TEXT_SIZE, "%.6g%s%s", value, h->unit[0] == '1' ? "" : " ",
			 h->unit[0] == '1' ? "" : h->unit);
}

static void change_cell(struct table *t, double diff, double low, double high)
{
	enum text_style style = low > 0 ? TEXT_BAD : high < 0 ? TEXT_GOOD : TEXT_PLAIN;

	table_cellf(t, style, "%+.1f %%", 100 * expm1(diff));
	table_cellf(t, TEXT_DIM, "(%+.1f … %+.1f)", 100 * expm1(low), 100 * expm1(high));
}

static void run_row(struct table *t, const struct history *h, size_t i)
{
	const struct history_point *p = &h->points[i];
	char text[UNIT_TEXT_SIZE];

	table_cell(t, p->when, TEXT_DIM);
	table_cell(t, look_or_dash(p->version), TEXT_BOLD);
	value_text(h, p->value, text);
	table_cell(t, text, TEXT_PLAIN);
	if (p->has_diff) {
		change_cell(t, p->diff, p->low, p->high);
		change_cell(t, p->sum, p->sum_low, p->sum_high);
	}
	table_end_row(t);
}

static void print_table(const struct history *h)
{
	static const char *const head[] = {
		"when", "version", "value", "to the one before", "", "since the chain began", ""};
	struct table t = {.is_right = 1u << 2 | 1u << 3 | 1u << 5};

	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		table_cell(&t, head[i], TEXT_DIM);
	table_end_row(&t);
	for (size_t i = h->count > ROWS_MAX ? h->count - ROWS_MAX : 0; i < h->count; i++)
		run_row(&t, h, i);
	look_print(&t);
}

/* One column a run, or a mean of several: eight heights between the least and the greatest. */
static void print_curve(const struct history *h)
{
	static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	size_t columns = MIN_OF(h->count, (size_t)CURVE_COLUMNS);
	double least = INFINITY, most = -INFINITY;

	for (size_t i = 0; i < h->count; i++) {
		least = fmin(least, h->points[i].value);
		most = fmax(most, h->points[i].value);
	}
	for (size_t c = 0; c < columns; c++) {
		size_t from = c * h->count / columns, to = (c + 1) * h->count / columns;
		double sum = 0, height = 0;

		for (size_t i = from; i < to; i++)
			sum += h->points[i].value;
		if (most > least)
			height = 7.99 * (sum / (double)(to - from) - least) / (most - least);
		fputs(heights[(size_t)height], stdout);
	}
	putchar('\n');
}

static void print_levels(const struct history *h)
{
	char before[UNIT_TEXT_SIZE], after[UNIT_TEXT_SIZE];

	for (size_t i = 0; i < h->change_count; i++) {
		const struct change_point *c = &h->changes[i];
		const struct history_point *p = &h->points[c->at];

		value_text(h, c->before, before);
		value_text(h, c->after, after);
		look_printf("level: from %s (version %s) on %s, %s before: %+.1f %%  (p = %.3f)\n",
			    p->when, look_or_dash(p->version), after, before,
			    100 * (c->after / c->before - 1), c->p);
	}
	if (h->change_count == 0)
		puts("level: no change that chance does not explain");
}

static void print_drift(const struct history *h)
{
	const struct history_point *p = &h->points[h->count - 1];
	const struct history_point *first = &h->points[p->since];
	size_t links = h->count - p->since;

	if (links < 2 || !p->has_diff) {
		puts("drift: the last run continues no chain of compared versions");
		return;
	}
	look_printf("drift: %zu compared versions in a row, from %s to %s: %+.1f %% (%+.1f … %+.1f)"
		    "%s\n",
		    links, look_or_dash(first->old_version), look_or_dash(p->version),
		    100 * expm1(p->sum), 100 * expm1(p->sum_low), 100 * expm1(p->sum_high),
		    p->sum_low > 0 || p->sum_high < 0 ? "" : ": none that can be seen");
}

void history_print(const struct history *h, const char *subject, const char *metric)
{
	look_printf("%s  %s  %zu valid runs\n\n", subject, metric, h->count);
	print_table(h);
	putchar('\n');
	print_curve(h);
	print_levels(h);
	print_drift(h);
}

void history_print_csv(const struct history *h)
{
	puts("finished_at,version,value");
	for (size_t i = 0; i < h->count; i++)
		look_printf("%s,%s,%.17g\n", h->points[i].when, h->points[i].version,
			    h->points[i].value);
}
