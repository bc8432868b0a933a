/* load_plan.c - options into workloads; see load_plan.h. */
#include "cmd/plimsoll/load_plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/unit.h"
#include "common/digest/digest.h"
#include "common/measure/shape.h"

#define DURATION_MS_DEFAULT (10 * MS_PER_S)
#define ITERATIONS_DURATION_MS (600 * MS_PER_S) /* k6's maxDuration */
#define RATE_MAX_PER_S 1e6

static const struct executor {
	const char *name;
	bool is_open, has_stages, has_iterations, needs_duration;
} executors[] = {
	{"constant-arrival-rate", true, false, false, true},
	{"ramping-arrival-rate", true, true, false, false},
	{"replay", true, false, false, false},
	{"constant-vus", false, false, false, true},
	{"ramping-vus", false, true, false, false},
	{"shared-iterations", false, false, true, false},
	{"per-vu-iterations", false, false, true, false},
};

static const struct executor *find_executor(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(executors); i++)
		if (!strcmp(executors[i].name, name))
			return &executors[i];
	return NULL;
}

const char *load_executor(const char *name)
{
	const struct executor *e = find_executor(name);

	return e ? e->name : NULL;
}

bool load_uses(const struct load_work *w, const char *executor)
{
	return !strcmp(w->executor, executor);
}

static bool is_replay(const struct load_work *w)
{
	return load_uses(w, "replay");
}

static bool is_per_user(const struct load_work *w)
{
	return load_uses(w, "per-vu-iterations");
}

bool load_is_open(const struct load_work *w)
{
	return find_executor(w->executor)->is_open;
}

double load_peak_per_s(const struct load_work *w)
{
	if (is_replay(w))
		return w->replay_peak_per_s;
	return w->ramp.count ? ramp_peak(&w->ramp) : w->rate_per_s;
}

uint64_t load_calls(const struct load_work *w)
{
	if (!load_is_open(w))
		return w->iterations * (is_per_user(w) ? w->vus : 1);
	if (is_replay(w))
		return w->replay_calls;
	if (w->ramp.count)
		return (uint64_t)(ramp_total(&w->ramp) + 1e-6);
	return (uint64_t)ceil(w->rate_per_s * (double)w->duration_ms / 1e3 - 1e-6);
}

double load_mean_per_s(const struct load_work *w)
{
	double calls = is_replay(w) ? (double)w->replay_calls : ramp_total(&w->ramp);

	if (!is_replay(w) && !w->ramp.count)
		return w->rate_per_s;
	return w->duration_ms ? calls * 1e3 / (double)w->duration_ms : 0;
}

/* ---- options ---- */

/* "1000/s", "300/m", or "1000" for a person in a hurry. */
static int parse_rate(const char *option, const char *text, double *out, struct buf *why)
{
	if (unit_parse_rate(text, out) && unit_parse_double(text, out))
		return buf_refuse(why, "--%s %s: expected %s", option, text,
				  unit_expected(UNIT_RATE));
	if (!(*out > 0 && *out <= RATE_MAX_PER_S))
		return buf_refuse(why, "--%s %s: expected more than 0 and at most 1000000/s",
				  option, text);
	return 0;
}

static const char *choose_executor(const struct load_ask *ask)
{
	if (ask->replay)
		return "replay";
	if (ask->stages || ask->shape)
		return ask->vus ? "ramping-vus" : "ramping-arrival-rate";
	if (ask->vus)
		return ask->requests ? "shared-iterations" : "constant-vus";
	return "constant-arrival-rate";
}

