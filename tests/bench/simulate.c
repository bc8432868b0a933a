/*
 * simulate.c - made-up runs in a world whose truth is known: what the real collector says of them
 * shows how often it is right (tests/bench/verdicts.py, docs/VERDICT.md).
 *
 *	simulate --runs 1000 --environments 16 --host-spread 0.05 --change 0.2 | plimsoll-collector
 *
 * The world. The time of call i to version v in environment e at time t is
 *
 *	base * (1 + change if v is new) * exp(weather(t) + host(e) + noise(i)) [* exp(tail(i))]
 *
 *	weather	  first-order autoregression (step 0.1 s, memory 8 s, spread 0.12) that both
 *		  versions meet alike, and noisy episodes: one each 40 s on average, 3 to 15 s
 *		  long, 0.25 to 0.6 high
 *	host	  normal with the host spread: the lottery. An environment lives for an
 *		  exponential time with mean --life (0 = for ever); what replaces it draws again and
 *		  answers its first call cold
 *	noise	  normal, 0.15
 *	tail	  4 % of the calls: exponential with mean 0.8
 *
 * Calls come in rounds, --environments of each version at once, each environment one call of a
 * round, as the loader's do. They fail at random with --errors (old) and --errors + --more-errors
 * (new).
 *
 * --stop when-decided: the run is looked at as the loader does, by the same function, and ends
 *where that says so.
 *
 * --sequential FILE: beside each run, on the same weather and hosts, what testing the old version
 * first and the new one afterwards would have said with a plain bootstrap over calls (ratio of
 * medians, 95 %): one word a line.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/exit_code.h"
#include "common/base/opt.h"
#include "common/base/rng.h"
#include "common/event/event.h"
#include "common/measure/calls.h"
#include "common/stats/boot.h"
#include "common/stats/hdr.h"
#include "common/verdict/look.h"

#define STEP_S 0.1
#define MEMORY_S 8.0
#define WEATHER_SPREAD 0.12
#define NOISE 0.15
#define TAIL_SHARE 0.04
#define TAIL_MEAN 0.8
#define INIT_US 250000
#define INSTANCES_MAX 65535
#define LOOKS 4
#define START_S INT64_C(1795000000)

struct options {
	uint64_t runs, seed, calls, environments;
	const char *host_spread, *change, *errors, *more_errors, *tolerance, *points, *life, *rate;
	const char *lottery, *sequential, *stop;
	bool is_help;
	bool is_unknown, has_one_gate;
};

static const struct opt rows[] = {
	{"help", 'h', OPT_FLAG, offsetof(struct options, is_help), NULL, NULL, "this text"},
	{"runs", 0, OPT_U64, offsetof(struct options, runs), "N", "1000", "runs"},
	{"seed", 0, OPT_U64, offsetof(struct options, seed), "N", "1", "of the first run"},
	{"calls", 0, OPT_U64, offsetof(struct options, calls), "N", "1200",
	 "of a run, both versions together"},
	{"environments", 0, OPT_U64, offsetof(struct options, environments), "N", "16", "a side"},
	{"host-spread", 0, OPT_STRING, offsetof(struct options, host_spread), "X", "0.05",
	 "standard deviation of log time between hosts"},
	{"change", 0, OPT_STRING, offsetof(struct options, change), "X", "0",
	 "the new version takes 1 + X of the time"},
	{"errors", 0, OPT_STRING, offsetof(struct options, errors), "X", "0", "share that fails"},
	{"more-errors", 0, OPT_STRING, offsetof(struct options, more_errors), "X", "0",
	 "of the new version, on top"},
	{"tolerance", 0, OPT_STRING, offsetof(struct options, tolerance), "X", "0.1",
	 "of response_p50"},
	{"points", 0, OPT_STRING, offsetof(struct options, points), "X", "0.005", "of error_ratio"},
	{"life", 0, OPT_STRING, offsetof(struct options, life), "S", "600",
	 "mean life of an environment in seconds, 0 = for ever"},
	{"rate", 0, OPT_STRING, offsetof(struct options, rate), "X", "10", "calls a second"},
	{"lottery", 0, OPT_STRING, offsetof(struct options, lottery), "X", "",
	 "the lottery term that calibration measured; empty = none"},
	{"sequential", 0, OPT_STRING, offsetof(struct options, sequential), "FILE", NULL,
	 "verdicts of old-then-new with a plain bootstrap"},
	{"stop", 0, OPT_STRING, offsetof(struct options, stop), "WHEN", "off",
	 "when-decided: end at a quarter, half or three quarters"},
	{"unknown", 0, OPT_FLAG, offsetof(struct options, is_unknown), NULL, NULL,
	 "answers do not tell their environment"},
	{"one-gate", 0, OPT_FLAG, offsetof(struct options, has_one_gate), NULL, NULL,
	 "response_p50 alone is a gate"},
};

struct host {
	double log_speed, dies_s;
	uint16_t instance; /* 1 + index of its name */
	bool is_new;
};

