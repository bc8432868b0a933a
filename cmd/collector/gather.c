/*
 * gather.c - outcomes, histograms, quality and reasons of the shards, merged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/gather.h"
#include "cmd/collector/samples.h"
#include "cmd/collector/several.h"

#define DOUBTS_MAX 32

/* More than run.finished may hold say nothing more. */
void gathered_doubt(struct gathered *g, const char *name)
{
	if (json_len(g->doubts) >= DOUBTS_MAX)
		return;
	for (size_t i = 0; i < json_len(g->doubts); i++) {
		if (strcmp(json_str(json_elem(g->doubts, i)), name) == 0)
			return;
	}
	json_push(g->doubts, json_new_str(name));
}

struct measured gathered_measured(const struct gathered *g)
{
	return (struct measured){.samples = g->samples,
				 .count = g->count,
				 .round_count = g->round_count,
				 .block_count = g->block_count,
				 .is_warm = g->is_warm,
				 .outcomes = g->outcomes,
				 .hist = g->hist};
}

uint64_t gathered_due(const struct gathered *g, enum variant v)
{
	uint64_t sum = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++)
		sum += g->outcomes[v][o];
	return sum;
}

static uint64_t add_outcomes(const struct json *from, uint64_t into[OUTCOME_COUNT])
{
	uint64_t sum = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++) {
		int64_t n = json_get_int(from, outcome_name((enum outcome)o), 0);

		into[o] += (uint64_t)MAX_OF(n, 0);
		sum += (uint64_t)MAX_OF(n, 0);
	}
	return sum;
}

/* ok calls by temperature, of one variant; a foreign series counts its samples. */
static void count_temperatures(const struct json *series, uint64_t into[TEMPERATURE_COUNT])
{
	enum temperature t;
	const struct json *samples = json_get(series, "samples_ms");

	if (temperature_parse(json_get_str(series, "temperature"), &t) != 0)
		t = TEMP_UNKNOWN;
	into[t] += samples ? json_len(samples)
			   : (uint64_t)MAX_OF(json_int(json_at(series, "outcomes.ok")), 0);
}

static bool find_basis(const struct json *const *shards, size_t shard_count)
{
	uint64_t ok[VARIANT_COUNT][TEMPERATURE_COUNT] = {{0}};

	for (size_t i = 0; i < shard_count; i++) {
		const struct json *list = json_get(shards[i], "series");

		for (size_t k = 0; k < json_len(list); k++) {
			enum variant v;

			if (variant_parse(json_get_str(json_elem(list, k), "variant"), &v) == 0)
				count_temperatures(json_elem(list, k), ok[v]);
		}
	}
	return figures_are_warm(ok);
}

static void add_histogram(struct gathered *g, enum variant v, enum figure f, const struct hdr *h)
{
	if (hdr_count(h) == 0)
		return;
	if (!g->hist[v][f])
		g->hist[v][f] = hdr_new();
	if (hdr_add(g->hist[v][f], h) != 0)
		gathered_doubt(g, "histogram-unreadable");
}

/* Where the member of a series belongs that is of starts; the member itself for all others. */
static enum figure start_figure(enum figure member, enum temperature t)
{
	if (member == FIG_INIT && t == TEMP_RESTORED)
		return FIG_RESTORE;
	if (member == FIG_RESPONSE && t == TEMP_COLD)
		return FIG_COLD_RESPONSE;
	if (member == FIG_RESPONSE && t == TEMP_RESTORED)
		return FIG_RESTORED_RESPONSE;
	return member;
}

/* Memory belongs to the version: it comes from calls of any temperature. */
static void add_member(struct gathered *g, enum variant v, enum figure member, enum temperature t,
		       const struct hdr *h)
{
	enum figure start = start_figure(member, t);

	if (figure_is_start(start))
		add_histogram(g, v, start, h);
	if (!figure_is_start(member) && (member == FIG_MEMORY || (!g->is_warm || t == TEMP_WARM)))
		add_histogram(g, v, member, h);
}

static void add_histograms(struct gathered *g, const struct json *series, enum variant v,
			   enum temperature t)
{
	for (int f = 0; f < FIG_COST; f++) {
		const char *text = json_get_str(series, figure_name((enum figure)f));
		struct hdr *h = NULL;

		if (!text)
			continue;
		if (hdr_decode(text, strlen(text), &h) != 0)
			gathered_doubt(g, "histogram-unreadable");
		else
			add_member(g, v, (enum figure)f, t, h);
		hdr_free(h);
	}
}

static void add_foreign_histogram(struct gathered *g, const struct json *series, enum variant v)
{
	const struct json *samples = json_get(series, "samples_ms");

	for (size_t i = 0; i < json_len(samples); i++) {
		double us = json_real(json_elem(samples, i)) * 1000;

		if (us <= 0)
			continue;
		if (!g->hist[v][FIG_RESPONSE])
			g->hist[v][FIG_RESPONSE] = hdr_new();
		hdr_record(g->hist[v][FIG_RESPONSE], (int64_t)MIN_OF(us, (double)HDR_HIGHEST));
	}
}

/* Returns how many calls its outcomes add up to. */
static uint64_t add_series(struct gathered *g, const struct json *series)
{
	enum variant v;
	enum temperature t;

	if (variant_parse(json_get_str(series, "variant"), &v) != 0) {
		gathered_doubt(g, "series-unreadable");
		return 0;
	}
	if (temperature_parse(json_get_str(series, "temperature"), &t) != 0)
		t = TEMP_UNKNOWN;
	add_histograms(g, series, v, t);
	add_foreign_histogram(g, series, v);
	return add_outcomes(json_get(series, "outcomes"), g->outcomes[v]);
}

