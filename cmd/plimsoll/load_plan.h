/*
 * load_plan.h - what a person asks of `plimsoll load`, made into workloads. Pure, but for the
 * trace that is to be replayed.
 *
 * Names and meanings are k6's wherever k6 has the executor. A plan is one workload from the
 * options, or one a scenario (load_scenario.h); all of a plan run side by side.
 *
 *	struct load_ask ask = {.rate = "1000/s", .duration_ms = 10000};
 *	struct load_plan plan;
 *	if (load_plan_make(&ask, &plan, &why))
 *		log_error("%s", buf_str(&why));
 *
 * DIAGNOSTICS
 *	-EINVAL: options that contradict each other or make no sense; why says what to change.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_PLAN_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/plimsoll/load_files.h"
#include "common/base/buf.h"
#include "common/measure/ramp.h"

#define LOAD_WORKS_MAX 16
#define LOAD_START_MS_MAX 50000 /* of startTime: loaders wait a minute at most */
#define LOAD_NAME_SIZE 65
#define LOAD_PROCESSES_MAX 64
#define LOAD_CONNECTIONS_MAX 65536

/* As typed; NULL and 0 = not given. */
struct load_ask {
	const char *rate, *start_rate, *stages, *shape, *executor, *arrival, *processes, *seed,
		*spin, *batch;
	const char *replay, *speed, *times;
	uint64_t vus, start_vus, requests, connections, streams;
	int64_t duration_ms, warmup_ms, timeout_ms;
	bool is_http2;		   /* or may become it: many calls share a connection */
	bool may_be_http1;	   /* and may not */
	bool is_local;		   /* over a unix socket, where the kernel notes no times */
	double rate_default_per_s; /* when neither a rate nor users are given */
};

struct load_work {
	char name[LOAD_NAME_SIZE];
	const char *executor; /* k6's name; static */
	const char *arrival;  /* "uniform", "poisson"; static */
	double rate_per_s;    /* constant-arrival-rate; the peak of a shape */
	uint32_t vus;	      /* closed executors; the most users of ramping-vus */
	uint64_t iterations;
	uint64_t replay_calls; /* of a recorded trace */
	double replay_peak_per_s;
	int64_t start_ms; /* after the others */
	int64_t duration_ms, warmup_ms;
	struct ramp ramp;     /* of a ramping executor: calls a second, or users */
	uint32_t in_flight;   /* calls at once */
	uint32_t connections; /* 0 = as many as the calls need */
	uint32_t streams; /* HTTP/2: calls at once of one connection; 0 = what the peer allows */
};

struct load_replay { /* a recorded trace */
	struct load_file file;
	double speed, times; /* so many times as fast, as many calls */
};

struct load_plan {
	struct load_work works[LOAD_WORKS_MAX];
	size_t work_count;
	uint32_t processes;
	const char *spin, *batch; /* as the loader takes them; NULL = not at all */
	int64_t timeout_ms;
	uint64_t seed;
	struct load_replay replay;
};

MUST_CHECK int load_plan_make(const struct load_ask *ask, struct load_plan *out, struct buf *why);
/* Of --seed, else a random one. */
MUST_CHECK int load_plan_seed(const struct load_ask *ask, struct load_plan *p, struct buf *why);
/* What all plans have in common, a scenario file's too: processes, timeout, seed, connections. */
MUST_CHECK int load_plan_finish(const struct load_ask *ask, struct load_plan *p, struct buf *why);

/* Zeroed is fine. */
void load_plan_release(struct load_plan *p);

/* Of ask->replay: reads the trace. For load_plan_make. */
MUST_CHECK int load_replay_read(const struct load_ask *ask, struct load_replay *r,
				struct load_work *w, struct buf *why);

/* The static name of a k6 executor that is known here, or NULL. */
const char *load_executor(const char *name);
bool load_uses(const struct load_work *w, const char *executor);
bool load_is_open(const struct load_work *w);
double load_peak_per_s(const struct load_work *w); /* open executors */
/* Over the whole time. */
double load_mean_per_s(const struct load_work *w);
/* Measured calls; 0 = as many as the users make in the time. */
uint64_t load_calls(const struct load_work *w);
/* The share of process i of n. */
void load_cut(const struct load_work *w, uint32_t i, uint32_t n, struct load_work *out);
/* "50 calls a second for 10.0 s (500 calls, open model)" */
void load_describe(const struct load_work *w, struct buf *out);

#endif
