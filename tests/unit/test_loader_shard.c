/*
 * test_loader_shard.c - shard.planned into a checked shard, and what the guard says about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/loader/guard.h"
#include "cmd/loader/shard.h"
#include "tests/unit/example.h"

/* The example's event with one member replaced by a JSON text (NULL = as it stands). */
static int parse_with(const char *path, const char *value, struct shard **out,
		      char why[SHARD_WHY_SIZE])
{
	struct json *event = example("shard.planned"), *parent = event, *replaced;
	char copy[128];
	char *dot;
	struct event ev = {.id = "raaaaaaaaaaaaaaaaaaaa.0", .subject = "prod/hello"};
	int rc;

	if (path) {
		snprintf(copy, sizeof(copy), "%s", path);
		dot = strrchr(copy, '.');
		*dot = '\0';
		parent = json_at(event, copy);
		assert_non_null(parent);
		assert_int_equal(json_parse(value, strlen(value), 65536, &replaced, NULL), 0);
		json_put(parent, dot + 1, replaced);
	}
	ev.data = json_get(event, "data");
	*out = shard_new(&ev);
	rc = shard_parse(*out, ev.data, why);
	json_free(event);
	return rc;
}

static void the_example_is_understood(void **state)
{
	struct shard *sh;
	char why[SHARD_WHY_SIZE] = "";

	(void)state;
	assert_int_equal(parse_with(NULL, NULL, &sh, why), 0);
	assert_string_equal(sh->run, "raaaaaaaaaaaaaaaaaaaa");
	assert_int_equal(sh->workload.variant_count, 2);
	assert_string_equal(sh->targets[1].path, "/2015-03-31/functions/hello/invocations");
	assert_string_equal(sh->targets[1].query, "Qualifier=2");
	assert_string_equal(sh->targets[1].authority, "127.0.0.1:4566");
	assert_int_equal(sh->targets[1].port, 4566);
	assert_int_equal(sh->payloads[0].len_bytes, 2);
	assert_memory_equal(sh->payloads[0].bytes, "{}", 2);
	assert_int_equal(sh->workload.spread, 4);
	assert_true(sh->workload.seed == UINT64_C(1234567890123456789));
	assert_int_equal(sh->in_flight, 16);
	assert_ptr_equal(shard_target(sh, VARIANT_NEW), &sh->targets[1]);
	shard_free(sh);
}

static void what_cannot_be_run_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *path, *value, *word;
	} cases[] = {
		{"data.run", "null", "names no run"},
		{"data.account", "\"other\"", "account"},
		{"data.deadline", "\"soon\"", "deadline"},
		{"data.targets", "[]", "0 targets"},
		{"data.targets.0.variant", "\"new\"", "same variant"},
		{"data.targets.0.variant", "\"next\"", "variant"},
		{"data.targets.0.method", "null", "method"},
		{"data.targets.0.url", "\"ftp://x/\"", "URL"},
		{"data.targets.0.url", "\"http://x/ HTTP/1.1\\r\\nX: y\"", "URL"},
		{"data.targets.0.instance", "\"instance\"", "JSON pointer"},
		{"data.targets.0.cold", "\"cold\"", "JSON pointer"},
		{"data.targets.0.headers", "{\"A b\": \"c\"}", "header"},
		{"data.targets.0.headers", "{\"A\": \"not a name\"}", "credential"},
		{"data.targets.0.headers", "{\"A\": \"../x\"}", "credential"},
		{"data.targets.0.headers", "{\"content-length\": \"a\"}", "own"},
		{"data.targets.0.headers", "{\"Host\": \"a\"}", "own"},
		{"data.targets.0.region", "\"us-east-1\\r\\nX-Y: z\"", "region"},
		{"data.targets.0.function", "\"hello,*\"", "function"},
		{"data.targets.0.function", "\"..\"", "function"},
		{"data.workload.executor", "\"ramping\"", "per-vu-iterations"},
		{"data.workload.executor", "\"replay\"", "sha256"},
		{"data.workload.stages", "[{\"duration_ms\": 5}]", "stage 1"},
		{"data.workload.stages", "[{\"rate_per_s\": 1, \"duration_ms\": -1}]", "stage 1"},
		{"data.workload.arrival", "\"often\"", "arrival"},
		{"data.workload.seed", "\"-1\"", "seed"},
		{"data.payloads", "[{\"sha256\": \"aa\"}]", "base64"},
		{"data.payloads", "[{\"base64\": \"%\"}]", "base64"},
		{"data.payloads", "[{\"base64\": \"e30=\", \"weight\": 0}]", "weight"},
		{"data.limits.in_flight", "0", "in_flight"},
		{"data.limits.timeout_ms", "0", "timeout_ms"},
		{"data.limits.body_bytes", "99999999", "body_bytes"},
		{"data.limits.abort_error_ratio", "2", "abort_error_ratio"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct shard *sh;
		char why[SHARD_WHY_SIZE] = "";

		assert_int_equal(parse_with(cases[i].path, cases[i].value, &sh, why), -EINVAL);
		if (!strstr(why, cases[i].word))
			fail_msg("%s: \"%s\" does not name %s", cases[i].path, why, cases[i].word);
		shard_free(sh);
	}
}

