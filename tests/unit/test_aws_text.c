/* What common/aws reads: ini files, XML leaves, refusals, function descriptions, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "common/aws/answer.h"
#include "common/aws/ini.h"
#include "common/aws/lambda.h"
#include "common/aws/xml.h"

static void test_ini(void **state)
{
	static const char text[] = "# comment\r\n"
				   "[default]\n"
				   "region = us-east-1\r\n"
				   "AWS_Access_Key_Id=AK=IA\n"
				   "empty =\n"
				   "; comment\n"
				   "[ profile  \"my dev\" ]\n"
				   "region=a\n"
				   "region = b\n"
				   "s3 =\n"
				   "  max = 10\n"
				   "\tother=x\n"
				   "output = json\n"
				   "[services local]\n"
				   "lambda = \n"
				   "  endpoint_url = http://x/?a=b\n"
				   "last = 1";
	static const struct {
		const char *section, *key, *want;
	} cases[] = {
		{"default", "region", "us-east-1"},
		{"default", "aws_access_key_id", "AK=IA"},
		{"default", "empty", ""},
		{"default", "nothing", NULL},
		{"profile my dev", "region", "b"},
		{"profile my dev", "s3.max", "10"},
		{"profile my dev", "s3.other", "x"},
		{"profile my dev", "output", "json"},
		{"services local", "lambda.endpoint_url", "http://x/?a=b"},
		{"services local", "last", "1"},
		{"nobody", "region", NULL},
	};
	char why[INI_WHY_SIZE];
	struct ini *f;

	(void)state;
	assert_int_equal(ini_parse(text, sizeof(text) - 1, &f, why), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = ini_get(f, cases[i].section, cases[i].key);

		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_null(got);
	}
	assert_true(ini_has_section(f, "default"));
	assert_false(ini_has_section(f, "nobody"));
	ini_free(f);
}

static void test_broken_ini(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"[default\nregion = x\n", "line 1: a section has no ]"},
		{"region = x\n", "line 1: a key stands before the first [section]"},
		{"[default]\n\nregion\n", "line 3: expected key = value"},
	};
	char why[INI_WHY_SIZE];
	struct ini *f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(ini_parse(cases[i].text, strlen(cases[i].text), &f, why), -EINVAL);
		assert_string_equal(why, cases[i].want);
	}
	assert_int_equal(ini_parse("[a]\nb = \0c\n", 12, &f, why), -EINVAL);
	assert_int_equal(ini_load("/nowhere/at/all", &f, why), -ENOENT);
}

static void test_xml(void **state)
{
	static const struct {
		const char *xml, *want;
		int rc;
	} cases[] = {
		{"<a><Code>x</Code></a>", "x", 0},
		{"<ns:Code a=\"1\">x &amp;&lt;&gt;&quot;&apos;&#65; y</ns:Code>", "x &<>\"'A y", 0},
		{"<?xml version=\"1.0\"?><!-- <Code>no</Code> --><Code>yes</Code>", "yes", 0},
		{"<![CDATA[<Code>no</Code>]]><Code>yes</Code>", "yes", 0},
		{"<CodeX>no</CodeX><XCode>no</XCode><Code>yes</Code>", "yes", 0},
		{"<Code></Code>", "", 0},
		{"<Code/>", "", -ENOENT},
		{"<Code><b>x</b></Code>", "", -EINVAL},
		{"<Code>x", "", -EINVAL},
		{"<Code>x<", "", -EINVAL},
		{"<Code", "", -ENOENT},
		{"<", "", -ENOENT},
		{"", "", -ENOENT},
		{"no xml", "", -ENOENT},
		{"<!-- <Code>x</Code>", "", -ENOENT},
		{"<Code>&bogus;</Code>", "", -EINVAL},
		{"<Code>&amp</Code>", "", -EINVAL},
		{"<Code>&#0;</Code>", "", -EINVAL},
		{"<Code>&#99999999999;</Code>", "", -EINVAL},
		{"<Code>01234567890123456789</Code>", NULL, -E2BIG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(16);

		assert_int_equal(xml_text(cases[i].xml, strlen(cases[i].xml), "Code", &out),
				 cases[i].rc);
		if (cases[i].rc == 0)
			assert_string_equal(buf_str(&out), cases[i].want);
		buf_release(&out);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		int status;
		const char *head, *body;
		enum aws_fault fault;
		const char *code, *says;
		int64_t retry_after_ms;
	} cases[] = {
		{403, "", "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: x is not\"}",
		 AWS_DENIED, "AccessDeniedException", "allow lambda:ListFunctions", 0},
		{403, "", "{\"__type\":\"com.amazon.coral#ExpiredTokenException\"}", AWS_EXPIRED,
		 "ExpiredTokenException", "renew", 0},
		{400, "x-amzn-ErrorType: ThrottlingException:http://x/\r\nRetry-After: 2\r\n", "{}",
		 AWS_THROTTLED, "ThrottlingException", "tried again", 2000},
		{429, "", "not json", AWS_THROTTLED, "", "HTTP 429", 0},
		{403, "",
		 "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature "
		 "expired: 1 is now earlier</Message></Error></ErrorResponse>",
		 AWS_BAD_SIGNATURE, "SignatureDoesNotMatch", "clock is off", 0},
		{403, "", "{\"__type\":\"InvalidSignatureException\",\"message\":\"no match\"}",
		 AWS_BAD_SIGNATURE, "InvalidSignatureException", "secret access key", 0},
		{403, "", "{\"__type\":\"UnrecognizedClientException\"}", AWS_NO_CREDENTIALS,
		 "UnrecognizedClientException", "access key", 0},
		{404, "", "", AWS_NOT_FOUND, "", "check the name", 0},
		{409, "", "{\"Code\":\"ResourceConflictException\"}", AWS_CONFLICT,
		 "ResourceConflictException", "later", 0},
		{503, "", "<html>", AWS_SERVER, "", "try again later", 0},
		{418, "", "", AWS_BAD_REQUEST, "", "configuration", 0},
		{302, "", "", AWS_OTHER, "", "HTTP 302", 0},
	};
	struct answer_context ctx = {.what = "list the functions",
				     .permission = "lambda:ListFunctions",
				     .origin = "environment",
				     .host = "http://h"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_response r = {
			.status = cases[i].status, .head = BUF_INIT(1000), .body = BUF_INIT(1000)};
		struct aws_error err;

		buf_adds(&r.head, cases[i].head);
		buf_adds(&r.body, cases[i].body);
		assert_int_equal(answer_refused(&r, &ctx, &err), aws_fault_errno(cases[i].fault));
		assert_int_equal(err.fault, cases[i].fault);
		assert_int_equal(err.status, cases[i].status);
		assert_string_equal(err.code, cases[i].code);
		assert_int_equal(err.retry_after_ms, cases[i].retry_after_ms);
		assert_ptr_equal(strstr(err.text, "cannot list the functions at http://h: HTTP "),
				 err.text);
		if (!strstr(err.text, cases[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
		http_response_release(&r);
	}
}

static struct json *parse(const char *text)
{
	struct json *v;

	assert_int_equal(json_parse(text, strlen(text), 10000, &v, NULL), 0);
	return v;
}

static void test_function(void **state)
{
	struct json *v =
		parse("{\"FunctionName\":\"f\",\"FunctionArn\":\"arn:f\",\"MemorySize\":128,"
		      "\"Timeout\":3,"
		      "\"LastModified\":\"2026-11-22T15:00:00.123+0000\",\"State\":\"Active\","
		      "\"LastUpdateStatus\":\"InProgress\",\"Architectures\":[\"arm64\"],"
		      "\"Environment\":{\"Variables\":{\"B\":\"2\",\"A\":\"1\"}},"
		      "\"Layers\":[{\"Arn\":\"l1\",\"CodeSize\":5}],"
		      "\"LoggingConfig\":{\"LogFormat\":\"JSON\"}}");
	struct json *w =
		parse("{\"FunctionName\":\"f\",\"FunctionArn\":\"arn:f\","
		      "\"Environment\":{\"Variables\":{\"A\":\"1\",\"B\":\"2\"}},"
		      "\"Layers\":[{\"Arn\":\"l1\",\"CodeSize\":6}],\"State\":\"Failed\"}");
	struct lambda_function f, g;

	(void)state;
	assert_int_equal(lambda_function_parse(v, &f), 0);
	assert_int_equal(lambda_function_parse(w, &g), 0);
	assert_int_equal(f.memory_bytes, 134217728);
	assert_int_equal(f.timeout_ms, 3000);
	assert_int_equal(wall_ms(f.modified_at), INT64_C(1795359600123));
	assert_string_equal(f.arch, "arm64");
	assert_string_equal(g.arch, "x86_64");
	assert_string_equal(f.log_format, "JSON");
	assert_string_equal(g.log_format, "Text");
	assert_string_equal(f.version, "$LATEST");
	assert_string_equal(f.environment_sha256, g.environment_sha256); /* order is no setting */
	assert_string_equal(f.layers_sha256, g.layers_sha256);
	assert_int_equal(strlen(f.layers_sha256), 64);
	assert_false(lambda_is_ready(&f));
	assert_false(lambda_is_ready(&g));
	assert_true(lambda_is_failed(&g));
	lambda_function_release(&f);
	lambda_function_release(&g);
	json_free(v);
	json_free(w);
	v = parse("{\"FunctionName\":\"f\"}");
	assert_int_equal(lambda_function_parse(v, &f), -EINVAL);
	json_free(v);
}

static void test_bare_names(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"f", "f"},
		{"f:1", "f"},
		{"123456789012:function:f", "f"},
		{"arn:aws:lambda:us-east-1:123456789012:function:f", "f"},
		{"arn:aws:lambda:us-east-1:123456789012:function:f:live", "f"},
		{"arn:aws:s3:::bucket", NULL},
		{"", NULL},
		{":1", NULL},
		{"a-name-that-is-too-long", NULL},
	};
	char out[12];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = lambda_bare_name(cases[i].text, out, sizeof(out));

		assert_int_equal(rc, cases[i].want ? 0 : -EINVAL);
		if (cases[i].want)
			assert_string_equal(out, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ini),	 cmocka_unit_test(test_broken_ini),
		cmocka_unit_test(test_xml),	 cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_function), cmocka_unit_test(test_bare_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