struct world {
	uint64_t calls, environments;
	double host_spread, change, errors, more_errors, tolerance, points, life_s, rate_per_s;
	struct rng rng;
	double *weather;
	size_t steps;
	struct host *hosts; /* environments of old, then of new */
	uint16_t instances;
};

static double gauss(struct rng *r)
{
	return sqrt(-2 * log(1 - rng_unit(r))) * cos(2 * M_PI * rng_unit(r));
}

static double exponential(struct rng *r, double mean)
{
	return -mean * log1p(-rng_unit(r));
}

static void make_weather(struct world *w)
{
	double end_s = (double)w->calls / w->rate_per_s + 1, keep = exp(-STEP_S / MEMORY_S);
	double spread = WEATHER_SPREAD * sqrt(1 - keep * keep);

	w->steps = (size_t)(end_s / STEP_S) + 1;
	w->weather = x_calloc(w->steps, sizeof(*w->weather));
	for (size_t i = 1; i < w->steps; i++)
		w->weather[i] = keep * w->weather[i - 1] + spread * gauss(&w->rng);
	for (double t = exponential(&w->rng, 40); t < end_s; t += exponential(&w->rng, 40)) {
		double end = t + 3 + 12 * rng_unit(&w->rng),
		       height = 0.25 + 0.35 * rng_unit(&w->rng);

		for (size_t i = (size_t)(t / STEP_S); i < w->steps && (double)i * STEP_S < end; i++)
			w->weather[i] += height;
	}
}

static void draw_host(struct world *w, struct host *h, double now_s)
{
	h->log_speed = w->host_spread * gauss(&w->rng);
	h->dies_s = w->life_s > 0 ? now_s + exponential(&w->rng, w->life_s) : INFINITY;
	h->instance = w->instances < INSTANCES_MAX ? ++w->instances : 0;
	h->is_new = true;
}

static void world_init(struct world *w, uint64_t seed)
{
	w->rng.state = seed;
	rng_next(&w->rng);
	w->instances = 0;
	make_weather(w);
	w->hosts = x_calloc(2 * w->environments, sizeof(*w->hosts));
	for (uint64_t i = 0; i < 2 * w->environments; i++) {
		draw_host(w, &w->hosts[i], 0);
		w->hosts[i].is_new = false; /* the warm-up had its cold start */
	}
}

static void world_release(struct world *w)
{
	free(w->weather);
	free(w->hosts);
}

static double log_time(struct world *w, double t_s, const struct host *h, enum variant v)
{
	double x = log(50000.0) + w->weather[MIN_OF((size_t)(t_s / STEP_S), w->steps - 1)];

	x += h->log_speed + NOISE * gauss(&w->rng);
	if (rng_unit(&w->rng) < TAIL_SHARE)
		x += exponential(&w->rng, TAIL_MEAN);
	return v == VARIANT_NEW ? x + log1p(w->change) : x;
}

static struct host *living(struct world *w, enum variant v, uint32_t e, double t_s)
{
	struct host *h = &w->hosts[(uint64_t)v * w->environments + e];

	if (t_s >= h->dies_s)
		draw_host(w, h, t_s);
	return h;
}

/* ---- a run as the loader would tell it ---- */

struct told {
	struct calls calls;
	struct hdr *response[VARIANT_COUNT][TEMPERATURE_COUNT];
	uint64_t outcomes[VARIANT_COUNT][TEMPERATURE_COUNT][OUTCOME_COUNT];
	size_t look; /* it was decided at, from 1 on; 0 = at its end */
	uint32_t rounds;
};

static void call(struct world *w, struct told *told, uint32_t round, double t_s, enum variant v,
		 uint32_t e)
{
	struct host *h = living(w, v, e, t_s);
	double us = exp(log_time(w, t_s, h, v));
	bool fails = rng_unit(&w->rng) < w->errors + (v == VARIANT_NEW ? w->more_errors : 0);
	struct call_record c = {
		.due_us = (int64_t)(t_s * 1e6),
		.round = round,
		.variant = v,
		.outcome = fails ? OUT_FUNCTION_ERROR : OUT_OK,
		.temperature = h->is_new ? TEMP_COLD : TEMP_WARM,
		.instance = h->instance,
	};

	if (fails)
		c.temperature = TEMP_UNKNOWN;
	if (c.temperature == TEMP_COLD) {
		c.init_us = INIT_US;
		us += INIT_US;
	}
	h->is_new = false;
	c.response_us = c.service_us = (uint32_t)us;
	calls_add(&told->calls, &c);
}

