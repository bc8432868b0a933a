/* The section bus: and the shards of a workload: good ones, and each kind of mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/config.h"
#include "common/config/form.h"

#define A "accounts: {p: {provider: aws, region: eu-central-1}}\n"
#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define DEEP                                                                                       \
	"/a234567890123456789012345678901234567890123456789012345678901234567890123456789012345"   \
	"67890123456789012345678"

static void test_endpoints(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {
		{"ipc:///run/plimsoll/planner/work.sock", true},
		{"ipc://run/x", false},
		{"ipc:///", false},
		{"ipc:///a b", false},
		{"ipc://" DEEP, false},
		{"tcp://0.0.0.0:7470", true},
		{"tcp://*:7470", true},
		{"tcp://[::1]:7470", true},
		{"tcp://[::1]", false},
		{"tcp://load-1.example:1", true},
		{"tcp://load-1.example", false},
		{"tcp://load-1.example:0", false},
		{"tcp://load-1.example:65536", false},
		{"tcp://*", false},
		{"tcp://*:*", false},
		{"tcp://", false},
		{"inproc://x", false},
		{"udp://1.2.3.4:5", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (form_is_endpoint(cases[i].text) != cases[i].want)
			fail_msg("%s", cases[i].text);
	}
}

static void test_keys(void **state)
{
	static const struct {
		const char *text;
		bool is_key, is_secret_key;
	} cases[] = {
		{KEY, true, true},
		{"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf", false, false},
		{KEY "7", false, false},
		{"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\"7", false, false},
		{"", false, false},
		{"file:/etc/plimsoll/key", false, true},
		{"file:key", false, false},
		{"credential:key", false, true},
		{"${KEY}", false, true},
		{"${KEY", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (form_is_key(cases[i].text) != cases[i].is_key ||
		    form_is_secret_key(cases[i].text) != cases[i].is_secret_key)
			fail_msg("%s", cases[i].text);
	}
}

static const struct {
	const char *name, *text, *want; /* want: how the one message begins */
} bad_cases[] = {
	{"no mapping", A "bus: yes\n", "f.yaml:2:6: bus is \"yes\", expected a mapping"},
	{"near name", A "bus: {reddis: /r}\n",
	 "f.yaml:2:7: unknown key \"reddis\" (did you mean \"redis\"?), expected one of redis, "
	 "secret, work, results, key, server_key, loaders, lease"},
	{"top key misspelt", A "buss: {}\n", "f.yaml:2:1: unknown key \"buss\" (did you mean "},
	{"an endpoint without a port", A "bus:\n  work: [tcp://h.example]\n",
	 "f.yaml:3:10: work holds \"tcp://h.example\", expected an endpoint: "},
	{"a relative ipc path", A "bus: {results: [ipc://x]}\n",
	 "f.yaml:2:17: results holds \"ipc://x\", expected an endpoint: "},
	{"no list", A "bus: {work: 'tcp://h:1'}\n",
	 "f.yaml:2:13: work is \"tcp://h:1\", expected a list of endpoints"},
	{"an empty list", A "bus: {work: []}\n",
	 "f.yaml:2:13: work is empty, expected at least one endpoint"},
	{"twice", A "bus: {work: ['tcp://h:1', 'tcp://h:1']}\n",
	 "f.yaml:2:27: work holds \"tcp://h:1\" twice, expected it once"},
	{"one endpoint for both", A "bus: {work: ['tcp://h:1'], results: ['tcp://h:1']}\n",
	 "f.yaml:2:37: results holds tcp://h:1, where work is handed out, expected an endpoint of "
	 "its own"},
	{"a short key", A "bus: {server_key: abc}\n",
	 "f.yaml:2:19: server_key is \"abc\", expected a CURVE key: 40 characters of Z85"},
	{"a short secret key is not repeated", A "bus: {key: hush}\n",
	 "f.yaml:2:12: key is a secret of a form that is not known, expected a CURVE key: "},
	{"a secret of an unknown kind", A "bus: {secret: 'fiel:/x'}\n",
	 "f.yaml:2:15: secret is a secret of a form that is not known, expected file:/path"},
	{"a lease too short", A "bus: {lease: 900ms}\n",
	 "f.yaml:2:14: lease is \"900ms\", expected a duration such as 30s or 5m, from 1s to 60s"},
	{"a lease too long", A "bus: {lease: 2m}\n", "f.yaml:2:14: lease is \"2m\", expected"},
	{"a path longer than a socket's", A "bus: {redis: " DEEP "}\n",
	 "f.yaml:2:14: redis is \"/a23"},
	{"no shard", A "tests: {t: {workload: {shards: 0}}}\n",
	 "f.yaml:2:32: shards is \"0\", expected a whole number, from 1 to 16"},
	{"too many shards", A "tests: {t: {workload: {shards: 17}}}\n",
	 "f.yaml:2:32: shards is \"17\", expected a whole number, from 1 to 16"},
};

