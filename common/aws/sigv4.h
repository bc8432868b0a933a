/*
 * sigv4.h - AWS Signature Version 4, as a pure function (rank 3).
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html. No clock, no network: the
 * caller says what time it is. A signer keeps the day's key, and a result keeps its buffers, so
 * signing again allocates nothing once both are warm.
 *
 *	struct sigv4_signer s = {.region = "us-east-1", .service = "lambda", .creds = creds};
 *	struct sigv4_result r = {0};
 *	rc = sigv4_sign(&s, &request, wall_from_s(due_s), &r);
 *	sigv4_write_headers(&r, &head);		// "X-Amz-Date: ...", "Authorization: ..."
 *	sigv4_result_release(&r);
 *	sigv4_signer_release(&s);
 *
 * path and query are given as they stand on the wire. The path is encoded once more, segment by
 * segment (every service but s3), and normalised unless told otherwise; the query is decoded,
 * encoded and sorted. Headers that proxies change (Connection, User-Agent, Expect, ...) are not
 * signed. Given X-Amz-Date and Authorization are replaced, and X-Amz-Security-Token where the
 * credentials bring one.
 *
 * DIAGNOSTICS
 *	-EINVAL: no method, no access or secret key, a header name or value with control characters,
 *	or no Host header. -E2BIG: larger than SIGV4_MAX_BYTES, or more than SIGV4_HEADERS_MAX
 *	headers or SIGV4_PARAMS_MAX query parameters.
 */
#ifndef PLIMSOLL_AWS_SIGV4_H
#define PLIMSOLL_AWS_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/digest/digest.h"
#include "common/http/http.h"

#define SIGV4_MAX_BYTES (256u * 1024u) /* of a canonical request */
#define SIGV4_HEADERS_MAX 128
#define SIGV4_PARAMS_MAX 512

enum {
	SIGV4_NO_CONTENT_SHA256 = 1, /* x-amz-content-sha256 is neither sent nor signed */
	SIGV4_NO_NORMALIZE = 2,	     /* dot segments and double slashes of the path stay */
};

struct sigv4_creds { /* borrowed */
	const char *access_key_id, *secret_access_key;
	const char *session_token; /* NULL or "" = none */
};

struct sigv4_signer {
	const char *region, *service; /* borrowed; service "s3" leaves the path as it is */
	struct sigv4_creds creds;     /* may be swapped between two calls */
	unsigned flags;		      /* SIGV4_* */
	/* the signer's own: the key of one day */
	uint8_t key[SHA256_BYTES], key_of[SHA256_BYTES];
	bool has_key;
};

struct sigv4_request {			   /* all borrowed */
	const char *method, *path, *query; /* query without "?"; NULL or "" = none */
	const struct http_header *headers; /* Host is among them */
	size_t header_count;
	const void *body;
	size_t body_bytes;
	const char *payload_sha256_hex; /* computed ahead; NULL = from body */
};

#define SIGV4_SIGNATURE_SIZE 65
struct sigv4_result {
	struct buf canonical, string_to_sign, signed_headers;
	struct buf authorization; /* the value of Authorization */
	char date[WALL_BASIC_SIZE];
	char payload_sha256_hex[SHA256_HEX_SIZE];
	char signature[SIGV4_SIGNATURE_SIZE];
	bool has_content_sha256;
	struct buf session_token; /* empty = none to send */
	struct buf scratch;	  /* the signer's own */
};

MUST_CHECK int sigv4_sign(struct sigv4_signer *s, const struct sigv4_request *req, struct wall at,
			  struct sigv4_result *out);
/* Appends the header lines to add, each ended by CR LF, Authorization last. */
void sigv4_write_headers(const struct sigv4_result *r, struct buf *out);
/* The same as pairs; pointers into r. Returns how many of the four were filled. */
size_t sigv4_header_list(const struct sigv4_result *r, struct http_header out[4]);
void sigv4_result_release(struct sigv4_result *r); /* wipes */
void sigv4_signer_release(struct sigv4_signer *s); /* wipes the day's key */

#endif
