/*
 * canonical.h - the pieces of a canonical request; used by sigv4.c only (rank 3).
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
#ifndef PLIMSOLL_AWS_CANONICAL_H
#define PLIMSOLL_AWS_CANONICAL_H

#include "common/aws/sigv4.h"

/* Appends the path: normalised when asked to, then encoded (once more) segment by segment. */
void canonical_path(const char *path, bool is_normalised, struct buf *scratch, struct buf *out);
/* Appends the query: each name and value decoded and encoded, sorted. -E2BIG. */
MUST_CHECK int canonical_query(const char *query, struct buf *scratch, struct buf *out);

struct canonical_headers {
	struct http_header items[SIGV4_HEADERS_MAX + 4];
	size_t count;
	const char *given_sha256; /* value of a given X-Amz-Content-Sha256, or NULL */
	bool has_host;
};
/* Keeps the headers that are signed; a given session token only when none replaces it.
 * -EINVAL, -E2BIG. */
MUST_CHECK int canonical_headers_take(const struct sigv4_request *req, bool has_token,
				      struct canonical_headers *out);
void canonical_headers_add(struct canonical_headers *h, const char *name, const char *value);
/* Sorts, appends "name:value\n" lines to out and "a;b;c" to names. */
void canonical_headers_write(struct canonical_headers *h, struct buf *out, struct buf *names);

#endif
