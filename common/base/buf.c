#include "common/base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf)BUF_INIT(max_bytes);
}

void buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max_bytes);
}

void buf_clear(struct buf *b)
{
	buf_truncate(b, 0);
	b->is_over = false;
}

/* Room for len more bytes and the NUL. False, and the flag, when that is past the maximum. */
static bool make_room(struct buf *b, size_t len_bytes)
{
	size_t cap_bytes = MAX_OF(b->cap_bytes, (size_t)64);

	if (b->is_over || len_bytes > b->max_bytes || b->len_bytes > b->max_bytes - len_bytes) {
		b->is_over = true;
		return false;
	}
	if (b->data && b->len_bytes + len_bytes < b->cap_bytes)
		return true;
	while (cap_bytes <= b->len_bytes + len_bytes)
		cap_bytes *= 2;
	cap_bytes = MIN_OF(cap_bytes, b->max_bytes + 1);
	b->data = x_realloc(b->data, cap_bytes, 1);
	b->cap_bytes = cap_bytes;
	return true;
}

char *buf_reserve(struct buf *b, size_t len_bytes)
{
	return make_room(b, len_bytes) ? b->data + b->len_bytes : NULL;
}

void buf_commit(struct buf *b, size_t len_bytes)
{
	BUG_ON(!b->data || b->len_bytes + len_bytes >= b->cap_bytes);
	b->len_bytes += len_bytes;
	b->data[b->len_bytes] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len_bytes)
{
	char *at = buf_reserve(b, len_bytes);

	if (!at)
		return;
	if (len_bytes)
		memcpy(at, data, len_bytes);
	buf_commit(b, len_bytes);
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int need;
	char *at;

	va_copy(again, ap);
	need = vsnprintf(NULL, 0, fmt, ap);
	BUG_ON(need < 0);
	at = buf_reserve(b, (size_t)need);
	if (at) {
		vsnprintf(at, (size_t)need + 1, fmt, again);
		buf_commit(b, (size_t)need);
	}
	va_end(again);
}

int buf_refuse(struct buf *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(why, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t len_bytes)
{
	BUG_ON(len_bytes > b->len_bytes);
	if (!len_bytes)
		return;
	memmove(b->data, b->data + len_bytes, b->len_bytes - len_bytes);
	buf_truncate(b, b->len_bytes - len_bytes);
}

void buf_truncate(struct buf *b, size_t len_bytes)
{
	BUG_ON(len_bytes > b->len_bytes);
	b->len_bytes = len_bytes;
	if (b->data)
		b->data[len_bytes] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

bool buf_is_over(const struct buf *b)
{
	return b->is_over;
}

char *buf_steal(struct buf *b)
{
	char *data = b->data ? b->data : x_strdup("");

	buf_init(b, b->max_bytes);
	return data;
}
