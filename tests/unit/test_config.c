/* What a good configuration becomes, and hostile texts; its mistakes: test_config_mistakes.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fsio.h"
#include "common/json/json.h"
#include "tests/unit/config_text.h"

#define A "accounts: {p: {provider: aws, region: eu-central-1}}\n"
#define T A "tests:\n  t: "

static struct config *load_good(const char *path)
{
	struct config_errors errs = {0};
	struct config *c = NULL;
	int rc = config_load(path, &c, &errs);
	char *out = printed(&errs);

	if (rc)
		fail_msg("%s: %s", path, out);
	free(out);
	config_errors_release(&errs);
	return c;
}

static void test_minimal(void **state)
{
	struct config *c = load_good("tests/data/config/minimal.yaml");
	const struct config_test *t = config_test(c, "compare");
	const struct config_function *f = config_rule(c, "prod", "hello");

	(void)state;
	assert_int_equal(c->account_count, 1);
	assert_string_equal(c->accounts[0].region, "eu-central-1");
	assert_int_equal(c->accounts[0].poll_ms, 60000);
	assert_int_equal(c->accounts[0].publish_keep, 0);
	assert_non_null(f);
	assert_false(f->has_tests);
	assert_string_equal(f->payloads[0].bytes, "{\"name\": \"x\"}");
	assert_int_equal(c->limits.cost_per_day_micro_usd, 1000000);
	assert_int_equal(c->limits.cost_per_run_micro_usd, 500000);
	assert_int_equal(c->limits.concurrency, 32);
	assert_non_null(t);
	assert_string_equal(t->executor, "constant-arrival-rate");
	assert_string_equal(t->arrival, "burst");
	assert_true(t->rate_per_s > 9.999 && t->rate_per_s < 10.001);
	assert_int_equal(t->duration_ms, 120000);
	assert_int_equal(t->warmup_ms, 20000);
	assert_int_equal(t->spread, 16);
	assert_int_equal(t->when & (1u << CAUSE_ADDED), 0);
	assert_int_not_equal(t->when & (1u << CAUSE_CODE), 0);
	assert_int_equal(c->metric_count, 9);
	assert_string_equal(c->metrics[0].name, "response_p50");
	assert_true(c->metrics[1].is_gate && c->metrics[1].is_points);
	assert_true(c->price.per_gb_s_arm_usd < c->price.per_gb_s_x86_usd);
	assert_null(config_rule(c, "prod", "other"));
	config_free(c);
}

static void test_real(void **state)
{
	struct config *c = load_good("tests/data/config/real.yaml");
	const struct config_objective *o[CONFIG_OBJECTIVES_MAX];
	const struct config_function *f = config_rule(c, "prod", "checkout");
	const struct config_test *peak = config_test(c, "peak");

	(void)state;
	assert_non_null(f);
	assert_int_equal(f->payload_count, 2);
	assert_memory_equal(f->payloads[0].bytes, "{\"items\"", 8);
	assert_true(f->payloads[0].weight > 8.9);
	assert_string_equal(json_get_str(f->expect, "body_contains"), "\"ok\":true");
	assert_int_equal(json_get_int(f->expect, "status", 0), 200);
	assert_string_equal(f->alias, "live");
	assert_int_equal(f->test_count, 2);
	assert_true(config_rule(c, "prod", "legacy-x")->has_tests);
	assert_int_equal(config_rule(c, "prod", "legacy-x")->test_count, 0);
	assert_string_equal(config_rule(c, "web", "search")->watch, "deploy-hook");
	assert_int_equal(config_account(c, "prod")->publish_keep, 5);
	assert_non_null(peak);
	assert_int_equal(peak->every_ms, 7 * 86400000LL);
	assert_string_equal(peak->shape, "triangle");
	assert_int_equal(peak->when, 1u << CAUSE_CODE | 1u << CAUSE_MEMORY);
	assert_int_equal(config_objectives(c, "prod", "checkout", o), 4);
	assert_true(o[0]->limit > 299999 && o[0]->limit < 300001);
	assert_string_equal(o[0]->unit, "us");
	assert_string_equal(o[1]->op, "<");
	assert_string_equal(o[2]->metric, "sonar/coverage");
	assert_string_equal(o[2]->op, ">=");
	assert_true(o[2]->limit > 81.49 && o[2]->limit < 81.51);
	assert_null(o[2]->unit);
	assert_string_equal(o[3]->metric, "cloudwatch/errors");
	assert_string_equal(o[3]->text, "cloudwatch/errors<1");
	assert_int_equal(config_objectives(c, "prod", "other", o), 0);
	assert_int_equal(c->source_count, 3);
	assert_string_equal(c->sources[2].kind, "exec");
	assert_string_equal(c->sources[2].secrets[0].ref, "credential:coverage");
	assert_int_equal(c->sink_count, 4);
	assert_string_equal(c->sinks[3].cannot_tell, "success");
	assert_int_equal(strlen(c->sha256_hex), 64);
	config_free(c);
}

static void test_most_specific_rule(void **state)
{
	static const struct {
		const char *function, *want;
	} cases[] = {
		{"checkout", "checkout"}, {"checkout-2", "checkout-*"},
		{"check", "c*"},	  {"img-a", "img-?"},
		{"img-ab", "img-*"},	  {"other", "*"},
		{"a-img", "*-img"},	  {"xyz", "x?z"},
		{"xyyz", "x*z"},
	};
	struct config_errors errs = {0};
	struct config *c =
		parse(A "functions: {p/*: {}, p/c*: {}, p/checkout: {}, p/checkout-*: {}, "
			"p/img-*: {}, 'p/img-?': {}, 'p/*-img': {}, p/x*z: {}, 'p/x?z': {}}\n",
		      &errs);

	(void)state;
	assert_non_null(c);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(config_rule(c, "p", cases[i].function)->pattern, cases[i].want);
	assert_null(config_rule(c, "q", "checkout"));
	config_free(c);
}

static void test_executors_settle_their_defaults(void **state)
{
	struct config_errors errs = {0};
	struct config *c = parse(T "{workload: {executor: constant-vus, vus: 3}}\n"
				   "  u: {workload: {arrival: poisson}}\n"
				   "  v: {workload: {spread: off}}\n",
				 &errs);

	(void)state;
	assert_non_null(c);
	assert_int_equal(config_test(c, "t")->spread, 0);
	assert_int_equal(config_test(c, "t")->vus, 3);
	assert_int_equal(config_test(c, "u")->spread, 0);
	assert_string_equal(config_test(c, "u")->arrival, "poisson");
	assert_string_equal(config_test(c, "v")->arrival, "uniform");
	config_free(c);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char *path = x_asprintf("%s/%s", dir, name);

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600), 0);
	free(path);
}

/* A folder of its own, with conf.d in it; the caller frees. */
static char *new_folder(void)
{
	char *dir = x_strdup("/tmp/plimsoll-config-XXXXXX"), *sub;

	assert_non_null(mkdtemp(dir));
	sub = x_asprintf("%s/conf.d", dir);
	assert_int_equal(fs_mkdirs(sub, 0700), 0);
	free(sub);
	return dir;
}

