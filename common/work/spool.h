/*
 * spool.h - results of a loader that nobody has acknowledged yet, one file each (rank 4).
 *
 * DIR/<run>.<i>.<token>.result: a head line with what RESULT needs and the SHA-256, then the
 * event's line. Durable when spool_put returns an item with is_durable; when the disk does not take
 * it (full, read-only), the line is kept in memory instead: a crash then costs a repetition of the
 * shard, nothing else. What cannot be read back goes to DIR/bad for a person to look at.
 *
 *	rc = spool_open(&s, dir);		// what an earlier process left is in s.first
 *	item = spool_put(&s, &key, line, len);
 *	rc = spool_line(&s, item, &line);	// to send it (again)
 *	spool_drop(&s, item);			// acknowledged
 */
#ifndef PLIMSOLL_WORK_SPOOL_H
#define PLIMSOLL_WORK_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/work/wire.h"

struct spool_key {
	char run[WIRE_WORD_SIZE], token[WIRE_WORD_SIZE], nonce[WIRE_WORD_SIZE];
	int64_t index;
};

struct spool_item {
	struct spool_item *next;
	struct spool_key key;
	char sha[65];
	bool is_durable;
	struct buf line; /* in memory, unless it is durable */
	int64_t sent_us; /* the owner's: when it was sent last; 0 = never */
};

struct spool {
	char *dir;
	struct spool_item *first; /* oldest first */
	size_t count;
};

/* Makes DIR and DIR/bad, removes *.tmp, lists the rest. -errno. */
MUST_CHECK int spool_open(struct spool *s, const char *dir);
void spool_close(struct spool *s); /* files stay */
/* Never NULL. */
struct spool_item *spool_put(struct spool *s, const struct spool_key *key, const char *line,
			     size_t len_bytes);
/* NULL: not here. nonce does not count. */
struct spool_item *spool_find(const struct spool *s, const char *run, int64_t index,
			      const char *token);
/* Appends the event's line. -errno: it cannot be read now. -EBADMSG: it is broken, put aside, and
 * the item is gone. */
MUST_CHECK int spool_line(struct spool *s, struct spool_item *item, struct buf *out);
/* Acknowledged, or nobody wants it: the file and the item go. */
void spool_drop(struct spool *s, struct spool_item *item);
/* Refused as malformed: into DIR/bad, the item goes. */
void spool_reject(struct spool *s, struct spool_item *item);

#endif
