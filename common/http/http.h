/*
 * http.h - one HTTP request at a time, with a deadline, blocking or in the loop (rank 2). The only
 * door to libcurl.
 *
 * Everything in Plimsoll that speaks HTTP outside the loader's hot path goes through here.
 * http and https only, no redirects, no proxy, bounded head and body, connections kept between
 * calls. It blocks at most timeout_ms, and ends within about a second of is_stopped() becoming
 * true.
 *
 *	struct http *h = http_new(&(struct http_options){.is_stopped = http_signal_pending});
 *	struct http_response r = HTTP_RESPONSE_INIT;
 *	if (http_do(h, &(struct http_request){.method = "GET", .url = url}, &r) == 0 && r.status ==
 *200) use(buf_str(&r.body), r.body.len_bytes); http_response_release(&r); http_free(h);
 *
 * DIAGNOSTICS
 *	http_do: 0 for any whole answer, whatever its status. -errno otherwise, with a sentence for
 *	people in response.why: -EINVAL bad URL or header, -ECANCELED stopped, -ETIMEDOUT,
 *	-EHOSTUNREACH name not found, -ECONNREFUSED no connection, -EPROTO TLS or not HTTP,
 *	-ECONNRESET broke off, -EFBIG answer larger than its bound, -EACCES address refused by the
 *	check, -EIO anything else. Nothing is logged here; headers and bodies never are.
 */
#ifndef PLIMSOLL_HTTP_HTTP_H
#define PLIMSOLL_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/loop.h"

#define HTTP_WHY_SIZE 240
#define HTTP_HEAD_MAX_BYTES (64u * 1024u)
#define HTTP_BODY_MAX_BYTES (8u * 1024u * 1024u) /* when the request does not say */
#define HTTP_TIMEOUT_MS 30000			 /* likewise */

struct http;

struct http_options {
	const char *ca_file; /* PEM; NULL = the system's. Copied */
	/* Asked about once a second and at every transfer; true ends the request. May be NULL. */
	bool (*is_stopped)(void *ctx);
	void *stop_ctx;
	/* Asked before each connect; false refuses the address. May be NULL. */
	bool (*is_allowed)(const struct sockaddr *addr, socklen_t addr_bytes, void *ctx);
	void *allow_ctx;
};

struct http_header {
	const char *name, *value; /* an empty value is sent as an empty header */
};

struct http_request {
	const char *method; /* "GET", "PUT", ... */
	const char *url;    /* sent as it is: no normalising, no encoding */
	const struct http_header *headers;
	size_t header_count;
	const void *body; /* may be NULL */
	size_t body_bytes;
	int64_t timeout_ms;    /* for the whole exchange; 0 = HTTP_TIMEOUT_MS */
	size_t body_max_bytes; /* of the answer; 0 = HTTP_BODY_MAX_BYTES */
};

struct http_response {
	int status;
	struct buf head; /* header lines of the final answer, without the status line */
	struct buf body; /* NUL-terminated */
	char why[HTTP_WHY_SIZE];
};

#define HTTP_RESPONSE_INIT                                                                         \
	{                                                                                          \
		.status = 0                                                                        \
	}

/* Never NULL. Options are copied. The caller frees it. */
struct http *http_new(const struct http_options *options);
void http_free(struct http *h);

/* Blocks. out is cleared first and reused: release it once at the end. Request is borrowed. */
MUST_CHECK int http_do(struct http *h, const struct http_request *request,
		       struct http_response *out);

typedef void http_done_fn(int rc, void *ctx);
/*
 * The same without blocking: done is called from the loop, with what http_do would have returned;
 * it may start the next one. One at a time; request.body, request.url and out are borrowed until
 * then. http_free ends it without calling done. A handle is used in one of the two ways only.
 */
void http_start(struct http *h, struct loop *l, const struct http_request *request,
		struct http_response *out, http_done_fn *done, void *ctx);
bool http_is_busy(const struct http *h);

/* out: the value without surrounding space, NUL-terminated and cut to its size. */
bool http_response_header(const struct http_response *r, const char *name, char *out,
			  size_t out_size);
void http_response_release(struct http_response *r); /* wipes the body: it may hold secrets */

/*
 * For is_stopped in a process that blocks SIGTERM and SIGINT and reads them from a signalfd: true
 * when one of them is pending. It stays pending for the loop to read.
 */
bool http_signal_pending(void *unused);

/*
 * RFC 3986 encoding of everything but A-Z a-z 0-9 - _ . ~ and the characters of keep ("" or "/").
 */
void http_encode(const char *text, size_t len_bytes, const char *keep, struct buf *out);

/* The parts of an absolute http(s) URL; pointers into url. -EINVAL for anything else. */
struct http_url {
	bool is_tls;
	const char *host; /* without brackets */
	size_t host_bytes;
	uint16_t port;	       /* the scheme's own when not written */
	const char *authority; /* host[:port] as written */
	size_t authority_bytes;
	const char *path; /* from the slash, without query; may be empty */
	size_t path_bytes;
	const char *query; /* without "?"; NULL when absent */
	size_t query_bytes;
};
MUST_CHECK int http_url_split(const char *url, struct http_url *out);

#endif