/* The calls of the first so many rounds, as series. */
static void count(struct told *told, uint32_t rounds)
{
	size_t kept = 0;

	while (kept < told->calls.count && told->calls.items[kept].round < rounds)
		kept++;
	told->calls.count = kept;
	for (size_t i = 0; i < kept; i++) {
		const struct call_record *c = &told->calls.items[i];
		struct hdr **h = &told->response[c->variant][c->temperature];

		told->outcomes[c->variant][c->temperature][c->outcome]++;
		if (c->outcome != OUT_OK)
			continue;
		if (!*h)
			*h = hdr_new();
		hdr_record(*h, c->response_us);
	}
}

static void run_interleaved(struct world *w, struct told *told)
{
	uint32_t side = (uint32_t)w->environments, n = 2 * side;
	uint32_t rounds = (uint32_t)(w->calls / n);
	uint32_t *items = x_calloc(n, sizeof(*items));

	for (uint32_t r = 0; r < rounds; r++) {
		double t_s = (double)r * n / w->rate_per_s;

		for (uint32_t i = 0; i < n; i++)
			items[i] = i;
		rng_shuffle(&w->rng, items, n);
		for (uint32_t i = 0; i < n; i++)
			call(w, told, r, t_s, items[i] < side ? VARIANT_OLD : VARIANT_NEW,
			     items[i] % side);
	}
	free(items);
}

static struct json *one_series(struct told *told, enum variant v, enum temperature temp)
{
	struct json *s = json_obj(), *outcomes = json_obj();
	struct buf text = BUF_INIT(1u << 20);
	struct hdr *h = told->response[v][temp];

	json_put_str(s, "variant", variant_name(v));
	json_put_str(s, "temperature", temperature_name(temp));
	for (int o = 0; o < OUTCOME_COUNT; o++)
		if (told->outcomes[v][temp][o])
			json_put_int(outcomes, outcome_name((enum outcome)o),
				     (int64_t)told->outcomes[v][temp][o]);
	json_put(s, "outcomes", outcomes);
	if (h) {
		hdr_encode(h, &text);
		json_put_str(s, "response", buf_str(&text));
		json_put_str(s, "service", buf_str(&text));
	}
	buf_release(&text);
	return s;
}

static struct json *series(struct told *told)
{
	struct json *list = json_arr();

	for (int v = 0; v < VARIANT_COUNT; v++) {
		for (int t = 0; t < TEMPERATURE_COUNT; t++) {
			uint64_t sum = 0;

			for (int o = 0; o < OUTCOME_COUNT; o++)
				sum += told->outcomes[v][t][o];
			if (sum)
				json_push(list,
					  one_series(told, (enum variant)v, (enum temperature)t));
			hdr_free(told->response[v][t]);
		}
	}
	return list;
}

static struct json *names(const struct world *w)
{
	struct json *list = json_arr();
	char name[24];

	for (uint32_t i = 0; i < w->instances; i++) {
		snprintf(name, sizeof(name), "i%u", i);
		json_push(list, json_new_str(name));
	}
	return list;
}

static struct json *stopped(const struct told *told)
{
	struct json *o = json_obj();

	json_put_int(o, "look", (int64_t)told->look);
	json_put_int(o, "of", LOOKS);
	json_put_int(o, "rounds", told->rounds);
	return o;
}

static struct json *finished(const struct world *w, struct told *told, const char *run)
{
	struct json *o = json_obj(), *shard = json_obj();
	struct buf text = BUF_INIT(EVENT_LINE_MAX_BYTES);

	calls_encode(&told->calls, &text);
	json_put_str(o, "run", run);
	json_put_int(shard, "index", 0);
	json_put_int(shard, "of", 1);
	json_put(o, "shard", shard);
	json_put_int(o, "attempt", 0);
	json_put_str(o, "outcome", "complete");
	json_put_str(o, "started_at", "2026-11-22T15:00:00.500Z");
	json_put_int(o, "duration_ms", (int64_t)((double)w->calls / w->rate_per_s * 1e3));
	json_put_int(o, "due", (int64_t)told->calls.count);
	json_put(o, "series", series(told));
	json_put_str(o, "calls", buf_str(&text));
	json_put_int(o, "calls_every", 1);
	json_put(o, "instances", names(w));
	if (told->look)
		json_put(o, "stopped", stopped(told));
	json_put(o, "quality", json_obj());
	calls_release(&told->calls);
	buf_release(&text);
	return o;
}

