/* load_report.c - the summary for people; see load_report.h. */
#include "cmd/plimsoll/load_report.h"

#include <math.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/unit.h"

#define BAR_COLUMNS 40
#define REASONS_SHOWN 6

static const struct {
	const char *name;
	double percent;
} percentiles[] = {
#define X(name, percent) {name, percent},
	LOAD_PERCENTILES(X)
#undef X
};

/* What to do about a doubt; the first whose word the sentence begins with. */
static const struct {
	const char *word, *advice;
} advices[] = {
	{"rate-not-reached", "ask for less, or give more: --connections N, --processes auto"},
	{"late", "the calls left late, so this host is the limit: ask for less, or --processes "
		 "auto"},
	{"loop-delay", "this host was too busy to keep time: stop what else runs, or ask for less"},
	{"loader-busy", "the generator itself was near its limit: --processes auto, or more hosts"},
	{"too-many-waiting", "more calls waited than fit: a shorter --timeout, or ask for less"},
	{"clock-off", "set the clock of this host (timedatectl)"},
};

static void add_us(struct buf *out, int64_t us, int columns)
{
	char text[UNIT_TEXT_SIZE];

	unit_format_duration_ns(us * NS_PER_US, text);
	buf_addf(out, "%*s", columns, text);
}

/* ---- the parts ---- */

static void add_calls(const struct load_result *r, struct buf *out)
{
	buf_addf(out, "  calls       %llu %s, %llu sent, %llu ok", (unsigned long long)r->due,
		 r->was_cut ? "planned" : "due", (unsigned long long)r->sent,
		 (unsigned long long)r->outcomes[OUT_OK]);
	if (load_error_ratio(r) > 0)
		buf_addf(out, ", %.2f %% not", load_error_ratio(r) * 100);
	if (r->warmup_due)
		buf_addf(out, " (and %llu to warm up)", (unsigned long long)r->warmup_due);
	buf_addc(out, '\n');
}

static void add_rate(const struct load_result *r, struct buf *out)
{
	buf_adds(out, "  rate        ");
	if (r->asked_per_s > 0)
		buf_addf(out, "asked %.6g/s, achieved %.6g/s\n", r->asked_per_s, r->achieved_per_s);
	else
		buf_addf(out, "%.6g/s\n", r->achieved_per_s);
}

