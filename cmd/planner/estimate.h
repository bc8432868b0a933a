/*
 * estimate.h - what a plan will take and what it can see. Pure.
 *
 * Calls follow from the workload by the loader's own rounds. Money is calls times the price, with
 * the time of a call from the last run, else the cloud's median, else the function's timeout.
 */
#ifndef PLIMSOLL_PLANNER_ESTIMATE_H
#define PLIMSOLL_PLANNER_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config/config.h"
#include "common/measure/ramp.h"
#include "common/measure/trace.h"

/* As the loader: calls of each variant in a round when there is no spread. */
#define ROUND_WITHOUT_SPREAD 8

struct shape { /* a workload as it will be sent */
	const struct config_test *test;
	struct ramp ramp;	   /* stages of a ramping executor, else none */
	const struct trace *trace; /* of a replay, else NULL; borrowed */
	uint32_t trace_of;	   /* shards that share the trace; 0 counts as 1 */
	uint32_t variants;	   /* 1 or 2 */
	uint32_t spread;	   /* of each variant; 0 = off */
	uint32_t in_flight;	   /* of both variants together; set by guard_fit */
	int64_t timeout_ms;	   /* of one call */
};

struct call_time {
	double ms;
	const char *basis; /* "last-run", "cloud-median", "timeout"; static */
};

struct price { /* of one call */
	double per_request_usd, per_gb_s_usd, memory_gb;
};

struct estimate {
	uint64_t requests;
	int64_t cost_micro_usd;
	uint32_t peak_concurrency;
	int64_t duration_ms;
	struct call_time call;
	bool has_detectable;
	double detectable_ratio; /* smallest slowdown that is found four times in five */
	double tolerance;	 /* of the gate that it is told for */
};

/* Calls are due at times of the plan, not of users that are free. */
bool shape_is_open(const struct shape *s);
/* The highest rate and the mean one of an open workload; 0 for users. */
double shape_peak_per_s(const struct shape *s);
double shape_mean_per_s(const struct shape *s);
/* Measured calls of an open workload, not yet in whole rounds. */
double shape_calls(const struct shape *s);
/* Of the measured part, as it was asked for. */
int64_t shape_duration_ms(const struct shape *s);
/* Loader calls of one round, and how long it lasts (at the highest rate); open workloads. */
uint32_t shape_round_calls(const struct shape *s);
double shape_round_ms(const struct shape *s);
/* Calls in flight at once when they take this long, not bounded by in_flight. */
double shape_peak(const struct shape *s, double call_ms);

/* gates: how many metrics share the error level (Holm); tolerance: of the gate that is asked. */
void estimate_make(const struct shape *s, const struct call_time *call, const struct price *price,
		   struct estimate *out);
/*
 * The smallest ratio by which new may be slower and still be called worse four times in five:
 * Welch's interval over E environments a side with the lottery from host to host (in log time), the
 * noise of calls as simulated, at the level that the number of gates leaves.
 */
#define LOTTERY_DEFAULT 0.05 /* where calibrate has not measured it: as the collector has it */
double estimate_detectable(const struct shape *s, double lottery, double tolerance, unsigned gates);

#endif
