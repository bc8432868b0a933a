/* From a change to decisions and events; the core has no I/O and no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cmd/planner/ledger.h"
#include "cmd/planner/plan.h"
#include "tests/unit/example.h"

static const char settings[] =
	"accounts:\n"
	"  prod: {provider: aws, region: us-east-1, publish_versions: keep 5}\n"
	"  plain: {provider: aws, region: us-east-1}\n"
	"  eager: {provider: aws, region: us-east-1, test_first_seen: true}\n"
	"  web: {provider: http, allow: [h.example]}\n"
	"functions:\n"
	"  prod/hello: {payload: '{}', instance: /instance, cold: /cold}\n"
	"  prod/he*: {tests: [peak]}\n"
	"  prod/two: {tests: [compare, memory], payloads: [{text: a, weight: 9}, {text: b}]}\n"
	"  prod/never: {tests: []}\n"
	"  prod/odd: {tests: [ramp], cloud_name: 'an odd name'}\n"
	"  prod/weekly: {tests: [weekly]}\n"
	"  plain/hello: {}\n"
	"  eager/hello: {}\n"
	"  web/search: {url: 'http://h.example/search?q=1', http_version: 2, expect: {status: 204, "
	"body_contains: "
	"ok}}\n"
	"  web/items: {url: 'http://h.example/i/{{row.id}}', rows: tests/data/config/users.csv, "
	"rows_order: random}\n"
	"  prod/rows: {payloads: [{text: '{{seq}}', template: true}], rows: "
	"tests/data/config/users.ndjson}\n"
	"tests:\n"
	"  compare: {workload: {rate: 10/s, duration: 30s, spread: 4}, warmup: 5s}\n"
	"  peak: {workload: {rate: 20/s}}\n"
	"  memory: {when: [memory]}\n"
	"  ramp: {workload: {executor: ramping-arrival-rate, shape: spike}}\n"
	"  weekly: {every: 7d}\n"
	"objectives: {prod/hello: [response_p95 < 300ms, error_ratio < 0.1%, sonar/coverage >= "
	"80]}\n";

static struct config *config_of(const char *text)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	if (config_parse("f.yaml", text, strlen(text), &c, &errs)) {
		config_errors_print(&errs, stderr);
		fail();
	}
	config_errors_release(&errs);
	return c;
}

/* The example with members changed: a JSON object merged into data, one level deep. */
static void make_event(const char *subject, const char *changes, struct event *out)
{
	struct json *body = example("function.changed"), *data = json_get(body, "data"), *with,
		    *value;
	struct buf line = BUF_INIT(65536);
	char why[EVENT_WHY_SIZE];
	const char *key;

	assert_int_equal(json_parse(changes, strlen(changes), 65536, &with, NULL), 0);
	for (void *it = NULL; json_next(with, &it, &key, &value);) {
		struct json *into = json_get(data, key), *inner;
		const char *name;

		if (!json_is(value, JSON_T_OBJ) || !into) {
			json_put(data, key, json_copy(value));
			continue;
		}
		for (void *it2 = NULL; json_next(value, &it2, &name, &inner);)
			json_put(into, name, json_copy(inner));
	}
	json_put_str(body, "subject", subject);
	json_write(body, &line);
	if (event_parse(buf_str(&line), line.len_bytes, out, why))
		fail_msg("%s: %s", buf_str(&line), why);
	buf_release(&line);
	json_free(with);
	json_free(body);
}

struct want {			  /* of one run.planned */
	const char *path, *value; /* text, or JSON for what is no text */
};

struct plan_case {
	const char *name, *subject, *changes;
	struct plan_options options;
	const char *run;      /* that the event names, to be confirmed; NULL = none */
	const char *past;     /* JSON, NULL = none */
	const char *accepted; /* the same */
	const char *history;  /* the same */
	double call_ms;
	int64_t spent_micro_usd;
	size_t count;	       /* of plans */
	struct want want[10];  /* in the first plan's run */
	struct want shard[10]; /* in its shard; none = there is none */
};

#define FIRST_SEEN                                                                                 \
	"{\"change\": {\"kind\": \"added\", \"causes\": [\"added\"], \"first_seen\": true}}"
#define MANUAL "{\"change\": {\"kind\": \"manual\", \"causes\": [\"manual\"]}}"
#define CAUSE(kind, cause) "{\"change\": {\"kind\": \"" kind "\", \"causes\": [\"" cause "\"]}}"
#define RUN_ID "rjc6vlece5gt6e54f5lgr" /* of the example and the test compare */

