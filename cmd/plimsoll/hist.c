/* plimsoll hist: reads, merges and prints HdrHistogram logs, whoever wrote them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "common/base/lines.h"
#include "common/base/log.h"
#include "common/json/json.h"
#include "common/stats/hlog.h"

#define LOG_LINE_MAX_BYTES HDR_TEXT_MAX_BYTES

struct hist_opts {
	bool is_json, is_csv;
	const char *tag;
};

static const struct opt rows[] = {
	{"json", 0, OPT_FLAG, offsetof(struct hist_opts, is_json), NULL, NULL,
	 "count, min, mean, percentiles and max as one JSON object"},
	{"csv", 0, OPT_FLAG, offsetof(struct hist_opts, is_csv), NULL, NULL,
	 "value, count and cumulative share of every bucket that is not empty"},
	{"tag", 0, OPT_STRING, offsetof(struct hist_opts, tag), "TAG", NULL,
	 "only intervals with this tag"},
};

struct merge {
	struct hdr *total; /* the range of the first interval */
	const char *tag;
	size_t intervals;
};

static int add_interval(struct merge *m, struct hlog_entry *e)
{
	int rc = 0;

	if (m->tag && strcmp(e->tag, m->tag) != 0)
		return 0;
	if (!m->total)
		rc = hdr_new_range(e->hist->lowest, e->hist->highest, e->hist->digits, &m->total);
	if (!rc)
		rc = hdr_add(m->total, e->hist);
	m->intervals += !rc;
	return rc;
}

static int merge_line(struct merge *m, const struct line *line)
{
	struct hlog_entry e = {0};
	int rc = hlog_parse(line->data, line->len_bytes, &e);

	if (!rc && e.kind == HLOG_INTERVAL)
		rc = add_interval(m, &e);
	hlog_release(&e);
	return rc;
}

/* All lines that are whole now. -errno with the line's number in *number. */
static int merge_lines(struct merge *m, struct lines *ln, size_t *number)
{
	enum line_kind kind;
	struct line line;
	int rc = 0;

	while (!rc && (kind = lines_next(ln, &line)) != LINE_NONE) {
		(*number)++;
		rc = kind == LINE_TOO_LONG ? -E2BIG : merge_line(m, &line);
	}
	return rc;
}

static int merge_file(struct merge *m, const char *path)
{
	struct lines ln;
	size_t number = 0;
	ssize_t got = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -errno : 0;

	lines_init(&ln, LOG_LINE_MAX_BYTES);
	while (!rc && got > 0) {
		got = lines_fill(&ln, fd);
		rc = got < 0 ? (int)got : merge_lines(m, &ln, &number);
	}
	if (fd < 0)
		log_error("cannot read %s: %s", path, strerror(-rc));
	else if (rc)
		log_error("%s:%zu: %s, expected a line of an HdrHistogram log (V2)", path, number,
			  strerror(-rc));
	lines_release(&ln);
	if (fd >= 0)
		close(fd);
	return rc;
}

static const struct {
	const char *name;
	double percent;
} points[] = {{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p999", 99.9}};

static void print_json(const struct hdr *h)
{
	struct buf text = BUF_INIT(4096);
	struct json *o = json_obj();

	json_put_int(o, "count", hdr_count(h));
	json_put_int(o, "min", hdr_min(h));
	json_put_real(o, "mean", hdr_mean(h));
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		json_put_int(o, points[i].name, hdr_percentile(h, points[i].percent));
	json_put_int(o, "max", hdr_max(h));
	json_write(o, &text);
	puts(buf_str(&text));
	json_free(o);
	buf_release(&text);
}

static void print_csv(const struct hdr *h)
{
	struct hdr_bucket b;
	int64_t seen = 0;

	puts("value,count,share");
	for (size_t at = 0; hdr_next(h, &at, &b);) {
		seen += b.count;
		printf("%lld,%lld,%.6f\n", (long long)b.high, (long long)b.count,
		       (double)seen / (double)hdr_count(h));
	}
}

static void print_table(const struct hdr *h, size_t intervals)
{
	printf("count  %lld in %zu intervals\nmin    %lld\nmean   %.1f\n", (long long)hdr_count(h),
	       intervals, (long long)hdr_min(h), hdr_mean(h));
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		printf("%-6s %lld\n", points[i].name,
		       (long long)hdr_percentile(h, points[i].percent));
	printf("max    %lld\n", (long long)hdr_max(h));
}

static void print(const struct hist_opts *o, const struct merge *m)
{
	if (o->is_json)
		print_json(m->total);
	else if (o->is_csv)
		print_csv(m->total);
	else
		print_table(m->total, m->intervals);
}

static enum exit_code hist(const struct door *d)
{
	const struct hist_opts *o = d->opts;
	struct merge m = {.tag = o->tag};
	int rc = 0;

	for (size_t i = 0; i < d->rest_count && !rc; i++)
		rc = merge_file(&m, d->rest[i]);
	if (!rc && !m.total) {
		log_error("no interval%s%s in what was given", o->tag ? " with tag " : "",
			  o->tag ? o->tag : "");
		rc = -ENOENT;
	}
	if (!rc)
		print(o, &m);
	hdr_free(m.total);
	return rc ? EXIT_USAGE : EXIT_FINE;
}

const struct command command_hist = {
	.name = "hist",
	.group = "look",
	.help = "reads, merges and prints HdrHistogram logs",
	.synopsis = "[--json|--csv] FILE.hlog...",
	.about =
		"Merges the intervals of HdrHistogram logs (V2) and prints the distribution.\n"
		"Figures are in the unit that was recorded; Plimsoll's own logs hold microseconds.",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct hist_opts),
	.rest_min = 1,
	.rest_max = SIZE_MAX,
	.wants = "name at least one file",
	.run = hist,
};
