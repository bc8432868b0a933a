#include "common/base/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (64u * 1024u)

void lines_init(struct lines *ln, size_t line_max_bytes)
{
	*ln = (struct lines){.line_max_bytes = line_max_bytes};
	buf_init(&ln->held, line_max_bytes + READ_BYTES + 1);
}

void lines_release(struct lines *ln)
{
	buf_release(&ln->held);
}

/* Drops what has been handed out, so that the buffer never holds more than a line and a read. */
static void compact(struct lines *ln)
{
	buf_consume(&ln->held, ln->start_bytes);
	ln->scanned_bytes -= ln->start_bytes;
	ln->start_bytes = 0;
}

ssize_t lines_fill(struct lines *ln, int fd)
{
	char *at;
	ssize_t got;

	compact(ln);
	at = buf_reserve(&ln->held, READ_BYTES);
	BUG_ON(!at); /* lines_next was not called until LINE_NONE */
	got = read(fd, at, READ_BYTES);
	if (got < 0)
		return -errno;
	if (got == 0)
		ln->is_at_end = true;
	buf_commit(&ln->held, (size_t)got);
	return got;
}

void lines_feed(struct lines *ln, const char *data, size_t len_bytes)
{
	compact(ln);
	buf_add(&ln->held, data, len_bytes);
	BUG_ON(buf_is_over(&ln->held));
	if (!len_bytes)
		ln->is_at_end = true;
}

/* Hands out held[start..end), where end is a newline's place or the end of the bytes. */
static void hand_out(struct lines *ln, size_t end_bytes, struct line *out)
{
	ln->held.data[end_bytes] = '\0';
	out->data = ln->held.data + ln->start_bytes;
	out->len_bytes = end_bytes - ln->start_bytes;
	ln->start_bytes = MIN_OF(end_bytes + 1, ln->held.len_bytes);
	ln->scanned_bytes = ln->start_bytes;
}

/* A line is past its maximum: report it once, then drop its bytes as they come. */
static enum line_kind give_up_line(struct lines *ln, struct line *out)
{
	out->data = ln->held.data + ln->start_bytes;
	out->len_bytes = MIN_OF(ln->line_max_bytes, (size_t)200);
	ln->held.data[ln->start_bytes + out->len_bytes] = '\0';
	ln->is_skipping = true;
	ln->start_bytes = ln->scanned_bytes = ln->held.len_bytes;
	return LINE_TOO_LONG;
}

/* Forgets the rest of an over-long line. False: its newline has not come yet. */
static bool skip_rest(struct lines *ln, const char *newline)
{
	ln->start_bytes = newline ? (size_t)(newline - ln->held.data) + 1 : ln->held.len_bytes;
	ln->scanned_bytes = ln->start_bytes;
	ln->is_skipping = !newline;
	return newline;
}

static const char *find_newline(const struct lines *ln)
{
	size_t left_bytes = ln->held.len_bytes - ln->scanned_bytes;

	return left_bytes ? memchr(ln->held.data + ln->scanned_bytes, '\n', left_bytes) : NULL;
}

enum line_kind lines_next(struct lines *ln, struct line *out)
{
	const char *newline = find_newline(ln);
	size_t end_bytes;

	if (ln->is_skipping) {
		if (!skip_rest(ln, newline))
			return LINE_NONE;
		newline = find_newline(ln);
	}
	end_bytes = newline ? (size_t)(newline - ln->held.data) : ln->held.len_bytes;
	ln->scanned_bytes = end_bytes;
	if (end_bytes - ln->start_bytes > ln->line_max_bytes) {
		if (!newline)
			return give_up_line(ln, out);
		hand_out(ln, end_bytes, out);
		out->len_bytes = MIN_OF(out->len_bytes, (size_t)200);
		return LINE_TOO_LONG;
	}
	if (newline) {
		hand_out(ln, end_bytes, out);
		return LINE_OK;
	}
	if (!ln->is_at_end || end_bytes == ln->start_bytes)
		return LINE_NONE;
	hand_out(ln, end_bytes, out);
	return LINE_TRUNCATED;
}