static const struct plan_case plan_cases[] = {
	{"code changed", "prod/hello", "{}", .count = 1,
	 .want = {{"decision", "test"},
		  {"reason", "code changed; sees 33 % and more"},
		  {"compare", "interleaved"},
		  {"test", "compare"},
		  {"run.id", RUN_ID},
		  {"environments", "4"},
		  {"shards", "1"},
		  {"estimate.duration_basis", "timeout"}},
	 .shard = {{"targets.0.variant", "old"},
		   {"targets.0.qualifier", "1"},
		   {"targets.1.variant", "new"},
		   {"targets.1.url",
		    "http://e:1/2015-03-31/functions/hello/invocations?Qualifier=2"},
		   {"targets.1.instance", "/instance"},
		   {"workload.spread", "4"},
		   {"payloads.0.base64", "e30="},
		   {"limits.in_flight", "16"},
		   {"limits.timeout_ms", "13500"},
		   {"account", "prod"}}},
	{"what the collector needs", "prod/hello", "{}", .count = 1,
	 .want = {{"metrics.0.tolerance", "{\"ratio\":0.1}"},
		  {"metrics.1.tolerance", "{\"points\":0.005}"},
		  {"metrics.2.is_gate", "false"},
		  {"objectives.0.limit", "300000"},
		  {"objectives.1.unit", "1"},
		  {"objectives.2.metric", "sonar/coverage"},
		  {"objectives.2.unit", NULL},
		  {"price.per_request_usd", "0.0000002"},
		  {"price.per_gb_s_usd", "0.0000166667"},
		  {"target.function", "hello"}},
	 .shard = {{"shard.of", "1"}}},
	{"arm is cheaper", "prod/hello", "{\"target\": {\"arch\": \"arm64\"}}", .count = 1,
	 .want = {{"price.per_gb_s_usd", "0.0000133334"}}, .shard = {{"run", RUN_ID}}},
	{"the time of the last run", "prod/hello", "{}", .call_ms = 60, .count = 1,
	 .want = {{"estimate.duration_basis", "last-run"},
		  {"estimate.cost_usd", "0.000115"},
		  {"estimate.requests", "352"},
		  {"estimate.peak_concurrency", "8"},
		  {"estimate.duration_ms", "35000"},
		  {"estimate.call_ms", "60"}},
	 .shard = {{"run", RUN_ID}}},
	{"the cloud's median", "prod/hello", "{\"cloud\": {\"duration_p50_ms\": 100}}", .count = 1,
	 .want = {{"estimate.duration_basis", "cloud-median"}, {"estimate.call_ms", "100"}},
	 .shard = {{"run", RUN_ID}}},
	{"a cause that no test is for", "prod/two", CAUSE("config", "timeout"), .count = 2,
	 .want = {{"decision", "test"},
		  {"test", "compare"},
		  {"reason", "timeout changed; sees 33 % and more"}},
	 .shard = {{"payloads.1.weight", "1"},
		   {"payloads.0.weight", "9"},
		   {"payloads.0.base64", "YQ=="}}},
	{"added is not for compare", "prod/hello", CAUSE("added", "added"), .count = 1,
	 .want = {{"decision", "skip"},
		  {"shards", "0"},
		  {"reason", "added changed, test compare is for code, runtime, memory, timeout, "
			     "environment, layers, "
			     "architecture, alias, snapstart"}}},
	{"a cause that nobody knows", "prod/hello", CAUSE("config", "colour"), .count = 1,
	 .want = {{"decision", "skip"}}},
	{"first seen", "prod/hello", FIRST_SEEN, .count = 1,
	 .want = {{"decision", "skip"}, {"reason", "first-seen"}}},
	{"first seen by its cause", "prod/hello", CAUSE("added", "first-seen"), .count = 1,
	 .want = {{"decision", "skip"}, {"reason", "first-seen"}}},
	{"first seen and wanted", "eager/hello", FIRST_SEEN, .count = 1,
	 .want = {{"decision", "test"}}, .shard = {{"account", "eager"}}},
	{"no rule", "prod/other", "{}", .count = 1,
	 .want = {{"decision", "skip"},
		  {"reason",
		   "no rule under functions is for prod/other (plimsoll add writes one)"}}},
	{"no rule, by hand", "prod/other", MANUAL, .count = 1, .want = {{"decision", "refuse"}}},
	{"no account", "gone/hello", "{}", .count = 1,
	 .want = {{"decision", "skip"}, {"reason", "account gone is not in the configuration"}}},
	{"never called", "prod/never", "{}", .count = 1,
	 .want = {{"decision", "skip"},
		  {"reason", "rule prod/never says tests: [], so it is noticed and never called "
			     "(plimsoll add writes a rule of its own)"}}},
	{"never called, not by hand either", "prod/never", MANUAL, .options = {.test = "compare"},
	 .count = 1, .want = {{"decision", "refuse"}}},
	{"most specific rule", "prod/help", "{}", .count = 1,
	 .want = {{"test", "peak"}, {"decision", "test"}},
	 .shard = {{"workload.rate_per_s", "20"}}},
	{"by hand: the rule's first", "prod/two", MANUAL, .count = 1,
	 .want = {{"decision", "test"},
		  {"run.purpose", "manual"},
		  {"test", "compare"},
		  {"reason", "asked for; sees 33 % and more"}},
	 .shard = {{"workload.spread", "4"}}},
	{"by hand: --test", "prod/two", MANUAL, .options = {.test = "memory"}, .count = 1,
	 .want = {{"decision", "test"}, {"test", "memory"}}, .shard = {{"workload.spread", "16"}}},
	{"confirm", "prod/hello", "{}", .options = {.purpose = "confirm", .confirms = RUN_ID},
	 .count = 1,
	 .want = {{"run.purpose", "confirm"},
		  {"run.confirms", RUN_ID},
		  {"run.id", "rkutk3jliqghxjmr6wadf"},
		  {"decision", "test"},
		  {"reason", "confirms " RUN_ID "; sees"}},
	 .shard = {{"workload.spread", "4"}}},
	{"an event that names a run: confirm it", "prod/hello", "{}", .run = RUN_ID, .count = 1,
	 .want = {{"run.purpose", "confirm"},
		  {"run.confirms", RUN_ID},
		  {"run.id", "rkutk3jliqghxjmr6wadf"},
		  {"decision", "test"},
		  {"reason", "confirms " RUN_ID "; sees"}},
	 .shard = {{"workload.spread", "4"}}},
	{"confirm: with what is known of the run", "prod/hello", "{}", .run = RUN_ID,
	 .history = "{\"tests\": {\"compare\": [{\"run\": \"" RUN_ID "\", \"first\": "
		    "{\"environments\": {\"old\": [\"a\"], \"new\": [\"b\"]}}}]}}",
	 .count = 1,
	 .want = {{"decision", "test"},
		  {"first.environments", "{\"old\":[\"a\"],\"new\":[\"b\"]}"}},
	 .shard = {{"workload.spread", "4"}}},
	{"another run's are not handed on", "prod/hello", MANUAL,
	 .history = "{\"tests\": {\"compare\": [{\"run\": \"" RUN_ID "\", \"first\": "
		    "{\"environments\": {}}}]}}",
	 .count = 1, .want = {{"decision", "test"}, {"first", NULL}},
	 .shard = {{"workload.spread", "4"}}},
	{"confirm: the test that the run was of", "prod/two", "{}", .run = "rbbb",
	 .past = "{\"tests\": {\"compare\": {\"at\": \"2026-11-20T15:00:00.000Z\", \"run\": "
		 "\"raaa\"}, \"memory\": {\"at\": \"2026-11-20T15:00:00.000Z\", \"run\": "
		 "\"rbbb\"}}}",
	 .count = 1, .want = {{"test", "memory"}, {"run.confirms", "rbbb"}, {"decision", "test"}},
	 .shard = {{"workload.spread", "16"}}},
	{"confirm once more: the same test", "prod/two", "{}", .run = "rbbb",
	 .past = "{\"tests\": {\"memory\": {\"at\": \"2026-11-20T15:00:00.000Z\", \"run\": "
		 "\"rccc\", \"confirms\": \"rbbb\"}}}",
	 .count = 1, .want = {{"test", "memory"}, {"decision", "test"}},
	 .shard = {{"workload.spread", "16"}}},
	{"confirm a run that is forgotten: the rule's first", "prod/two", "{}", .run = "rbbb",
	 .count = 1, .want = {{"test", "compare"}, {"decision", "test"}},
	 .shard = {{"workload.spread", "4"}}},
	{"confirm: whatever the cause, and at once", "prod/weekly", CAUSE("config", "colour"),
	 .run = "rbbb",
	 .past = "{\"tests\": {\"weekly\": {\"at\": \"2026-11-22T14:59:59.000Z\", \"run\": "
		 "\"rbbb\"}}}",
	 .count = 1, .want = {{"decision", "test"}, {"run.purpose", "confirm"}},
	 .shard = {{"workload.spread", "16"}}},
	{"confirm what no rule is for any more", "prod/other", "{}", .run = "rbbb", .count = 1,
	 .want = {{"decision", "refuse"}}},
	{"every: not yet", "prod/weekly", "{}",
	 .past = "{\"tests\": {\"weekly\": {\"at\": \"2026-11-20T15:00:00.000Z\", \"run\": "
		 "\"raaaaaaaaaaaaaaaaaaaa\"}}}",
	 .count = 1,
	 .want = {{"decision", "skip"},
		  {"reason", "tested 48h 0m ago, test weekly is for every 168h 0m"}}},
	{"every: again", "prod/weekly", "{}",
	 .past = "{\"tests\": {\"weekly\": {\"at\": \"2026-11-15T14:59:59.000Z\", \"run\": "
		 "\"raaaaaaaaaaaaaaaaaaaa\"}}}",
	 .count = 1, .want = {{"decision", "test"}}, .shard = {{"workload.spread", "16"}}},
	{"every: by hand at once", "prod/weekly", MANUAL,
	 .past = "{\"tests\": {\"weekly\": {\"at\": \"2026-11-22T14:59:59.000Z\", \"run\": "
		 "\"raaaaaaaaaaaaaaaaaaaa\"}}}",
	 .count = 1, .want = {{"decision", "test"}}, .shard = {{"workload.spread", "16"}}},
	{"nothing older can be called", "prod/hello", "{\"candidates\": []}", .count = 1,
	 .want = {{"decision", "test"},
		  {"compare", "none"},
		  {"variants.0.name", "new"},
		  {"reason", "code changed; no old version can be called: objectives only"},
		  {"estimate.detectable_ratio", NULL}},
	 .shard = {{"targets.0.variant", "new"}, {"targets.1", NULL}}},
	{"nothing older, but past runs", "prod/hello", "{\"candidates\": []}",
	 .history = "{\"tests\": {\"compare\": [{\"run\": \"r0\", \"verdict\": \"not-compared\", "
		    "\"metrics\": {}}"
		    ", {\"run\": \"r1\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r2\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r3\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r4\", \"verdict\": \"not-compared\", \"metrics\": {}}]}}",
	 .count = 1,
	 .want = {{"compare", "stored"},
		  {"past.4.run", "r4"},
		  {"reason",
		   "code changed; no old version can be called: held against the last 5 runs"}},
	 .shard = {{"targets.1", NULL}}},
	{"a worse run is no measure of the next", "prod/hello", "{\"candidates\": []}",
	 .history = "{\"tests\": {\"compare\": [{\"run\": \"r0\", \"verdict\": \"not-compared\", "
		    "\"metrics\": {}}"
		    ", {\"run\": \"r1\", \"verdict\": \"worse\", \"metrics\": {}}"
		    ", {\"run\": \"r2\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r3\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r4\", \"verdict\": \"not-compared\", \"metrics\": {}}]}}",
	 .count = 1, .want = {{"compare", "none"}, {"past", NULL}}, .shard = {{"targets.1", NULL}}},
	{"unless it was accepted: then nothing before it is", "prod/hello", "{\"candidates\": []}",
	 .history = "{\"tests\": {\"compare\": [{\"run\": \"r0\", \"verdict\": \"not-compared\", "
		    "\"metrics\": {}}"
		    ", {\"run\": \"r1\", \"verdict\": \"worse\", \"metrics\": {}}"
		    ", {\"run\": \"r2\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r3\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r4\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r5\", \"verdict\": \"not-compared\", \"metrics\": {}}]}}",
	 .accepted = "{\"run\": \"r1\"}", .count = 1,
	 .want = {{"compare", "stored"}, {"past.0.run", "r1"}, {"past.5", NULL}},
	 .shard = {{"targets.1", NULL}}},
	{"past runs are not looked at where an old version can be called", "prod/hello", "{}",
	 .history = "{\"tests\": {\"compare\": [{\"run\": \"r0\", \"verdict\": \"not-compared\", "
		    "\"metrics\": {}}"
		    ", {\"run\": \"r1\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r2\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r3\", \"verdict\": \"not-compared\", \"metrics\": {}}"
		    ", {\"run\": \"r4\", \"verdict\": \"not-compared\", \"metrics\": {}}]}}",
	 .count = 1, .want = {{"compare", "interleaved"}, {"past", NULL}},
	 .shard = {{"targets.0.variant", "old"}}},
	{"which line keeps an old version", "plain/hello", "{\"candidates\": []}", .count = 1,
	 .want = {{"reason", "code changed; no old version can be called: objectives only "
			     "(publish_versions: keep 5 under "
			     "accounts.plain keeps one)"}},
	 .shard = {{"targets.1", NULL}}},
	{"only a copy: that is compared with", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"3\", \"code_sha256\": \"Pt1cAAAA\", "
	 "\"config_sha256\": \"0f3a\"}]}",
	 .count = 1,
	 .want = {{"compare", "interleaved"},
		  {"reason",
		   "code changed; no older version differs: compared with a copy, 3; sees"}},
	 .shard = {{"targets.0.qualifier", "3"}}},
	{"an older version before a copy", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"3\", \"code_sha256\": \"Pt1cAAAA\"}, "
	 "{\"qualifier\": \"1\", \"code_sha256\": \"y\"}]}",
	 .count = 1, .want = {{"variants.0.qualifier", "1"}},
	 .shard = {{"targets.0.qualifier", "1"}}},
	{"the same code with other settings is one", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"3\", \"code_sha256\": \"Pt1cAAAA\", "
	 "\"config_sha256\": \"ffff\"}]}",
	 .count = 1, .want = {{"compare", "interleaved"}, {"variants.0.qualifier", "3"}},
	 .shard = {{"targets.0.qualifier", "3"}}},
	{"$LATEST is no old version", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"$LATEST\", \"code_sha256\": \"x\"}, {\"qualifier\": "
	 "\"1\", \"code_sha256\": \"y\"}]}",
	 .count = 1, .want = {{"variants.0.qualifier", "1"}},
	 .shard = {{"targets.0.qualifier", "1"}}},
	{"an accepted version is held against, not the newest", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"4\", \"code_sha256\": \"c\"}, {\"qualifier\": \"3\", "
	 "\"code_sha256\": \"b\"}, {\"qualifier\": \"2\", \"code_sha256\": \"Pt1cAAAA\"}]}",
	 .accepted = "{\"version\": \"3\", \"code_sha256\": \"b\"}", .count = 1,
	 .want = {{"variants.0.qualifier", "3"},
		  {"reason", "code changed; held against 3, the accepted baseline; sees"}},
	 .shard = {{"targets.0.qualifier", "3"}}},
	{"an accepted $LATEST is found by its code", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"4\", \"code_sha256\": \"c\"}, {\"qualifier\": \"3\", "
	 "\"code_sha256\": \"b\"}, {\"qualifier\": \"2\", \"code_sha256\": \"Pt1cAAAA\"}]}",
	 .accepted = "{\"version\": \"$LATEST\", \"code_sha256\": \"b\"}", .count = 1,
	 .want = {{"variants.0.qualifier", "3"}}, .shard = {{"targets.0.qualifier", "3"}}},
	{"the accepted version itself is held against nothing older", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"4\", \"code_sha256\": \"c\"}, {\"qualifier\": \"3\", "
	 "\"code_sha256\": \"b\"}, {\"qualifier\": \"2\", \"code_sha256\": \"Pt1cAAAA\"}]}",
	 .accepted = "{\"version\": \"2\", \"code_sha256\": \"Pt1cAAAA\"}", .count = 1,
	 .want = {{"compare", "none"}, {"reason", "code changed; 2 is the accepted baseline"}},
	 .shard = {{"targets.1", NULL}, {"targets.0.variant", "new"}}},
	{"an accepted version that is gone: as without", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"4\", \"code_sha256\": \"c\"}, {\"qualifier\": \"3\", "
	 "\"code_sha256\": \"b\"}, {\"qualifier\": \"2\", \"code_sha256\": \"Pt1cAAAA\"}]}",
	 .accepted = "{\"version\": \"1\", \"code_sha256\": \"a\"}", .count = 1,
	 .want = {{"variants.0.qualifier", "4"}}, .shard = {{"targets.0.qualifier", "4"}}},
	{"--old before an accepted version", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"4\", \"code_sha256\": \"c\"}, {\"qualifier\": \"3\", "
	 "\"code_sha256\": \"b\"}, {\"qualifier\": \"2\", \"code_sha256\": \"Pt1cAAAA\"}]}",
	 .accepted = "{\"version\": \"3\", \"code_sha256\": \"b\"}",
	 .options = {.old_qualifier = "4"}, .count = 1, .want = {{"variants.0.qualifier", "4"}},
	 .shard = {{"targets.0.qualifier", "4"}}},
	{"a version that is not there", "prod/hello", MANUAL, .options = {.old_qualifier = "17"},
	 .count = 1,
	 .want = {{"decision", "refuse"},
		  {"reason", "there is no version 17; those that can be called: 2, 1"}}},
	{"--old and --new", "prod/hello", MANUAL,
	 .options = {.old_qualifier = "2", .new_qualifier = "$LATEST"}, .count = 1,
	 .want = {{"variants.0.qualifier", "2"},
		  {"variants.0.code_sha256", "Pt1cAAAA"},
		  {"variants.1.qualifier", "$LATEST"},
		  {"variants.1.code_sha256", NULL},
		  {"target.qualifier", "$LATEST"},
		  {"target.is_immutable", "false"},
		  {"target.code_sha256", NULL}},
	 .shard = {{"targets.1.url",
		    "http://e:1/2015-03-31/functions/hello/invocations?Qualifier=%24LATEST"}}},
	{"a version against itself", "prod/hello", MANUAL, .options = {.old_qualifier = "2"},
	 .count = 1,
	 .want = {{"decision", "refuse"},
		  {"reason",
		   "old and new are both 2: a version shares its environments with itself"}}},
	{"calibrate needs a copy", "prod/hello", MANUAL, .options = {.purpose = "calibrate"},
	 .count = 1,
	 .want = {{"decision", "refuse"},
		  {"reason",
		   "calibrate needs a second published copy of the code of 2, and there is none"}}},
	{"calibrate", "prod/hello",
	 "{\"candidates\": [{\"qualifier\": \"1\", \"code_sha256\": \"Aa\"}, {\"qualifier\": "
	 "\"3\", \"code_sha256\": \"Pt1cAAAA\"}]}",
	 .options = {.purpose = "calibrate"}, .count = 1,
	 .want = {{"variants.0.qualifier", "3"}, {"run.purpose", "calibrate"}},
	 .shard = {{"targets.0.qualifier", "3"}}},
	{"little concurrency is free", "prod/weekly", "{\"limits\": {\"unreserved\": 20}}",
	 .count = 1,
	 .want = {{"decision", "test"},
		  {"environments", "8"},
		  {"reason", "code changed; spread 8 instead of 16: 16 calls at once are free (the "
			     "account has 20 unreserved, 20 % "
			     "of it kept free, 0 in use); sees"}},
	 .shard = {{"workload.spread", "8"}, {"limits.in_flight", "16"}}},
	{"three environments a side", "prod/hello", "{\"limits\": {\"reserved\": 8}}", .count = 1,
	 .want = {{"environments", "3"},
		  {"reason", "code changed; spread 3 instead of 4: 6 calls at once are free (the "
			     "function has 8 reserved, 20 % of "
			     "it kept free); with 3 environments a side only twice the tolerance "
			     "counts; sees"}},
	 .shard = {{"limits.in_flight", "6"}}},
	{"reserved concurrency 1", "prod/hello", "{\"limits\": {\"reserved\": 1}}", .count = 1,
	 .want = {{"decision", "refuse"},
		  {"shards", "0"},
		  {"estimate.requests", "352"},
		  {"reason", "a spread of 0 cannot be judged: it needs at least 2 environments a "
			     "side, 4 calls at once; free are 0 "
			     "(the function has 1 reserved, 20 % of it kept free)"}}},
	{"too dear", "prod/hello",
	 "{\"target\": {\"memory_bytes\": 10737418240, \"timeout_ms\": 900000}}", .count = 1,
	 .want = {{"decision", "refuse"},
		  {"estimate.cost_usd", "52.800176"},
		  {"reason", "352 calls of 900000 ms (timeout) would cost 52.8002 USD, above "
			     "limits.cost_per_run of 0.5000 USD"}}},
	{"a shape", "prod/odd", "{}", .call_ms = 60, .count = 1,
	 .want = {{"decision", "test"},
		  {"estimate.requests", "384"},
		  {"estimate.duration_ms", "140000"}},
	 .shard = {{"workload.executor", "ramping-arrival-rate"},
		   {"workload.start_rate_per_s", "1"},
		   {"workload.duration_ms", "120000"}}},
	{"dry run", "prod/hello", "{}", .options = {.is_dry_run = true}, .call_ms = 60, .count = 1,
	 .want = {{"decision", "skip"},
		  {"reason", "dry-run: code changed; sees 33 % and more"},
		  {"estimate.requests", "352"},
		  {"estimate.cost_usd", "0.000115"},
		  {"estimate.peak_concurrency", "8"},
		  {"estimate.detectable_ratio", "0.333"},
		  {"shards", "0"}}},
	{"a dry run may be refused", "prod/hello", "{}", .options = {.is_dry_run = true},
	 .spent_micro_usd = 20000000, .count = 1,
	 .want = {{"decision", "refuse"}, {"estimate.requests", "352"}}},
	{"a payload by hand", "prod/hello", MANUAL,
	 .options = {.payload = "{\"a\":1}", .payload_bytes = 7}, .count = 1,
	 .want = {{"decision", "test"}},
	 .shard = {{"payloads.0.base64", "eyJhIjoxfQ=="}, {"payloads.1", NULL}}},
	{"a payload that no plan can carry", "prod/hello", MANUAL,
	 .options = {.payload = "x", .payload_bytes = 40961}, .count = 1,
	 .want = {{"decision", "refuse"},
		  {"reason", "the payloads have 40961 bytes; a plan carries at most 40960"}}},
	{"a URL", "web/search",
	 "{\"change\": {\"kind\": \"manual\"}, \"target\": {\"provider\": \"http\"}, "
	 "\"candidates\": []}",
	 .count = 1,
	 .want = {{"decision", "test"},
		  {"compare", "none"},
		  {"estimate.cost_usd", "0.000000"},
		  {"reason", "asked for; a URL has no old version: objectives only"}},
	 .shard = {{"targets.0.method", "http"},
		   {"targets.0.url", "http://h.example/search?q=1"},
		   {"targets.0.http_version", "2"},
		   {"targets.0.expect", "{\"status\":204,\"body_contains\":\"ok\"}"},
		   {"payloads", "[]"},
		   {"limits.timeout_ms", "30500"},
		   {"targets.0.template", NULL},
		   {"targets.0.qualifier", NULL}}},
	{"a URL with rows", "web/items",
	 "{\"change\": {\"kind\": \"manual\"}, \"target\": {\"provider\": \"http\"}, "
	 "\"candidates\": []}",
	 .count = 1, .want = {{"decision", "test"}},
	 .shard = {{"targets.0.url", "http://h.example/i/{{row.id}}"},
		   {"targets.0.template", "true"},
		   {"payloads.0",
		    "{\"weight\":1,\"base64\":\"\",\"rows\":{\"file\":\"tests/data/config/"
		    "users.csv\",\"sha256\":"
		    "\"e615106171f547b957a735b1a7db91e19d4a022c7ed27c43a313ea14fb37df92\","
		    "\"format\":\"csv\",\"order\":\"random\"}}"}}},
	{"a payload with placeholders", "prod/rows", MANUAL, .count = 1,
	 .want = {{"decision", "test"}},
	 .shard = {{"payloads.0.template", "json"},
		   {"payloads.0.rows.file", "tests/data/config/users.ndjson"},
		   {"payloads.0.rows.format", "ndjson"}}},
};