static int check_model(const struct load_ask *ask, const struct executor *e, struct buf *why)
{
	if (ask->rate && ask->vus)
		return buf_refuse(why,
				  "--rate is the open model and --vus the closed one: give one "
				  "of them (how many calls an open load may have in flight is "
				  "--connections)");
	if ((ask->replay != NULL) != !strcmp(e->name, "replay"))
		return buf_refuse(why,
				  "--replay FILE is what --executor replay goes by, and no other");
	if (ask->replay && (ask->rate || ask->requests || ask->duration_ms || ask->arrival))
		return buf_refuse(why,
				  "--replay says how much and how long: leave out --rate, "
				  "--requests, --duration and --arrival (--speed and --times scale "
				  "it)");
	if (!ask->replay && (ask->speed || ask->times))
		return buf_refuse(why, "--speed and --times are for --replay");
	if ((ask->stages || ask->shape) != e->has_stages)
		return buf_refuse(why,
				  e->has_stages ? "--executor %s needs --stages TIME:TARGET,... or "
						  "--shape"
						: "--executor %s has no --stages and no --shape",
				  e->name);
	if (ask->stages && ask->shape)
		return buf_refuse(why, "--stages and --shape: give one of them");
	if (ask->shape && (!(e->is_open ? ask->rate != NULL : ask->vus > 0) || ask->requests))
		return buf_refuse(why, "--shape needs the peak as %s, and a --duration",
				  e->is_open ? "--rate" : "--vus");
	if (ask->stages && (ask->rate || ask->vus || ask->requests || ask->duration_ms))
		return buf_refuse(why,
				  "--stages say how much and how long: leave out --rate, --vus, "
				  "--requests and --duration (--start-rate, --start-vus: where "
				  "they begin)");
	if (ask->start_rate && !(e->is_open && e->has_stages))
		return buf_refuse(why, "--start-rate is for --stages of calls a second");
	if (ask->start_vus && (e->is_open || !e->has_stages))
		return buf_refuse(why, "--start-vus is for --executor ramping-vus");
	if (ask->vus && e->is_open)
		return buf_refuse(why, "--executor %s goes by --rate, not by --vus", e->name);
	if (ask->rate && !e->is_open)
		return buf_refuse(why, "--executor %s goes by --vus, not by --rate", e->name);
	if (ask->vus > LOAD_CONNECTIONS_MAX)
		return buf_refuse(why,
				  "--vus %llu: expected at most %d; more users need more hosts",
				  (unsigned long long)ask->vus, LOAD_CONNECTIONS_MAX);
	if (e->has_iterations && !ask->requests)
		return buf_refuse(why, "--executor %s needs --requests", e->name);
	if (!e->is_open && !e->has_iterations && ask->requests)
		return buf_refuse(why, "--executor %s goes by --duration, not by --requests",
				  e->name);
	return 0;
}

static int parse_target(const char *text, const struct executor *e, double *out)
{
	if (e->is_open && !unit_parse_rate(text, out))
		return 0;
	return unit_parse_double(text, out);
}

/* "30s:100": within 30 s to 100 (calls a second, or users). */
static int parse_stage(const char *text, const struct executor *e, struct ramp_stage *out,
		       struct buf *why)
{
	const char *colon = strchr(text, ':');
	char *time = colon ? x_strndup(text, (size_t)(colon - text)) : NULL;
	double most = e->is_open ? RATE_MAX_PER_S : LOAD_CONNECTIONS_MAX;
	int rc = 0;

	if (!time || unit_parse_duration_ms(time, &out->duration_ms) ||
	    parse_target(colon + 1, e, &out->target) || out->target < 0 || out->target > most ||
	    (!e->is_open && out->target != floor(out->target)))
		rc = buf_refuse(why,
				"--stages %s: expected TIME:TARGET such as 30s:%s, at most %.0f",
				text, e->is_open ? "100/s" : "50", most);
	free(time);
	return rc;
}

static int parse_stages(const struct load_ask *ask, const struct executor *e, struct load_work *w,
			struct buf *why)
{
	char *all = x_strdup(ask->stages), *rest = all, *one;
	int rc = 0;

	while (!rc && (one = strsep(&rest, ",")) != NULL) {
		if (w->ramp.count == RAMP_STAGES_MAX)
			rc = buf_refuse(why, "--stages: expected at most %d", RAMP_STAGES_MAX);
		else
			rc = parse_stage(one, e, &w->ramp.stages[w->ramp.count++], why);
	}
	for (size_t i = 0; i < w->ramp.count; i++)
		w->duration_ms += w->ramp.stages[i].duration_ms;
	free(all);
	return rc;
}

static int make_shape(const struct load_ask *ask, const struct executor *e, uint64_t seed,
		      struct load_work *w, struct buf *why)
{
	double peak = (double)ask->vus, base = w->ramp.start;

	w->duration_ms = ask->duration_ms ? ask->duration_ms : DURATION_MS_DEFAULT;
	if (e->is_open && parse_rate("rate", ask->rate, &peak, why))
		return -EINVAL;
	if (base <= 0)
		base = e->is_open ? SHAPE_BASE_RATIO * peak : ceil(SHAPE_BASE_RATIO * peak);
	if (shape_make(ask->shape, base, peak, w->duration_ms, seed, &w->ramp))
		return buf_refuse(why, "--shape %s: expected one of %s", ask->shape, SHAPE_WORDS);
	for (size_t i = 0; i < w->ramp.count && !e->is_open; i++)
		w->ramp.stages[i].target = round(w->ramp.stages[i].target);
	return 0;
}

static int fill_stages(const struct load_ask *ask, const struct executor *e, uint64_t seed,
		       struct load_work *w, struct buf *why)
{
	int rc = 0;

