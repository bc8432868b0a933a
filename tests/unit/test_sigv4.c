/*
 * Signatures. The first table is from AWS's published test suite for signers (access key
 * AKIDEXAMPLE, 2015-08-30T12:36:00Z, us-east-1, service "service"); test_sigv4_botocore.py holds a
 * thousand more against botocore.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "common/aws/sigv4.h"

#define PLAIN SIGV4_NO_CONTENT_SHA256
#define RAW (SIGV4_NO_CONTENT_SHA256 | SIGV4_NO_NORMALIZE)
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOKEN "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"

static const struct sigv4_creds creds = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
					 NULL};

static struct wall suite_time(void)
{
	struct wall at;

	assert_int_equal(wall_parse_basic("20150830T123600Z", &at), 0);
	return at;
}

static const struct {
	const char *name, *method, *path, *query;
	struct http_header headers[4];
	const char *body, *token;
	unsigned flags;
	const char *signature;
} vectors[] = {
	{"vanilla",
	 "GET",
	 "/",
	 NULL,
	 {{NULL, NULL}},
	 "",
	 NULL,
	 PLAIN,
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"relative path",
	 "GET",
	 "/example1/example2/../..",
	 NULL,
	 {{NULL, NULL}},
	 "",
	 NULL,
	 PLAIN,
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"space in the path",
	 "GET",
	 "/example space/",
	 NULL,
	 {{NULL, NULL}},
	 "",
	 NULL,
	 PLAIN,
	 "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"slashes kept",
	 "GET",
	 "//example//",
	 NULL,
	 {{NULL, NULL}},
	 "",
	 NULL,
	 RAW,
	 "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
	{"dot kept",
	 "GET",
	 "/./",
	 NULL,
	 {{NULL, NULL}},
	 "",
	 NULL,
	 RAW,
	 "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
	{"utf-8 path",
	 "GET",
	 "/\xe1\x88\xb4",
	 NULL,
	 {{NULL, NULL}},
	 "",
	 NULL,
	 PLAIN,
	 "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"query order",
	 "GET",
	 "/",
	 "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
	 {{NULL, NULL}},
	 "",
	 NULL,
	 PLAIN,
	 "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"utf-8 query",
	 "GET",
	 "/",
	 "\xe1\x88\xb4=bar",
	 {{NULL, NULL}},
	 "",
	 NULL,
	 PLAIN,
	 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"unreserved query",
	 "GET",
	 "/",
	 UNRESERVED "=" UNRESERVED,
	 {{NULL, NULL}},
	 "",
	 NULL,
	 PLAIN,
	 "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"repeated header",
	 "GET",
	 "/",
	 NULL,
	 {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
	 "",
	 NULL,
	 PLAIN,
	 "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"trimmed header",
	 "GET",
	 "/",
	 NULL,
	 {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
	 "",
	 NULL,
	 PLAIN,
	 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"sorted header",
	 "POST",
	 "/",
	 NULL,
	 {{"My-Header1", "value1"}},
	 "",
	 NULL,
	 PLAIN,
	 "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"form with its hash",
	 "POST",
	 "/",
	 NULL,
	 {{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Length", "13"}},
	 "Param1=value1",
	 NULL,
	 0,
	 "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
	{"session token",
	 "GET",
	 "/",
	 NULL,
	 {{NULL, NULL}},
	 "",
	 TOKEN,
	 PLAIN,
	 "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
};

static void test_published_vectors(void **state)
{
	struct sigv4_signer s = {.region = "us-east-1", .service = "service"};
	struct sigv4_result r = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct http_header headers[8] = {{"Host", "example.amazonaws.com"}};
		struct sigv4_request req = {.method = vectors[i].method,
					    .path = vectors[i].path,
					    .query = vectors[i].query,
					    .headers = headers,
					    .header_count = 1,
					    .body = vectors[i].body,
					    .body_bytes = strlen(vectors[i].body)};

		for (size_t h = 0; h < 4 && vectors[i].headers[h].name; h++)
			headers[req.header_count++] = vectors[i].headers[h];
		s.creds = creds;
		s.creds.session_token = vectors[i].token;
		s.flags = vectors[i].flags;
		assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
		if (strcmp(r.signature, vectors[i].signature) != 0)
			fail_msg("%s: %s\n%s", vectors[i].name, r.signature, buf_str(&r.canonical));
	}
	sigv4_result_release(&r);
	sigv4_signer_release(&s);
}

/* The second line of the canonical request is the path, the third the query. */
static void line_of(const char *text, int number, char *out, size_t out_size)
{
	while (number-- > 0)
		text += strcspn(text, "\n") + 1;
	(void)snprintf(out, out_size, "%.*s", (int)strcspn(text, "\n"), text);
}

