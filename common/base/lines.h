/*
 * lines.h - cuts a byte stream into lines of bounded length (rank 0).
 *
 * A line longer than the maximum is dropped as it streams by (memory stays bounded) and
 * reported once, as LINE_TOO_LONG with its first bytes. A last line without its newline is
 * LINE_TRUNCATED.
 *
 *	struct lines ln;
 *	lines_init(&ln, 1024 * 1024);
 *	lines_fill(&ln, fd);			// one read(2)
 *	while (lines_next(&ln, &line) == LINE_OK) ...
 */
#ifndef PLIMSOLL_BASE_LINES_H
#define PLIMSOLL_BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/buf.h"

enum line_kind { LINE_NONE, LINE_OK, LINE_TOO_LONG, LINE_TRUNCATED };

struct line {
	const char *data; /* borrowed until the next lines_fill; NUL-terminated, no newline */
	size_t len_bytes;
};

struct lines {
	struct buf held;
	size_t start_bytes; /* what lines_next has handed out */
	size_t scanned_bytes;
	size_t line_max_bytes;
	bool is_skipping, is_at_end;
};

void lines_init(struct lines *ln, size_t line_max_bytes);
void lines_release(struct lines *ln);
/* One read(2). Bytes read, 0 at the end of input, -errno (-EAGAIN, -EINTR: nothing read). */
MUST_CHECK ssize_t lines_fill(struct lines *ln, int fd);
/* The same from memory, for tests. len 0 = end of input. */
void lines_feed(struct lines *ln, const char *data, size_t len_bytes);
/* The next whole line, or LINE_NONE: fill again (after the end: nothing is left). */
enum line_kind lines_next(struct lines *ln, struct line *out);

#endif
