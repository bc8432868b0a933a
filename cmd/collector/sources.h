/*
 * sources.h - exec sources: programs that say something about a function beside our figures.
 *
 * A source reads run.planned on stdin and writes one measurement a line on stdout
 * ({"name": ..., "value": ..., "unit": ...}). It gets a bare environment; secrets that its
 * configuration names reach it as files, whose paths stand in the environment. It starts when the
 * run is planned, so that it is done, as a rule, before the load is.
 *
 *	sources_start(s, run, cfg);	// run->sources_left counts down
 *	// later, once each: s->figures(run, object or NULL)
 *
 * DIAGNOSTICS
 *	A program that cannot be started, fails or takes longer than its timeout: one warning, no
 *	figures. A line that is no measurement: one warning a source, the other lines count.
 */
#ifndef PLIMSOLL_COLLECTOR_SOURCES_H
#define PLIMSOLL_COLLECTOR_SOURCES_H

#include "cmd/collector/runs.h"
#include "common/config/config.h"

#define SOURCES_AT_ONCE 4
#define SOURCE_TIMEOUT_MS 10000 /* where the configuration names none */
#define SOURCE_METRICS_MAX 100

struct source_job;

struct sources {
	struct loop *loop;
	/* figures_take is {tool, metrics} or NULL when the source had nothing to say. */
	void (*figures)(struct run *r, struct json *figures_take);
	/* the sources' own */
	struct source_job *first; /* in the order they were asked for */
	size_t running;
};

/* How many programs a run starts. */
size_t sources_count(const struct config *cfg);
void sources_start(struct sources *s, struct run *r, const struct config *cfg);
/* Kills and forgets those of this run. */
void sources_stop(struct sources *s, struct run *r);

/* The pure part: lines to {"tool": tool, "metrics": [...]}; counts lines that are none. */
struct json *sources_parse(const char *tool, const struct buf *output, size_t *bad_lines);

#endif
