/* own.h - what http.c and async.c share (own header of common/http). */
#ifndef PLIMSOLL_HTTP_OWN_H
#define PLIMSOLL_HTTP_OWN_H

#include <curl/curl.h>

#include "common/http/http.h"

struct http_async;

struct http {
	struct http_options opt;
	char *ca_file;
	CURL *easy;
	struct http_async *async; /* NULL until http_start is called */
	/* Of the transfer that runs. */
	bool was_refused; /* by the address check */
	struct http_response *out;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
};

/* All options are set; 0, or -errno with out->why when it cannot be sent. */
MUST_CHECK int http_begin(struct http *h, const struct http_request *request,
			  struct http_response *out);
/* After a http_begin that returned 0: what came out. */
int http_complete(struct http *h, CURLcode code);

void http_async_free(struct http_async *a); /* NULL is fine */

#endif
