/*
 * finish.c - figures and words to JSON.
 */
#include <math.h>
#include <stdio.h>

#include "cmd/collector/finish.h"
#include "common/base/unit.h"

#define MICRO_PER_UNIT 1e6
#define CALLS_PER_MILLION 1e6
/* A histogram of ours is some KiB; the bound only keeps a bug from growing without end. */
#define HISTOGRAM_MAX_BYTES (256u * 1024u)

static void put_time(struct json *o, const char *key, struct wall at)
{
	char text[WALL_RFC3339_SIZE];

	wall_format_rfc3339(at, text);
	json_put_str(o, key, text);
}

static void copy_member(struct json *to, const struct json *from, const char *key)
{
	if (json_get(from, key))
		json_put(to, key, json_copy(json_get(from, key)));
}

/* What every run.finished begins with, so that a sink needs nothing else. */
static struct json *begin(const struct json *plan, struct wall now)
{
	static const char *const keys[] = {"run",     "change",	      "target", "test",
					   "compare", "environments", "lottery"};
	struct json *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		copy_member(o, plan, keys[i]);
	put_time(o, "finished_at", now);
	copy_member(o, plan, "variants");
	return o;
}

/* Times and sizes are whole numbers in events; money and shares are not. */
static void put_figure(struct json *o, const char *key, double value, const struct judged_metric *m)
{
	const char *unit = m->is_known ? m->spec.unit : "1";

	if (!isfinite(value))
		return;
	if (unit[0] == 'u' && unit[1] == 's' && unit[2] == '\0')
		json_put_int(o, key, llround(value));
	else
		json_put_real(o, key, value);
}

static void put_difference(struct json *o, const struct judged_metric *m)
{
	if (isnan(m->est.diff))
		return;
	json_put_str(o, "diff_kind", m->est.is_points ? "points" : "ratio");
	json_put_real(o, "diff", m->est.diff);
	json_put_real(o, "low", m->bounds.low);
	json_put_real(o, "high", m->bounds.high);
	put_figure(o, "diff_abs", m->est.diff_abs, m);
	put_figure(o, "low_abs", m->bounds.low_abs, m);
	put_figure(o, "high_abs", m->bounds.high_abs, m);
	json_put_real(o, "upper_old", m->est.upper_old);
	json_put_real(o, "upper_new", m->est.upper_new);
}

static void put_basis(struct json *o, const struct judged_metric *m)
{
	const struct estimate *e = &m->est;

	if (e->basis != BASIS_NONE) {
		json_put_real(o, "level", m->level);
		json_put_str(o, "basis", estimate_basis_name(e->basis));
	}
	if (e->has_old)
		json_put_int(o, "n_old", (int64_t)e->n_old);
	json_put_int(o, "n_new", (int64_t)e->n_new);
	if (e->environments_old || e->environments_new) {
		json_put_int(o, "environments_old", (int64_t)e->environments_old);
		json_put_int(o, "environments_new", (int64_t)e->environments_new);
	}
}

static struct json *metric_object(const struct judged_metric *m)
{
	struct json *o = json_obj();

	json_put_str(o, "name", m->name);
	json_put_str(o, "unit", m->is_known ? m->spec.unit : NULL);
	if (m->est.has_old)
		put_figure(o, "old", m->est.old, m);
	if (m->est.has_new)
		put_figure(o, "new", m->est.new, m);
	put_difference(o, m);
	put_basis(o, m);
	if (m->tolerance)
		json_put(o, "tolerance", json_copy(m->tolerance));
	json_put_bool(o, "is_gate", m->is_gate);
	if (m->is_gate)
		json_put_real(o, "detectable", m->detectable);
	json_put_str(o, "direction", m->is_higher_better ? "higher" : "lower");
	if (m->verdict != VERDICT_NONE)
		json_put_str(o, "verdict", verdict_name(m->verdict));
	json_put_str(o, "reason", m->reason);
	return o;
}

static struct json *objective_object(const struct judged_objective *j)
{
	struct json *o = json_obj();

