#include "cmd/sink/details.h"

#include <math.h>

#include "cmd/sink/figures.h"
#include "common/base/unit.h"

#define INDENT 2
#define REASONS_MAX 5

/* Intervals are told at this level unless their row says another. */
#define USUAL_LEVEL 0.95

static void metric_head(struct table *t, bool is_compared)
{
	table_cell(t, "metric", TEXT_DIM);
	table_cell(t, is_compared ? "old" : "", TEXT_DIM);
	table_cell(t, "new", TEXT_DIM);
	if (is_compared) {
		table_cell(t, "change", TEXT_DIM);
		table_cellf(t, TEXT_DIM, "%g %% interval", 100 * USUAL_LEVEL);
	}
	table_end_row(t);
}

static void add_note(struct buf *note, const char *text)
{
	if (text != NULL && *text != '\0')
		buf_addf(note, "%s%s", note->len_bytes > 0 ? ", " : "", text);
}

/* What the run could have found; of a gate that it did not, that is what to know. */
static void add_detectable(struct buf *note, const struct json *m)
{
	const char *kind = json_get_str(m, "diff_kind"), *verdict = json_get_str(m, "verdict");
	char figure[FIGURE_SIZE], text[FIGURE_SIZE + 8];

	if (!json_is_num(json_get(m, "detectable")) || !verdict ||
	    (strcmp(verdict, "cannot-tell") != 0 && strcmp(verdict, "no-difference") != 0))
		return;
	figure_size(json_get(m, "detectable"), kind, figure);
	snprintf(text, sizeof(text), "sees %s", figure);
	add_note(note, text);
}

#define MORE 4 /* times the environments halve an error (docs/VERDICT.md) */
/* Of fewer only twice the tolerance counts, as common/verdict has it. */
#define ENVIRONMENTS_MIN 4

/* Of a gate that stayed open: what more environments would see. */
static void add_more(struct buf *note, const struct json *m)
{
	double seen = json_get_real(m, "detectable", 0), wide, z;
	double tolerance = json_get_real(json_get(m, "tolerance"), "ratio", 0);
	int64_t few = MIN_OF(json_get_int(m, "environments_old", 0),
			     json_get_int(m, "environments_new", 0));
	const char *basis = json_get_str(m, "basis"), *verdict = json_get_str(m, "verdict");
	const char *direction = json_get_str(m, "direction");
	char text[80];

	if (!basis || strcmp(basis, "environments") != 0 || !verdict ||
	    strcmp(verdict, "cannot-tell") != 0 || !direction || strcmp(direction, "lower") != 0 ||
	    few < 1 || !(tolerance > 0 && seen > tolerance))
		return;
	wide = log1p(seen) - log1p(few < ENVIRONMENTS_MIN ? 2 * tolerance : tolerance);
	z = expm1(log1p(tolerance) + wide / sqrt(MORE));
	snprintf(text, sizeof(text), "%lld environments a side would see %.0f %%",
		 (long long)few * MORE, 100 * z);
	add_note(note, text);
}

/* What the interval rests on, in people's words. */
static void add_basis(struct buf *note, const struct json *m)
{
	const char *basis = json_get_str(m, "basis");
	int64_t old = json_get_int(m, "environments_old", 0);
	int64_t new = json_get_int(m, "environments_new", 0);
	char text[80];

	if (basis == NULL || !json_is_num(json_get(m, "low")))
		return;
	if (strcmp(basis, "environments") == 0 && old > 0 && new > 0) {
		snprintf(text, sizeof(text), "%lld + %lld environments", (long long)old,
			 (long long)new);
		add_note(note, text);
	} else {
		add_note(note, basis);
	}
}

/* Why there is none: how little there was on each side. */
static void add_both_counts(struct buf *note, const struct json *m)
{
	int64_t old = json_get_int(m, "n_old", 0), new = json_get_int(m, "n_new", 0);
	const char *reason = json_get_str(m, "reason");
	char text[80];

	if (!reason || (strcmp(reason, "no-data") != 0 && strcmp(reason, "few-environments") != 0))
		return;
	snprintf(text, sizeof(text), "%lld + %lld calls", (long long)old, (long long)new);
	add_note(note, text);
}

