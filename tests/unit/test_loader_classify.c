/*
 * test_loader_classify.c - answers into outcomes, and the bytes of requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/engine/http1.h"

#include "cmd/loader/target.h"

#define HEAD_200 "HTTP/1.1 200 OK\r\n"
#define LEN(n) "Content-Length: " #n "\r\n\r\n"

/* base64 of "REPORT RequestId: r\tDuration: 2 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\t
 * Max Memory Used: 40 MB\tInit Duration: 90 ms\t\n" */
#define COLD_TAIL                                                                                  \
	"UkVQT1JUIFJlcXVlc3RJZDogcglEdXJhdGlvbjogMiBtcwlCaWxsZWQgRHVyYXRpb246IDMgbXMJTWVtb3J5IFNp" \
	"emU6IDEyOCBNQglNYXggTWVtb3J5IFVzZWQ6IDQwIE1CCUluaXQgRHVyYXRpb246IDkwIG1zCQo="

struct want {
	enum outcome outcome;
	const char *reason;
	enum temperature temperature;
	uint32_t billed_us, init_us, memory_kib;
	const char *instance, *request_id;
	bool is_account_throttle;
};

static void feed(struct http1 *r, const char *text)
{
	size_t used_bytes;

	http1_init(r);
	http1_begin(r, false, 4096);
	assert_int_equal(http1_feed(r, text, strlen(text), &used_bytes), HTTP1_DONE);
}

static void check(const char *name, const struct shard_target *t, const char *answer,
		  const struct want *w)
{
	struct http1 r;
	struct target_scratch s;
	struct answer a;
	const char *instance = w->instance ? w->instance : "";
	const char *id = w->request_id ? w->request_id : "";

	target_scratch_init(&s);
	feed(&r, answer);
	target_read(target_kind(t->method), t, &r.response, &s, &a);
	if (a.outcome != w->outcome || strcmp(a.reason, w->reason) != 0 ||
	    a.temperature != w->temperature || a.billed_us != w->billed_us ||
	    a.init_us != w->init_us || a.memory_kib != w->memory_kib ||
	    a.instance_bytes != strlen(instance) || a.id_bytes != strlen(id) ||
	    a.is_account_throttle != w->is_account_throttle)
		fail_msg("%s: %s \"%s\" temperature %d billed %u init %u memory %u instance %.*s",
			 name, outcome_name(a.outcome), a.reason, a.temperature, a.billed_us,
			 a.init_us, a.memory_kib, (int)a.instance_bytes,
			 a.instance ? a.instance : "");
	if (a.instance)
		assert_memory_equal(a.instance, instance, a.instance_bytes);
	if (a.request_id)
		assert_memory_equal(a.request_id, id, a.id_bytes);
	http1_release(&r);
	target_scratch_release(&s);
}

