/* load_finish.c - what all plans have in common: connections, processes, pace, and what each
 * process gets; see load_plan.h. */
#include "cmd/plimsoll/load_plan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/unit.h"

#define TIMEOUT_MS_DEFAULT (10 * MS_PER_S)
#define BATCH_FROM_PER_S 10000 /* of one process: waking up for each call costs a core */
#define BATCH_OF_RATE "800us"
#define BATCH_FROM_USERS 256 /* likewise; each then calls every other millisecond at most */
#define BATCH_OF_USERS "200us"
#define TIMEOUT_MS_MAX (15 * 60 * MS_PER_S)
#define IN_FLIGHT_MIN 64 /* of the open model: a slow second must find connections */
#define IN_FLIGHT_MAX 1000
#define STREAMS_A_CONNECTION 32 /* unless --connections says otherwise */
#define IN_FLIGHT_S 2		/* that many seconds of the rate may be waiting for answers */

static void set_in_flight(const struct load_ask *ask, struct load_work *w)
{
	double waiting = MAX_OF(IN_FLIGHT_S * load_peak_per_s(w), (double)IN_FLIGHT_MIN);

	w->connections = (uint32_t)ask->connections;
	w->streams = (uint32_t)ask->streams;
	if (!load_is_open(w))
		w->in_flight = w->vus;
	else if (ask->connections && !ask->is_http2)
		w->in_flight = w->connections;
	else if (!w->in_flight) /* a scenario's maxVUs */
		w->in_flight = (uint32_t)MIN_OF(MAX_OF(waiting, (double)ask->connections),
						(double)IN_FLIGHT_MAX);
	if (ask->is_http2 && !ask->may_be_http1 && !w->connections)
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
		return buf_refuse(why, "--processes %s: expected auto or a number from 1 to %d",
				  ask->processes, LOAD_PROCESSES_MAX);
	if (asked > most)
		return buf_refuse(
			why, "--processes %llu: the load is too small to be cut into more than %u",
			(unsigned long long)asked, most);
	p->processes = (uint32_t)asked;
	return 0;
}

static int check_pace(const char *option, const char *text, struct buf *why)
{
	int64_t ns;

	if (text && (unit_parse_duration_ns(text, &ns) || ns > NS_PER_MS))
		return buf_refuse(why, "--%s %s: expected a duration of at most 1ms", option, text);
	return 0;
}

/*
 * Of so many calls a second, or so many users, a rest takes little: what they do meanwhile is taken
 * together. Where there may be few at times, or calls of both kinds, it is not for us to say.
 */
static const char *default_batch(const struct load_plan *p)
{
	double per_s = 0, users = 0;

	for (size_t i = 0; i < p->work_count; i++) {
		const struct load_work *w = &p->works[i];

		if (load_is_open(w))
			per_s += load_peak_per_s(w) / p->processes;
		else if (w->ramp.count)
			return NULL;
		else
			users += (double)w->vus / p->processes;
	}
	if (users > 0)
		return per_s > 0 || users < BATCH_FROM_USERS ? NULL : BATCH_OF_USERS;
	return per_s < BATCH_FROM_PER_S ? NULL : BATCH_OF_RATE;
}

/* How exactly a call leaves when it is due, for how much CPU. */
static int set_pace(const struct load_ask *ask, struct load_plan *p, struct buf *why)
{
	if (check_pace("spin", ask->spin, why) || check_pace("batch", ask->batch, why))
		return -EINVAL;
	if (ask->spin && ask->batch)
		return buf_refuse(why, "--batch and --spin exclude each other");
	p->spin = ask->spin;
	p->batch = ask->batch;
	if (!p->spin && !p->batch && !ask->is_local)
		p->batch = default_batch(p);
	return 0;
}

int load_plan_finish(const struct load_ask *ask, struct load_plan *p, struct buf *why)
{
	p->timeout_ms = ask->timeout_ms ? ask->timeout_ms : TIMEOUT_MS_DEFAULT;
	if (p->timeout_ms > TIMEOUT_MS_MAX)
		return buf_refuse(why, "--timeout: expected at most 15m");
	if (ask->connections > LOAD_CONNECTIONS_MAX)
		return buf_refuse(why, "--connections %llu: expected at most %d",
				  (unsigned long long)ask->connections, LOAD_CONNECTIONS_MAX);
	if (ask->streams && !ask->is_http2)
		return buf_refuse(why, "--streams is for --http 2 or auto");
	if (ask->streams > LOAD_CONNECTIONS_MAX)
		return buf_refuse(why, "--streams %llu: expected at most %d",
				  (unsigned long long)ask->streams, LOAD_CONNECTIONS_MAX);
	for (size_t i = 0; i < p->work_count; i++)
		set_in_flight(ask, &p->works[i]);
	if (!p->seed && load_plan_seed(ask, p, why))
		return -EINVAL;
	return set_processes(ask, p, why) ? -EINVAL : set_pace(ask, p, why);
}

static uint64_t share(uint64_t all, uint32_t i, uint32_t n)
{
	return all / n + (i < all % n);
}

/* Rates can be cut at will, users only into whole ones. */
static double share_target(const struct load_work *w, double target, uint32_t i, uint32_t n)
{
	return load_is_open(w) ? target / n : (double)share((uint64_t)target, i, n);
}

void load_cut(const struct load_work *w, uint32_t i, uint32_t n, struct load_work *out)
{
	*out = *w;
	/* Whole calls are dealt out, so that the parts add up to what was asked for. */
	out->replay_calls = share(w->replay_calls, i, n);
	if (load_is_open(w) && !w->ramp.count && !load_uses(w, "replay") && n > 1)
		out->rate_per_s = (double)share(load_calls(w), i, n) * 1e3 / (double)w->duration_ms;
	out->vus = (uint32_t)share(w->vus, i, n);
	if (!load_uses(w, "per-vu-iterations"))
		out->iterations = share(w->iterations, i, n);
	out->ramp.start = share_target(w, w->ramp.start, i, n);
	for (size_t k = 0; k < w->ramp.count; k++)
		out->ramp.stages[k].target = share_target(w, w->ramp.stages[k].target, i, n);
	out->in_flight = (uint32_t)share(w->in_flight, i, n);
	out->connections = (uint32_t)share(w->connections, i, n);
}
