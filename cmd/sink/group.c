/* From what is known of a function to its group of metrics. */
#include "cmd/sink/ledger.h"

#define MICRO 1e6

/* Data that a metric has no room for is left out; what a sink can show is in the archive. */
static void set(struct prom *p, enum prom_metric m, const char *a, const char *b, double v)
{
	const char *const values[PROM_LABELS_MAX] = {a, b};

	if (prom_set(p, m, values, v) != 0)
		return;
}

/* One series a word of the label, 1 for the word that holds: alerts need no "absent()". */
static void set_word(struct prom *p, enum prom_metric m, enum prom_label l, const char *holds)
{
	char word[PROM_NAME_SIZE];

	for (size_t i = 0; prom_label_word(l, i, word) != NULL; i++)
		set(p, m, word, NULL, holds != NULL && strcmp(holds, word) == 0);
}

static bool is_word_of(enum prom_label l, const char *text)
{
	char word[PROM_NAME_SIZE];

	for (size_t i = 0; text != NULL && prom_label_word(l, i, word) != NULL; i++) {
		if (strcmp(word, text) == 0)
			return true;
	}
	return false;
}

/* No verdict, or one that we do not know, is "cannot-tell"; so is a run that came to no good end,
 * unless what it saw was worse. Only a valid run can be green. */
static const char *verdict_of(const struct json *last)
{
	const char *verdict = json_get_str(last, "verdict");
	const char *outcome = json_get_str(last, "outcome");
	bool is_valid = outcome != NULL && strcmp(outcome, "valid") == 0;

	if (outcome != NULL && strcmp(outcome, "skipped") == 0)
		return "not-compared";
	if (!is_word_of(PL_VERDICT, verdict))
		return "cannot-tell";
	return is_valid || strcmp(verdict, "worse") == 0 ? verdict : "cannot-tell";
}

static void set_change(struct prom *p, const struct json *metric)
{
	static const struct {
		const char *bound, *member;
	} bounds[] = {{"estimate", "diff"}, {"low", "low"}, {"high", "high"}};
	const char *kind = json_get_str(metric, "diff_kind"), *name = json_get_str(metric, "name");
	bool is_points = kind != NULL && strcmp(kind, "points") == 0;

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		const struct json *v = json_get(metric, bounds[i].member);

		if (json_is_num(v))
			set(p, is_points ? PM_CHANGE_POINTS : PM_CHANGE_RATIO, name,
			    bounds[i].bound, json_real(v));
	}
}

static void set_changes(struct prom *p, const struct json *metrics)
{
	size_t gates = 0;

	for (size_t i = 0; i < json_len(metrics) && gates < 3; i++) {
		if (json_get_bool(json_elem(metrics, i), "is_gate", false)) {
			set_change(p, json_elem(metrics, i));
			gates++;
		}
	}
}

static void set_response(struct prom *p, const struct json *stats)
{
	static const char *const variants[] = {"old", "new"};
	const char *stat;
	struct json *us;

	for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
		const struct json *of = json_get(stats, variants[i]);
		void *it = NULL;

		while (json_next(of, &it, &stat, &us))
			set(p, PM_RESPONSE_SECONDS, variants[i], stat, json_real(us) / MICRO);
	}
}

/* Outcome classes of docs/EVENTS.md in the four words of the metric. */
static const char *class_of(const char *outcome)
{
	static const char *const same[] = {"ok", "throttled", "not_sent"};

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		if (strcmp(outcome, same[i]) == 0)
			return same[i];
	}
	return "failed";
}

static void set_requests_of(struct prom *p, const char *variant, const struct json *outcomes)
{
	static const char *const classes[] = {"ok", "failed", "throttled", "not_sent"};

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		void *it = NULL;
		int64_t sum = 0;
		const char *outcome;
		struct json *count;

		while (json_next(outcomes, &it, &outcome, &count)) {
			if (strcmp(class_of(outcome), classes[i]) == 0)
				sum += json_int(count);
		}
		set(p, PM_REQUESTS, variant, classes[i], (double)sum);
	}
}

static void set_requests(struct prom *p, const struct json *requests)
{
	void *it = NULL;
	const char *variant;
	struct json *outcomes;

	while (json_next(requests, &it, &variant, &outcomes))
		set_requests_of(p, variant, outcomes);
}