static void add_size(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t i = 0;

	for (; value >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		value /= 1024;
	buf_addf(out, i ? "%.3g %s" : "%.0f %s", value, units[i]);
}

static void add_bytes(const struct load_result *r, struct buf *out)
{
	if (!r->has_bytes)
		return;
	buf_adds(out, "  bytes       ");
	add_size(out, r->bytes_sent);
	buf_adds(out, " sent, ");
	add_size(out, r->bytes_received);
	buf_adds(out, " received\n");
}

static void add_outcomes(const struct load_result *r, struct buf *out)
{
	struct json *count;
	const char *name;
	size_t shown = 0;

	for (size_t o = OUT_OK + 1; o < OUTCOME_COUNT; o++)
		if (r->outcomes[o])
			buf_addf(out, "  %-12s%s %llu\n",
				 load_was_stopped(r, (enum outcome)o) ? "stopped" : "not ok",
				 outcome_name((enum outcome)o), (unsigned long long)r->outcomes[o]);
	for (void *it = NULL; json_next(r->reasons, &it, &name, &count) && shown < REASONS_SHOWN;
	     shown++)
		buf_addf(out, "  reason      %s %lld\n", name, (long long)json_int(count));
}

static void add_table_row(const struct load_result *r, const char *name, double percent,
			  struct buf *out)
{
	buf_addf(out, "  %-10s", name);
	for (size_t f = 0; f < LOAD_FIGURE_COUNT; f++)
		add_us(out, hdr_percentile(r->figures[f], percent), 14);
	buf_addc(out, '\n');
}

static void add_table(const struct load_result *r, struct buf *out)
{
	if (!hdr_count(r->figures[LOAD_RESPONSE]))
		return;
	buf_addf(out, "\n  %-10s%14s%14s   of the calls that were ok\n", "", "response", "service");
	add_table_row(r, "min", 0, out);
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		add_table_row(r, percentiles[i].name, percentiles[i].percent, out);
	add_table_row(r, "max", 100, out);
	buf_addf(out, "  %-10s", "mean");
	for (size_t f = 0; f < LOAD_FIGURE_COUNT; f++)
		add_us(out, llround(hdr_mean(r->figures[f])), 14);
	buf_addc(out, '\n');
}

/* ---- histogram ---- */

/* Steps within a decade: coarse ones for a wide distribution, finer ones for a narrow one. */
static const struct {
	const double *at;
	size_t count;
} step_sets[] = {
	{(const double[]){1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8}, 10},
	{(const double[]){1, 1.5, 2, 3, 5, 7}, 6},
	{(const double[]){1, 2, 5}, 3},
	{(const double[]){1, 3}, 2},
};
#define ROWS_MAX 14
#define EDGES_MAX 128

/* The edges of a set from below the least value to above the greatest. */
static size_t edges_of(const struct hdr *h, size_t set, int64_t edges[EDGES_MAX])
{
	int64_t low = hdr_percentile(h, 0), high = hdr_max(h);
	size_t count = 0;

	for (double decade = 1; decade <= 1e10 && count < EDGES_MAX; decade *= 10) {
		for (size_t i = 0; i < step_sets[set].count && count < EDGES_MAX; i++) {
			int64_t edge = llround(decade * step_sets[set].at[i]);

			if (count && edge <= edges[count - 1])
				continue;
			if (count == 1 && edge <= low)
				count = 0; /* the one before was too low to matter */
			edges[count++] = edge;
			if (edge > high)
				return count;
		}
	}
	return count;
}

void load_report_histogram(const struct hdr *h, struct buf *out)
{
	int64_t edges[EDGES_MAX], below = 0, most = 1, counts[EDGES_MAX];
	size_t count = 0;

	if (!hdr_count(h))
		return;
	for (size_t set = 0; set < ARRAY_LEN(step_sets); set++) {
		count = edges_of(h, set, edges);
		if (count <= ROWS_MAX + 1)
			break;
	}
	for (size_t i = 1; i < count; i++) {
		int64_t at_most =
			i + 1 == count ? hdr_count(h) : hdr_count_at_most(h, edges[i] - 1);

		counts[i] = at_most - below;
		below = at_most;
		most = MAX_OF(most, counts[i]);
	}
	for (size_t i = 1; i < count; i++) {
		int bar = (int)((counts[i] * BAR_COLUMNS + most - 1) / most);

		buf_adds(out, "  ");
		add_us(out, edges[i - 1], 10);
		buf_addf(out, "  %-*.*s %6.2f %%  %lld\n", BAR_COLUMNS, bar,
			 "########################################",
			 (double)counts[i] * 100 / (double)hdr_count(h), (long long)counts[i]);
	}
}

/* ---- whether to believe it ---- */

static const char *advice_for(const char *sentence)
{
	for (size_t i = 0; i < ARRAY_LEN(advices); i++)
		if (!strncmp(sentence, advices[i].word, strlen(advices[i].word)))
			return advices[i].advice;
	return NULL;
}

static void add_quality(const struct load_result *r, struct buf *out)
{
	size_t doubts = json_len(r->suspect);

	buf_adds(out, "\n  quality     ");
	if (!r->due)
		buf_adds(out, "nothing was due\n");
	else if (!r->sent)
		buf_adds(out, "nothing was sent\n");
	else {
		buf_addf(out, "%s: calls left ", doubts ? "suspect" : "good");
		add_us(out, r->late_p50_us, 0);
		buf_adds(out, " late at the median, ");
		add_us(out, r->late_p99_us, 0);
		buf_addf(out, " at p99; the generator used %.0f %% of a core\n",
			 r->cpu_ratio * 100);
	}
	for (size_t i = 0; i < doubts; i++) {
		const char *sentence = json_str(json_elem(r->suspect, i));
		const char *advice = r->limit[0] ? NULL : advice_for(sentence);

		buf_addf(out, "  suspect     %s\n", sentence);
		if (advice)
			buf_addf(out, "              -> %s\n", advice);
	}
}

static void add_limits(const struct load_report *rep, struct buf *out)
{
	for (size_t i = 0; i < rep->limit_count; i++) {
		const struct load_limit *l = &rep->limits[i];
		char limit[UNIT_TEXT_SIZE], value[UNIT_TEXT_SIZE];

		if (l->is_ratio) {
			snprintf(limit, sizeof(limit), "%g %%", l->limit * 100);
			snprintf(value, sizeof(value), "%.4g %%", l->value * 100);
		} else {
			unit_format_duration_ns((int64_t)l->limit * NS_PER_US, limit);
			unit_format_duration_ns((int64_t)l->value * NS_PER_US, value);
		}
		buf_addf(out, "  limit       %s %s: %s, %s\n", l->name, limit,
			 l->is_met ? "held" : "MISSED", value);
	}
}

static void add_result(const struct load_result *r, struct buf *out)
{
	add_calls(r, out);
	add_rate(r, out);
	add_bytes(r, out);
	add_outcomes(r, out);
	add_table(r, out);
}

void load_report_text(const struct load_report *rep, struct buf *out)
{
	const struct load_run *run = rep->run;
	const struct load_result *all = &run->total;
	size_t shards = (size_t)run->plan->processes * run->plan->work_count;

	for (size_t i = 0; run->plan->work_count > 1 && i < run->plan->work_count; i++) {
		buf_addf(out, "%s\n", run->plan->works[i].name);
		add_result(&run->results[i], out);
		buf_addc(out, '\n');
	}
	buf_addf(out, "%s%s\n", run->plan->work_count > 1 ? "together  " : "",
		 run->target->function ? run->target->authority : run->target->url);
	add_result(all, out);
	if (hdr_count(all->figures[LOAD_RESPONSE])) {
		buf_adds(out, "\n  response time from\n");
		load_report_histogram(all->figures[LOAD_RESPONSE], out);
	}
	add_quality(all, out);
	add_limits(rep, out);
	if (all->shards < shards || all->failed)
		buf_addf(out, "  incomplete  %zu of %zu parts told their result, %zu failed\n",
			 all->shards, shards, all->failed);
	if (all->failure[0])
		buf_addf(out, "  %s      %s\n", all->failed ? "failed" : "ended ", all->failure);
}