static void add_metric(struct json *list, const char *name, const char *kind, double limit,
		       bool is_gate)
{
	struct json *m = json_obj(), *tolerance = json_obj();

	json_put_str(m, "name", name);
	json_put_bool(m, "is_gate", is_gate);
	json_put_str(m, "direction", "lower");
	json_put_real(tolerance, kind, limit);
	json_put(m, "tolerance", tolerance);
	json_push(list, m);
}

static struct json *looks(void)
{
	struct json *o = json_obj(), *list = json_arr();

	for (int i = 1; i <= LOOKS; i++)
		json_push(list, json_new_real((double)i / LOOKS));
	json_put(o, "looks", list);
	return o;
}

static struct json *planned(const struct world *w, const struct options *o, const char *run)
{
	struct json *d = json_obj(), *r = json_obj(), *variants = json_arr(), *metrics = json_arr();

	json_put_str(r, "id", run);
	json_put_str(r, "purpose", "change");
	json_put(d, "run", r);
	json_put_str(d, "decision", "test");
	json_put_str(d, "test", "compare");
	json_put_str(d, "compare", "interleaved");
	for (int v = 0; v < VARIANT_COUNT; v++) {
		struct json *variant = json_obj();

		json_put_str(variant, "name", variant_name((enum variant)v));
		json_put_str(variant, "qualifier", v ? "2" : "1");
		json_push(variants, variant);
	}
	json_put(d, "variants", variants);
	json_put_int(d, "shards", 1);
	json_put_int(d, "environments", (int64_t)w->environments);
	if (o->lottery[0])
		json_put_real(d, "lottery", strtod(o->lottery, NULL));
	if (strcmp(o->stop, "when-decided") == 0)
		json_put(d, "stop", looks());
	add_metric(metrics, "response_p50", "ratio", w->tolerance, true);
	add_metric(metrics, "response_p95", "ratio", w->tolerance, false);
	add_metric(metrics, "error_ratio", "points", w->points, !o->has_one_gate);
	json_put(d, "metrics", metrics);
	json_put(d, "objectives", json_arr());
	return d;
}

static void print_event(enum event_kind kind, const char *id, const char *run, struct json *data)
{
	struct event ev;
	char why[200];
	int rc = event_new(&ev, kind, id, "sim/world", run, wall_from_s(START_S), data, why);

	BUG_ON(rc != 0);
	fwrite(ev.line, 1, ev.line_bytes, stdout);
	putchar('\n');
	event_release(&ev);
}

/* ---- the same world, tested the old way ---- */

/* All calls of one run, each a block of its own: a bootstrap that knows calls and nothing else. */
struct plain {
	struct boot_value *values[VARIANT_COUNT];
	struct boot_sample of[VARIANT_COUNT];
	size_t count; /* a side */
};

static double ratio_of_medians(const uint32_t *times, size_t block_count, void *ctx)
{
	const struct plain *p = ctx;

	(void)block_count;
	return boot_sample_quantile(&p->of[VARIANT_NEW], times) -
	       boot_sample_quantile(&p->of[VARIANT_OLD], times);
}

static const char *plain_verdict(const struct world *w, struct plain *p, uint64_t seed)
{
	struct boot b;
	double low = (double)NAN, high = (double)NAN;

	for (int v = 0; v < VARIANT_COUNT; v++)
		boot_sample_init(&p->of[v], p->values[v], p->count, 2 * p->count, 0.5);
	boot_run(&b, 2 * p->count, seed, ratio_of_medians, p);
	BUG_ON(boot_bounds(&b, 0.95, &low, &high) != 0);
	boot_release(&b);
	low = expm1(low);
	high = expm1(high);
	if (low > w->tolerance)
		return "worse";
	if (high < -w->tolerance)
		return "better";
	return low >= -w->tolerance && high <= w->tolerance ? "no-difference" : "cannot-tell";
}

static void run_sequential(struct world *w, uint64_t seed, FILE *out)
{
	struct plain p = {.count = w->calls / 2};

	for (int v = 0; v < VARIANT_COUNT; v++) {
		p.values[v] = x_calloc(p.count, sizeof(*p.values[v]));
		for (size_t i = 0; i < p.count; i++) {
			size_t place = (size_t)v * p.count + i;
			double t_s = (double)place / w->rate_per_s;
			uint32_t e = (uint32_t)rng_below(&w->rng, w->environments);
			struct host *h = living(w, (enum variant)v, e, t_s);

			p.values[v][i].value = log_time(w, t_s, h, (enum variant)v);
			p.values[v][i].block = (uint32_t)place;
		}
	}
	fprintf(out, "%s\n", plain_verdict(w, &p, seed));
	for (int v = 0; v < VARIANT_COUNT; v++)
		boot_sample_release(&p.of[v]);
}