static void test_paths_and_queries(void **state)
{
	static const struct {
		const char *service, *path, *query;
		unsigned flags;
		const char *want_path, *want_query;
	} cases[] = {
		{"lambda", "/functions/arn%3Aaws%3Af", "Qualifier=1", 0,
		 "/functions/arn%253Aaws%253Af", "Qualifier=1"},
		{"lambda", "", "", 0, "/", ""},
		{"lambda", "/a/./b//c/../d/", NULL, 0, "/a/b/d/", ""},
		{"lambda", "/../..", NULL, 0, "/", ""},
		{"lambda", "/a/./b//c/../d/", NULL, SIGV4_NO_NORMALIZE, "/a/./b//c/../d/", ""},
		{"s3", "/a/./b//c%20d/", NULL, 0, "/a/./b//c%20d/", ""},
		{"lambda", "/", "b=2&a=&a=1&c&a=0", 0, "/", "a=&a=0&a=1&b=2&c="},
		{"lambda", "/", "x=a:b/c&y=%2f&z=%41", 0, "/", "x=a%3Ab%2Fc&y=%2F&z=A"},
		{"lambda", "/", "x=%&y=%4&z=%zz", 0, "/", "x=%25&y=%254&z=%25zz"},
		{"lambda", "/", "x=a+b c", 0, "/", "x=a%2Bb%20c"},
		{"lambda", "/", "aa=1&a-=2", 0, "/", "a-=2&aa=1"},
		{"lambda", "/", "a=b=c", 0, "/", "a=b%3Dc"},
	};
	static const struct http_header host = {"Host", "h"};
	struct sigv4_result r = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sigv4_signer s = {.region = "r",
					 .service = cases[i].service,
					 .creds = creds,
					 .flags = cases[i].flags};
		struct sigv4_request req = {.method = "get",
					    .path = cases[i].path,
					    .query = cases[i].query,
					    .headers = &host,
					    .header_count = 1};
		char line[200];

		assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
		line_of(buf_str(&r.canonical), 0, line, sizeof(line));
		assert_string_equal(line, "GET");
		line_of(buf_str(&r.canonical), 1, line, sizeof(line));
		assert_string_equal(line, cases[i].want_path);
		line_of(buf_str(&r.canonical), 2, line, sizeof(line));
		assert_string_equal(line, cases[i].want_query);
		sigv4_signer_release(&s);
	}
	sigv4_result_release(&r);
}

static void test_the_hash_is_sent_and_signed(void **state)
{
	static const struct http_header given[] = {{"Host", "h"},
						   {"User-Agent", "not signed"},
						   {"Authorization", "old"},
						   {"X-Amz-Date", "old"}};
	struct sigv4_signer s = {.region = "r", .service = "lambda", .creds = creds};
	struct sigv4_request req = {
		.method = "GET", .path = "/", .headers = given, .header_count = 4};
	struct sigv4_result r = {0};
	struct buf lines = BUF_INIT(4096);

	(void)state;
	s.creds.session_token = "tok";
	assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
	assert_string_equal(buf_str(&r.signed_headers),
			    "host;x-amz-content-sha256;x-amz-date;x-amz-security-token");
	sigv4_write_headers(&r, &lines);
	assert_non_null(strstr(buf_str(&lines), "X-Amz-Date: 20150830T123600Z\r\n"));
	assert_non_null(strstr(buf_str(&lines), "X-Amz-Content-Sha256: e3b0c44298fc1c149afb"));
	assert_non_null(strstr(buf_str(&lines), "X-Amz-Security-Token: tok\r\n"));
	assert_non_null(strstr(buf_str(&lines), "Authorization: AWS4-HMAC-SHA256 Credential="));
	buf_release(&lines);
	sigv4_result_release(&r);
	sigv4_signer_release(&s);
}

static void test_a_given_token_is_signed_unless_replaced(void **state)
{
	static const struct http_header given[] = {{"Host", "h"},
						   {"X-Amz-Security-Token", "given"}};
	struct sigv4_signer s = {.region = "r", .service = "lambda", .creds = creds};
	struct sigv4_request req = {
		.method = "GET", .path = "/", .headers = given, .header_count = 2};
	struct sigv4_result r = {0};

	(void)state;
	assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
	assert_non_null(strstr(buf_str(&r.canonical), "x-amz-security-token:given\n"));
	s.creds.session_token = "own";
	assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
	assert_non_null(strstr(buf_str(&r.canonical), "x-amz-security-token:own\n"));
	sigv4_result_release(&r);
	sigv4_signer_release(&s);
}