static void remove_folder(char *dir_take)
{
	static const char *const names[] = {"plimsoll.yaml",  "body.json",    "conf.d/10.yaml",
					    "conf.d/20.yaml", "conf.d/x.txt", "conf.d/x.json",
					    "secret",	      "conf.d",	      ""};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = x_asprintf("%s/%s", dir_take, names[i]);

		(void)remove(path);
		free(path);
	}
	free(dir_take);
}

static void test_conf_d_is_merged(void **state)
{
	char *dir = new_folder(), *path = x_asprintf("%s/plimsoll.yaml", dir);
	struct config *c;

	(void)state;
	write_file(dir, "plimsoll.yaml", A "limits: {rate: 50/s}\nfunctions: {p/a: {}}\n");
	write_file(dir, "conf.d/10.yaml",
		   "functions: {p/b: {payloads: [{file: x.json}], tests: [slow]}}\n");
	write_file(dir, "conf.d/20.yaml",
		   "tests: {slow: {warmup: 1s}}\nlimits: {concurrency: 7}\n");
	write_file(dir, "conf.d/x.txt", "not: [read\n");
	write_file(dir, "conf.d/x.json", "17");
	c = load_good(path);
	assert_int_equal(c->function_count, 2);
	assert_string_equal(config_rule(c, "p", "b")->payloads[0].bytes, "17");
	assert_int_equal(c->limits.concurrency, 7);
	assert_int_equal(config_test(c, "slow")->warmup_ms, 1000);
	assert_int_equal(c->file_count, 3);
	config_free(c);
	free(path);
	remove_folder(dir);
}

static void test_conf_d_conflicts(void **state)
{
	char *dir = new_folder(), *path = x_asprintf("%s/plimsoll.yaml", dir);
	struct config_errors errs = {0};
	struct config *c = NULL;
	char *out;

	(void)state;
	write_file(dir, "plimsoll.yaml", A "functions:\n  p/a: {}\n  p/d: {tests: [later]}\n");
	write_file(dir, "conf.d/10.yaml", "functions:\n  p/b: {}\n  p/a: {}\n");
	write_file(dir, "conf.d/20.yaml", "functions: [\nlimits: {rate: 5/s}\n");
	assert_int_equal(config_load(path, &c, &errs), -EINVAL);
	assert_null(c);
	out = printed(&errs);
	/* the file that cannot be read may name the test: nothing is said of "later" */
	assert_int_equal(errs.count, 2);
	assert_non_null(strstr(out, "conf.d/10.yaml:3:3: \"p/a\" stands in "));
	assert_non_null(strstr(out, "plimsoll.yaml:3 already, expected it in one file only"));
	assert_non_null(strstr(out, "conf.d/20.yaml:3:1: not valid YAML: while parsing a flow "
				    "sequence (begun at line 1)"));
	free(out);
	config_errors_release(&errs);
	free(path);
	remove_folder(dir);
}

