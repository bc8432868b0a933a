/*
 * target_lambda.c - Lambda's Invoke: signed requests out, answers and log tails in.
 *
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html. A failed function still answers
 * 200: X-Amz-Function-Error says so. Every call says in its client context that it is a test.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/digest/digest.h"

#include "cmd/loader/jsonscan.h"
#include "cmd/loader/report_line.h"
#include "cmd/loader/target.h"

static void write_context(const char *run, struct buf *out)
{
	struct buf json = BUF_INIT(256);

	buf_addf(&json, "{\"custom\":{\"plimsoll_run\":\"%s\"}}", run);
	digest_base64(json.data, json.len_bytes, out);
	buf_release(&json);
}

static int refuse(char why[SHARD_WHY_SIZE], const char *what, int rc)
{
	snprintf(why, SHARD_WHY_SIZE, "%s: %s", what, strerror(-rc));
	return rc;
}

static int prepare(const struct target_request *rq, struct target_scratch *s, struct buf *out,
		   char why[SHARD_WHY_SIZE])
{
	const struct shard_target *t = rq->target;
	struct http_header headers[] = {
		{"Host", t->authority},
		{"Content-Type", "application/json"},
		{"X-Amz-Invocation-Type", "RequestResponse"},
		{"X-Amz-Log-Type", "Tail"},
		{"X-Amz-Client-Context", NULL},
	};
	struct sigv4_request to_sign = {
		.method = "POST",
		.path = rq->path,
		.query = rq->query,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.body = rq->payload->bytes,
		.body_bytes = rq->payload->len_bytes,
		.payload_sha256_hex = *rq->payload->sha256_hex ? rq->payload->sha256_hex : NULL,
	};
	int rc;

	if (s->context.len_bytes == 0)
		write_context(rq->shard->run, &s->context);
	headers[4].value = buf_str(&s->context);
	rc = sigv4_sign(rq->signer, &to_sign, rq->at, &s->signature);
	if (rc != 0)
		return refuse(why, "cannot sign the request", rc);
	buf_addf(out, "POST %s%s%s HTTP/1.1\r\n", rq->path, rq->query ? "?" : "",
		 rq->query ? rq->query : "");
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		buf_addf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
	sigv4_write_headers(&s->signature, out);
	buf_addf(out, "User-Agent: plimsoll/%s\r\nContent-Length: %zu\r\n", PLIMSOLL_VERSION,
		 rq->payload->len_bytes);
	target_add_headers(rq, out);
	buf_adds(out, "\r\n");
	buf_add(out, rq->payload->bytes, rq->payload->len_bytes);
	if (buf_is_over(out))
		return refuse(why, "the request is too long", -E2BIG);
	return 0;
}

static void take_report(const struct response *r, struct target_scratch *s, struct answer *a)
{
	struct report rep;
	size_t len_bytes;
	const char *text = response_header(r, "x-amz-log-result", &len_bytes);

	if (!text)
		return;
	buf_clear(&s->log_tail);
	if (digest_base64_decode(text, len_bytes, &s->log_tail) != 0 ||
	    !report_parse(buf_str(&s->log_tail), s->log_tail.len_bytes, a->request_id, a->id_bytes,
			  &rep))
		return;
	a->temperature = rep.temperature;
	a->billed_us = rep.billed_us;
	a->init_us = rep.init_us;
	a->memory_kib = rep.memory_kib;
}

/* The service's own word: x-amzn-errortype or a member of the body, without its decoration. */
static bool error_word(const struct response *r, const char *member, bool is_header_first,
		       struct json_slice *out)
{
	const char *header = response_header(r, "x-amzn-errortype", &out->len_bytes);
	struct json_slice v;
	const char *cut;

	out->at = header;
	if ((!header || !is_header_first) &&
	    json_find(buf_str(&r->body), r->body.len_bytes, member, &v) && v.kind == JSON_SLICE_STR)
		*out = v;
	if (!out->at || out->len_bytes == 0)
		return false;
	cut = memrchr(out->at, '#', out->len_bytes);
	if (cut) { /* "com.amazonaws.lambda#Name" */
		out->len_bytes -= (size_t)(cut + 1 - out->at);
		out->at = cut + 1;
	}
	cut = memchr(out->at, ':', out->len_bytes);
	if (cut) /* "Name:http://internal..." */
		out->len_bytes = (size_t)(cut - out->at);
	return out->len_bytes > 0;
}

/* Every other reason is the function's own reserved limit. */
static bool is_of_account(const struct json_slice *word)
{
	static const char prefix[] = "Reserved";

	return word->len_bytes < sizeof(prefix) - 1 ||
	       memcmp(word->at, prefix, sizeof(prefix) - 1) != 0;
}

static void classify_error(const struct response *r, struct answer *a)
{
	bool is_throttle = r->status == 429;
	struct json_slice word = {JSON_SLICE_STR, NULL, 0};

	answer_reasonf(a, is_throttle ? OUT_THROTTLED : OUT_HTTP_ERROR, "HTTP_%d", r->status);
	if (error_word(r, is_throttle ? "/Reason" : "/__type", !is_throttle, &word))
		answer_reason(a, a->outcome, word.at, word.len_bytes);
	a->is_account_throttle = is_throttle && word.at && is_of_account(&word);
}

static bool is_number(const char *s)
{
	if (!s || !*s)
		return false;
	for (; *s; s++)
		if (!isdigit((unsigned char)*s))
			return false;
	return true;
}

/* An answer of another version would be counted on the wrong side of the comparison. */
static bool is_other_version(const struct shard_target *t, const struct response *r)
{
	size_t len_bytes;
	const char *version = response_header(r, "x-amz-executed-version", &len_bytes);

	return version && is_number(t->qualifier) &&
	       (len_bytes != strlen(t->qualifier) || memcmp(version, t->qualifier, len_bytes) != 0);
}

static void classify(const struct shard_target *t, const struct response *r,
		     struct target_scratch *s, struct answer *a)
{
	size_t len_bytes;
	const char *error;

	a->request_id = response_header(r, "x-amzn-requestid", &a->id_bytes);
	/* The status is the service's own, not the function's: no check of ours makes it one. */
	if (t->expect.status_count ? !expect_has_status(&t->expect, r->status) : r->status != 200) {
		classify_error(r, a);
		return;
	}
	take_report(r, s, a);
	error = response_header(r, "x-amz-function-error", &len_bytes);
	if (error)
		answer_reason(a, OUT_FUNCTION_ERROR, error, len_bytes);
	else if (is_other_version(t, r))
		answer_reasonf(a, OUT_HTTP_ERROR, "other_version_answered");
	else
		a->outcome = OUT_OK;
}

const struct target_kind target_lambda = {
	.method = "lambda-invoke",
	.needs_credentials = true,
	.has_report = true,
	.prepare = prepare,
	.classify = classify,
};
