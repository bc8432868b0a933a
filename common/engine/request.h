/*
 * request.h - one request, prepared once and sent many times, by either protocol (rank 3).
 *
 * It is written as HTTP/1.1 bytes. For HTTP/2 its fields are read out of those bytes: the pseudo
 * fields first, names in lower case, without what belongs to one connection only (Connection, Host,
 * Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade). Pure, no I/O.
 *
 *	struct engine_request r = {0};
 *	rc = engine_request_set(&r, bytes, len_bytes);		// the bytes are borrowed
 *	rc = engine_request_add_fields(&r, true);		// where a pool may speak HTTP/2
 *	call.request = &r;					// until done()
 *	engine_request_release(&r);
 *
 * DIAGNOSTICS
 *	-EINVAL: no head that ends in an empty line, or not the form of RFC 9112; -E2BIG: more
 *	than REQUEST_FIELDS_MAX fields. What was set before is unusable then.
 */
#ifndef PLIMSOLL_ENGINE_REQUEST_H
#define PLIMSOLL_ENGINE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

#define REQUEST_FIELDS_MAX 64

struct request_field { /* not NUL-terminated; borrowed from bytes or names */
	const char *name, *value;
	size_t name_bytes, value_bytes;
};

struct engine_request {
	const char *bytes; /* head and body as HTTP/1.1 sends them; borrowed */
	size_t len_bytes;
	size_t head_bytes;	      /* with the empty line: the body begins there */
	bool is_head;		      /* a HEAD request: the answer has no body */
	struct request_field *fields; /* for HTTP/2; NULL until engine_request_add_fields */
	size_t field_count;
	struct buf names; /* of the fields */
};

/* May be called again with other bytes; buffers are kept, fields must be added anew. */
MUST_CHECK int engine_request_set(struct engine_request *r, const char *bytes, size_t len_bytes);
MUST_CHECK int engine_request_add_fields(struct engine_request *r, bool is_tls);
void engine_request_release(struct engine_request *r);

#endif
