/*
 * intake.h - receives results from loaders: the collector's side (rank 4).
 *
 * RESULT is checked (parses, is the shard it says), written to results/<run>.<i>.<sha>.json (fsync,
 * rename, fsync of the folder), told to Redis (pl_shard: is it the sender's), and only then
 * acknowledged. A file whose shard Redis did not want is removed. The SHA-256 stands in the name so
 * that nobody's words can take the place of another's.
 *
 *	RESULT run i token nonce sha256 line	-> ACK run i token code	(OK, DUP, STALE, NONE, BAD)
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

/* Name of a shard's file, by what pl_measured says of it: "<run>.<i>.<16 of sha>.json". */
#define RESULTS_NAME_SIZE 120
void results_shard_name(const char *run, const char *i, const char *sha,
			char out[RESULTS_NAME_SIZE]);
/* "DIR/results/NAME"; the caller frees it. */
char *results_path(const char *dir, const char *name);
/* Writes one durably; 0 or -errno. */
MUST_CHECK int results_write(const char *dir, const char *name, const char *data, size_t len_bytes);

#endif
