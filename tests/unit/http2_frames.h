/*
 * http2_frames.h - frames of a server, byte by byte as a test wants them, broken ones included.
 *
 *	struct buf out = BUF_INIT(FRAMES_MAX_BYTES);
 *	put_settings(&out);
 *	put_headers(&out, 1, END_HEADERS, "200", "server", "x", NULL);
 *	put_frame(&out, DATA, END_STREAM, 1, "hello", 5);
 */
#ifndef TESTS_UNIT_HTTP2_FRAMES_H
#define TESTS_UNIT_HTTP2_FRAMES_H

#include <stdarg.h>
#include <stdint.h>

#include "common/base/buf.h"

#define FRAMES_MAX_BYTES (8u * 1024u * 1024u)

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW,
	CONTINUATION
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

static inline void put_u32(struct buf *out, uint32_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_addc(out, (char)(n >> shift));
}

static inline void put_frame(struct buf *out, int type, int flags, uint32_t id, const void *payload,
			     size_t len_bytes)
{
	put_u32(out, (uint32_t)(len_bytes << 8 | (unsigned)type));
	buf_addc(out, (char)flags);
	put_u32(out, id);
	buf_add(out, payload, len_bytes);
}

/* A length with a prefix of 7 bits, not Huffman coded. */
static inline void put_text(struct buf *out, const char *s, size_t len_bytes)
{
	if (len_bytes < 127) {
		buf_addc(out, (char)len_bytes);
	} else {
		size_t n = len_bytes - 127;

		buf_addc(out, 127);
		for (; n >= 128; n /= 128)
			buf_addc(out, (char)(n % 128 + 128));
		buf_addc(out, (char)n);
	}
	buf_add(out, s, len_bytes);
}

/* A literal field that is not put into the table. */
static inline void put_field(struct buf *out, const char *name, const char *value)
{
	buf_addc(out, 0);
	put_text(out, name, strlen(name));
	put_text(out, value, strlen(value));
}

/* status "" = no :status; then names and values, to NULL. */
static inline void put_headers(struct buf *out, uint32_t id, int flags, const char *status, ...)
{
	struct buf block = BUF_INIT(FRAMES_MAX_BYTES);
	const char *name;
	va_list ap;

	if (*status)
		put_field(&block, ":status", status);
	va_start(ap, status);
	while ((name = va_arg(ap, const char *)))
		put_field(&block, name, va_arg(ap, const char *));
	va_end(ap);
	put_frame(out, HEADERS, flags, id, block.data, block.len_bytes);
	buf_release(&block);
}

static inline void put_setting(struct buf *out, int key, uint32_t value)
{
	struct buf entry = BUF_INIT(6);

	buf_addc(&entry, 0);
	buf_addc(&entry, (char)key);
	put_u32(&entry, value);
	put_frame(out, SETTINGS, 0, 0, entry.data, entry.len_bytes);
	buf_release(&entry);
}

static inline void put_settings(struct buf *out)
{
	put_frame(out, SETTINGS, 0, 0, "", 0);
}

static inline void put_reset(struct buf *out, uint32_t id, uint32_t code)
{
	struct buf b = BUF_INIT(4);

	put_u32(&b, code);
	put_frame(out, RST_STREAM, 0, id, b.data, b.len_bytes);
	buf_release(&b);
}

static inline void put_goaway(struct buf *out, uint32_t last_id, uint32_t code)
{
	struct buf b = BUF_INIT(8);

	put_u32(&b, last_id);
	put_u32(&b, code);
	put_frame(out, GOAWAY, 0, 0, b.data, b.len_bytes);
	buf_release(&b);
}

#endif
