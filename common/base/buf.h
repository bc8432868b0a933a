/*
 * buf.h - a growable byte buffer that is born with its maximum (rank 0).
 *
 *	struct buf b = BUF_INIT(64 * 1024);
 *	buf_addf(&b, "%s/%s", account, name);
 *	if (buf_is_over(&b))
 *		rc = -E2BIG;
 *	buf_release(&b);
 *
 * Adding past the maximum adds nothing more and sets a sticky flag, so that a writer may
 * add freely and ask once at the end. The bytes are always followed by a NUL that is not counted.
 */
#ifndef PLIMSOLL_BASE_BUF_H
#define PLIMSOLL_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/bug.h"

struct buf {
	char *data;	  /* NULL until the first add; read it through buf_str() */
	size_t len_bytes; /* without the NUL */
	size_t cap_bytes;
	size_t max_bytes;
	bool is_over; /* something did not fit; stays set until buf_clear */
};

#define BUF_INIT(max)                                                                              \
	{                                                                                          \
		.max_bytes = (max)                                                                 \
	}

void buf_init(struct buf *b, size_t max_bytes);
void buf_release(struct buf *b); /* gives up the memory; usable again afterwards */
void buf_clear(struct buf *b);	 /* empty, memory kept, flag reset */

void buf_add(struct buf *b, const void *data, size_t len_bytes);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
PRINTF_LIKE(2, 3) void buf_addf(struct buf *b, const char *fmt, ...);
/* Adds why something is refused: always -EINVAL, so that a parser can return it at once. */
PRINTF_LIKE(2, 3) int buf_refuse(struct buf *why, const char *fmt, ...);
PRINTF_LIKE(2, 0) void buf_vaddf(struct buf *b, const char *fmt, va_list ap);
/* Drops bytes from the front, or all after a length. */
void buf_consume(struct buf *b, size_t len_bytes);
void buf_truncate(struct buf *b, size_t len_bytes);
/* Room for len more bytes, to be written directly and then told with buf_commit; NULL if over. */
char *buf_reserve(struct buf *b, size_t len_bytes);
void buf_commit(struct buf *b, size_t len_bytes);

/* Never NULL: "" for an empty buffer. Valid until the next change. */
const char *buf_str(const struct buf *b);
bool buf_is_over(const struct buf *b);
/* Gives the bytes (NUL-terminated, never NULL) to the caller, who frees them; b is empty again. */
char *buf_steal(struct buf *b);

#endif
