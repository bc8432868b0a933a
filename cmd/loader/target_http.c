/*
 * target_http.c - a plain HTTP endpoint: the plan's method, else GET, or POST with a payload.
 *
 * The header Plimsoll-Run tells the function that it is a test, Plimsoll-Attempt which try at which
 * shard: a target that hears two tries at one time has seen two loaders at it. Redirects are
 * answers, not followed: a measurement of two hops would be neither's.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cmd/loader/target.h"

static void add_unless_given(const struct shard_target *t, const char *name, const char *value,
			     struct buf *out)
{
	for (size_t i = 0; i < t->header_count; i++)
		if (!strcasecmp(t->headers[i].name, name))
			return;
	buf_addf(out, "%s: %s\r\n", name, value);
}

static int prepare(const struct target_request *rq, struct target_scratch *s, struct buf *out,
		   char why[SHARD_WHY_SIZE])
{
	const struct shard_target *t = rq->target;
	bool has_body = rq->payload->len_bytes > 0;
	const char *method = t->http_method ? t->http_method : has_body ? "POST" : "GET";

	(void)s;
	buf_addf(out, "%s %s%s%s HTTP/1.1\r\nHost: %s\r\n", method, rq->path, rq->query ? "?" : "",
		 rq->query ? rq->query : "", t->authority);
	add_unless_given(t, "User-Agent", "plimsoll/" PLIMSOLL_VERSION, out);
	add_unless_given(t, "Accept", "*/*", out);
	buf_addf(out, "Plimsoll-Run: %s\r\n", rq->shard->run);
	buf_addf(out, "Plimsoll-Attempt: %s.%lld\r\n", rq->shard->id,
		 (long long)rq->shard->attempt);
	if (has_body) {
		add_unless_given(t, "Content-Type", "application/json", out);
		buf_addf(out, "Content-Length: %zu\r\n", rq->payload->len_bytes);
	}
	target_add_headers(rq, out);
	buf_adds(out, "\r\n");
	buf_add(out, rq->payload->bytes, rq->payload->len_bytes);
	if (!buf_is_over(out))
		return 0;
	snprintf(why, SHARD_WHY_SIZE, "the request is too long");
	return -E2BIG;
}

static void classify(const struct shard_target *t, const struct response *r,
		     struct target_scratch *s, struct answer *a)
{
	(void)s;
	a->request_id = response_header(r, "x-amzn-requestid", &a->id_bytes);
	if (!a->request_id)
		a->request_id = response_header(r, "x-request-id", &a->id_bytes);
	if (expect_has_status(&t->expect, r->status))
		a->outcome = OUT_OK;
	else if (r->status == 429)
		answer_reasonf(a, OUT_THROTTLED, "HTTP_429");
	else if (t->expect.status_count)
		answer_reasonf(a, OUT_FUNCTION_ERROR, "expect:status:%d", r->status);
	else
		answer_reasonf(a, OUT_HTTP_ERROR, "HTTP_%d", r->status);
	a->is_account_throttle = a->outcome == OUT_THROTTLED;
}

const struct target_kind target_http = {
	.method = "http",
	.prepare = prepare,
	.classify = classify,
};
