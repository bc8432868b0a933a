/*
 * metric.h - the metrics that a gate, a report and an objective may name (rank 2).
 *
 * One table: the checker, the planner (direction, kind of tolerance) and docs/CONFIG.md read it.
 *
 *	const struct metric_info *m = metric_find("response_p50");	// NULL when unknown
 *
 * Latencies (response, service, billed, init) and memory come from calls with outcome ok only.
 */
#ifndef PLIMSOLL_CONFIG_METRIC_H
#define PLIMSOLL_CONFIG_METRIC_H

#include <stdbool.h>
#include <stddef.h>

/* X(name, unit, is it a rate that is compared in points, what it is). Lower is better for all. */
#define METRIC_PERCENTILES(X, series, what)                                                        \
	X(series "_p50", "us", false, "median of the " what)                                       \
	X(series "_p90", "us", false, "90th percentile of the " what)                              \
	X(series "_p95", "us", false, "95th percentile of the " what)                              \
	X(series "_p99", "us", false, "99th percentile of the " what)                              \
	X(series "_max", "us", false, "longest " what)
#define METRICS(X)                                                                                 \
	METRIC_PERCENTILES(X, "response", "response time: from when a call was due")               \
	METRIC_PERCENTILES(X, "service", "service time: from when a call was sent")                \
	METRIC_PERCENTILES(X, "billed", "billed time")                                             \
	METRIC_PERCENTILES(X, "init", "init time of cold starts")                                  \
	METRIC_PERCENTILES(X, "cold_response", "response time of calls that were cold starts")     \
	METRIC_PERCENTILES(X, "restore", "restore time of snapshots (SnapStart)")                  \
	METRIC_PERCENTILES(X, "restored_response", "response time of calls that restored one")     \
	X("memory_p50", "KiB", false, "median of the memory used")                                 \
	X("memory_max", "KiB", false, "most memory used")                                          \
	X("cost_per_million", "usd", false, "what a million calls cost")                           \
	X("error_ratio", "1", true, "failed calls among those sent")                               \
	X("throttle_ratio", "1", true, "throttled calls among those sent")

struct metric_info {
	const char *name;
	const char *unit; /* "us", "KiB", "usd", "1" */
	bool is_points;
	const char *doc;
};

extern const struct metric_info metric_table[];
extern const size_t metric_table_count;
const struct metric_info *metric_find(const char *name);

#endif