static void defaults_are_kind(void **state)
{
	struct shard *sh;
	char why[SHARD_WHY_SIZE];

	(void)state;
	assert_int_equal(parse_with("data.limits", "{}", &sh, why), 0);
	assert_int_equal(sh->timeout_ms, TIMEOUT_MS_DEFAULT);
	assert_int_equal(sh->in_flight, IN_FLIGHT_DEFAULT);
	shard_free(sh);
	assert_int_equal(parse_with("data.payloads", "[]", &sh, why), 0);
	assert_int_equal(sh->payload_count, 1);
	assert_int_equal(sh->payloads[0].len_bytes, 0);
	shard_free(sh);
}

static void lists_name_hosts_and_ports(void **state)
{
	static const struct {
		const char *entry, *host;
		uint16_t port;
		bool is_listed;
	} cases[] = {
		{"example.com", "example.com", 443, true},
		{"example.com", "EXAMPLE.com", 8443, true},
		{"example.com:443", "example.com", 443, true},
		{"example.com:443", "example.com", 8443, false},
		{"example.com", "www.example.com", 443, false},
		{"example.com", "example.com.evil", 443, false},
		{"*", "example.com", 443, false},
		{"127.0.0.1:80", "127.0.0.1", 80, true},
		{"127.0.0.1", "127.0.0.10", 80, false},
		{"::1", "::1", 80, true},
		{"[::1]:80", "::1", 80, true},
		{"[::1]:80", "::1", 81, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char host[64];
		struct shard_target t = {.host = host, .port = cases[i].port};

		snprintf(host, sizeof(host), "%s", cases[i].host);
		if (guard_is_listed(cases[i].entry, &t) != cases[i].is_listed)
			fail_msg("%s against %s:%u", cases[i].entry, host, cases[i].port);
	}
}

static void signed_calls_stay_with_amazon_or_the_endpoint(void **state)
{
	static const struct {
		const char *url, *endpoint;
		int rc;
		bool allow_private;
	} cases[] = {
#define CALL "/2015-03-31/functions/hello/invocations"
		{"\"https://lambda.us-east-1.amazonaws.com" CALL "\"", NULL, 0, false},
		{"\"https://LAMBDA-fips.us-east-1.amazonaws.com" CALL "\"", NULL, 0, false},
		{"\"https://lambda.us-east-1.api.aws" CALL "?Qualifier=2\"", NULL, 0, false},
		{"\"https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/h%65llo/"
		 "invocations\"",
		 NULL, 0, false},
		/* what else the account's keys could do there */
		{"\"https://lambda.us-east-1.amazonaws.com/2015-03-31/functions\"", NULL, -EACCES,
		 false},
		{"\"https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/hello/policy\"",
		 NULL, -EACCES, false},
		{"\"https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/other/"
		 "invocations\"",
		 NULL, -EACCES, false},
		{"\"https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/hello%2f..%2fother/"
		 "invocations\"",
		 NULL, -EACCES, false},
		{"\"https://lambda.us-east-1.amazonaws.com" CALL "/../policy\"", NULL, -EACCES,
		 false},
		/* hosts of AWS that belong to anybody, or to another region */
		{"\"https://abc.execute-api.us-east-1.amazonaws.com" CALL "\"", NULL, -EACCES,
		 false},
		{"\"https://lambda.eu-west-1.amazonaws.com" CALL "\"", NULL, -EACCES, false},
		{"\"https://lambda.us-east-1.amazonaws.com:8443" CALL "\"", NULL, -EACCES, false},
		{"\"https://lambda.us-east-1.amazonaws.com." CALL "\"", NULL, -EACCES, false},
		{"\"http://lambda.us-east-1.amazonaws.com" CALL "\"", NULL, -EACCES, false},
		{"\"https://amazonaws.com.evil.example" CALL "\"", NULL, -EACCES, false},
		{"\"https://evilamazonaws.com" CALL "\"", NULL, -EACCES, false},
		{"\"http://127.0.0.1:4566" CALL "\"", NULL, -EACCES, false},
		{"\"http://127.0.0.1:4566" CALL "\"", "http://127.0.0.1:4566", 0, true},
		{"\"http://127.0.0.1:4566/a" CALL "\"", "http://127.0.0.1:4566/a/", 0, true},
		{"\"http://127.0.0.1:4566" CALL "\"", "http://127.0.0.1:4566/a", -EACCES, false},
		{"\"http://127.0.0.1:4566/x\"", "http://127.0.0.1:4566", -EACCES, false},
		{"\"http://127.0.0.1:4567" CALL "\"", "http://127.0.0.1:4566", -EACCES, false},
		{"\"https://127.0.0.1:4566" CALL "\"", "http://127.0.0.1:4566", -EACCES, false},
		{"\"http://localhost:4566" CALL "\"", "http://127.0.0.1:4566", -EACCES, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct guard g = {.in_flight_max = 1000};
		struct shard *sh;
		char why[SHARD_WHY_SIZE] = "";
		bool allow_private = false;
		int rc;

		unsetenv("AWS_ENDPOINT_URL_LAMBDA");
		if (cases[i].endpoint)
			setenv("AWS_ENDPOINT_URL", cases[i].endpoint, 1);
		else
			unsetenv("AWS_ENDPOINT_URL");
		assert_int_equal(parse_with("data.targets.0.url", cases[i].url, &sh, why), 0);
		rc = guard_target(&g, sh, &sh->targets[0], &allow_private, why);
		if (rc != cases[i].rc || allow_private != cases[i].allow_private)
			fail_msg("%s: %d %s", cases[i].url, rc, why);
		shard_free(sh);
	}
	unsetenv("AWS_ENDPOINT_URL");
}

static void size_is_bounded(void **state)
{
	struct guard g = {.rate_max_per_s = 5, .in_flight_max = 1000};
	struct shard *sh;
	char why[SHARD_WHY_SIZE] = "";

	(void)state;
	assert_int_equal(parse_with(NULL, NULL, &sh, why), 0);
	assert_int_equal(guard_size(&g, sh, why), -EACCES);
	assert_non_null(strstr(why, "10/s"));
	g.rate_max_per_s = 10;
	assert_int_equal(guard_size(&g, sh, why), 0);
	g.in_flight_max = 15;
	assert_int_equal(guard_size(&g, sh, why), -EACCES);
	g.in_flight_max = 16;
	sh->workload.executor = EXEC_CONSTANT_VUS;
	sh->workload.vus = 17;
	assert_int_equal(guard_size(&g, sh, why), -EACCES);
	assert_non_null(strstr(why, "17 vus"));
	sh->workload.vus = 16;
	assert_int_equal(guard_size(&g, sh, why), 0);
	shard_free(sh);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_is_understood),
		cmocka_unit_test(what_cannot_be_run_is_refused_with_a_reason),
		cmocka_unit_test(defaults_are_kind),
		cmocka_unit_test(lists_name_hosts_and_ports),
		cmocka_unit_test(signed_calls_stay_with_amazon_or_the_endpoint),
		cmocka_unit_test(size_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
