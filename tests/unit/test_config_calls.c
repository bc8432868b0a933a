/* What is sent and what is expected back: good settings, and each kind of mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/config/config.h"
#include "common/json/json.h"

#define A "accounts: {p: {provider: aws, region: eu-central-1}}\n"
#define F A "functions:\n  p/f: "

static struct config *parse(const char *text, struct config_errors *errs)
{
	struct config *c = NULL;
	int rc = config_parse("f.yaml", text, strlen(text), &c, errs);

	assert_int_equal(rc != 0, errs->count > 0);
	return c;
}

static void check_mistake(const char *name, const char *text, const char *want)
{
	struct config_errors errs = {0};
	struct config *c = parse(text, &errs);
	char is[600];

	if (errs.count != 1)
		fail_msg("%s: %zu mistakes", name, errs.count);
	snprintf(is, sizeof(is), "%s:%d:%d: %s", errs.items[0].file, errs.items[0].line,
		 errs.items[0].column, errs.items[0].text);
	config_errors_release(&errs);
	config_free(c);
	if (strncmp(is, want, strlen(want)) != 0)
		fail_msg("%s: %s", name, is);
}

static void mistakes_in_checks(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{"a status that is none", F "{expect: {status: 99}}\n",
		 "f.yaml:3:26: status is \"99\", expected an HTTP status, a class such as "
		 "2xx"},
		{"a class that is none", F "{expect: {status: 2xy}}\n",
		 "f.yaml:3:26: status is \"2xy\", expected"},
		{"a list with one that is none", F "{expect: {status: [200, 20]}}\n",
		 "f.yaml:3:32: status is \"20\", expected an HTTP status"},
		{"an empty list of statuses", F "{expect: {status: []}}\n",
		 "f.yaml:3:26: status is a list"},
		{"a header check that is none", F "{expect: {headers: {etag: {matches: x}}}}\n",
		 "f.yaml:3:34: etag is a mapping, expected the value itself, or one of {equals: "
		 "text}"},
		{"a header that is present: maybe",
		 F "{expect: {headers: {etag: {present: maybe}}}}\n",
		 "f.yaml:3:34: etag is a mapping, expected the value itself"},
		{"a pointer that is none", F "{expect: {json: {ok: true}}}\n",
		 "f.yaml:3:25: \"ok\" is no JSON pointer, expected one such as /ok"},
		{"a value that is a list", F "{expect: {json: {/ok: [1]}}}\n",
		 "f.yaml:3:30: /ok is a list, expected a text, a number, true, false or null"},
		{"a size that is none", F "{expect: {body_bytes: {min: -1}}}\n",
		 "f.yaml:3:36: min is \"-1\", expected a whole number of bytes"},
		{"sizes the wrong way round", F "{expect: {body_bytes: {min: 2, max: 1}}}\n",
		 "f.yaml:3:30: min is above max"},
		{"a size of another name", F "{expect: {body_bytes: {least: 2}}}\n",
		 "f.yaml:3:30: body_bytes is a mapping, expected bytes such as {min: 1, max: "
		 "65536}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_mistake(cases[i].name, cases[i].text, cases[i].want);
}

static void checks_are_kept_as_events_carry_them(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"{status: 204}", "{\"status\":204}"},
		{"{status: 2xx}", "{\"status\":\"2xx\"}"},
		{"{status: [200, 3xx]}", "{\"status\":[200,\"3xx\"]}"},
		{"{body_contains: '${HOME}'}", "{\"body_contains\":\"${HOME}\"}"},
		{"{headers: {etag: a, b: {contains: c}, d: {present: false}}}",
		 "{\"headers\":{\"etag\":{\"equals\":\"a\"},\"b\":{\"contains\":\"c\"},\"d\":{"
		 "\"present\":false}}}"},
		{"{json: {/ok: true, /n: 1, /s: word, /q: 'true', /z: ~, '': 0.5}}",
		 "{\"json\":{\"/ok\":true,\"/n\":1,\"/s\":\"word\",\"/q\":\"true\",\"/z\":null,"
		 "\"\":0.5}}"},
		{"{body_bytes: {max: 10}}", "{\"body_bytes\":{\"max\":10}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_errors errs = {0};
		char *text = x_asprintf(F "{expect: %s}\n", cases[i].text);
		struct config *c = parse(text, &errs);
		struct buf is = BUF_INIT(4096);

		config_errors_print(&errs, stderr);
		assert_non_null(c);
		json_write(c->functions[0].expect, &is);
		assert_string_equal(buf_str(&is), cases[i].want);
		buf_release(&is);
		config_free(c);
		free(text);
	}
}

#define W "accounts: {w: {provider: http, allow: [h.example]}}\nfunctions:\n  w/f: "

static void mistakes_in_payloads(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{"a placeholder that is none",
		 F "{payloads: [{template: true, text: 'ab{{sequence}}'}]}\n",
		 "f.yaml:3:46: unknown placeholder sequence, expected seq, random A B, uuid"},
		{"one that is not closed", F "{payloads: [{text: '{{seq', template: text}]}\n",
		 "f.yaml:3:28: {{ without }}, expected the end of the placeholder"},
		{"a template of another kind", F "{payloads: [{text: a, template: xml}]}\n",
		 "f.yaml:3:40: template is \"xml\", expected true (values are escaped "
		 "for"},
		{"rows that are no file", F "{payloads: [{text: a, rows: none.csv}]}\n",
		 "f.yaml:3:36: cannot read ./none.csv"},
		{"rows of another format", F "{rows: a.xls}\n",
		 "f.yaml:3:15: rows is \"a.xls\", expected a file that ends in .csv"},
		{"rows outside", F "{rows: ../a.csv}\n",
		 "f.yaml:3:15: rows is \"../a.csv\", expected a file"},
		{"rows outside, absolute", F "{rows: /a.csv}\n",
		 "f.yaml:3:15: rows is \"/a.csv\", expected a file"},
		{"a row without rows", F "{payloads: [{text: '{{row.id}}', template: true}]}\n",
		 "f.yaml:3:19: {{row...}} without rows, expected rows: and a file"},
		{"a column that is not there",
		 "files: tests/data/config\n" F
		 "{payloads: [{text: '{{row.nmae}}', template: true, rows: users.csv}]}\n",
		 "f.yaml:4:19: users.csv has no column \"nmae\", expected one of id, name"},
		{"a member that is not there",
		 "files: tests/data/config\n" F
		 "{payloads: [{text: '{{json row.x}}', template: true, rows: users.ndjson}]}\n",
		 "f.yaml:4:19: users.ndjson has no column \"x\", expected one of id, name"},
		{"a column of the url that is not there",
		 "files: tests/data/config\n" W
		 "{url: 'http://h.example/{{row.x}}', rows: users.csv}\n",
		 "f.yaml:4:14: users.csv has no column \"x\""},
		{"a placeholder of the url that is none",
		 W "{url: 'http://h.example/a/{{seqq}}'}\n",
		 "f.yaml:3:34: unknown placeholder seqq"},
		{"placeholders in the host", W "{url: 'http://{{run}}.example/'}\n",
		 "f.yaml:3:14: url is no URL, expected one"},
		{"a row in the url without rows", W "{url: 'http://h.example/{{row.id}}'}\n",
		 "f.yaml:3:14: {{row...}} without rows"},
		{"a host that is not allowed", W "{url: 'http://x.example/{{seq}}'}\n",
		 "f.yaml:3:14: the host of"},
		{"files that is no path", A "files: [a]\n", "f.yaml:2:8: files is no path"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_mistake(cases[i].name, cases[i].text, cases[i].want);
}

static void payloads_and_rows_are_read(void **state)
{
	static const char text[] =
		"files: tests/data/config\n" W "{url: 'http://h.example/a?b={{random 1 9}}', "
		"rows: users.csv, rows_order: random, payloads: [{template: true, text: "
		"'{{row.id}}'}, {text: b, template: text, rows: users.ndjson}, {text: c, template: "
		"false}]}\n";
	struct config_errors errs = {0};
	struct config *c = parse(text, &errs);
	const struct config_payload *p;

	(void)state;
	config_errors_print(&errs, stderr);
	assert_non_null(c);
	assert_string_equal(c->data_folder, "tests/data/config");
	assert_string_equal(c->functions[0].url, "http://h.example/a?b={{random 1 9}}");
	p = c->functions[0].payloads;
	assert_string_equal(p[0].filling, "json");
	assert_string_equal(p[0].rows.file, "users.csv");
	assert_string_equal(p[0].rows.order, "random");
	assert_int_equal(strlen(p[0].rows.sha256_hex), 64);
	assert_string_equal(p[1].filling, "text");
	assert_true(p[1].rows.is_ndjson);
	assert_null(p[1].rows.order);
	assert_null(p[2].filling);
	assert_string_equal(p[2].rows.file, "users.csv");
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_in_checks),
		cmocka_unit_test(mistakes_in_payloads),
		cmocka_unit_test(payloads_and_rows_are_read),
		cmocka_unit_test(checks_are_kept_as_events_carry_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
