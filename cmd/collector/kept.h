/*
 * kept.h - what a verdict was drawn from, so that it can be drawn again on another day.
 *
 * STATE/kept/RUN.ndjson holds the events as they came (run.planned, each shard.finished by index)
 * and as its last line the run.finished that was told. Where the logs named the environments
 * afterwards, STATE/kept/RUN.logs holds what they said (ask_cloud.h) and, as its second line, the
 * run.finished that came of it, without what others said besides. The newest KEPT_RUNS_MAX runs
 * stay.
 *
 *	kept_begin(&lines, r);
 *	tell(r);			// lets its shards go
 *	kept_write(dir, r->id, &lines, finished.line, finished.line_bytes);
 *
 *	kept_logs_write(dir, r->id, answer, amended.line, amended.line_bytes);
 *	rc = kept_logs_read(path, &answer);	// -EINVAL: it is none
 *
 * DIAGNOSTICS
 *	A folder that cannot be written is told once a run; the verdict stands.
 */
#ifndef PLIMSOLL_COLLECTOR_KEPT_H
#define PLIMSOLL_COLLECTOR_KEPT_H

#include "cmd/collector/runs.h"
#include "common/base/buf.h"

#define KEPT_RUNS_MAX 100
#define KEPT_MAX_BYTES (64u * 1024u * 1024u)

/* Its lines, in the order in which they are judged. */
void kept_begin(struct buf *lines, const struct run *r);
/* Durable; blocks for the disk. */
void kept_write(const char *state_dir, const char *run, struct buf *lines, const char *finished,
		size_t finished_bytes);
void kept_logs_write(const char *state_dir, const char *run, const struct json *answer,
		     const char *finished, size_t finished_bytes);
/* What the logs said; the caller's. */
MUST_CHECK int kept_logs_read(const char *path, struct json **out);

#endif