/* The same difference in the metric's own unit: "+80.3 ms (+76.7 ms … +83.9 ms)". */
static void add_absolute(struct buf *note, const struct json *m)
{
	static const char *const members[] = {"diff_abs", "low_abs", "high_abs"};
	const char *unit = json_get_str(m, "unit");
	char parts[3][FIGURE_SIZE], text[4 * FIGURE_SIZE];

	if (unit == NULL || strcmp(unit, "us") != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!json_is_num(json_get(m, members[i])))
			return;
		figure_value(json_get(m, members[i]), unit, parts[i]);
	}
	snprintf(text, sizeof(text), "%s (%s … %s)", parts[0], parts[1], parts[2]);
	add_note(note, text);
}

static void add_level(struct buf *note, const struct json *m)
{
	double level = json_get_real(m, "level", USUAL_LEVEL);
	char text[40];

	if (!json_is_num(json_get(m, "low")) || fabs(level - USUAL_LEVEL) < 1e-9)
		return;
	snprintf(text, sizeof(text), "at %g %%", 100 * level);
	add_note(note, text);
}

/* How much is said behind a row: on a narrow terminal only what the verdict rests on. */
struct manner {
	bool is_compared, is_brief;
};

static void metric_note(struct table *t, const struct json *m, const struct manner *how)
{
	struct buf note = BUF_INIT(512);
	char text[FIGURE_SIZE + 16], tolerance[FIGURE_SIZE];

	figure_tolerance(json_get(m, "tolerance"), tolerance);
	if (json_get_bool(m, "is_gate", false)) {
		snprintf(text, sizeof(text), "gate %s", tolerance);
		add_note(&note, text);
	}
	add_note(&note, json_get_str(m, "reason"));
	add_detectable(&note, m);
	add_more(&note, m);
	if (!how->is_brief) {
		add_both_counts(&note, m);
		add_absolute(&note, m);
		add_level(&note, m);
		add_basis(&note, m);
	}
	table_cell(t, buf_str(&note), TEXT_DIM);
	buf_release(&note);
}

static void metric_row(struct table *t, const struct json *m, const struct manner *how)
{
	const char *unit = json_get_str(m, "unit"), *kind = json_get_str(m, "diff_kind");
	const char *name = json_get_str(m, "name"), *verdict = json_get_str(m, "verdict");
	char text[FIGURE_SIZE];

	table_cell(t, name ? name : "?", TEXT_PLAIN);
	figure_value(json_get(m, "old"), unit, text);
	table_cell(t, how->is_compared ? text : "", TEXT_PLAIN);
	figure_value(json_get(m, "new"), unit, text);
	table_cell(t, text, TEXT_PLAIN);
	if (how->is_compared) {
		figure_diff(json_get(m, "diff"), kind, text);
		table_cell(t, text, TEXT_BOLD);
		figure_interval(json_get(m, "low"), json_get(m, "high"), kind, text);
		table_cell(t, text, TEXT_PLAIN);
		table_cell(t, verdict ? verdict : "", report_style(verdict));
		metric_note(t, m, how);
	}
	table_end_row(t);
}

/* A figure that nobody asked to be judged and nobody could give is left out. */
static bool is_worth_telling(const struct json *m)
{
	return json_get_bool(m, "is_gate", false) || json_is_num(json_get(m, "new")) ||
	       json_is_num(json_get(m, "old"));
}

static size_t widest_line(const char *text)
{
	size_t widest = 0, width = 0;

	for (; *text != '\0'; text++) {
		width = *text == '\n' ? 0 : width + (((unsigned char)*text & 0xc0) != 0x80);
		widest = MAX_OF(widest, width);
	}
	return widest;
}

