/*
 * load_report.h - what came out of a load: for people, as one JSON object, and as files.
 *
 *	struct load_report rep = {.run = &r, .target = &t, .limits = limits, .limit_count = n};
 *	load_report_text(&rep, &out);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_REPORT_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_REPORT_H

#include "cmd/plimsoll/load_run.h"

struct load_limit {	     /* a threshold, and how it was held */
	const char *name;    /* "max-p95" */
	double limit, value; /* us, or a ratio */
	bool is_ratio, is_met;
};

struct load_report {
	const struct load_run *run;
	const struct load_limit *limits;
	size_t limit_count;
};

/* X(name, percent) of the tables and the JSON */
#define LOAD_PERCENTILES(X)                                                                        \
	X("p50", 50)                                                                               \
	X("p75", 75)                                                                               \
	X("p90", 90)                                                                               \
	X("p95", 95)                                                                               \
	X("p99", 99)                                                                               \
	X("p99.9", 99.9)

void load_report_text(const struct load_report *rep, struct buf *out);
/* The object of --json; the caller's. docs/LOAD.md describes it. */
struct json *load_report_json(const struct load_report *rep);
/* An HdrHistogram log: an interval with tag "response" and one with "service" (of several
 * scenarios: "NAME.response"), in microseconds. */
void load_report_hdr(const struct load_report *rep, struct buf *out);
/* ASCII histogram of a distribution in microseconds. */
void load_report_histogram(const struct hdr *h, struct buf *out);

#endif
