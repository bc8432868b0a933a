/*
 * collector_sim.h - made-up runs for the tests of the judge: a plan and its shard results.
 *
 * The world is that of the project's simulation: slow drift that hits both variants alike, hosts
 * of different speed, noise, rare long calls.
 */
#ifndef PLIMSOLL_TESTS_COLLECTOR_SIM_H
#define PLIMSOLL_TESTS_COLLECTOR_SIM_H

#include <math.h>
#include <stdio.h>

#include "common/base/rng.h"
#include "common/json/json.h"
#include "common/measure/calls.h"
#include "common/stats/hdr.h"

struct sim {
	uint64_t seed;
	uint32_t rounds, warmup_rounds, spread;	 /* a round: spread calls of each variant */
	double round_s, base_ms, add_ms, factor; /* new = old * factor + add_ms; factor 0 = 1 */
	double host_sd, noise_sd, tail;		 /* of log time; tail: share of long calls */
	double drift;				 /* of log time, both variants */
	bool has_no_instances, has_instance_a_call, has_no_temperature;
	uint32_t environments;	 /* a side; 0 = spread */
	uint32_t new_fails_each; /* every n-th call of new */
	uint32_t old_fails_each;
	uint32_t new_throttled_each, old_throttled_each, new_not_sent_each;
	uint32_t lose_each; /* every n-th call of new is slow to start: cold */
	/* What the first warm-up call of each environment takes longer, and whether it is a
	 * snapshot that is restored; 0 = it is warm. */
	double start_ms[VARIANT_COUNT];
	bool is_restored;
	uint32_t billed;    /* billed time is known */
	uint32_t index, of; /* shard */
	bool is_old_missing;
	bool hides_warmup; /* as our loader does: of the warm-up there are only counts */
};

static inline double sim_gauss(struct rng *r)
{
	return sqrt(-2 * log(1 - rng_unit(r))) * cos(2 * M_PI * rng_unit(r));
}

struct sim_counts {
	uint64_t of[VARIANT_COUNT][TEMPERATURE_COUNT][OUTCOME_COUNT];
	uint64_t due, warmup[VARIANT_COUNT];
	struct hdr *response[VARIANT_COUNT][TEMPERATURE_COUNT];
};

static inline enum outcome sim_outcome(const struct sim *s, enum variant v, uint64_t n)
{
	uint32_t fails = v == VARIANT_NEW ? s->new_fails_each : s->old_fails_each;
	uint32_t throttled = v == VARIANT_NEW ? s->new_throttled_each : s->old_throttled_each;

	if (throttled && n % throttled == 0)
		return OUT_THROTTLED;
	if (v == VARIANT_NEW && s->new_not_sent_each && n % s->new_not_sent_each == 0)
		return OUT_NOT_SENT;
	if (fails && n % fails == fails - 1)
		return OUT_FUNCTION_ERROR;
	return OUT_OK;
}

static inline void sim_call(const struct sim *s, struct rng *rng, struct calls *calls,
			    struct sim_counts *counts, const double *host, uint32_t round,
			    enum variant v, uint32_t k)
{
	uint32_t environments = s->environments ? s->environments : s->spread;
	double t_s = ((double)round - s->warmup_rounds) * s->round_s;
	double drift = s->drift * sin(t_s / 23) + s->drift * sin(t_s / 7 + 1);
	double factor = s->factor > 0 ? s->factor : 1;
	double ms =
		s->base_ms * (v == VARIANT_NEW ? factor : 1) + (v == VARIANT_NEW ? s->add_ms : 0);
	uint32_t e = (k + round) % environments;
	uint64_t n = counts->due;
	struct call_record c = {.due_us = (int64_t)(t_s * 1e6), .round = round, .variant = v};

	ms *= exp(drift + host[v * environments + e] + s->noise_sd * sim_gauss(rng));
	if (rng_unit(rng) < s->tail)
		ms *= exp(-0.8 * log(1 - rng_unit(rng)));
	c.outcome = sim_outcome(s, v, n);
	c.temperature = s->has_no_temperature || c.outcome != OUT_OK ? TEMP_UNKNOWN : TEMP_WARM;
	if (v == VARIANT_NEW && s->lose_each && n % s->lose_each == 0 && c.outcome == OUT_OK) {
		c.temperature = TEMP_COLD;
		c.init_us = 300000;
		ms += 400;
	}
	if (s->start_ms[v] > 0 && round == 0) {
		c.temperature = s->is_restored ? TEMP_RESTORED : TEMP_COLD;
		c.init_us = (uint32_t)(s->start_ms[v] * 900 * exp(0.05 * sim_gauss(rng)));
		ms += s->start_ms[v];
	}
	c.response_us = (uint32_t)(ms * 1000 + 700);
	c.service_us = (uint32_t)(ms * 1000);
	c.billed_us = s->billed ? (uint32_t)(ceil(ms) * 1000) : 0;
	c.memory_kib = 40960;
	if (!s->has_no_instances && c.outcome == OUT_OK)
		c.instance = (uint16_t)(s->has_instance_a_call ? calls->count + 1
							       : 1 + v * environments + e);
	if (c.due_us >= 0 || !s->hides_warmup)
		calls_add(calls, &c);
	if (c.due_us < 0) {
		counts->warmup[v]++;
		return;
	}
	counts->due++;
	counts->of[v][c.temperature][c.outcome]++;
	if (c.outcome != OUT_OK)
		return;
	if (!counts->response[v][c.temperature])
		counts->response[v][c.temperature] = hdr_new();
	hdr_record(counts->response[v][c.temperature], c.response_us);
}