/* A text, or compact JSON; the caller frees. */
static char *value_of(const struct json *v)
{
	struct buf b = BUF_INIT(65536);

	if (json_str(v))
		buf_adds(&b, json_str(v));
	else
		json_write(v, &b);
	return buf_steal(&b);
}

/* Reasons and ids may be given by their beginning. */
static void check_wants(const char *name, const struct json *data, const struct want *want,
			size_t max)
{
	for (size_t i = 0; i < max && want[i].path; i++) {
		const struct json *v = json_at(data, want[i].path);
		char *text = v ? value_of(v) : NULL;
		bool is_prefix =
			strcmp(want[i].path, "reason") == 0 || strcmp(want[i].path, "run.id") == 0;
		bool ok = !text == !want[i].value;

		if (ok && text)
			ok = is_prefix ? strncmp(text, want[i].value, strlen(want[i].value)) == 0
				       : strcmp(text, want[i].value) == 0;
		if (!ok)
			fail_msg("%s: %s is %s, want %s", name, want[i].path,
				 text ? text : "absent", want[i].value ? want[i].value : "absent");
		free(text);
	}
}

/* Both events pass the check of their tables. */
static void check_events(const struct plan_case *pc, const struct plan *p)
{
	struct wall now = wall_from_s(1795359600);
	struct event ev;
	char why[EVENT_WHY_SIZE];

	if (event_new(&ev, EV_RUN_PLANNED, p->run_id, pc->subject, p->run_id, now,
		      json_copy(p->run), why))
		fail_msg("%s: %s", pc->name, why);
	event_release(&ev);
	for (size_t i = 0; i < p->shard_count; i++) {
		if (event_new(&ev, EV_SHARD_PLANNED, "x.0", pc->subject, p->run_id, now,
			      json_copy(p->shards[i]), why))
			fail_msg("%s: %s", pc->name, why);
		event_release(&ev);
	}
}

