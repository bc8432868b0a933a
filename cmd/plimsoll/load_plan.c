/* load_plan.c - options into workloads; see load_plan.h. */
#include "cmd/plimsoll/load_plan.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/unit.h"
#include "common/digest/digest.h"

#define DURATION_MS_DEFAULT (10 * MS_PER_S)
#define TIMEOUT_MS_DEFAULT (10 * MS_PER_S)
#define TIMEOUT_MS_MAX (15 * 60 * MS_PER_S)
#define ITERATIONS_DURATION_MS (600 * MS_PER_S) /* k6's maxDuration */
#define RATE_MAX_PER_S 1e6
#define IN_FLIGHT_MIN 64 /* of the open model: a slow second must find connections */
#define IN_FLIGHT_MAX 10000
#define STREAMS_A_CONNECTION 32 /* unless --connections says otherwise */
#define IN_FLIGHT_S 2		/* that many seconds of the rate may be waiting for answers */

static const struct executor {
	const char *name;
	bool is_open, has_stages, has_iterations, needs_duration;
} executors[] = {
	{"constant-arrival-rate", true, false, false, true},
	{"constant-vus", false, false, false, true},
	{"shared-iterations", false, false, true, false},
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

bool load_is_open(const struct load_work *w)
{
	return find_executor(w->executor)->is_open;
}

double load_peak_per_s(const struct load_work *w)
{
	double peak = MAX_OF(w->rate_per_s, w->start_target);

	for (size_t i = 0; i < w->stage_count; i++)
		peak = MAX_OF(peak, w->stages[i].target);
	return peak;
}

uint64_t load_calls(const struct load_work *w)
{
	if (!load_is_open(w))
		return w->iterations;
	return (uint64_t)ceil(w->rate_per_s * (double)w->duration_ms / 1e3 - 1e-6);
}

/* ---- options ---- */

PRINTF_LIKE(2, 3) static int refuse(struct buf *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(why, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* "1000/s", "300/m", or "1000" for a person in a hurry. */
static int parse_rate(const char *option, const char *text, double *out, struct buf *why)
{
	if (unit_parse_rate(text, out) && unit_parse_double(text, out))
		return refuse(why, "--%s %s: expected %s", option, text, unit_expected(UNIT_RATE));
	if (!(*out > 0 && *out <= RATE_MAX_PER_S))
		return refuse(why, "--%s %s: expected more than 0 and at most 1000000/s", option,
			      text);
	return 0;
}

static const char *choose_executor(const struct load_ask *ask)
{
	if (ask->vus)
		return ask->requests ? "shared-iterations" : "constant-vus";
	return "constant-arrival-rate";
}

static int check_model(const struct load_ask *ask, const struct executor *e, struct buf *why)
{
	if (ask->rate && ask->vus)
		return refuse(why, "--rate is the open model and --vus the closed one: give one "
				   "of them (how many calls an open load may have in flight is "
				   "--connections)");
	if (ask->vus && e->is_open)
		return refuse(why, "--executor %s goes by --rate, not by --vus", e->name);
	if (ask->rate && !e->is_open)
		return refuse(why, "--executor %s goes by --vus, not by --rate", e->name);
	if (ask->vus > LOAD_CONNECTIONS_MAX)
		return refuse(why, "--vus %llu: expected at most %d; more users need more hosts",
			      (unsigned long long)ask->vus, LOAD_CONNECTIONS_MAX);
	if (e->has_iterations && !ask->requests)
		return refuse(why, "--executor %s needs --requests", e->name);
	if (!e->is_open && !e->has_iterations && ask->requests)
		return refuse(why, "--executor %s goes by --duration, not by --requests", e->name);
	return 0;
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
		return refuse(why, "--rate, --duration and --requests: two of them give the third; "
				   "leave one out");
	if (ask->duration_ms)
		w->rate_per_s = requests * 1e3 / (double)ask->duration_ms;
	else
		w->duration_ms = (int64_t)ceil(requests * 1e3 / w->rate_per_s - 1e-6);
	if (w->rate_per_s > RATE_MAX_PER_S)
		return refuse(why, "that is %.0f calls a second; expected at most 1000000/s",
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
			return refuse(why, "--arrival %s: expected uniform or poisson",
				      ask->arrival);
		if (strcmp(known[i], ask->arrival) != 0)
			continue;
		w->arrival = known[i];
		break;
	}
	return 0;
}

int load_plan_make(const struct load_ask *ask, struct load_plan *out, struct buf *why)
{
	const struct executor *e =
		find_executor(ask->executor ? ask->executor : choose_executor(ask));
	struct load_work *w = &out->works[0];
	int rc;

	*out = (struct load_plan){.work_count = 1};
	if (!e)
		return refuse(why,
			      "--executor %s: expected constant-arrival-rate, constant-vus or "
			      "shared-iterations",
			      ask->executor);
	rc = check_model(ask, e, why);
	if (rc)
		return rc;
	snprintf(w->name, sizeof(w->name), "load");
	w->executor = e->name;
	w->warmup_ms = ask->warmup_ms;
	if (set_arrival(ask, w, why))
		return -EINVAL;
	if (e->is_open)
		rc = fill_open(ask, w, why);
	else
		fill_closed(ask, e, w);
	return rc ? rc : load_plan_finish(ask, out, why);
}

/* ---- what all have in common ---- */

static void set_in_flight(const struct load_ask *ask, struct load_work *w)
{
	double waiting = MAX_OF(IN_FLIGHT_S * load_peak_per_s(w), (double)IN_FLIGHT_MIN);

	w->connections = (uint32_t)ask->connections;
	w->streams = (uint32_t)ask->streams;
	if (!load_is_open(w))
		w->in_flight = w->vus;
	else if (ask->connections && !ask->is_http2)
		w->in_flight = w->connections;
	else
		w->in_flight = (uint32_t)MIN_OF(MAX_OF(waiting, (double)ask->connections),
						(double)IN_FLIGHT_MAX);
	if (ask->is_http2 && !w->connections)
		w->connections = (w->in_flight + STREAMS_A_CONNECTION - 1) / STREAMS_A_CONNECTION;
}

/* The most processes that each have something to do. */
static uint32_t most_processes(const struct load_plan *p)
{
	uint64_t most = LOAD_PROCESSES_MAX;

	for (size_t i = 0; i < p->work_count; i++) {
		const struct load_work *w = &p->works[i];

		most = MIN_OF(most, (uint64_t)w->in_flight);
		if (w->connections)
			most = MIN_OF(most, (uint64_t)w->connections);
		if (!load_is_open(w))
			most = MIN_OF(most, (uint64_t)w->vus);
		if (load_calls(w))
			most = MIN_OF(most, load_calls(w));
	}
	return (uint32_t)most;
}

static int set_processes(const struct load_ask *ask, struct load_plan *p, struct buf *why)
{
	uint32_t most = most_processes(p);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t asked;

	p->processes = 1;
	if (!ask->processes)
		return 0;
	if (!strcmp(ask->processes, "auto")) {
		p->processes = (uint32_t)MIN_OF(MAX_OF(cores - 1, 1), (long)most);
		return 0;
	}
	if (unit_parse_u64(ask->processes, &asked) || asked < 1 || asked > LOAD_PROCESSES_MAX)
		return refuse(why, "--processes %s: expected auto or a number from 1 to %d",
			      ask->processes, LOAD_PROCESSES_MAX);
	if (asked > most)
		return refuse(why,
			      "--processes %llu: the load is too small to be cut into more than %u",
			      (unsigned long long)asked, most);
	p->processes = (uint32_t)asked;
	return 0;
}

static int set_seed(const struct load_ask *ask, struct load_plan *p, struct buf *why)
{
	if (!ask->seed)
		digest_random(&p->seed, sizeof(p->seed));
	else if (unit_parse_u64(ask->seed, &p->seed))
		return refuse(why, "--seed %s: expected a whole number below 2^64", ask->seed);
	return 0;
}

int load_plan_finish(const struct load_ask *ask, struct load_plan *p, struct buf *why)
{
	p->timeout_ms = ask->timeout_ms ? ask->timeout_ms : TIMEOUT_MS_DEFAULT;
	if (p->timeout_ms > TIMEOUT_MS_MAX)
		return refuse(why, "--timeout: expected at most 15m");
	if (ask->connections > LOAD_CONNECTIONS_MAX)
		return refuse(why, "--connections %llu: expected at most %d",
			      (unsigned long long)ask->connections, LOAD_CONNECTIONS_MAX);
	if (ask->streams && !ask->is_http2)
		return refuse(why, "--streams is for --http 2 or auto");
	if (ask->streams > LOAD_CONNECTIONS_MAX)
		return refuse(why, "--streams %llu: expected at most %d",
			      (unsigned long long)ask->streams, LOAD_CONNECTIONS_MAX);
	for (size_t i = 0; i < p->work_count; i++)
		set_in_flight(ask, &p->works[i]);
	if (set_seed(ask, p, why))
		return -EINVAL;
	return set_processes(ask, p, why);
}

static uint64_t share(uint64_t all, uint32_t i, uint32_t n)
{
	return all / n + (i < all % n);
}

void load_cut(const struct load_work *w, uint32_t i, uint32_t n, struct load_work *out)
{
	*out = *w;
	/* Whole calls are dealt out, so that the parts add up to what was asked for. */
	if (load_is_open(w) && n > 1)
		out->rate_per_s = (double)share(load_calls(w), i, n) * 1e3 / (double)w->duration_ms;
	out->vus = (uint32_t)share(w->vus, i, n);
	out->iterations = share(w->iterations, i, n);
	out->in_flight = (uint32_t)share(w->in_flight, i, n);
	out->connections = (uint32_t)share(w->connections, i, n);
}

/* ---- words ---- */

static void add_time(struct buf *out, int64_t ms)
{
	char text[UNIT_TEXT_SIZE];

	unit_format_duration_ns(ms * NS_PER_MS, text);
	buf_adds(out, text);
}

void load_describe(const struct load_work *w, struct buf *out)
{
	uint64_t calls = load_calls(w);

	if (load_is_open(w)) {
		buf_addf(out, "%g calls a second for ", w->rate_per_s);
		add_time(out, w->duration_ms);
		buf_addf(out, " (%llu calls, open model%s)", (unsigned long long)calls,
			 strcmp(w->arrival, "poisson") == 0 ? ", Poisson arrivals" : "");
		return;
	}
	buf_addf(out, "%u user%s, each calling again as soon as it has its answer, ", w->vus,
		 w->vus == 1 ? "" : "s");
	if (calls)
		buf_addf(out, "until %llu calls are done (closed model)",
			 (unsigned long long)calls);
	else
		buf_adds(out, "for ");
	if (!calls) {
		add_time(out, w->duration_ms);
		buf_adds(out, " (closed model)");
	}
}