/* False: a line is wider than the terminal, and out is as it was. */
static bool add_metrics(const struct json *data, const struct look *look, bool is_brief,
			struct buf *out)
{
	const struct json *metrics = json_get(data, "metrics");
	const char *compare = json_get_str(data, "compare");
	struct manner how = {.is_compared = compare == NULL || strcmp(compare, "none") != 0,
			     .is_brief = is_brief};
	struct table t = {.indent = INDENT, .is_right = 0x1e};
	struct buf plain = BUF_INIT(256 * 1024);
	bool fits;

	metric_head(&t, how.is_compared);
	for (size_t i = 0; i < json_len(metrics); i++) {
		if (is_worth_telling(json_elem(metrics, i)))
			metric_row(&t, json_elem(metrics, i), &how);
	}
	table_write(&t, false, &plain);
	fits = is_brief || look->width == 0 || widest_line(buf_str(&plain)) <= look->width;
	if (fits)
		table_write(&t, look->has_colour, out);
	buf_release(&plain);
	table_release(&t);
	return fits;
}

void details_metrics(const struct json *data, const struct look *look, struct buf *out)
{
	if (json_len(json_get(data, "metrics")) == 0)
		return;
	buf_addc(out, '\n');
	if (!add_metrics(data, look, false, out))
		add_metrics(data, look, true, out);
}

/* "152 ok, 2 timeout" */
static void add_counts(const struct json *counts, size_t max, struct buf *text)
{
	void *it = NULL;
	const char *name;
	struct json *n;
	size_t told = 0;

	while (json_next(counts, &it, &name, &n)) {
		if (json_int(n) == 0)
			continue;
		if (told++ == max) {
			buf_adds(text, ", …");
			break;
		}
		buf_addf(text, "%s%lld %s", told == 1 ? "" : ", ", (long long)json_int(n), name);
	}
}

static void row(struct table *t, const char *label, const char *text)
{
	if (*text == '\0')
		return;
	table_cell(t, label, TEXT_DIM);
	table_cell(t, text, TEXT_PLAIN);
	table_end_row(t);
}

static void row_objectives(struct table *t, const struct json *objectives, bool is_amended)
{
	size_t told = 0;

	for (size_t i = 0; i < json_len(objectives); i++) {
		const struct json *o = json_elem(objectives, i), *met = json_get(o, "is_met");
		const char *word = !json_is(met, JSON_T_BOOL) ? "unknown"
				   : json_bool(met)	      ? "met"
							      : "missed";
		const char *name = json_get_str(o, "name");
		char value[FIGURE_SIZE];

		if (is_amended && !figure_is_of_tool(o))
			continue;
		figure_objective(o, value);
		table_cell(t, told++ == 0 ? "objectives" : "", TEXT_DIM);
		table_cellf(t, report_style(word), "%-7s  %s  (%s)", word, name ? name : "?",
			    value);
		table_end_row(t);
	}
}

static void row_requests(struct table *t, const struct json *requests)
{
	struct buf text = BUF_INIT(1024);
	void *it = NULL;
	const char *variant;
	struct json *outcomes;

	while (json_next(requests, &it, &variant, &outcomes)) {
		buf_addf(&text, "%s%s ", text.len_bytes > 0 ? "; " : "", variant);
		add_counts(outcomes, SIZE_MAX, &text);
	}
	row(t, "requests", buf_str(&text));
	buf_release(&text);
}