static struct config *parse(const char *text, struct config_errors *errs)
{
	struct config *c = NULL;
	int rc = config_parse("f.yaml", text, strlen(text), &c, errs);

	assert_int_equal(rc, errs->count ? -EINVAL : 0);
	return c;
}

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
		struct config_errors errs = {0};
		struct config *c = parse(bad_cases[i].text, &errs);
		char got[2048] = "";

		if (errs.count)
			snprintf(got, sizeof(got), "%s:%d:%d: %s", errs.items[0].file,
				 errs.items[0].line, errs.items[0].column, errs.items[0].text);
		if (c || errs.count != 1 ||
		    strncmp(got, bad_cases[i].want, strlen(bad_cases[i].want)) != 0)
			fail_msg("%s: %zu mistakes: %s", bad_cases[i].name, errs.count, got);
		assert_null(strstr(got, "hush"));
		config_errors_release(&errs);
	}
}

static void test_without_the_section(void **state)
{
	struct config_errors errs = {0};
	struct config *c = parse(A, &errs);

	(void)state;
	assert_false(c->bus.is_set);
	assert_null(c->bus.redis);
	assert_null(c->bus.work);
	assert_int_equal(c->bus.lease_ms, 0);
	assert_int_equal(config_test(c, "compare")->shards, 1);
	config_free(c);
}

static void test_defaults(void **state)
{
	struct config_errors errs = {0};
	struct config *c = parse(A "bus:\n", &errs);

	(void)state;
	assert_true(c->bus.is_set);
	assert_int_equal(c->bus.place.line, 2);
	assert_string_equal(c->bus.redis, "/run/plimsoll/redis/redis.sock");
	assert_int_equal(c->bus.work_count, 1);
	assert_string_equal(c->bus.work[0], "ipc:///run/plimsoll/planner/work.sock");
	assert_int_equal(c->bus.result_count, 1);
	assert_string_equal(c->bus.results[0], "ipc:///run/plimsoll/collector/results.sock");
	assert_int_equal(c->bus.lease_ms, 30000);
	assert_null(c->bus.secret);
	assert_null(c->bus.key);
	assert_null(c->bus.server_key);
	assert_null(c->bus.loaders);
	config_free(c);
}

static void test_all_given(void **state)
{
	struct config_errors errs = {0};
	struct config *c = parse(A "bus:\n"
				   "  redis: run/redis.sock\n"
				   "  secret: credential:redis\n"
				   "  work: [ipc:///tmp/w, 'tcp://*:7470']\n"
				   "  results: [ipc:///tmp/r]\n"
				   "  key: ${PLIMSOLL_KEY}\n"
				   "  server_key: '" KEY "'\n"
				   "  loaders: /etc/plimsoll/loaders\n"
				   "  lease: 5s\n"
				   "tests: {t: {workload: {shards: 3}}}\n",
				 &errs);

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->bus.redis, "run/redis.sock");
	assert_string_equal(c->bus.secret, "credential:redis");
	assert_int_equal(c->bus.work_count, 2);
	assert_string_equal(c->bus.work[1], "tcp://*:7470");
	assert_string_equal(c->bus.results[0], "ipc:///tmp/r");
	assert_string_equal(c->bus.key, "${PLIMSOLL_KEY}");
	assert_string_equal(c->bus.server_key, KEY);
	assert_string_equal(c->bus.loaders, "/etc/plimsoll/loaders");
	assert_int_equal(c->bus.lease_ms, 5000);
	assert_int_equal(config_test(c, "t")->shards, 3);
	config_free(c);
}

/* The path of the settings counts, not where the program stands. */
static void test_redis_is_beside_the_file(void **state)
{
	struct config_errors errs = {0};
	struct config *c = NULL;
	const char *text = A "bus: {redis: redis.sock}\n";

	(void)state;
	assert_int_equal(config_parse("/srv/p/f.yaml", text, strlen(text), &c, &errs), 0);
	assert_string_equal(c->bus.redis, "/srv/p/redis.sock");
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_without_the_section),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_given),
		cmocka_unit_test(test_redis_is_beside_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