static void test_no_file(void **state)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	(void)state;
	assert_int_equal(config_load("/no/such/plimsoll.yaml", &c, &errs), -ENOENT);
	assert_int_equal(errs.count, 1);
	assert_non_null(strstr(errs.items[0].text, "No such file or directory, expected"));
	config_errors_release(&errs);
}

/* Text that costs more to read than it looks; each must be refused, and soon. */
static void test_hostile_text(void **state)
{
	struct buf big = BUF_INIT((size_t)4 * 1024 * 1024), bomb = BUF_INIT(65536);
	struct config_errors errs = {0};

	(void)state;
	for (size_t i = 0; i < 1024 * 1024 + 1; i++)
		buf_addc(&big, ' ');
	assert_null(parse(buf_str(&big), &errs));
	assert_non_null(strstr(errs.items[0].text, "expected at most 1048576 (1 MiB)"));
	config_errors_release(&errs);

	buf_adds(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		buf_addf(&bomb, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&bomb, "%s*a%d", k ? ", " : "", i - 1);
		buf_adds(&bomb, "]\n");
	}
	assert_null(parse(buf_str(&bomb), &errs));
	assert_int_equal(errs.count, 1);
	assert_non_null(strstr(errs.items[0].text, "more than 100000 values"));
	config_errors_release(&errs);

	buf_clear(&big);
	for (int i = 0; i < 20000; i++)
		buf_addf(&big, "k%d:\n", i);
	assert_null(parse(buf_str(&big), &errs));
	assert_non_null(strstr(errs.items[0].text, "more than 10000 keys"));
	config_errors_release(&errs);

	buf_clear(&big);
	for (int i = 0; i < 5000; i++)
		buf_addf(&big, "k%d:\n", i);
	assert_null(parse(buf_str(&big), &errs));
	assert_int_equal(errs.count, 1000);
	config_errors_release(&errs);
	buf_release(&big);
	buf_release(&bomb);
}

static void test_secrets(void **state)
{
	char *dir = new_folder(), why[200], *secret = NULL, *ref;

	(void)state;
	write_file(dir, "secret", "s3cret\n");
	ref = x_asprintf("file:%s/secret", dir);
	assert_int_equal(config_secret(ref, &secret, why), 0);
	assert_string_equal(secret, "s3cret");
	free(secret);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_int_equal(config_secret("credential:secret", &secret, why), 0);
	assert_string_equal(secret, "s3cret");
	free(secret);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(config_secret("credential:secret", &secret, why), -ENOENT);
	assert_non_null(strstr(why, "LoadCredential"));
	setenv("PL_TEST_SECRET", "from env", 1);
	assert_int_equal(config_secret("${PL_TEST_SECRET}", &secret, why), 0);
	assert_string_equal(secret, "from env");
	free(secret);
	unsetenv("PL_TEST_SECRET");
	assert_int_equal(config_secret("${PL_TEST_SECRET}", &secret, why), -ENOENT);
	assert_int_equal(config_secret("plain", &secret, why), 0);
	assert_string_equal(secret, "plain");
	free(secret);
	assert_int_equal(config_secret("file:/no/such/file", &secret, why), -ENOENT);
	assert_non_null(strstr(why, "/no/such/file"));
	free(ref);
	remove_folder(dir);
}

/* Settings of every corner stand in both. */
static void test_reference_and_schema(void **state)
{
	static const char *const words[] = {"publish_versions",	    "body_contains", "cost_per_run",
					    "ramping-arrival-rate", "cannot_tell",   "memory_max"};
	struct buf md = BUF_INIT(1024 * 1024), schema = BUF_INIT(1024 * 1024);

	(void)state;
	config_reference(&md);
	config_json_schema(&schema);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_non_null(strstr(buf_str(&md), words[i]));
		assert_non_null(strstr(buf_str(&schema), words[i]));
	}
	assert_non_null(strstr(buf_str(&md),
			       "| `poll` | a duration such as 30s or 5m, from 1s to 24h "
			       "| `60s` |"));
	buf_release(&md);
	buf_release(&schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_most_specific_rule),
		cmocka_unit_test(test_executors_settle_their_defaults),
		cmocka_unit_test(test_conf_d_is_merged),
		cmocka_unit_test(test_conf_d_conflicts),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_reference_and_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