	json_put_str(o, "name", j->name);
	json_put_str(o, "metric", j->metric);
	if (j->has_value)
		json_put_real(o, "value", j->value);
	json_put_real(o, "limit", j->limit);
	json_put_str(o, "unit", j->unit);
	json_put_str(o, "op", j->op);
	json_put(o, "is_met", j->is_met < 0 ? json_new_null() : json_new_bool(j->is_met));
	if (j->reason[0])
		json_put_str(o, "reason", j->reason);
	return o;
}

static void put_again(struct json *basis, const struct judged_again *a)
{
	if (a->knows_environments) {
		json_put_int(basis, "environments", (int64_t)a->environments);
		json_put_int(basis, "shared_environments", (int64_t)a->shared);
	}
	if (a->after_ms >= 0)
		json_put_int(basis, "after_ms", a->after_ms);
}

static void put_verdict(struct json *o, const struct gathered *g, const struct judgement *j)
{
	struct json *basis = json_obj(), *metrics = json_arr(), *objectives = json_arr();

	json_put_str(basis, "temperature", g->is_warm ? "warm" : "all");
	json_put_str(basis, "interval", estimate_basis_name(j->interval_basis));
	put_again(basis, &j->again);
	json_put_str(o, "outcome", run_outcome_name(j->outcome));
	json_put_str(o, "reason", j->reason);
	json_put_int(o, "rev", 0);
	json_put(o, "basis", basis);
	if (g->stopped)
		json_put(o, "stopped", json_copy(g->stopped));
	json_put_str(o, "verdict", verdict_name(j->verdict));
	json_put_str(o, "verdict_reason", j->verdict_reason);
	json_put_bool(o, "is_confirmed", j->is_confirmed);
	json_put_bool(o, "confirm_wanted", j->confirm_wanted);
	for (size_t i = 0; i < j->metric_count; i++)
		json_push(metrics, metric_object(&j->metrics[i]));
	json_put(o, "metrics", metrics);
	for (size_t i = 0; i < j->objective_count; i++)
		json_push(objectives, objective_object(&j->objectives[i]));
	json_put(o, "objectives", objectives);
}

static struct json *requests_object(const uint64_t counts[VARIANT_COUNT][OUTCOME_COUNT])
{
	struct json *o = json_obj();

	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct json *of = json_obj();

		for (int k = 0; k < OUTCOME_COUNT; k++) {
			if (counts[v][k] > 0)
				json_put_int(of, outcome_name((enum outcome)k),
					     (int64_t)counts[v][k]);
		}
		if (json_len(of) > 0)
			json_put(o, variant_name((enum variant)v), of);
		else
			json_free(of);
	}
	return o;
}

static struct json *histograms_object(const struct gathered *g)
{
	struct json *o = json_obj();

	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct json *of = json_obj();

		for (int f = 0; f < FIG_COST; f++) {
			struct buf text = BUF_INIT(HISTOGRAM_MAX_BYTES);

			if (!g->hist[v][f])
				continue;
			hdr_encode(g->hist[v][f], &text);
			if (!buf_is_over(&text))
				json_put_str(of, figure_name((enum figure)f), buf_str(&text));
			buf_release(&text);
		}
		if (json_len(of) > 0)
			json_put(o, variant_name((enum variant)v), of);
		else
			json_free(of);
	}
	return o;
}

static struct json *quality_object(const struct gathered *g)
{
	struct json *o = g->quality ? json_copy(g->quality) : json_obj();
	struct json *environments = json_obj();

	for (int v = 0; v < VARIANT_COUNT; v++)
		json_put_int(environments, variant_name((enum variant)v),
			     (int64_t)g->environment_count[v]);
	json_put(o, "environments", environments);
	json_put(o, "suspect", json_copy(g->doubts));
	return o;
}

/* A call that never reached the function is not billed. */
static bool is_billed(enum outcome o)
{
	return o == OUT_OK || o == OUT_FUNCTION_ERROR || o == OUT_TIMEOUT || o == OUT_HTTP_ERROR;
}

static bool has_price(const struct gathered *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->samples[i].value[FIG_COST] > 0)
			return true;
	return false;
}

