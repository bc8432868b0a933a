/* Endpoints, the credential chain over files, renewal, session policies, the limiter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "common/aws/aws.h"
#include "common/base/fsio.h"
#include "common/json/json.h"

static char dir[] = "/tmp/plimsoll-aws-XXXXXX";
static char config_path[64], credentials_path[64];

static const char *const variables[] = {
	"AWS_PROFILE",
	"AWS_DEFAULT_PROFILE",
	"AWS_REGION",
	"AWS_DEFAULT_REGION",
	"AWS_ACCESS_KEY_ID",
	"AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN",
	"AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_LAMBDA",
	"AWS_ENDPOINT_URL_STS",
	"AWS_ROLE_ARN",
	"AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_ENDPOINT_URL_CLOUDWATCH",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
};

static int clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_CONFIG_FILE", config_path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", credentials_path, 1);
	return 0;
}

static int make_files(void **state)
{
	static const char config[] = "[default]\nregion = eu-west-1\n"
				     "[profile dev]\nregion = eu-north-1\nservices = local\n"
				     "endpoint_url = http://general/\n"
				     "[services local]\nlambda =\n  endpoint_url = http://lambda\n"
				     "[profile round]\nrole_arn = arn:r\nsource_profile = round2\n"
				     "[profile round2]\nrole_arn = arn:r\nsource_profile = round\n"
				     "[profile alone]\nrole_arn = arn:r\n"
				     "[profile sso]\nsso_session = s\n"
				     "[profile odd]\nrole_arn = arn:r\ncredential_source = Moon\n";
	static const char credentials[] = "[default]\naws_access_key_id = AKDEFAULT\n"
					  "aws_secret_access_key = defaultsecret\n"
					  "[dev]\naws_access_key_id = AKDEV\n"
					  "aws_secret_access_key = devsecret\n"
					  "aws_session_token = devtoken\n"
					  "[half]\naws_access_key_id = AKHALF\n";

	assert_non_null(mkdtemp(dir));
	(void)snprintf(config_path, sizeof(config_path), "%s/config", dir);
	(void)snprintf(credentials_path, sizeof(credentials_path), "%s/credentials", dir);
	assert_int_equal(fs_write_atomic(config_path, config, sizeof(config) - 1, 0600), 0);
	assert_int_equal(
		fs_write_atomic(credentials_path, credentials, sizeof(credentials) - 1, 0600), 0);
	return clean(state);
}

static int remove_files(void **state)
{
	char path[80];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/limit-prod", dir);
	(void)unlink(path);
	(void)unlink(config_path);
	(void)unlink(credentials_path);
	return rmdir(dir);
}

static void test_endpoints(void **state)
{
	static const struct {
		const char *account, *general, *own, *profile, *ignore;
		enum aws_service service;
		const char *region, *want;
	} cases[] = {
		{NULL, NULL, NULL, NULL, NULL, AWS_LAMBDA, "eu-central-1",
		 "https://lambda.eu-central-1.amazonaws.com"},
		{NULL, NULL, NULL, NULL, NULL, AWS_CLOUDWATCH, "us-east-1",
		 "https://monitoring.us-east-1.amazonaws.com"},
		{NULL, NULL, NULL, NULL, NULL, AWS_STS, "cn-north-1",
		 "https://sts.cn-north-1.amazonaws.com.cn"},
		{NULL, "http://general:1/", NULL, NULL, NULL, AWS_STS, "r", "http://general:1"},
		{NULL, "http://general:1", "http://own", NULL, NULL, AWS_LAMBDA, "r", "http://own"},
		{NULL, "http://general:1", "http://own", NULL, NULL, AWS_STS, "r",
		 "http://general:1"},
		{"http://account", "http://general", "http://own", "dev", "true", AWS_LAMBDA, "r",
		 "http://account"},
		{NULL, NULL, NULL, "dev", NULL, AWS_LAMBDA, "r", "http://lambda"},
		{NULL, NULL, NULL, "dev", NULL, AWS_STS, "r", "http://general"},
		{NULL, "http://env", NULL, "dev", NULL, AWS_LAMBDA, "r", "http://env"},
		{NULL, "http://general", "http://own", "dev", "true", AWS_LAMBDA, "r",
		 "https://lambda.r.amazonaws.com"},
		{NULL, NULL, NULL, "nobody", NULL, AWS_LAMBDA, "r",
		 "https://lambda.r.amazonaws.com"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got;

		clean(state);
		if (cases[i].general)
			setenv("AWS_ENDPOINT_URL", cases[i].general, 1);
		if (cases[i].own)
			setenv("AWS_ENDPOINT_URL_LAMBDA", cases[i].own, 1);
		if (cases[i].ignore)
			setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", cases[i].ignore, 1);
		got = aws_endpoint(cases[i].service, cases[i].account, cases[i].profile,
				   cases[i].region);
		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void test_regions(void **state)
{
	char *got = aws_default_region(NULL);

	(void)state;
	assert_string_equal(got, "eu-west-1");
	free(got);
	got = aws_default_region("dev");
	assert_string_equal(got, "eu-north-1");
	free(got);
	assert_null(aws_default_region("nobody"));
	setenv("AWS_DEFAULT_REGION", "r2", 1);
	got = aws_default_region("dev");
	assert_string_equal(got, "r2");
	free(got);
}

static void test_chain(void **state)
{
	static const struct {
		const char *env_key, *env_secret, *env_profile, *profile;
		const char *want_key, *want_token, *says;
		enum aws_fault fault;
	} cases[] = {
		{"AKENV", "s", NULL, NULL, "AKENV", NULL, "environment", AWS_FINE},
		{"AKENV", NULL, NULL, NULL, NULL, NULL, "AWS_SECRET_ACCESS_KEY is not",
		 AWS_NO_CREDENTIALS},
		{NULL, NULL, NULL, NULL, "AKDEFAULT", NULL, "profile default in", AWS_FINE},
		{NULL, NULL, "dev", NULL, "AKDEV", "devtoken", "profile dev in", AWS_FINE},
		{"AKENV", "s", "dev", NULL, "AKENV", NULL, "environment", AWS_FINE},
		{"AKENV", "s", NULL, "dev", "AKDEV", "devtoken", "profile dev in", AWS_FINE},
		{NULL, NULL, NULL, "nobody", NULL, NULL, "profile nobody is neither in",
		 AWS_NO_CREDENTIALS},
		{NULL, NULL, NULL, "half", NULL, NULL, "no aws_secret_access_key",
		 AWS_NO_CREDENTIALS},
		{NULL, NULL, NULL, "round", NULL, NULL, "in circles", AWS_BAD_REQUEST},
		{NULL, NULL, NULL, "alone", NULL, NULL, "neither source_profile nor",
		 AWS_BAD_REQUEST},
		{NULL, NULL, NULL, "odd", NULL, NULL, "expected Environment", AWS_BAD_REQUEST},
		{NULL, NULL, NULL, "sso", NULL, NULL, "export-credentials", AWS_NO_CREDENTIALS},
		{NULL, NULL, "nobody", NULL, NULL, NULL, "instance metadata is disabled",
		 AWS_NO_CREDENTIALS},
	};
	struct http *h = http_new(&(struct http_options){.ca_file = NULL});

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct aws_error err = {0};
		const struct aws_creds *c = NULL;
		struct aws_chain *ch;
		int rc;

		clean(state);
		if (cases[i].env_key)
			setenv("AWS_ACCESS_KEY_ID", cases[i].env_key, 1);
		if (cases[i].env_secret)
			setenv("AWS_SECRET_ACCESS_KEY", cases[i].env_secret, 1);
		if (cases[i].env_profile)
			setenv("AWS_PROFILE", cases[i].env_profile, 1);
		ch = aws_chain_new(
			&(struct aws_chain_options){.http = h, .profile = cases[i].profile});
		rc = aws_chain_get(ch, &c, &err);
		assert_int_equal(err.fault, cases[i].fault);
		assert_int_equal(rc, aws_fault_errno(cases[i].fault));
		if (rc == 0) {
			assert_string_equal(c->access_key_id, cases[i].want_key);
			assert_int_equal(c->session_token != NULL, cases[i].want_token != NULL);
			assert_false(c->has_expiry);
		}
		assert_non_null(strstr(rc ? err.text : c->origin, cases[i].says));
		assert_null(strstr(err.text, "secret;"));
		aws_chain_free(ch);
	}
	http_free(h);
}

static void test_renewal_before_a_third_is_left(void **state)
{
	struct aws_creds c = {
		.has_expiry = true, .obtained = {100 * NS_PER_S}, .expires = {190 * NS_PER_S}};

	(void)state;
	assert_false(aws_creds_want_renewal(&c, (struct wall){100 * NS_PER_S}));
	assert_false(aws_creds_want_renewal(&c, (struct wall){159 * NS_PER_S}));
	assert_true(aws_creds_want_renewal(&c, (struct wall){161 * NS_PER_S}));
	assert_true(aws_creds_want_renewal(&c, (struct wall){1000 * NS_PER_S}));
	c.has_expiry = false;
	assert_false(aws_creds_want_renewal(&c, (struct wall){1000 * NS_PER_S}));
}

static void test_process_form(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "not JSON"},
		{"{}", "Version 1"},
		{"{\"Version\":2,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"}", "Version 1"},
		{"{\"Version\":1,\"AccessKeyId\":\"a\"}", "SecretAccessKey"},
		{"{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":"
		 "\"x\"}",
		 "Expiration"},
	};
	struct aws_creds c = {0}, back = {0};
	struct buf text = BUF_INIT(4096);
	char why[160];

	(void)state;
	c.access_key_id = x_strdup("AK\"1");
	c.secret_access_key = x_strdup("s/+=");
	c.session_token = x_strdup("t");
	c.has_expiry = true;
	c.expires = wall_from_s(1795353000);
	aws_creds_write_process(&c, &text);
	assert_int_equal(aws_creds_parse_process(buf_str(&text), text.len_bytes, &back, why), 0);
	assert_string_equal(back.access_key_id, "AK\"1");
	assert_string_equal(back.secret_access_key, "s/+=");
	assert_string_equal(back.session_token, "t");
	assert_int_equal(wall_s(back.expires), 1795353000);
	assert_string_equal(aws_creds_view(&back).session_token, "t");
	aws_creds_release(&c);
	aws_creds_move(&c, &back);
	assert_null(back.access_key_id);
	aws_creds_release(&c);
	buf_release(&text);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(
			aws_creds_parse_process(bad[i].text, strlen(bad[i].text), &back, why),
			-EINVAL);
		assert_non_null(strstr(why, bad[i].says));
	}
}

static void test_session_policy(void **state)
{
	static const char *const names[] = {"f", "arn:aws:lambda:x:1:function:g"};
	const char *many[60];
	struct buf out = BUF_INIT(65536);
	struct json *v;

	(void)state;
	assert_int_equal(aws_session_policy("cn-north-1", names, 2, &out), 0);
	assert_int_equal(json_parse(buf_str(&out), out.len_bytes, 65536, &v, NULL), 0);
	assert_string_equal(json_str(json_at(v, "Statement.0.Action")), "lambda:InvokeFunction");
	assert_string_equal(json_str(json_at(v, "Statement.0.Resource.0")),
			    "arn:aws-cn:lambda:cn-north-1:*:function:f");
	assert_string_equal(json_str(json_at(v, "Statement.0.Resource.1")),
			    "arn:aws-cn:lambda:cn-north-1:*:function:f:*");
	assert_string_equal(json_str(json_at(v, "Statement.0.Resource.2")), names[1]);
	json_free(v);
	buf_clear(&out);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "a-function-with-a-name";
	assert_int_equal(aws_session_policy("us-east-1", many, ARRAY_LEN(many), &out), -E2BIG);
	buf_release(&out);
}

static bool yes(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_limiter(void **state)
{
	struct limiter *a, *b;
	struct buf path = BUF_INIT(200);
	int64_t wait_ns;

	(void)state;
	assert_int_equal(limiter_open(dir, "prod", 0.5, &a), 0);
	assert_int_equal(limiter_open(dir, "prod", 0.5, &b), 0); /* as another process would */
	assert_int_equal(limiter_reserve(a), 0);
	wait_ns = limiter_reserve(b);
	assert_in_range(wait_ns, 1900 * NS_PER_MS, 2000 * NS_PER_MS);
	wait_ns = limiter_reserve(a);
	assert_in_range(wait_ns, 3900 * NS_PER_MS, 4000 * NS_PER_MS);
	limiter_penalise(b, 30000);
	wait_ns = limiter_reserve(a);
	assert_in_range(wait_ns, 29900 * NS_PER_MS, 30000 * NS_PER_MS);
	assert_int_equal(limiter_wait(a, yes, NULL), -ECANCELED);
	/* damage, and a time that no limiter of this boot wrote, start it anew */
	buf_addf(&path, "%s/limit-prod", dir);
	assert_int_equal(fs_write_atomic(buf_str(&path), "garbage", 7, 0600), 0);
	limiter_close(a);
	assert_int_equal(limiter_open(dir, "prod", 0.5, &a), 0);
	assert_int_equal(limiter_reserve(a), 0);
	limiter_close(a);
	assert_int_equal(fs_write_atomic(buf_str(&path), "9000000000000000000\n", 20, 0600), 0);
	assert_int_equal(limiter_open(dir, "prod", 0.5, &a), 0);
	assert_int_equal(limiter_reserve(a), 0);
	limiter_close(a);
	limiter_close(b);
	assert_int_equal(limiter_open("/proc/nowhere", "prod", 1, &a), -ENOENT);
	assert_int_equal(limiter_open(NULL, "prod", 1, &a), 0);
	assert_int_equal(limiter_reserve(a), 0);
	assert_true(limiter_reserve(a) > 0);
	limiter_close(a);
	buf_release(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_endpoints, clean),
		cmocka_unit_test_setup(test_regions, clean),
		cmocka_unit_test_setup(test_chain, clean),
		cmocka_unit_test(test_renewal_before_a_third_is_left),
		cmocka_unit_test(test_process_form),
		cmocka_unit_test(test_session_policy),
		cmocka_unit_test(test_limiter),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