static void test_a_given_hash_counts(void **state)
{
	static const struct http_header given[] = {{"Host", "h"},
						   {"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"}};
	struct sigv4_signer s = {.region = "r", .service = "lambda", .creds = creds};
	struct sigv4_request req = {.method = "GET",
				    .path = "/",
				    .headers = given,
				    .header_count = 2,
				    .body = "x",
				    .body_bytes = 1};
	struct sigv4_result r = {0};
	struct http_header list[4];
	const char *text;

	(void)state;
	assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
	assert_int_equal(sigv4_header_list(&r, list), 2); /* the date and Authorization */
	text = buf_str(&r.canonical);
	assert_string_equal(strrchr(text, '\n') + 1, "UNSIGNED-PAYLOAD");
	req.header_count = 1;
	req.payload_sha256_hex = "computed-ahead";
	assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
	text = buf_str(&r.canonical);
	assert_string_equal(strrchr(text, '\n') + 1, "computed-ahead");
	sigv4_result_release(&r);
	sigv4_signer_release(&s);
}

/* One signer, changing day, secret and region: its cached key must follow. */
static void test_key_follows(void **state)
{
	static const struct http_header host = {"Host", "h"};
	struct sigv4_request req = {
		.method = "GET", .path = "/", .headers = &host, .header_count = 1};
	struct sigv4_signer kept = {.service = "lambda"};
	struct sigv4_result a = {0}, b = {0};

	(void)state;
	for (int i = 0; i < 16; i++) {
		struct wall at = wall_from_s(1440938160 + (i & 1) * 86400);
		struct sigv4_signer fresh = {.region = i & 2 ? "r1" : "r2",
					     .service = i & 8 ? "sts" : "lambda",
					     .creds = creds};

		if (i & 4)
			fresh.creds.secret_access_key = "another";
		kept.region = fresh.region;
		kept.service = fresh.service;
		kept.creds = fresh.creds;
		for (int again = 0; again < 2; again++) {
			assert_int_equal(sigv4_sign(&kept, &req, at, &a), 0);
			assert_int_equal(sigv4_sign(&fresh, &req, at, &b), 0);
			assert_string_equal(a.signature, b.signature);
		}
		sigv4_signer_release(&fresh);
	}
	sigv4_result_release(&a);
	sigv4_result_release(&b);
	sigv4_signer_release(&kept);
}

static void test_refused(void **state)
{
	static const struct {
		struct http_header header;
		const char *method, *secret;
		size_t query_bytes;
		int want;
	} cases[] = {
		{{"Host", "h"}, "GET", "s", 10, 0},
		{{"Host", "h\r\nX: y"}, "GET", "s", 0, -EINVAL},
		{{"Ho st", "h"}, "GET", "s", 0, -EINVAL},
		{{"Host:", "h"}, "GET", "s", 0, -EINVAL},
		{{"Not-Host", "h"}, "GET", "s", 0, -EINVAL},
		{{"Host", "h"}, "", "s", 0, -EINVAL},
		{{"Host", "h"}, "GET", "", 0, -EINVAL},
		{{"Host", "h"}, "GET", "s", SIGV4_MAX_BYTES, -E2BIG},
	};
	struct sigv4_result r = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *query = x_calloc(cases[i].query_bytes + 1, 1);
		struct sigv4_signer s = {.region = "r",
					 .service = "lambda",
					 .creds = {"AKID", cases[i].secret, NULL}};
		struct sigv4_request req = {.method = cases[i].method,
					    .path = "/",
					    .query = query,
					    .headers = &cases[i].header,
					    .header_count = 1};

		memset(query, 'q', cases[i].query_bytes);
		assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), cases[i].want);
		sigv4_signer_release(&s);
		free(query);
	}
	sigv4_result_release(&r);
}

static void test_too_many_params(void **state)
{
	static const struct http_header host = {"Host", "h"};
	struct sigv4_signer s = {.region = "r", .service = "lambda", .creds = creds};
	struct sigv4_result r = {0};
	struct buf query = BUF_INIT(10000);
	struct sigv4_request req = {
		.method = "GET", .path = "/", .headers = &host, .header_count = 1};

	(void)state;
	for (int i = 0; i < SIGV4_PARAMS_MAX - 1; i++)
		buf_adds(&query, "a&");
	req.query = buf_str(&query);
	assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), 0);
	buf_adds(&query, "a&");
	req.query = buf_str(&query);
	assert_int_equal(sigv4_sign(&s, &req, suite_time(), &r), -E2BIG);
	buf_release(&query);
	sigv4_result_release(&r);
	sigv4_signer_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_vectors),
		cmocka_unit_test(test_paths_and_queries),
		cmocka_unit_test(test_the_hash_is_sent_and_signed),
		cmocka_unit_test(test_a_given_token_is_signed_unless_replaced),
		cmocka_unit_test(test_a_given_hash_counts),
		cmocka_unit_test(test_key_follows),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
