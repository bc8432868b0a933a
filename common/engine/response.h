/*
 * response.h - one answer, whichever protocol it came by (rank 3).
 *
 * Both parsers fill it: http1.h embeds one, http2.h has one for each stream. Names and values are
 * offsets into head, as they came (HTTP/2: lower case). Trailers are not in it. Reused from call to
 * call: no allocation once its buffers have grown.
 *
 *	const char *date = response_header(r, "date", &len);
 *	if (date && r->status == 200) ... r->body.data, r->body.len_bytes
 */
#ifndef PLIMSOLL_ENGINE_RESPONSE_H
#define PLIMSOLL_ENGINE_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/buf.h"

#define RESPONSE_HEAD_MAX_BYTES (64u * 1024u)
#define RESPONSE_HEADERS_MAX 100
#define RESPONSE_BODY_MAX_BYTES (1024u * 1024u * 1024u) /* that can be kept */

struct response_header {
	uint32_t name_at, name_bytes, value_at, value_bytes; /* offsets into head.data */
};

struct response {
	int status;
	bool is_body_truncated; /* more than the body cap came; the rest was read and dropped */
	uint32_t header_count;
	uint64_t body_total_bytes;
	struct buf head; /* at most RESPONSE_HEAD_MAX_BYTES */
	struct buf body; /* at most the cap */
	struct response_header headers[RESPONSE_HEADERS_MAX];
};

void response_init(struct response *r);
void response_release(struct response *r);
/* Empty, to be filled by the next answer; at most body_max_bytes of its body are kept. */
void response_begin(struct response *r, size_t body_max_bytes);
/* The same but for the head, which stays for the caller to clear. */
void response_begin_body(struct response *r, size_t body_max_bytes);
/* Body bytes as they come; those past the cap are only counted. */
void response_add_body(struct response *r, const char *data, size_t len_bytes);
const char *response_find_header(const struct response *r, const char *name, size_t name_bytes,
				 size_t *len_bytes);
/* The first header of that name (any case), not NUL-terminated; NULL when absent. */
static inline const char *response_header(const struct response *r, const char *name,
					  size_t *len_bytes)
{
	return response_find_header(r, name, strlen(name), len_bytes);
}

#endif