static void lambda_answers(void **state)
{
	static char method[] = "lambda-invoke", two[] = "2", instance[] = "/i", cold[] = "/c";
	static const struct shard_target t = {
		.method = method, .qualifier = two, .instance = instance, .cold = cold};
	static const struct {
		const char *name, *answer;
		struct want want;
	} cases[] = {
		{"ok",
		 HEAD_200 "X-Amz-Executed-Version: 2\r\nx-amzn-RequestId: r1\r\n" LEN(
			 20) "{\"i\":\"e1\",\"c\":false}",
		 {.outcome = OUT_OK,
		  .reason = "",
		  .temperature = TEMP_WARM,
		  .instance = "e1",
		  .request_id = "r1"}},
		{"cold by its own word",
		 HEAD_200 LEN(19) "{\"i\":\"e1\",\"c\":true}",
		 {.outcome = OUT_OK, .reason = "", .temperature = TEMP_COLD, .instance = "e1"}},
		{"the REPORT line beats the function's word",
		 HEAD_200 "X-Amz-Log-Result: " COLD_TAIL
			  "\r\n" LEN(20) "{\"i\":\"e1\",\"c\":false}",
		 {.outcome = OUT_OK,
		  .reason = "",
		  .temperature = TEMP_COLD,
		  .billed_us = 3000,
		  .init_us = 90000,
		  .memory_kib = 40 * 1024,
		  .instance = "e1"}},
		{"a tail without REPORT says nothing",
		 HEAD_200 "X-Amz-Log-Result: aGk=\r\n" LEN(2) "{}",
		 {.outcome = OUT_OK, .reason = ""}},
		{"a tail that is not base64",
		 HEAD_200 "X-Amz-Log-Result: %%%\r\n" LEN(2) "{}",
		 {.outcome = OUT_OK, .reason = ""}},
		{"a number names the instance",
		 HEAD_200 LEN(7) "{\"i\":7}",
		 {.outcome = OUT_OK, .reason = "", .instance = "7"}},
		{"null names none",
		 HEAD_200 LEN(10) "{\"i\":null}",
		 {.outcome = OUT_OK, .reason = ""}},
		{"the function failed",
		 HEAD_200
		 "X-Amz-Function-Error: Unhandled\r\n" LEN(20) "{\"i\":\"e1\",\"c\":false}",
		 {.outcome = OUT_FUNCTION_ERROR, .reason = "Unhandled"}},
		{"a failure keeps what the REPORT says",
		 HEAD_200 "X-Amz-Function-Error: Unhandled\r\nX-Amz-Log-Result: " COLD_TAIL
			  "\r\n" LEN(2) "{}",
		 {.outcome = OUT_FUNCTION_ERROR,
		  .reason = "Unhandled",
		  .temperature = TEMP_COLD,
		  .billed_us = 3000,
		  .init_us = 90000,
		  .memory_kib = 40 * 1024}},
		{"another version answered",
		 HEAD_200 "X-Amz-Executed-Version: 3\r\n" LEN(2) "{}",
		 {.outcome = OUT_HTTP_ERROR, .reason = "other_version_answered"}},
		{"throttled by its own limit",
		 "HTTP/1.1 429 X\r\n" LEN(
			 61) "{\"Reason\":\"ReservedFunctionConcurrentInvocationLimitExceeded\"}",
		 {.outcome = OUT_THROTTLED,
		  .reason = "ReservedFunctionConcurrentInvocationLimitExceeded"}},
		{"throttled by the account",
		 "HTTP/1.1 429 X\r\nx-amzn-ErrorType: TooManyRequestsException\r\n" LEN(
			 45) "{\"Reason\":\"ConcurrentInvocationLimitExceeded\"}",
		 {.outcome = OUT_THROTTLED,
		  .reason = "ConcurrentInvocationLimitExceeded",
		  .is_account_throttle = true}},
		{"throttled without a reason",
		 "HTTP/1.1 429 X\r\n" LEN(2) "{}",
		 {.outcome = OUT_THROTTLED, .reason = "HTTP_429"}},
		{"error by header",
		 "HTTP/1.1 404 X\r\nx-amzn-ErrorType: ResourceNotFoundException:http://x/\r\n" LEN(
			 2) "{}",
		 {.outcome = OUT_HTTP_ERROR, .reason = "ResourceNotFoundException"}},
		{"error by body",
		 "HTTP/1.1 403 X\r\n" LEN(
			 59) "{\"__type\":\"com.amazonaws.lambda#InvalidSignatureException\"}",
		 {.outcome = OUT_HTTP_ERROR, .reason = "InvalidSignatureException"}},
		{"error without a word",
		 "HTTP/1.1 502 X\r\n" LEN(0),
		 {.outcome = OUT_HTTP_ERROR, .reason = "HTTP_502"}},
		{"accepted is not answered",
		 "HTTP/1.1 202 X\r\n" LEN(0),
		 {.outcome = OUT_HTTP_ERROR, .reason = "HTTP_202"}},
		{"a hostile reason is tamed",
		 "HTTP/1.1 400 X\r\nx-amzn-ErrorType: a b\tc\r\n" LEN(0),
		 {.outcome = OUT_HTTP_ERROR, .reason = "a_b_c"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(cases[i].name, &t, cases[i].answer, &cases[i].want);
}

static void http_answers(void **state)
{
	static char method[] = "http", instance[] = "header:X-Instance", cold[] = "header:X-Cold";
	static const struct shard_target plain = {.method = method};
	static struct shard_target strict = {.method = method, .instance = instance, .cold = cold};
	static const struct {
		const char *name;
		const struct shard_target *t;
		const char *answer;
		struct want want;
	} cases[] = {
		{"any 2xx", &plain, "HTTP/1.1 204 X\r\n\r\n", {.outcome = OUT_OK, .reason = ""}},
		{"a redirect is not followed",
		 &plain,
		 "HTTP/1.1 302 X\r\n" LEN(0),
		 {.outcome = OUT_HTTP_ERROR, .reason = "HTTP_302"}},
		{"too many",
		 &plain,
		 "HTTP/1.1 429 X\r\n" LEN(0),
		 {.outcome = OUT_THROTTLED, .reason = "HTTP_429", .is_account_throttle = true}},
		{"as expected",
		 &strict,
		 "HTTP/1.1 201 X\r\nX-Instance: e 9\r\nX-Cold: 1\r\nX-Request-Id: q\r\n" LEN(
			 11) "{\"ok\":true}",
		 {.outcome = OUT_OK,
		  .reason = "",
		  .temperature = TEMP_COLD,
		  .instance = "e 9",
		  .request_id = "q"}},
		{"another status",
		 &strict,
		 "HTTP/1.1 200 X\r\n" LEN(11) "{\"ok\":true}",
		 {.outcome = OUT_FUNCTION_ERROR, .reason = "expect:status:200"}},
		{"too many, whatever was expected",
		 &strict,
		 "HTTP/1.1 429 X\r\n" LEN(0),
		 {.outcome = OUT_THROTTLED, .reason = "HTTP_429", .is_account_throttle = true}},
		{"another body",
		 &strict,
		 "HTTP/1.1 201 X\r\n" LEN(12) "{\"ok\":false}",
		 {.outcome = OUT_FUNCTION_ERROR, .reason = "expect:body_contains"}},
	};

	struct json *expect = json_obj();
	char why[EXPECT_WHY_SIZE];

	(void)state;
	json_put_int(expect, "status", 201);
	json_put_str(expect, "body_contains", "\"ok\":true");
	assert_int_equal(expect_parse(&strict.expect, expect, why), 0);
	json_free(expect);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(cases[i].name, cases[i].t, cases[i].answer, &cases[i].want);
	expect_release(&strict.expect);
}

static char host[] = "127.0.0.1:4566", path[] = "/2015-03-31/functions/f/invocations",
	    query[] = "Qualifier=2", region[] = "us-east-1", run[] = "r1", body[] = "{\"a\":1}";

static void prepare(const char *method, const char *payload, struct sigv4_signer *signer,
		    struct buf *out)
{
	char id[] = "r1.0";
	struct shard sh = {.run = run, .id = id, .attempt = 2};
	char name[20], header_name[] = "X-Key", credential[] = "k";
	const char *const values[] = {"secret"};
	struct shard_target t = {.authority = host, .path = path, .query = query, .region = region};
	struct shard_payload p = {.len_bytes = strlen(payload)};
	struct target_scratch s;
	char why[SHARD_WHY_SIZE];

	snprintf(name, sizeof(name), "%s", method);
	t.method = name;
	t.headers[0] = (struct shard_header){header_name, credential};
	t.header_count = 1;
	p.bytes = strdup(payload);
	digest_sha256_hex(p.bytes, p.len_bytes, p.sha256_hex);
	target_scratch_init(&s);
	assert_int_equal(target_kind(method)->prepare(
				 &(struct target_request){.shard = &sh,
							  .target = &t,
							  .payload = &p,
							  .path = path,
							  .query = query,
							  .signer = signer,
							  .header_values = values,
							  .at = wall_from_s(1440938160)},
				 &s, out, why),
			 0);
	target_scratch_release(&s);
	free(p.bytes);
}

static void requests_are_written_once_and_whole(void **state)
{
	static const char *const lambda_parts[] = {
		"POST /2015-03-31/functions/f/invocations?Qualifier=2 HTTP/1.1\r\nHost: "
		"127.0.0.1:4566\r\n",
		"\r\nX-Amz-Invocation-Type: RequestResponse\r\n",
		"\r\nX-Amz-Log-Type: Tail\r\n",
		/* {"custom":{"plimsoll_run":"r1"}} */
		"\r\nX-Amz-Client-Context: eyJjdXN0b20iOnsicGxpbXNvbGxfcnVuIjoicjEifX0=\r\n",
		"20150830T123600Z\r\n",
		"AWS4-HMAC-SHA256 Credential=AKIA/20150830/us-east-1/lambda/aws4_request",
		"x-amz-client-context;",
		"\r\nContent-Length: 7\r\n",
		"\r\nX-Key: secret\r\n",
		"\r\n\r\n{\"a\":1}",
	};
	struct sigv4_signer signer = {
		.region = region, .service = "lambda", .creds = {"AKIA", "s", "token-1"}};
	struct buf out = BUF_INIT(65536), again = BUF_INIT(65536);

	(void)state;
	prepare("lambda-invoke", body, &signer, &out);
	for (size_t i = 0; i < ARRAY_LEN(lambda_parts); i++)
		if (!strstr(buf_str(&out), lambda_parts[i]))
			fail_msg("no \"%s\" in %s", lambda_parts[i], buf_str(&out));
	prepare("lambda-invoke", body, &signer, &again);
	assert_string_equal(buf_str(&out), buf_str(&again));

	buf_clear(&out);
	prepare("http", "", NULL, &out);
	assert_string_equal(buf_str(&out),
			    "GET /2015-03-31/functions/f/invocations?Qualifier=2 HTTP/1.1\r\n"
			    "Host: 127.0.0.1:4566\r\nUser-Agent: plimsoll/" PLIMSOLL_VERSION
			    "\r\nAccept: */*\r\nPlimsoll-Run: r1\r\nPlimsoll-Attempt: r1.0.2\r\n"
			    "X-Key: secret\r\n\r\n");
	buf_clear(&out);
	prepare("http", body, NULL, &out);
	assert_non_null(
		strstr(buf_str(&out), "Content-Length: 7\r\nX-Key: secret\r\n\r\n{\"a\":1}"));
	assert_int_equal(strncmp(buf_str(&out), "POST ", 5), 0);
	buf_release(&out);
	buf_release(&again);
	sigv4_signer_release(&signer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lambda_answers),
		cmocka_unit_test(http_answers),
		cmocka_unit_test(requests_are_written_once_and_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