/* What a metric of the verdict says about the new version alone. */
static void set_figures(struct prom *p, const struct json *metrics)
{
	static const struct {
		const char *name;
		enum prom_metric metric;
		double scale;
	} rows[] = {{"billed_p50", PM_BILLED_SECONDS, 1 / MICRO},
		    {"init_p50", PM_INIT_SECONDS, 1 / MICRO},
		    {"memory_max", PM_MEMORY_USED_BYTES, 1024},
		    {"cost_per_million", PM_COST_PER_MILLION, 1}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct json *v = json_get(json_named(metrics, rows[i].name), "new");

		if (json_is_num(v))
			set(p, rows[i].metric, "new", NULL, json_real(v) * rows[i].scale);
	}
}

static void set_objectives(struct prom *p, const struct json *objectives)
{
	size_t count = MIN_OF(json_len(objectives), LEDGER_OBJECTIVES_MAX);
	char slug[PROM_NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct json *o = json_elem(objectives, i), *met = json_get(o, "is_met");
		const char *name = json_get_str(o, "name");

		if (name != NULL && json_is(met, JSON_T_BOOL) && prom_slug(name, slug) == 0)
			set(p, PM_OBJECTIVE_MET, slug, NULL, json_bool(met));
	}
}

static bool is_exported(const struct ledger_export *exports, size_t count, const char *tool,
			const char *metric)
{
	if (tool == NULL || metric == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(exports[i].tool, tool) == 0 && strcmp(exports[i].metric, metric) == 0)
			return true;
	}
	return exports == NULL;
}

static void set_external(struct prom *p, const struct json *external,
			 const struct ledger_export *exports, size_t count)
{
	size_t told = 0;

	for (size_t i = 0; i < json_len(external); i++) {
		const struct json *from = json_elem(external, i), *list = json_get(from, "metrics");
		const char *tool = json_get_str(from, "tool");

		for (size_t k = 0; k < json_len(list) && told < LEDGER_EXTERNAL_MAX; k++) {
			const struct json *m = json_elem(list, k);
			const char *name = json_get_str(m, "name");

			if (!is_exported(exports, count, tool, name))
				continue;
			set(p, PM_EXTERNAL_VALUE, tool, name, json_get_real(m, "value", 0));
			told++;
		}
	}
}

static void set_info(struct prom *p, const struct json *last)
{
	const struct json *new = json_named(json_get(last, "variants"), "new");
	const char *version = json_get_str(new, "qualifier");
	char slug[PROM_NAME_SIZE];

	if (version == NULL || prom_slug(version, slug) != 0)
		snprintf(slug, sizeof(slug), "unknown");
	set(p, PM_RUN_INFO, slug, json_str(json_at(last, "run.id")), 1);
}

static bool is_accepted(const struct json *doc)
{
	const char *accepted = json_get_str(doc, "accepted");
	const char *run = json_str(json_at(doc, "last.run.id"));

	return accepted != NULL && run != NULL && strcmp(accepted, run) == 0;
}

static void set_last(struct prom *p, const struct json *last, double finished_s)
{
	set_word(p, PM_VERDICT, PL_VERDICT, verdict_of(last));
	set_word(p, PM_RUN_OUTCOME, PL_OUTCOME, json_get_str(last, "outcome"));
	set_changes(p, json_get(last, "metrics"));
	set_response(p, json_get(last, "response_us"));
	set_requests(p, json_get(last, "requests"));
	set_figures(p, json_get(last, "metrics"));
	set_objectives(p, json_get(last, "objectives"));
	set_info(p, last);
	set(p, PM_LAST_RUN, NULL, NULL, finished_s);
}

void ledger_group(const struct json *doc, const struct ledger_export *exports, size_t export_count,
		  struct prom *out)
{
	const struct json *last = json_get(doc, "last");

	set(out, PM_RUNS_TOTAL, NULL, NULL, (double)json_get_int(doc, "runs_total", 0));
	set(out, PM_TEST_COST_TOTAL, NULL, NULL,
	    (double)json_get_int(doc, "cost_micro_usd", 0) / MICRO);
	set(out, PM_LAST_CHANGE, NULL, NULL, json_get_real(doc, "changed_s", 0));
	set(out, PM_RUN_PENDING, NULL, NULL, json_get(doc, "pending") != NULL);
	if (last == NULL)
		return;
	set_last(out, last, json_get_real(doc, "finished_s", 0));
	set(out, PM_ACCEPTED, NULL, NULL, is_accepted(doc));
	set_external(out, json_get(last, "external"), exports, export_count);
}