static inline struct json *sim_series(struct sim_counts *counts)
{
	struct json *list = json_arr();

	for (int v = 0; v < VARIANT_COUNT; v++) {
		for (int t = 0; t < TEMPERATURE_COUNT; t++) {
			struct json *s = json_obj(), *outcomes = json_obj();
			struct buf text = BUF_INIT(1 << 20);

			for (int o = 0; o < OUTCOME_COUNT; o++) {
				if (counts->of[v][t][o])
					json_put_int(outcomes, outcome_name((enum outcome)o),
						     (int64_t)counts->of[v][t][o]);
			}
			if (json_len(outcomes) == 0) {
				json_free(outcomes);
				json_free(s);
				continue;
			}
			json_put_str(s, "variant", variant_name((enum variant)v));
			json_put_str(s, "temperature", temperature_name((enum temperature)t));
			json_put(s, "outcomes", outcomes);
			if (counts->response[v][t]) {
				hdr_encode(counts->response[v][t], &text);
				json_put_str(s, "response", buf_str(&text));
				json_put_str(s, "service", buf_str(&text));
				hdr_free(counts->response[v][t]);
			}
			json_push(list, s);
			buf_release(&text);
		}
	}
	return list;
}

static inline struct json *sim_warmup(const struct sim_counts *counts)
{
	struct json *list = json_arr();

	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct json *w = json_obj(), *outcomes = json_obj();

		json_put_int(outcomes, "ok", (int64_t)counts->warmup[v]);
		json_put_str(w, "variant", variant_name((enum variant)v));
		json_put(w, "outcomes", outcomes);
		json_push(list, w);
	}
	return list;
}

/* Data of shard.finished; the caller frees it. */
static inline struct json *sim_shard(const struct sim *s)
{
	uint32_t environments = s->environments ? s->environments : s->spread;
	double *host = x_calloc(environments * 2 + 1, sizeof(double));
	struct json *o = json_obj(), *instances = json_arr(), *shard = json_obj();
	struct rng rng = {s->seed};
	struct sim_counts counts = {0};
	struct calls calls = CALLS_INIT;
	struct buf text = BUF_INIT(1 << 20);

	for (uint32_t i = 0; i < environments * 2; i++)
		host[i] = s->host_sd * sim_gauss(&rng);
	for (uint32_t r = 0; r < s->rounds + s->warmup_rounds; r++) {
		for (uint32_t k = 0; k < s->spread; k++) {
			if (!s->is_old_missing)
				sim_call(s, &rng, &calls, &counts, host, r, VARIANT_OLD, k);
			sim_call(s, &rng, &calls, &counts, host, r, VARIANT_NEW, k);
		}
	}
	for (size_t i = 0; i < (s->has_instance_a_call ? calls.count : environments * 2); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%u-%zu", s->index, i);
		json_push(instances, json_new_str(name));
	}
	calls_encode(&calls, &text);
	json_put_str(o, "run", "rsim");
	json_put_int(shard, "index", s->index);
	json_put_int(shard, "of", s->of ? s->of : 1);
	json_put(o, "shard", shard);
	json_put_int(o, "attempt", 0);
	json_put_str(o, "outcome", "complete");
	json_put_str(o, "started_at", "2026-11-22T15:00:00.500Z");
	json_put_int(o, "duration_ms", (int64_t)(s->rounds * s->round_s * 1000));
	json_put_int(o, "due", (int64_t)counts.due);
	json_put(o, "series", sim_series(&counts));
	json_put(o, "warmup", sim_warmup(&counts));
	json_put_str(o, "calls", buf_str(&text));
	json_put_int(o, "calls_every", 1);
	json_put(o, "instances", instances);
	json_put(o, "quality", json_obj());
	calls_release(&calls);
	buf_release(&text);
	free(host);
	return o;
}

/* A metric of run.planned: {"ratio"|"points": limit}; limit 0 = report only. */
static inline void sim_plan_metric(struct json *plan, const char *name, const char *kind,
				   double limit)
{
	struct json *m = json_obj(), *tolerance = json_obj();

	json_put_str(m, "name", name);
	json_put_bool(m, "is_gate", limit > 0);
	json_put_str(m, "direction", "lower");
	if (limit > 0) {
		json_put_real(tolerance, kind, limit);
		json_put(m, "tolerance", tolerance);
	} else {
		json_free(tolerance);
	}
	json_push(json_get(plan, "metrics"), m);
}

/* Data of run.planned without metrics; environments as planned (0 = not said). */
static inline struct json *sim_plan(uint32_t environments)
{
	struct json *o = json_obj(), *run = json_obj(), *variants = json_arr();
	struct json *target = json_obj(), *price = json_obj();

	json_put_str(run, "id", "rsim");
	json_put_str(run, "purpose", "change");
	json_put(o, "run", run);
	json_put_str(o, "decision", "test");
	json_put_str(o, "compare", "interleaved");
	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct json *variant = json_obj();

		json_put_str(variant, "name", variant_name((enum variant)v));
		json_put_str(variant, "qualifier", v ? "2" : "1");
		json_push(variants, variant);
	}
	json_put(o, "variants", variants);
	json_put_int(o, "shards", 1);
	if (environments)
		json_put_int(o, "environments", environments);
	json_put_int(target, "memory_bytes", 134217728);
	json_put(o, "target", target);
	json_put_str(price, "per_request_usd", "0.0000002");
	json_put_str(price, "per_gb_s_usd", "0.0000166667");
	json_put(o, "price", price);
	json_put(o, "metrics", json_arr());
	json_put(o, "objectives", json_arr());
	return o;
}

#endif