static void row_reasons(struct table *t, const struct json *data)
{
	static const struct {
		const char *member, *label;
	} rows[] = {{"throttle_reasons", "throttled"}, {"error_reasons", "errors"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = BUF_INIT(1024);

		add_counts(json_get(data, rows[i].member), REASONS_MAX, &text);
		row(t, rows[i].label, buf_str(&text));
		buf_release(&text);
	}
}

static void row_suspect(struct table *t, const struct json *data)
{
	const struct json *list = json_at(data, "quality.suspect");
	struct buf text = BUF_INIT(2048);

	for (size_t i = 0; i < json_len(list); i++) {
		const char *why = json_str(json_elem(list, i));

		buf_addf(&text, "%s%s", i == 0 ? "" : ", ", why ? why : "?");
	}
	row(t, "suspect", buf_str(&text));
	buf_release(&text);
}

static const char *bookkeeping_words(const char *state)
{
	static const struct {
		const char *state, *words;
	} rows[] = {{"closed", "; agrees with what was sent"},
		    {"open", "; does NOT agree with what was sent"},
		    {"unchecked", "; not held against what was sent"}};

	for (size_t i = 0; i < ARRAY_LEN(rows) && state != NULL; i++) {
		if (strcmp(state, rows[i].state) == 0)
			return rows[i].words;
	}
	return "";
}

static void row_cloud(struct table *t, const struct json *data)
{
	const struct json *cloud = json_get(data, "cloud");
	const char *source = json_get_str(cloud, "source");
	struct buf text = BUF_INIT(512);

	if (json_get(cloud, "invocations") == NULL)
		return;
	buf_addf(&text, "%lld invocations, %lld errors, %lld throttles%s%s%s",
		 (long long)json_get_int(cloud, "invocations", 0),
		 (long long)json_get_int(cloud, "errors", 0),
		 (long long)json_get_int(cloud, "throttles", 0), source ? " by " : "",
		 source ? source : "", bookkeeping_words(json_get_str(data, "bookkeeping")));
	row(t, "cloud", buf_str(&text));
	buf_release(&text);
}

static void row_external(struct table *t, const struct json *external)
{
	for (size_t i = 0; i < json_len(external); i++) {
		const struct json *list = json_get(json_elem(external, i), "metrics");
		const char *tool = json_get_str(json_elem(external, i), "tool");
		struct buf text = BUF_INIT(2048);

		for (size_t k = 0; k < json_len(list); k++) {
			const struct json *m = json_elem(list, k);
			const char *name = json_get_str(m, "name"), *unit = json_get_str(m, "unit");
			char value[FIGURE_SIZE];

			figure_foreign(json_get(m, "value"), unit, value);
			buf_addf(&text, "%s%s %s", k == 0 ? "" : ", ", name ? name : "?", value);
		}
		row(t, tool ? tool : "?", buf_str(&text));
		buf_release(&text);
	}
}

static const char *compare_words(const char *compare)
{
	if (compare == NULL)
		return "?";
	return strcmp(compare, "none") == 0 ? "nothing compared" : compare;
}

static void row_run(struct table *t, const struct json *data)
{
	const char *run = json_str(json_at(data, "run.id")), *cost = json_get_str(data, "cost_usd");
	const char *test = json_get_str(data, "test"), *compare = json_get_str(data, "compare");
	const struct json *stopped = json_get(data, "stopped");
	char money[UNIT_TEXT_SIZE] = "?", early[64] = "";
	int64_t micro_usd;

	if (stopped)
		snprintf(early, sizeof(early), ", decided at look %lld of %lld",
			 (long long)json_get_int(stopped, "look", 0),
			 (long long)json_get_int(stopped, "of", 0));
	if (cost != NULL && unit_parse_money(cost, &micro_usd) == 0)
		unit_format_money(micro_usd, money);
	table_cell(t, "run", TEXT_DIM);
	table_cellf(t, TEXT_DIM, "%s  test %s, %s, cost %s%s", run ? run : "?", test ? test : "?",
		    compare_words(compare), money, early);
	table_end_row(t);
}

void details_rest(const struct json *data, const struct look *look, struct buf *out)
{
	struct table t = {.indent = INDENT};

	buf_addc(out, '\n');
	row_objectives(&t, json_get(data, "objectives"), false);
	row_requests(&t, json_get(data, "requests"));
	row_reasons(&t, data);
	row_suspect(&t, data);
	row_cloud(&t, data);
	row_external(&t, json_get(data, "external"));
	row_run(&t, data);
	table_write(&t, look->has_colour, out);
	table_release(&t);
}

void details_amended(const struct json *data, const struct look *look, struct buf *out)
{
	struct table t = {.indent = INDENT};

	row_objectives(&t, json_get(data, "objectives"), true);
	row_cloud(&t, data);
	row_external(&t, json_get(data, "external"));
	table_write(&t, look->has_colour, out);
	table_release(&t);
}
