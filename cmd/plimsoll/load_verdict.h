/*
 * load_verdict.h - the thresholds of a load, and the exit code. Pure.
 *
 *	rc = load_limits_read(&want, &limits, &why);
 *	load_limits_judge(&limits, &run.total);
 *	return load_verdict(&run, &limits);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_VERDICT_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_VERDICT_H

#include "cmd/plimsoll/load_report.h"

struct load_want { /* as typed; 0 and NULL = not given */
	int64_t max_p50_ns, max_p95_ns, max_p99_ns;
	const char *max_error_ratio;
};

struct load_limits {
	struct load_limit items[4];
	size_t count;
};

MUST_CHECK int load_limits_read(const struct load_want *o, struct load_limits *l, struct buf *why);
/* A limit on a time is missed too when nothing was ok. */
void load_limits_judge(struct load_limits *l, const struct load_result *r);
/* 130, 111, 2 (suspect, not whole, nothing ok), 1 (a limit missed), 0. */
enum exit_code load_verdict(const struct load_run *r, const struct load_limits *l);

#endif
