/*
 * intake.h - receives results from loaders: the collector's side (rank 4).
 *
 * RESULT is checked (parses, is the shard it says, is the sender's), written to
 * results/<run>.<i>.<token>.json (fsync, rename, fsync of the folder), told to Redis (pl_shard),
 * and only then acknowledged. A file whose shard Redis did not want is removed.
 *
 *	RESULT run i token sha256 line	-> ACK run i token code	(OK, DUP, STALE, NONE, BAD)
 */
#ifndef PLIMSOLL_WORK_INTAKE_H
#define PLIMSOLL_WORK_INTAKE_H

#include "common/bus/bus.h"
#include "common/jobs/jobs.h"

struct intake;

/* NULL after telling why. dir is the collector's --state. */
struct intake *intake_open(struct loop *l, struct jobs *j, const struct config_bus *settings,
			   const char *dir);
void intake_free(struct intake *in);
void intake_reload(struct intake *in);

/* "DIR/results/NAME"; the caller frees it. */
char *results_path(const char *dir, const char *name);
/* Writes one durably; 0 or -errno. */
MUST_CHECK int results_write(const char *dir, const char *name, const char *data, size_t len_bytes);

#endif
