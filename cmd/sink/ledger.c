#include "cmd/sink/ledger.h"

#include "common/base/unit.h"
#include "common/stats/hdr.h"

static double seconds_of(const char *text, struct wall otherwise)
{
	struct wall at;

	if (text == NULL || wall_parse_rfc3339(text, &at) != 0)
		at = otherwise;
	return (double)wall_ms(at) / 1e3;
}

static bool has_cause(const struct json *data, const char *cause)
{
	const struct json *causes = json_at(data, "change.causes");

	for (size_t i = 0; i < json_len(causes); i++) {
		const char *word = json_str(json_elem(causes, i));

		if (word != NULL && strcmp(word, cause) == 0)
			return true;
	}
	return false;
}

/* A function that is merely seen for the first time has no group until something is done to it. */
static bool changed(struct json **doc, const struct event *ev)
{
	const char *at = json_str(json_at(ev->data, "change.changed_at"));

	if (*doc == NULL || has_cause(ev->data, "first-seen"))
		return false;
	json_put_real(*doc, "changed_s", seconds_of(at, ev->time));
	return true;
}

/* The list of runs counted: oldest first. NULL when the run is not among them. */
static struct json *find_counted(const struct json *doc, const char *run)
{
	const struct json *list = json_get(doc, "counted");

	for (size_t i = 0; i < json_len(list); i++) {
		const char *known = json_get_str(json_elem(list, i), "run");

		if (known != NULL && strcmp(known, run) == 0)
			return json_elem(list, i);
	}
	return NULL;
}

static bool planned(struct json **doc, const struct event *ev)
{
	const char *decision = json_get_str(ev->data, "decision");
	const char *run = json_str(json_at(ev->data, "run.id"));

	if (decision == NULL || strcmp(decision, "test") != 0)
		return false;
	/* A plan that is told again after its result is not pending. */
	if (run != NULL && find_counted(*doc, run) != NULL)
		return false;
	if (*doc == NULL)
		*doc = json_obj();
	json_put_str(*doc, "pending", run);
	if (json_get(*doc, "changed_s") == NULL)
		json_put_real(*doc, "changed_s", seconds_of(NULL, ev->time));
	return true;
}

static int64_t cost_of(const struct json *data)
{
	const char *text = json_get_str(data, "cost_usd");
	int64_t micro_usd;

	return text != NULL && unit_parse_money(text, &micro_usd) == 0 ? micro_usd : 0;
}

static void add_counted(struct json *doc, const char *run, int64_t cost_micro_usd)
{
	const struct json *list = json_get(doc, "counted");
	size_t count = json_len(list);
	struct json *longer = json_arr(), *entry = json_obj();

	for (size_t i = count < LEDGER_RUNS_MAX ? 0 : count + 1 - LEDGER_RUNS_MAX; i < count; i++)
		json_push(longer, json_copy(json_elem(list, i)));
	json_put_str(entry, "run", run);
	json_put_int(entry, "cost_micro_usd", cost_micro_usd);
	json_push(longer, entry);
	json_put(doc, "counted", longer);
}

/* A run counts once; an amendment may know its cost better. A counter never falls. */
static void count_run(struct json *doc, const char *run, int64_t cost_micro_usd)
{
	struct json *entry = find_counted(doc, run);
	int64_t more = cost_micro_usd;

	if (entry == NULL) {
		json_put_int(doc, "runs_total", json_get_int(doc, "runs_total", 0) + 1);
		add_counted(doc, run, cost_micro_usd);
	} else {
		more -= json_get_int(entry, "cost_micro_usd", 0);
		if (more > 0)
			json_put_int(entry, "cost_micro_usd", cost_micro_usd);
	}
	if (more > 0)
		json_put_int(doc, "cost_micro_usd", json_get_int(doc, "cost_micro_usd", 0) + more);
}

static bool is_older(const struct json *doc, const struct json *data, double finished_s)
{
	const char *run = json_str(json_at(data, "run.id"));
	const char *known = json_str(json_at(doc, "last.run.id"));

	if (known == NULL)
		return false;
	if (run != NULL && strcmp(run, known) == 0)
		return json_get_int(data, "rev", 0) < json_get_int(json_get(doc, "last"), "rev", 0);
	return finished_s < json_get_real(doc, "finished_s", 0);
}

/* The event without what no metric needs: histograms are large. */
static struct json *summary(const struct json *data)
{
	static const char *const kept[] = {"run",	 "variants", "outcome",
					   "rev",	 "verdict",  "metrics",
					   "objectives", "requests", "external"};
	struct json *s = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct json *value = json_get(data, kept[i]);

		if (value != NULL)
			json_put(s, kept[i], json_copy(value));
	}
	return s;
}

/* Percentiles of one variant's response times: the verdict's own figure where there is one. */
static struct json *variant_stats(const struct json *data, const char *variant)
{
	static const struct {
		const char *stat, *metric;
		double percent;
	} rows[] = {{"p50", "response_p50", 50},
		    {"p95", "response_p95", 95},
		    {"p99", "response_p99", 99}};
	const char *text =
		json_get_str(json_get(json_get(data, "histograms"), variant), "response");
	struct json *stats = json_obj();
	struct hdr *h = NULL;

	if (text != NULL && hdr_decode(text, strlen(text), &h) != 0)
		h = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct json *m = json_named(json_get(data, "metrics"), rows[i].metric);

		if (json_is_num(json_get(m, variant)))
			json_put_real(stats, rows[i].stat, json_get_real(m, variant, 0));
		else if (h != NULL && hdr_count(h) > 0)
			json_put_int(stats, rows[i].stat, hdr_percentile(h, rows[i].percent));
	}
	hdr_free(h);
	return stats;
}

static struct json *response_stats(const struct json *data)
{
	struct json *both = json_obj();

	json_put(both, "old", variant_stats(data, "old"));
	json_put(both, "new", variant_stats(data, "new"));
	return both;
}

static bool finished(struct json **doc, const struct event *ev)
{
	const char *run = json_str(json_at(ev->data, "run.id"));
	const char *outcome = json_get_str(ev->data, "outcome"), *pending;
	double at_s = seconds_of(json_get_str(ev->data, "finished_at"), ev->time);
	bool is_skipped = outcome != NULL && strcmp(outcome, "skipped") == 0;

	if (run == NULL || (is_skipped && *doc == NULL && has_cause(ev->data, "first-seen")))
		return false;
	if (*doc == NULL)
		*doc = json_obj();
	pending = json_get_str(*doc, "pending");
	if (pending != NULL && strcmp(pending, run) == 0)
		json_del(*doc, "pending");
	if (json_get(*doc, "changed_s") == NULL)
		json_put_real(*doc, "changed_s", at_s);
	if (!is_skipped)
		count_run(*doc, run, cost_of(ev->data));
	if (is_older(*doc, ev->data, at_s) || (is_skipped && json_get(*doc, "last") != NULL))
		return true;
	json_put(*doc, "last", summary(ev->data));
	json_put(json_get(*doc, "last"), "response_us", response_stats(ev->data));
	json_put_real(*doc, "finished_s", at_s);
	return true;
}

bool ledger_fold(struct json **doc, const struct event *ev)
{
	switch (ev->kind) {
	case EV_FUNCTION_CHANGED:
		return changed(doc, ev);
	case EV_RUN_PLANNED:
		return planned(doc, ev);
	case EV_RUN_FINISHED:
		return finished(doc, ev);
	case EV_FUNCTION_REMOVED:
		json_free(*doc);
		*doc = NULL;
		return true;
	default:
		return false;
	}
}
