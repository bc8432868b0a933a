/*
 * http1.h - an HTTP/1.1 response read piece by piece (rank 3). No I/O; pure; bounded.
 *
 * RFC 9112. Interim (1xx) answers are skipped; chunked with trailers, content-length and
 * close-delimited bodies; HEAD, 204 and 304 have none. Transfer-Encoding wins over Content-Length
 * and such a connection is not used again. Bytes after a whole answer are left unread (used_bytes
 * < len_bytes): they are garbage, and the connection must not be used again.
 *
 *	http1_begin(&r, false, body_max_bytes);
 *	switch (http1_feed(&r, data, len, &used)) {
 *	case HTTP1_MORE: read on;
 *	case HTTP1_DONE: r.status, http1_header(&r, "x-amz-function-error", &len), r.body
 *	case HTTP1_BAD:  r.why
 *	}
 *
 * The struct is reused from call to call: no allocation per request once its buffers have grown.
 * How the bytes are cut into pieces never changes the result.
 *
 * Lenient where RFC 9112 lets a client be: a lone LF ends a line, a folded header line is joined
 * with a space, equal repeated Content-Length values count as one, "identity" is no coding.
 *
 * DIAGNOSTICS
 *	HTTP1_BAD with a reason in why: not HTTP/1.x, a malformed line, a bound passed, a body
 * length that contradicts itself, an upgrade nobody asked for. From http1_eof: closed too early.
 */
#ifndef PLIMSOLL_ENGINE_HTTP1_H
#define PLIMSOLL_ENGINE_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

#define HTTP1_HEAD_MAX_BYTES (64u * 1024u)
#define HTTP1_HEADERS_MAX 100

enum http1_state { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

struct http1_header {
	uint32_t name_at, name_bytes, value_at, value_bytes; /* offsets into head.data */
};

struct http1_response {
	int status;
	bool is_keep_alive;	/* may the connection be used again */
	bool is_body_truncated; /* more than the body cap came; the rest was read and dropped */
	uint64_t body_total_bytes;
	struct buf head; /* status line and headers as they came */
	struct buf body; /* at most the cap */
	struct http1_header headers[HTTP1_HEADERS_MAX];
	size_t header_count;
	const char *why; /* HTTP1_BAD: static text */
	/* the parser's own */
	int phase;
	bool is_head_request;
	uint8_t minor_version;
	uint32_t chunk_digits;
	uint64_t left_bytes;		     /* of the body, or of the chunk */
	size_t body_max_bytes;		     /* kept of the body */
	size_t line_start, scan_at;	     /* in head */
	size_t interim_bytes, framing_bytes; /* 1xx heads; chunk lines and trailers: both bounded */
};

void http1_init(struct http1_response *r);
void http1_release(struct http1_response *r);
void http1_begin(struct http1_response *r, bool is_head_request, size_t body_max_bytes);
/* One answer. After HTTP1_DONE or HTTP1_BAD nothing more is read until http1_begin. */
enum http1_state http1_feed(struct http1_response *r, const char *data, size_t len_bytes,
			    size_t *used_bytes);
/* The peer closed. HTTP1_DONE when that ends a close-delimited body, else HTTP1_BAD. */
enum http1_state http1_eof(struct http1_response *r);
/* The first header of that name (any case), not NUL-terminated; NULL when absent. */
const char *http1_header(const struct http1_response *r, const char *name, size_t *len_bytes);

#endif
