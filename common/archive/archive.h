/*
 * archive.h - the history of all runs, in one SQLite file (rank 2). The only door to sqlite3.
 *
 * Every revision of every run is a row, with the whole event beside the columns people ask for;
 * docs/ARCHIVE.md documents the views. The file migrates itself (user_version), is kept in WAL
 * mode, and may be read while it is written.
 *
 *	struct archive *a;
 *	char why[ARCHIVE_WHY_SIZE];
 *	if (archive_open(path, ARCHIVE_WRITE, &a, why) == 0) {
 *		rc = archive_put(a, "prod/hello", &event, why);
 *		rc = archive_runs(a, &(struct archive_query){.function = "prod/hello", .limit = 10},
 *				  print_row, NULL, why);
 *		archive_close(a);
 *	}
 *
 * Every call blocks, at most ARCHIVE_BUSY_MS for another writer's lock and else for the disk.
 *
 * DIAGNOSTICS
 *	-ENOENT no such file or row; -EINVAL not an archive of ours; -EPROTO made by a newer
 *	version; -EBUSY locked by another writer; -ENOSPC disk full; -EIO anything else. why says
 *	what was tried and what to do. What a failed archive_put leaves is the archive before it.
 */
#ifndef PLIMSOLL_ARCHIVE_ARCHIVE_H
#define PLIMSOLL_ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/json/json.h"

#define ARCHIVE_WHY_SIZE 320
#define ARCHIVE_BUSY_MS 5000

struct archive;

enum archive_mode {
	ARCHIVE_READ, /* the file must be there */
	ARCHIVE_WRITE /* made with its folders when it is not */
};

MUST_CHECK int archive_open(const char *path, enum archive_mode mode, struct archive **out,
			    char why[ARCHIVE_WHY_SIZE]);
void archive_close(struct archive *a); /* NULL is fine */

/* A run.finished event; all borrowed. */
struct archive_event {
	const struct json *data; /* its data member */
	struct wall time;	 /* stands in when the data has no finished_at */
	const char *line;	 /* the whole event, kept as it is */
	size_t line_bytes;
};

/* Durable when it returns 0. A revision that is there already changes nothing. */
MUST_CHECK int archive_put(struct archive *a, const char *function, const struct archive_event *ev,
			   char why[ARCHIVE_WHY_SIZE]);

struct archive_run { /* borrowed: valid inside the callback; absent text is "" */
	const char *run, *function, *finished_at, *verdict, *verdict_reason, *outcome, *reason;
	const char *test, *compare, *purpose, *old_version, *new_version, *new_code, *change_kind;
	const char *event; /* the whole event, one JSON line */
	int64_t rev, finished_ms, requests, cost_micro_usd;
	bool is_confirmed;
};
typedef void (*archive_see)(const struct archive_run *run, void *ctx);

struct archive_query {
	const char *function;	/* NULL = all */
	const char *run_prefix; /* the first characters of the run's id; NULL = all */
	size_t limit;		/* 0 = no limit */
	bool is_last_only;	/* only the newest run of each function */
	bool is_tested_only;	/* leaves out skipped runs */
};

/* The last revision of each run, newest first. */
MUST_CHECK int archive_runs(struct archive *a, const struct archive_query *q, archive_see see,
			    void *ctx, char why[ARCHIVE_WHY_SIZE]);
/*
 * The last revision of the one run whose id starts with prefix, as an event (the caller frees it).
 * -ENOENT none; -ENOTUNIQ several.
 */
MUST_CHECK int archive_run(struct archive *a, const char *prefix, struct json **event,
			   char why[ARCHIVE_WHY_SIZE]);

struct archive_baseline { /* "this slowdown is meant": borrowed when given, see below when got */
	const char *function, *run, *version, *code_sha256, *reason;
	struct wall accepted_at;
};
MUST_CHECK int archive_accept(struct archive *a, const struct archive_baseline *b,
			      char why[ARCHIVE_WHY_SIZE]);
/* The newest accepted baseline, told to see (called once); -ENOENT when there is none. */
MUST_CHECK int archive_accepted(struct archive *a, const char *function,
				void (*see)(const struct archive_baseline *b, void *ctx), void *ctx,
				char why[ARCHIVE_WHY_SIZE]);

#endif
