/*
 * machine.h - how busy this machine and we were in a span of time, and whether its clock was
 * moved: whose fault it is when calls left late.
 *
 *	machine_begin(&m);
 *	... the run ...
 *	machine_end(&m, &use);
 *
 * From getrusage, the first line of /proc/stat and /proc/self/schedstat (proc(5)); where those
 *cannot be read the machine's part is 0. Reads files: not for the hot path.
 */
#ifndef PLIMSOLL_LOADER_MACHINE_H
#define PLIMSOLL_LOADER_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "common/base/clock.h"

struct machine_ticks {
	uint64_t busy, steal, all; /* of all cores together */
};

struct machine {
	struct mono at;
	struct wall wall;
	struct rusage own;
	struct machine_ticks ticks;
	uint64_t waited_ns; /* ready to run, and no core for it; since it began */
};

struct machine_use {
	double own_ratio;      /* of one core, by us */
	double others_ratio;   /* of all cores together, by other processes */
	double wait_ratio;     /* of the time: we were ready, and others had the core */
	double steal_ratio;    /* of all cores together: taken by the hypervisor */
	int64_t clock_step_ms; /* how much further the wall clock went than time did */
};

void machine_begin(struct machine *m);
void machine_end(const struct machine *m, struct machine_use *out);

/* For tests: "cpu  user nice system idle iowait irq softirq steal ...". False when it is not. */
bool machine_parse(const char *line, struct machine_ticks *out);
/* For tests: "ns that it ran, ns that it waited, ..."; 0 when it is not. */
uint64_t machine_parse_wait(const char *line);

#endif