static void check_plan(const struct config *c, const struct plan_case *pc)
{
	struct plan_list list = {0};
	struct json *past = NULL, *history = NULL, *accepted = NULL;
	struct event ev;

	make_event(pc->subject, pc->changes, &ev);
	ev.run = pc->run;
	if (pc->past)
		assert_int_equal(json_parse(pc->past, strlen(pc->past), 65536, &past, NULL), 0);
	if (pc->history)
		assert_int_equal(
			json_parse(pc->history, strlen(pc->history), 65536, &history, NULL), 0);
	if (pc->accepted)
		assert_int_equal(
			json_parse(pc->accepted, strlen(pc->accepted), 65536, &accepted, NULL), 0);
	plan_make(&(struct plan_input){.event = &ev,
				       .config = c,
				       .options = &pc->options,
				       .endpoint = "http://e:1",
				       .past = past,
				       .history = history,
				       .accepted = accepted,
				       .call_ms = pc->call_ms,
				       .spent_micro_usd = pc->spent_micro_usd},
		  &list);
	if (list.count != pc->count)
		fail_msg("%s: %zu plans", pc->name, list.count);
	check_wants(pc->name, list.items[0].run, pc->want, ARRAY_LEN(pc->want));
	if (list.items[0].shard_count != (pc->shard[0].path != NULL))
		fail_msg("%s: %zu shards", pc->name, list.items[0].shard_count);
	if (list.items[0].shard_count)
		check_wants(pc->name, list.items[0].shards[0], pc->shard, ARRAY_LEN(pc->shard));
	for (size_t i = 0; i < list.count; i++)
		check_events(pc, &list.items[i]);
	plan_list_release(&list);
	json_free(past);
	json_free(accepted);
	json_free(history);
	event_release(&ev);
}