	w->ramp.start = e->is_open ? 0 : (double)ask->start_vus;
	if (ask->start_rate)
		rc = parse_rate("start-rate", ask->start_rate, &w->ramp.start, why);
	if (!rc && ask->shape)
		rc = make_shape(ask, e, seed, w, why);
	else if (!rc)
		rc = parse_stages(ask, e, w, why);
	if (!e->is_open && ask->stages && !ask->start_vus)
		w->ramp.start = 1; /* k6's startVUs */
	if (!rc && !e->is_open)
		w->vus = (uint32_t)load_peak_per_s(w);
	return rc;
}

/* Of rate, duration and requests any two give the third. */
static int fill_open(const struct load_ask *ask, struct load_work *w, struct buf *why)
{
	double requests = (double)ask->requests;

	w->rate_per_s = ask->rate_default_per_s;
	w->duration_ms = ask->duration_ms ? ask->duration_ms : DURATION_MS_DEFAULT;
	if (ask->rate && parse_rate("rate", ask->rate, &w->rate_per_s, why))
		return -EINVAL;
	if (!ask->requests)
		return 0;
	if (ask->rate && ask->duration_ms)
		return buf_refuse(why,
				  "--rate, --duration and --requests: two of them give the third; "
				  "leave one out");
	if (ask->duration_ms)
		w->rate_per_s = requests * 1e3 / (double)ask->duration_ms;
	else
		w->duration_ms = (int64_t)ceil(requests * 1e3 / w->rate_per_s - 1e-6);
	if (w->rate_per_s > RATE_MAX_PER_S)
		return buf_refuse(why, "that is %.0f calls a second; expected at most 1000000/s",
				  w->rate_per_s);
	return 0;
}

static void fill_closed(const struct load_ask *ask, const struct executor *e, struct load_work *w)
{
	w->vus = ask->vus ? (uint32_t)ask->vus : 1;
	w->iterations = e->has_iterations ? ask->requests : 0;
	w->duration_ms = ask->duration_ms;
	if (!w->duration_ms)
		w->duration_ms = e->needs_duration ? DURATION_MS_DEFAULT : ITERATIONS_DURATION_MS;
	if (w->iterations)
		w->vus = (uint32_t)MIN_OF(w->vus, w->iterations);
}

static int set_arrival(const struct load_ask *ask, struct load_work *w, struct buf *why)
{
	static const char *const known[] = {"uniform", "poisson"};

	w->arrival = known[0];
	for (size_t i = 0; ask->arrival; i++) {
		if (i == ARRAY_LEN(known))
			return buf_refuse(why, "--arrival %s: expected uniform or poisson",
					  ask->arrival);
		if (strcmp(known[i], ask->arrival) != 0)
			continue;
		w->arrival = known[i];
		break;
	}
	return 0;
}

int load_plan_seed(const struct load_ask *ask, struct load_plan *p, struct buf *why)
{
	if (!ask->seed)
		digest_random(&p->seed, sizeof(p->seed));
	else if (unit_parse_u64(ask->seed, &p->seed))
		return buf_refuse(why, "--seed %s: expected a whole number below 2^64", ask->seed);
	return 0;
}

static int refuse_executor(const char *name, struct buf *why)
{
	buf_addf(why, "--executor %s: expected one of", name);
	for (size_t i = 0; i < ARRAY_LEN(executors); i++)
		buf_addf(why, "%s %s", i ? "," : "", executors[i].name);
	return -EINVAL;
}

int load_plan_make(const struct load_ask *ask, struct load_plan *out, struct buf *why)
{
	const struct executor *e =
		find_executor(ask->executor ? ask->executor : choose_executor(ask));
	struct load_work *w = &out->works[0];
	int rc;

	*out = (struct load_plan){.work_count = 1};
	if (!e)
		return refuse_executor(ask->executor, why);
	rc = check_model(ask, e, why);
	if (rc)
		return rc;
	snprintf(w->name, sizeof(w->name), "load");
	w->executor = e->name;
	w->warmup_ms = ask->warmup_ms;
	if (set_arrival(ask, w, why) || load_plan_seed(ask, out, why))
		return -EINVAL;
	if (is_replay(w))
		rc = load_replay_read(ask, &out->replay, w, why);
	else if (e->has_stages)
		rc = fill_stages(ask, e, out->seed, w, why);
	else if (e->is_open)
		rc = fill_open(ask, w, why);
	else
		fill_closed(ask, e, w);
	return rc ? rc : load_plan_finish(ask, out, why);
}

void load_plan_release(struct load_plan *p)
{
	load_file_release(&p->replay.file);
}
