/*
 * signed.h - one signed HTTP request to an endpoint (rank 3). No retry, no interpretation.
 */
#ifndef PLIMSOLL_AWS_SIGNED_H
#define PLIMSOLL_AWS_SIGNED_H

#include "common/aws/sigv4.h"
#include "common/http/http.h"

#define SIGNED_HEADERS_MAX 8

struct signed_request {	      /* all borrowed */
	const char *endpoint; /* "http://127.0.0.1:4566", a path in it goes before path */
	const char *method;   /* "GET" */
	const char *path;     /* encoded, from the slash */
	const char *query;    /* encoded; NULL = none */
	const struct http_header *headers; /* beside Host; SIGNED_HEADERS_MAX at most */
	size_t header_count;
	const void *body;
	size_t body_bytes;
	const char *region, *service;
	struct sigv4_creds creds; /* access_key_id NULL: sent unsigned */
};

/* As http_do; -EINVAL also when it cannot be signed. */
MUST_CHECK int signed_do(struct http *h, const struct signed_request *req,
			 struct http_response *out);

#endif
