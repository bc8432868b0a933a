/*
 * quality.h - whether a measurement can be trusted: our own figures against limits. Pure.
 *
 * Past a limit the result is suspect and says why, in one sentence a reason, and which of our own
 * limits was in the way ("limit"). The limits are about us and our clock; a slow or failing target
 * is a finding, not a doubt.
 */
#ifndef PLIMSOLL_LOADER_QUALITY_H
#define PLIMSOLL_LOADER_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/measure/outcome.h"

#define QUALITY_ACHIEVED_RATIO_MIN 0.95
#define QUALITY_LATE_P50_US_MAX 20000  /* half of all calls left later than that */
#define QUALITY_LOOP_P99_US_MAX 100000 /* our own loop, whatever the target does */
#define QUALITY_CPU_RATIO_MAX 0.8      /* of one core, which is all we have */
#define QUALITY_OTHERS_RATIO_MAX 0.5   /* of all cores together */
#define QUALITY_STEAL_RATIO_MAX 0.05
#define QUALITY_CPU_WAIT_RATIO_MAX 0.2 /* of the time */
#define QUALITY_WAITED_RATIO_MAX 0.25
#define QUALITY_BLOCKED_RATIO_MAX 0.1
#define QUALITY_CLOCK_STEP_MS_MAX 100
#define QUALITY_CPU_TOOK_MS_MIN 1000 /* a share of less time than that says nothing */

struct quality {
	bool is_open; /* an arrival rate was asked for */
	bool is_complete;
	double achieved_ratio;	/* calls that were sent, of those due */
	double unreached_ratio; /* calls for which there was no connection: the target's doing */
	int64_t late_p50_us, late_p99_us, loop_p99_us;
	double cpu_ratio;	 /* of one core, by us */
	double others_cpu_ratio; /* of all cores, by other programs */
	double cpu_wait_ratio;	 /* of the time: ready, and others had the core */
	double steal_ratio;	 /* of all cores, by the hypervisor */
	int64_t clock_step_ms;	 /* the wall clock was moved by that much meanwhile */
	uint64_t local_faults;	 /* connections this host could not open */
	const char *local_why;
	uint32_t places;      /* calls in flight at most */
	double waited_ratio;  /* calls that found all places taken */
	double blocked_ratio; /* requests that did not fit into the socket's buffer */
	int64_t took_ms;
	bool has_clock;
	int64_t clock_offset_ms;
	uint32_t spread; /* 0 = off */
	bool has_environments;
	uint32_t environments[VARIANT_COUNT];
	uint64_t failed[VARIANT_COUNT];		 /* each may have ended its environment */
	uint32_t open_calls_peak[VARIANT_COUNT]; /* each open call needs an environment */
	bool has_variant[VARIANT_COUNT];
	uint64_t overflowed; /* calls for which there was no memory left to wait in */
	uint64_t block_values_lost;
};

struct json *quality_json(const struct quality *q); /* the caller's */

#endif