/* ---- all runs ---- */

static void run_id(uint64_t seed, char out[22])
{
	struct rng r = {seed ^ UINT64_C(0x706c696d736f6c6c)};

	out[0] = 'r';
	for (size_t i = 1; i < 21; i++)
		out[i] = "abcdefghijklmnopqrstuvwxyz234567"[rng_below(&r, 32)];
	out[21] = '\0';
}

/* The rounds until it stops: all of them, or up to the look that decides. */
static void stop(const struct world *w, const struct json *plan, bool is_unknown, struct told *told)
{
	uint32_t rounds = (uint32_t)(w->calls / (2 * w->environments));
	struct json *list = names(w);

	for (size_t i = 0; is_unknown && i < told->calls.count; i++)
		told->calls.items[i].instance = 0;
	told->rounds = rounds;
	for (size_t i = 0; json_get(plan, "stop") && i + 1 < LOOKS && !told->look; i++) {
		uint32_t so_far = look_rounds((double)(i + 1) / LOOKS, rounds);

		if (!look_decides(plan, i, so_far, &told->calls, list))
			continue;
		told->look = i + 1;
		told->rounds = so_far;
	}
	count(told, told->rounds);
	json_free(list);
}

static void simulate(struct world *w, const struct options *o, uint64_t seed, FILE *sequential)
{
	struct told told = {.calls = CALLS_INIT};
	char run[22], shard[26];
	struct json *plan;

	run_id(seed, run);
	snprintf(shard, sizeof(shard), "%s.0.0", run);
	world_init(w, seed);
	run_interleaved(w, &told);
	plan = planned(w, o, run);
	stop(w, plan, o->is_unknown, &told);
	print_event(EV_RUN_PLANNED, run, run, plan);
	print_event(EV_SHARD_FINISHED, shard, run, finished(w, &told, run));
	world_release(w);
	if (!sequential)
		return;
	world_init(w, seed);
	run_sequential(w, seed, sequential);
	world_release(w);
}

static int check(const struct world *w)
{
	if (w->environments >= 1 && w->calls >= 2 * w->environments && w->calls <= CALLS_MAX &&
	    w->rate_per_s > 0 && w->host_spread >= 0 && w->change > -1)
		return 0;
	fprintf(stderr,
		"simulate: expected --calls from 2 * --environments to %d, a --rate above "
		"0 and a --change above -1\n",
		CALLS_MAX);
	return -EINVAL;
}

static double number(const char *text)
{
	return strtod(text, NULL);
}

static int run_all(const struct options *o)
{
	struct world w = {
		.calls = o->calls,
		.environments = o->environments,
		.host_spread = number(o->host_spread),
		.change = number(o->change),
		.errors = number(o->errors),
		.more_errors = number(o->more_errors),
		.tolerance = number(o->tolerance),
		.points = number(o->points),
		.life_s = number(o->life),
		.rate_per_s = number(o->rate),
	};
	FILE *sequential = NULL;

	if (check(&w) != 0)
		return EXIT_USAGE;
	if (o->sequential) {
		sequential = fopen(o->sequential, "we");
		if (!sequential) {
			perror(o->sequential);
			return EXIT_AGAIN;
		}
	}
	for (uint64_t i = 0; i < o->runs; i++)
		simulate(&w, o, o->seed + i, sequential);
	if (sequential && fclose(sequential) != 0)
		return EXIT_AGAIN;
	return fflush(stdout) == 0 ? EXIT_FINE : EXIT_AGAIN;
}

int main(int argc, char **argv)
{
	const struct opt_usage usage = {"simulate", "[options] > events",
					"Made-up runs in a world whose truth is known.\n", NULL};
	struct options o = {0};
	struct opt_table table = {rows, ARRAY_LEN(rows), &o};
	struct buf why = BUF_INIT(1000);
	const char *rest[64];
	size_t rest_count = 0;
	int code = EXIT_USAGE;

	event_set_source("simulate");
	if (argc <= 64 && opt_parse(&table, 1, argc, argv, rest, &rest_count, &why) == 0 &&
	    rest_count == 0) {
		if (o.is_help)
			opt_help(stdout, &usage, &table, 1);
		code = o.is_help ? EXIT_FINE : run_all(&o);
	} else {
		fprintf(stderr, "simulate: %s\n", buf_str(&why));
		opt_help(stderr, &usage, &table, 1);
	}
	buf_release(&why);
	return code;
}