/*
 * The packed calls are every k-th round of the measured part and cold starts of the warm-up; the
 * counts are of all calls. What is not packed cost as much as a measured call.
 */
static double cost_of(const struct gathered *g, enum variant v)
{
	double usd = 0, warmup_usd = 0;
	uint64_t count = 0, warmup_count = 0, all = 0;

	for (size_t i = 0; i < g->count; i++) {
		const struct sample *s = &g->samples[i];

		if (s->variant != v || !is_billed(s->outcome))
			continue;
		*(s->is_warmup ? &warmup_usd : &usd) += s->value[FIG_COST] / CALLS_PER_MILLION;
		(*(s->is_warmup ? &warmup_count : &count))++;
	}
	for (int o = 0; o < OUTCOME_COUNT; o++)
		all += is_billed((enum outcome)o) ? g->outcomes[v][o] + g->warmup[v][o] : 0;
	all -= MIN_OF(all, warmup_count);
	return warmup_usd + (count > 0 ? usd / (double)count * (double)all : 0);
}

double finish_cost_usd(const struct gathered *g)
{
	return has_price(g) ? cost_of(g, VARIANT_OLD) + cost_of(g, VARIANT_NEW) : (double)NAN;
}

static void put_cost(struct json *o, const struct gathered *g)
{
	char text[UNIT_TEXT_SIZE];
	double usd = finish_cost_usd(g);

	if (isnan(usd))
		return;
	unit_format_usd((int64_t)ceil(usd * MICRO_PER_UNIT), text);
	json_put_str(o, "cost_usd", text);
}

struct json *finish_judged(const struct json *plan, const struct gathered *g,
			   const struct judgement *j, struct wall now)
{
	struct json *o = begin(plan, now);

	put_verdict(o, g, j);
	json_put(o, "requests", requests_object(g->outcomes));
	json_put(o, "warmup_requests", requests_object(g->warmup));
	json_put(o, "throttle_reasons", json_copy(g->throttle_reasons));
	json_put(o, "error_reasons", json_copy(g->error_reasons));
	json_put(o, "histograms", histograms_object(g));
	json_put(o, "quality", quality_object(g));
	if (g->shards)
		json_put(o, "shards", json_copy(g->shards));
	if (g->started.ns != 0) {
		put_time(o, "load_started_at", g->started);
		put_time(o, "load_ended_at", g->ended);
	}
	json_put_str(o, "bookkeeping", "unchecked");
	json_put(o, "external", json_arr());
	put_cost(o, g);
	json_put(o, "artefacts", json_arr());
	return o;
}

struct json *finish_unrun(const struct json *plan, enum run_outcome outcome, struct wall now)
{
	const char *reason = json_get_str(plan, "reason");
	struct json *o = begin(plan, now);

	json_put_str(o, "outcome", run_outcome_name(outcome));
	json_put_str(o, "reason", reason ? reason : "");
	json_put_int(o, "rev", 0);
	json_put_str(o, "verdict", verdict_name(VERDICT_NOT_COMPARED));
	json_put_str(o, "verdict_reason", "nothing was run");
	json_put_bool(o, "is_confirmed", false);
	json_put_bool(o, "confirm_wanted", false);
	json_put(o, "metrics", json_arr());
	json_put(o, "objectives", json_arr());
	json_put_str(o, "cost_usd", "0.000000");
	return o;
}

struct json *finish_untellable(const struct json *plan, const struct json *data, const char *why,
			       struct wall now)
{
	struct json *o = finish_unrun(plan, RUN_FAILED, now);

	json_put_str(o, "reason", why);
	json_put_str(o, "verdict_reason", "its results cannot be told");
	json_put_int(o, "rev", json_get_int(data, "rev", 0));
	json_del(o, "cost_usd"); /* nobody knows */
	return o;
}

struct json *finish_amended(const struct json *data, struct wall now)
{
	struct json *o = json_copy(data);

	put_time(o, "finished_at", now);
	json_put_int(o, "rev", json_get_int(data, "rev", 0) + 1);
	return o;
}
