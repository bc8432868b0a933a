/*
 * http1.h - an HTTP/1.1 response read piece by piece (rank 3). No I/O; pure; bounded.
 *
 * RFC 9112. Interim (1xx) answers are skipped; chunked with trailers, content-length and
 * close-delimited bodies; HEAD, 204 and 304 have none. Transfer-Encoding wins over Content-Length
 * and such a connection is not used again. Bytes after a whole answer are left unread (used_bytes
 * < len_bytes): they are garbage, and the connection must not be used again.
 *
 *	http1_begin(&h, false, body_max_bytes);
 *	switch (http1_feed(&h, data, len, &used)) {
 *	case HTTP1_MORE: read on;
 *	case HTTP1_DONE: h.response.status, response_header(&h.response, "date", &len)
 *	case HTTP1_BAD:  h.why
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

#include "common/engine/response.h"

#define HTTP1_FRAMING_MAX_BYTES (64u * 1024u) /* 1xx heads; chunk lines and trailers */

enum http1_state { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

struct http1 {
	struct response response; /* its head: status line and headers as they came */
	bool is_keep_alive;	  /* may the connection be used again */
	const char *why;	  /* HTTP1_BAD: static text */
	/* the parser's own */
	int phase;
	bool is_head_request;
	uint8_t minor_version;
	uint32_t chunk_digits;
	uint64_t left_bytes;		     /* of the body, or of the chunk */
	size_t line_start, scan_at;	     /* in head */
	size_t interim_bytes, framing_bytes; /* both bounded */
	/*
	 * Most answers of a target have the head of the one before, byte for byte: it stands in
	 * response.head until other bytes come, and is not read again.
	 */
	bool is_head_old;
	struct http1_memory {
		bool is_whole; /* response.head and its headers are those of a whole head */
		int status;
		bool is_keep_alive, is_head_request;
		uint32_t header_count;
		int phase;
		uint64_t left_bytes;
	} last;
};

void http1_init(struct http1 *h);
void http1_release(struct http1 *h);
void http1_begin(struct http1 *h, bool is_head_request, size_t body_max_bytes);
/* One answer. After HTTP1_DONE or HTTP1_BAD nothing more is read until http1_begin. */
enum http1_state http1_feed(struct http1 *h, const char *data, size_t len_bytes,
			    size_t *used_bytes);
/* The peer closed. HTTP1_DONE when that ends a close-delimited body, else HTTP1_BAD. */
enum http1_state http1_eof(struct http1 *h);

#endif