static void test_plans(void **state)
{
	struct config *c = config_of(settings);

	(void)state;
	event_set_source("planner");
	for (size_t i = 0; i < ARRAY_LEN(plan_cases); i++)
		check_plan(c, &plan_cases[i]);
	config_free(c);
}

static void test_second_test_of_a_rule(void **state)
{
	struct config *c = config_of(settings);
	struct plan_options options = {0};
	struct plan_list list = {0};
	struct event ev;

	(void)state;
	make_event("prod/two", CAUSE("code", "code"), &ev);
	plan_make(&(struct plan_input){.event = &ev, .config = c, .options = &options}, &list);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].decision, DECIDE_TEST);
	assert_int_equal(list.items[1].decision, DECIDE_SKIP);
	assert_string_equal(json_get_str(list.items[1].run, "reason"),
			    "code changed, test memory is for memory");
	assert_string_not_equal(list.items[0].run_id, list.items[1].run_id);
	assert_int_equal(list.items[1].shard_count, 0);
	plan_list_release(&list);
	event_release(&ev);
	config_free(c);
}

/* The same input gives the same plan to the byte, and a repeat books nothing again. */
static void test_repeat(void **state)
{
	struct config *c = config_of(settings);
	struct plan_options options = {0};
	struct plan_list first = {0}, again = {0};
	struct json *past;
	struct event ev;

	(void)state;
	make_event("prod/weekly", "{}", &ev);
	plan_make(&(struct plan_input){.event = &ev, .config = c, .options = &options}, &first);
	assert_int_equal(first.items[0].decision, DECIDE_TEST);
	assert_false(first.items[0].is_repeat);
	assert_true(first.items[0].cost_micro_usd > 0);
	past = ledger_note_plan(NULL, ev.time, &first.items[0]);
	plan_make(
		&(struct plan_input){.event = &ev, .config = c, .options = &options, .past = past},
		&again);
	assert_true(again.items[0].is_repeat);
	assert_true(json_is_equal(first.items[0].run, again.items[0].run));
	assert_true(json_is_equal(first.items[0].shards[0], again.items[0].shards[0]));
	json_free(past);
	plan_list_release(&first);
	plan_list_release(&again);
	event_release(&ev);
	config_free(c);
}

static void test_ledger(void **state)
{
	struct wall morning, evening, next_day;
	struct json *doc, *more;

	(void)state;
	assert_int_equal(wall_parse_rfc3339("2026-11-22T00:00:00Z", &morning), 0);
	assert_int_equal(wall_parse_rfc3339("2026-11-22T23:59:59Z", &evening), 0);
	assert_int_equal(wall_parse_rfc3339("2026-11-23T00:00:00Z", &next_day), 0);
	assert_int_equal(ledger_spent(NULL, morning), 0);
	doc = ledger_spend(NULL, morning, 100);
	more = ledger_spend(doc, evening, 23);
	assert_int_equal(ledger_spent(more, evening), 123);
	assert_int_equal(ledger_spent(more, next_day), 0);
	json_free(doc);
	doc = ledger_spend(more, next_day, 7);
	assert_int_equal(ledger_spent(doc, next_day), 7);
	json_free(doc);
	json_free(more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_second_test_of_a_rule),
		cmocka_unit_test(test_repeat),
		cmocka_unit_test(test_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