static void add_warmup(struct gathered *g, const struct json *list)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *w = json_elem(list, i);
		enum variant v;

		if (variant_parse(json_get_str(w, "variant"), &v) == 0)
			add_outcomes(json_get(w, "outcomes"), g->warmup[v]);
	}
}

static void add_end(struct gathered *g, const struct json *shard)
{
	static const struct {
		const char *outcome;
		enum run_end end;
	} rows[] = {{"complete", END_COMPLETE},
		    {"aborted", END_INCOMPLETE},
		    {"fenced", END_INCOMPLETE},
		    {"cancelled", END_CANCELLED},
		    {"error", END_FAILED}};
	const char *outcome = json_get_str(shard, "outcome"),
		   *reason = json_get_str(shard, "reason");
	enum run_end end = END_FAILED;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (outcome && strcmp(outcome, rows[i].outcome) == 0)
			end = rows[i].end;
	}
	if (end <= g->end)
		return;
	g->end = end;
	snprintf(g->end_reason, sizeof(g->end_reason), "%s",
		 reason && *reason ? reason
		 : outcome	   ? outcome
				   : "no outcome");
}

static void add_counts(struct json *into, const struct json *from)
{
	void *it = NULL;
	const char *key;
	struct json *value;

	while (json_next(from, &it, &key, &value))
		json_put_int(into, key, json_get_int(into, key, 0) + json_int(value));
}

/* Of several shards the worst figure speaks for the run. */
static void add_quality(struct gathered *g, const struct json *from)
{
	static const char *const largest[] = {"late_p50_us", "late_p99_us", "cpu_ratio",
					      "loop_p99_us"};
	const struct json *doubts = json_get(from, "suspect");

	for (size_t i = 0; i < json_len(doubts); i++) {
		const char *name = json_str(json_elem(doubts, i));

		if (name)
			gathered_doubt(g, name);
	}
	if (!json_is(from, JSON_T_OBJ)) /* null stands for absent too */
		return;
	if (!g->quality) {
		g->quality = json_copy(from);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(largest); i++) {
		const struct json *value = json_get(from, largest[i]);

		if (json_real(value) > json_get_real(g->quality, largest[i], 0))
			json_put(g->quality, largest[i], json_copy(value));
	}
	if (json_get_real(from, "achieved_ratio", 1) <
	    json_get_real(g->quality, "achieved_ratio", 1))
		json_put_real(g->quality, "achieved_ratio",
			      json_get_real(from, "achieved_ratio", 1));
}

static void add_times(struct gathered *g, const struct json *shard)
{
	const char *text = json_get_str(shard, "started_at");
	struct wall started, ended;

	if (!text || wall_parse_rfc3339(text, &started) != 0)
		return;
	ended = wall_add_ns(started, json_get_int(shard, "duration_ms", 0) * NS_PER_MS);
	if (g->started.ns == 0 || wall_diff_ns(started, g->started) < 0)
		g->started = started;
	if (wall_diff_ns(ended, g->ended) > 0)
		g->ended = ended;
}

static void add_shard(struct gathered *g, const struct json *shard)
{
	const struct json *series = json_get(shard, "series");
	uint64_t sum = 0;
	bool has_outcomes = json_len(series) > 0;

	for (size_t i = 0; i < json_len(series); i++) {
		sum += add_series(g, json_elem(series, i));
		has_outcomes = has_outcomes &&
			       json_is(json_get(json_elem(series, i), "outcomes"), JSON_T_OBJ);
	}
	add_warmup(g, json_get(shard, "warmup"));
	add_end(g, shard);
	add_counts(g->throttle_reasons, json_get(shard, "throttle_reasons"));
	add_counts(g->error_reasons, json_get(shard, "error_reasons"));
	add_quality(g, json_get(shard, "quality"));
	add_times(g, shard);
	if (json_is(json_get(shard, "stopped"), JSON_T_OBJ) && !g->stopped)
		g->stopped = json_copy(json_get(shard, "stopped"));
	if (!json_is_num(json_get(shard, "due")) ||
	    !json_is(json_get(shard, "quality"), JSON_T_OBJ) || !has_outcomes)
		g->is_foreign = g->is_foreign || g->end == END_COMPLETE;
	else if ((uint64_t)json_get_int(shard, "due", 0) != sum)
		gathered_doubt(g, "outcomes-do-not-add-up");
}

struct gathered *gather_run(const struct json *plan, const struct json *const *shards,
			    size_t shard_count)
{
	struct gathered *g = x_calloc(1, sizeof(*g));

	g->throttle_reasons = json_obj();
	g->error_reasons = json_obj();
	g->doubts = json_arr();
	g->is_warm = find_basis(shards, shard_count);
	for (size_t i = 0; i < shard_count; i++) {
		if (shards[i])
			add_shard(g, shards[i]);
	}
	samples_gather(g, plan, shards, shard_count);
	several_gather(g, plan, shards, shard_count);
	return g;
}

void gathered_free(struct gathered *g)
{
	if (!g)
		return;
	for (int v = 0; v < VARIANT_COUNT; v++) {
		for (int f = 0; f < FIGURE_COUNT; f++)
			hdr_free(g->hist[v][f]);
		json_free(g->environments[v]);
	}
	json_free(g->throttle_reasons);
	json_free(g->error_reasons);
	json_free(g->quality);
	json_free(g->doubts);
	json_free(g->stopped);
	json_free(g->shards);
	free(g->samples);
	free(g);
}
