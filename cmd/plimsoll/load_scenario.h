/*
 * load_scenario.h - a file of k6-like scenarios into a plan: k6's own names, and a message with
 * file, line and column for what k6 would not know either.
 *
 *	scenarios:
 *	  browse: {executor: ramping-arrival-rate, startRate: 10, timeUnit: 1s,
 *	           stages: [{target: 100, duration: 30s}, {target: 0, duration: 10s}]}
 *	  buy:    {executor: constant-vus, vus: 5, duration: 40s, startTime: 5s}
 *
 * They run side by side, each against the same target, and are reported apart and together.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_SCENARIO_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_SCENARIO_H

#include "cmd/plimsoll/load_plan.h"
#include "common/config/config.h"

#define LOAD_SCENARIO_MAX_BYTES (1024u * 1024u)

/*
 * Fills works and work_count; load_plan_finish does the rest. path stands in messages. -EINVAL
 * with errs filled.
 */
MUST_CHECK int load_scenario_parse(const char *path, const char *text, size_t len_bytes,
				   struct load_plan *out, struct config_errors *errs);

#endif
