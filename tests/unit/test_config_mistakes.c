/* Every kind of mistake in a configuration. Long because it is one table of more than 40 of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/config_text.h"

#define A "accounts: {p: {provider: aws, region: eu-central-1}}\n"
#define H "accounts: {w: {provider: http, allow: [h.example, '127.0.0.1:8080']}}\n"
#define F A "functions:\n  p/f: "
#define T A "tests:\n  t: "
#define W A "tests:\n  t:\n    workload: "

/* What config_errors_print writes, line by line; parts of each. */
struct bad_case {
	const char *name, *text;
	const char *want[6];
};

static const struct bad_case bad_cases[] = {
	/* the file */
	{"empty file", "", {"f.yaml:1:1: no accounts, expected at least one"}},
	{"only a comment", "# nothing\n", {"f.yaml:1:1: "}},
	{"a list at the top", "- a\n- b\n", {"f.yaml:1:1: the file is a list, expected a mapping"}},
	{"no accounts", "version: 1\n", {"f.yaml:1:1: no accounts, expected at least one"}},
	{"empty accounts", "accounts: {}\n", {"f.yaml:1:1: no accounts, expected at least one"}},
	{"not UTF-8",
	 A "functions: {p/f: {owner: \"\xff\"}}\n",
	 {"f.yaml:2:27: byte 0xff is not UTF-8, expected UTF-8 text"}},
	{"overlong UTF-8", "a: \xc0\xaf\n", {"f.yaml:1:4: byte 0xc0 is not UTF-8"}},
	{"UTF-16",
	 "\xff\xfe"
	 "a\n",
	 {"f.yaml:1:1: byte 0xff is not UTF-8"}},
	{"control character",
	 "a: b\x01\n",
	 {"f.yaml:1:5: control character 0x01, expected printable text"}},
	/* YAML itself */
	{"tab indents",
	 "accounts:\n\tp: {}\n",
	 {"f.yaml:2:1: not valid YAML: ", "expected spaces: a tab"}},
	{"open bracket",
	 A "functions: {p/f: {tests: [a, b}}\n",
	 {"f.yaml:2:31: not valid YAML: while parsing a flow sequence: did not find expected ',' "
	  "or "
	  "']', expected ',' or ']'"}},
	{"open brace",
	 A "limits: {rate: 5/s\n",
	 {"f.yaml:3:1: not valid YAML: ", "expected ',' or '}'"}},
	{"open quote",
	 A "limits: {rate: \"5/s}\n",
	 {"f.yaml:3:1: not valid YAML: ", "expected the closing quote"}},
	{"wrong indentation",
	 A "limits:\n    rate: 5/s\n  concurrency: 5\n",
	 {"f.yaml:4:3: not valid YAML: ", "expected a key at the indentation"}},
	{"colon in a value",
	 A "functions: {}\nlimits: rate: 5/s\n",
	 {"f.yaml:3:13: not valid YAML: mapping values are not allowed in this context, expected "
	  "one "
	  "\"key: value\" a line"}},
	{"value begins with @",
	 A "functions:\n  p/f: {owner: @cart}\n",
	 {"f.yaml:3:16: not valid YAML: ", "expected a value; quote"}},
	{"two documents",
	 A "---\n" A,
	 {"f.yaml:2:1: a second document, expected one document a file"}},
	{"key twice",
	 A "limits: {rate: 5/s, rate: 6/s}\n",
	 {"f.yaml:2:21: key \"rate\" stands twice (first at line 2), expected it once"}},
	{"top key twice",
	 A "limits: {}\nlimits: {}\n",
	 {"f.yaml:3:1: key \"limits\" stands twice (first at line 2)"}},
	{"a key that is a list",
	 "? [a, b]\n: c\n",
	 {"f.yaml:1:3: a key that is no plain text, expected a name"}},
	{"unknown alias",
	 A "limits: *x\n",
	 {"f.yaml:2:9: unknown alias *x, expected an anchor &x"}},
	{"alias to itself",
	 A "limits: &x {rate: *x}\n",
	 {"f.yaml:2:19: unknown alias *x, expected an anchor"}},
	{"tag",
	 A "limits: !!map {}\n",
	 {"f.yaml:2:9: tag \"tag:yaml.org,2002:map\", expected a value without a tag"}},
	{"too deep",
	 A "functions: [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]\n",
	 {"f.yaml:2:27: nested deeper than 16 levels, expected at most that"}},
	{"alias that is no name",
	 A "functions: {p/f: {alias: $NEWEST}}\n",
	 {"f.yaml:2:26: alias is \"$NEWEST\", expected the name of an alias, a version, or "
	  "$LATEST"}},
	/* keys */
	{"misspelt top key",
	 A "functons: {}\n",
	 {"f.yaml:2:1: unknown key \"functons\" (did you mean \"functions\"?), expected one of "
	  "version, "
	  "accounts, functions, tests"}},
	{"far-off top key",
	 A "zebra: 1\n",
	 {"f.yaml:2:1: unknown key \"zebra\", expected one of version"}},
	{"misspelt account key",
	 "accounts: {p: {provider: aws, regoin: eu-central-1}}\n",
	 {"f.yaml:1:12: account \"p\" has no region, expected region: a region such as",
	  "f.yaml:1:31: unknown key \"regoin\" (did you mean \"region\"?), expected one of "
	  "provider"}},
	{"misspelt function key",
	 F "{payloud: x}\n",
	 {"f.yaml:3:9: unknown key \"payloud\" (did you mean \"payload\"?), expected one of "
	  "payload"}},
	{"misspelt limit",
	 A "limits: {cost_per_dy: 1 USD}\n",
	 {"f.yaml:2:10: unknown key \"cost_per_dy\" (did you mean \"cost_per_day\"?), expected one "
	  "of"}},
	{"misspelt workload key",
	 W "{ratee: 5/s}\n",
	 {"f.yaml:4:16: unknown key \"ratee\" (did you mean \"rate\"?), expected one of executor"}},
	{"misspelt expect key",
	 F "{expect: {state: 200}}\n",
	 {"f.yaml:3:18: unknown key \"state\" (did you mean \"status\"?), expected one of status, "
	  "headers"}},
	{"unknown key of metrics",
	 A "metrics: {gates: {}}\n",
	 {"f.yaml:2:11: unknown key \"gates\" (did you mean \"gate\"?), expected gate or report"}},
	{"key of a section without keys",
	 A "sinks: {terminal: {color: true}}\n",
	 {"f.yaml:2:20: unknown key \"color\", expected no key here"}},
	/* accounts */
	{"account without provider",
	 "accounts: {p: {region: eu-central-1}}\n",
	 {"f.yaml:1:12: account \"p\" has no provider, expected provider: one of aws, http"}},
	{"unknown provider",
	 "accounts: {p: {provider: awz, region: eu-central-1}}\n",
	 {"f.yaml:1:26: provider is \"awz\" (did you mean \"aws\"?), expected one of aws, http"}},
	{"bad account name",
	 "accounts: {p q: {provider: aws, region: eu-central-1}}\n",
	 {"f.yaml:1:12: \"p q\" is no name of an account, expected letters, digits"}},
	{"account is a text",
	 "accounts: {p: aws}\n",
	 {"f.yaml:1:15: account \"p\" is \"aws\", expected a mapping"}},
	{"bad region",
	 "accounts: {p: {provider: aws, region: Frankfurt}}\n",
	 {"f.yaml:1:39: region is \"Frankfurt\", expected a region such as eu-central-1"}},
	{"bad role",
	 "accounts: {p: {provider: aws, region: us-east-1, role: plimsoll}}\n",
	 {"f.yaml:1:56: role is \"plimsoll\", expected an ARN such as "
	  "arn:aws:iam::111122223333:role/"}},
	{"unknown form of secret",
	 "accounts: {p: {provider: aws, region: us-east-1, external_id: vault:x}}\n",
	 {"f.yaml:1:63: external_id is a secret of a form that is not known, expected file:/path, "
	  "credential:NAME, ${NAME} or the text itself"}},
	{"secret file not absolute",
	 "accounts: {p: {provider: aws, region: us-east-1, external_id: file:x}}\n",
	 {"f.yaml:1:63: external_id is a secret of a form that is not known"}},
	{"half a variable",
	 "accounts: {p: {provider: aws, region: us-east-1, external_id: $NAME}}\n",
	 {"f.yaml:1:63: external_id is a secret of a form"}},
	{"bad endpoint",
	 "accounts: {p: {provider: aws, region: us-east-1, endpoint: localhost}}\n",
	 {"f.yaml:1:60: endpoint is \"localhost\", expected a URL such as"}},
	{"URL with a user",
	 "accounts: {p: {provider: aws, region: us-east-1, endpoint: 'http://a:b@h'}}\n",
	 {"f.yaml:1:60: endpoint is ", "expected a URL"}},
	{"variable not set",
	 "accounts: {p: {provider: aws, region: us-east-1, profile: 'x-${PL_NOT_SET}'}}\n",
	 {"f.yaml:1:62: the environment has no PL_NOT_SET, expected it to be set"}},
	{"bad publish_versions",
	 "accounts: {p: {provider: aws, region: us-east-1, publish_versions: keep five}}\n",
	 {"f.yaml:1:68: publish_versions is \"keep five\", expected never, or keep and a number"}},
	{"keep 0",
	 "accounts: {p: {provider: aws, region: us-east-1, publish_versions: keep 0}}\n",
	 {"f.yaml:1:68: publish_versions is \"keep 0\", expected", "from 1 to 50"}},
	{"http account without allow",
	 "accounts: {w: {provider: http}}\n",
	 {"f.yaml:1:12: account \"w\" has no allow, expected allow: a list of hosts"}},
	{"empty allow",
	 "accounts: {w: {provider: http, allow: []}}\n",
	 {"f.yaml:1:39: allow is empty, expected at least one host"}},
	{"URL in allow",
	 "accounts: {w: {provider: http, allow: ['https://h/']}}\n",
	 {"f.yaml:1:40: allow holds \"https://h/\", expected a host or host:port"}},
	{"aws key in an http account",
	 "accounts: {w: {provider: http, allow: [h], region: us-east-1}}\n",
	 {"f.yaml:1:44: region does not go with provider http, expected it with aws only"}},
	{"boolean as yes",
	 "accounts: {p: {provider: aws, region: us-east-1, test_first_seen: yes}}\n",
	 {"f.yaml:1:67: test_first_seen is \"yes\", expected true or false"}},
	/* numbers and units */
	{"duration without unit",
	 "accounts: {p: {provider: aws, region: us-east-1, poll: 60}}\n",
	 {"f.yaml:1:56: poll is \"60\", expected a duration such as 30s or 5m, from 1s to 24h"}},
	{"duration out of range",
	 T "{warmup: 3h}\n",
	 {"f.yaml:3:15: warmup is \"3h\", expected a duration", "from 0s to 1h"}},
	{"rate without unit",
	 W "{rate: 10}\n",
	 {"f.yaml:4:22: rate is \"10\", expected a rate such as 10/s"}},
	{"rate of zero",
	 W "{rate: 0/s}\n",
	 {"f.yaml:4:22: rate is \"0/s\", expected a rate", "from 0.01/s"}},
	{"foreign money",
	 A "limits: {cost_per_day: 5 EUR}\n",
	 {"f.yaml:2:24: cost_per_day is \"5 EUR\", expected an amount such as 0.50 USD"}},
	{"negative money",
	 A "limits: {cost_per_run: -1 USD}\n",
	 {"f.yaml:2:24: cost_per_run is \"-1 USD\", expected an amount"}},
	{"ratio above one",
	 A "limits: {abort_error_ratio: 150%}\n",
	 {"f.yaml:2:29: abort_error_ratio is \"150%\", expected a ratio such as 10%, from 0.01% to "
	  "100%"}},
	{"not a whole number",
	 A "limits: {concurrency: 1.5}\n",
	 {"f.yaml:2:23: concurrency is \"1.5\", expected a whole number, from 1 to 100000"}},
	{"too large for 32 bits",
	 A "limits: {concurrency: 4294967297}\n",
	 {"f.yaml:2:23: concurrency is \"4294967297\", expected"}},
	{"list where a number goes",
	 A "limits: {concurrency: [1]}\n",
	 {"f.yaml:2:23: concurrency is a list, expected a whole number"}},
	{"nothing where a number goes",
	 A "limits:\n  concurrency:\n  rate: 5/s\n",
	 {"f.yaml:3:15: concurrency is nothing, expected a whole number"}},
	{"mapping where a list goes",
	 F "{tests: {a: b}}\n",
	 {"f.yaml:3:16: tests is a mapping, expected a list of names"}},
	{"text where a mapping goes",
	 A "limits: none\n",
	 {"f.yaml:2:9: limits is \"none\", expected a mapping"}},
	{"bad price",
	 A "prices: {per_request: cheap}\n",
	 {"f.yaml:2:23: per_request is \"cheap\", expected a price"}},
	{"bad version", "version: 2\n" A, {"f.yaml:1:10: version is \"2\", expected 1"}},
	/* functions */
	{"no account in a name",
	 A "functions: {hello: {}}\n",
	 {"f.yaml:2:13: \"hello\" is no account/function, expected one such as"}},
	{"unknown account",
	 A "functions:\n  zzz/f: {}\n",
	 {"f.yaml:3:3: unknown account \"zzz\", expected one of p"}},
	{"misspelt account",
	 "accounts: {prod: {provider: aws, region: us-east-1}}\nfunctions: {prd/f: {}}\n",
	 {"f.yaml:2:13: unknown account \"prd\" (did you mean \"prod\"?), expected one of prod"}},
	{"bad pattern",
	 A "functions: {'p/he[l]o': {}}\n",
	 {"f.yaml:2:18: pattern \"he[l]o\" holds a character that no name has, expected letters"}},
	{"name too long",
	 A "functions: {p/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {}}\n",
	 {"f.yaml:2:13: a name of 65 characters, expected at most 64"}},
	{"unknown test",
	 F "{tests: [compare, peek]}\ntests: {peak: {}}\n",
	 {"f.yaml:3:26: unknown test \"peek\" (did you mean \"peak\"?), expected one of peak, "
	  "compare"}},
	{"test twice",
	 F "{tests: [compare, compare]}\n",
	 {"f.yaml:3:26: tests holds \"compare\" twice, expected it once"}},
	{"payload is a mapping",
	 F "{payload: {name: x}}\n",
	 {"f.yaml:3:18: payload is a mapping, expected text (JSON in single quotes)"}},
	{"payload and payloads",
	 F "{payload: x, payloads: [{text: y}]}\n",
	 {"f.yaml:3:21: payloads beside payload, expected one of the two"}},
	{"empty payloads",
	 F "{payloads: []}\n",
	 {"f.yaml:3:19: payloads holds 0, expected 1 to 64"}},
	{"payload file missing",
	 F "{payloads: [{file: no-such.json}]}\n",
	 {"f.yaml:3:27: cannot read no-such.json: No such file or directory, expected a file"}},
	{"payload of nothing",
	 F "{payloads: [{weight: 2}]}\n",
	 {"f.yaml:3:20: a payload with neither, expected one of file and text"}},
	{"weight of zero",
	 F "{payloads: [{text: x, weight: 0}]}\n",
	 {"f.yaml:3:38: weight is \"0\", expected a number, from"}},
	{"bad status",
	 F "{expect: {status: 42}}\n",
	 {"f.yaml:3:26: status is \"42\", expected an HTTP status, a class such as 2xx"}},
	{"bad pointer",
	 F "{instance: ctx.id}\n",
	 {"f.yaml:3:19: instance is \"ctx.id\", expected a JSON pointer such as"}},
	{"url in an aws account",
	 F "{url: 'https://h/'}\n",
	 {"f.yaml:3:9: url does not go with provider aws, expected it with http only"}},
	{"http function without url",
	 H "functions: {w/f: {}}\n",
	 {"f.yaml:2:13: function \"w/f\" has no url, expected url: a URL"}},
	{"url not allowed",
	 H "functions: {w/f: {url: 'https://other.example/'}}\n",
	 {"f.yaml:2:24: the host of \"https://other.example/\" is not allowed, expected one of "
	  "allow in account "
	  "\"w\""}},
	{"port not allowed",
	 H "functions: {w/f: {url: 'http://127.0.0.1:9/'}}\n",
	 {"f.yaml:2:24: the host of "}},
	{"wildcard with url",
	 H "functions: {w/*: {url: 'https://h.example/'}}\n",
	 {"f.yaml:2:13: \"w/*\" has a wildcard, expected a plain name"}},
	{"cloud_name for a pattern",
	 A "functions: {'p/*': {cloud_name: x}}\n",
	 {"f.yaml:2:33: cloud_name for a pattern, expected it at a plain name only"}},
	/* tests */
	{"unknown executor",
	 W "{executor: constant-arival-rate}\n",
	 {"f.yaml:4:26: executor is \"constant-arival-rate\" (did you mean "
	  "\"constant-arrival-rate\"?), expected one of"}},
	{"unknown cause",
	 T "{when: [code, memry]}\n",
	 {"f.yaml:3:20: when holds \"memry\" (did you mean \"memory\"?), expected one of added, "
	  "code"}},
	{"vus missing",
	 W "{executor: constant-vus}\n",
	 {"f.yaml:4:15: workload has no vus, expected vus: a whole number"}},
	{"rate with vus",
	 W "{executor: constant-vus, vus: 2, rate: 5/s}\n",
	 {"f.yaml:4:48: rate does not go with executor constant-vus, expected it with "
	  "constant-arrival-rate, "
	  "ramping-arrival-rate only"}},
	{"iterations missing",
	 W "{executor: shared-iterations, vus: 2}\n",
	 {"f.yaml:4:15: workload has no iterations, expected"}},
	{"shape missing",
	 W "{executor: ramping-arrival-rate}\n",
	 {"f.yaml:4:15: workload has no stages and no shape, expected one"}},
	{"stages and a rate",
	 W "{executor: ramping-arrival-rate, rate: 5/s, stages: [{target: 50/s, duration: 1m}]}\n",
	 {"f.yaml:4:54: rate beside stages, expected one of the two"}},
	{"stages of the wrong kind",
	 W "{executor: ramping-vus, stages: [{target: 50/s, duration: 1m}]}\n",
	 {"f.yaml:4:47: stage 1 is of a rate, expected targets such as 50"}},
	{"a stage that is none",
	 W "{executor: ramping-vus, stages: [{target: many, duration: 1m}]}\n",
	 {"f.yaml:4:48: stage 1 is none, expected {target: 100/s, duration: 30s}"}},
	{"a replay of nothing",
	 W "{executor: replay}\n",
	 {"f.yaml:4:15: workload has no replay, expected replay: a mapping"}},
	{"a replay from elsewhere",
	 W "{executor: replay, replay: {file: ../t.csv}}\n",
	 {"f.yaml:4:49: file is \"../t.csv\", expected the name of a file beneath files:"}},
	{"unknown shape",
	 W "{executor: ramping-arrival-rate, shape: sine}\n",
	 {"f.yaml:4:55: shape is \"sine\"", "expected one of increasing, random, triangle, spike"}},
	{"spread of zero",
	 W "{spread: 0}\n",
	 {"f.yaml:4:24: spread is \"0\", expected a whole number, or off, from 1 to 1000"}},
	{"uniform with a spread",
	 W "{arrival: uniform, spread: 4}\n",
	 {"f.yaml:4:25: arrival is uniform with a spread, expected burst with a spread, or"}},
	{"burst without a spread",
	 W "{arrival: burst, spread: off}\n",
	 {"f.yaml:4:25: arrival is burst with no spread, expected"}},
	{"rate above the limit",
	 A "limits: {rate: 5/s}\ntests: {compare: {workload: {rate: 6/s, spread: 2}}}\n",
	 {"f.yaml:3:36: rate 6/s is above limits.rate, expected at most 5/s"}},
	{"round longer than the test",
	 W "{rate: 1/s, spread: 100, duration: 30s}\n",
	 {"f.yaml:4:22: one round of 2 x 100 calls at 1/s lasts 200 s, expected no longer than the "
	  "duration of 30 s"}},
	{"unknown baseline",
	 T "{baseline: last-week}\n",
	 {"f.yaml:3:17: baseline is \"last-week\", expected one of previous-version"}},
	/* metrics and objectives */
	{"unknown metric",
	 A "metrics: {report: [response_p5]}\n",
	 {"f.yaml:2:20: unknown metric \"response_p5\" (did you mean \"response_p",
	  "expected response_"}},
	{"gate without tolerance",
	 A "metrics: {gate: {response_p50: {}}}\n",
	 {"f.yaml:2:18: gate \"response_p50\" has no tolerance, expected tolerance: "}},
	{"ratio for a rate",
	 A "metrics: {gate: {error_ratio: {tolerance: 10%}}}\n",
	 {"f.yaml:2:43: tolerance of error_ratio is \"10%\", expected points such as 0.5pp"}},
	{"points for a latency",
	 A "metrics: {gate: {response_p50: {tolerance: 1pp}}}\n",
	 {"f.yaml:2:44: tolerance of response_p50 is \"1pp\", expected a ratio such as 10%"}},
	{"four gates",
	 A "metrics: {gate: {response_p50: {tolerance: 1%}, response_p90: {tolerance: 1%}, "
	   "response_p95: "
	   "{tolerance: 1%}, response_p99: {tolerance: 1%}}}\n",
	 {"f.yaml:2:17: gate names 4 metrics, expected 1 to 3"}},
	{"metric twice",
	 A "metrics: {report: [response_p95, response_p95]}\n",
	 {"f.yaml:2:34: response_p95 stands in metrics already, expected it once"}},
	{"objective without a comparison",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [response_p95 300ms]}\n",
	 {"f.yaml:3:33: \"300ms\" is no comparison, expected <, <=, > or >="}},
	{"objective of an unknown metric",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [latency < 300ms]}\n",
	 {"f.yaml:3:20: unknown metric \"latency\", expected"}},
	{"objective with the wrong unit",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [\"response_p95 < 300\"]}\n",
	 {"f.yaml:3:36: limit of response_p95 is \"300\", expected a duration such as 300ms"}},
	{"objective on a figure without a name",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [sonar/ > 1]}\n",
	 {"f.yaml:3:20: \"sonar/\" is no figure, expected TOOL/NAME of letters, digits,"}},
	{"objective on a figure of nobody",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [/coverage > 1]}\n",
	 {"f.yaml:3:20: \"/coverage\" is no figure, expected TOOL/NAME"}},
	{"objective on a figure of three parts",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [a/b/c > 1]}\n",
	 {"f.yaml:3:20: \"a/b/c\" is no figure, expected TOOL/NAME"}},
	{"objective on a figure with a sign",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [sonar/co%verage > 1]}\n",
	 {"f.yaml:3:20: \"sonar/co%verage\" is no figure, expected TOOL/NAME"}},
	{"objective on a figure with a long name",
	 A "functions: {p/f: {}}\nobjectives: {p/f: "
	   "[sonar/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa > 1]}\n",
	 {"f.yaml:3:20: \"sonar/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is no figure, "
	  "expected "
	  "TOOL/NAME"}},
	{"objective on what the cloud does not count",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [cloudwatch/cost < 1]}\n",
	 {"f.yaml:3:31: cloudwatch has no figure \"cost\", expected one of invocations errors "
	  "throttles duration_p50_ms"}},
	{"objective on a figure with a unit",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [sonar/coverage >= 80%]}\n",
	 {"f.yaml:3:38: limit of sonar/coverage is \"80%\", expected a plain number such as 80"}},
	{"objective on a figure without an end",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [sonar/coverage >= inf]}\n",
	 {"f.yaml:3:38: limit of sonar/coverage is \"inf\", expected a plain number such as 80"}},
	{"objective that is too long",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [sonar/coverage          >          "
	   "00000000000000000000000000000000000000000000000000000000000000000001]}\n",
	 {"f.yaml:3:20: objective of 103 characters, expected at most 100"}},
	{"objective is a mapping",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [{a: b}]}\n",
	 {"f.yaml:3:20: objectives hold no text here, expected one such as"}},
	{"six objectives",
	 A "functions: {p/f: {}}\nobjectives: {p/f: [init_p50 < 1s, init_p90 < 1s, init_p95 < 1s, "
	   "init_p99 < 1s, "
	   "billed_p50 < 1s, billed_p90 < 1s]}\n",
	 {"f.yaml:3:19: 6 objectives, expected at most 5 for a function"}},
	{"objective for no rule",
	 A "functions: {p/checkout: {}}\nobjectives: {p/chekout: [init_p50 < 1s]}\n",
	 {"f.yaml:3:14: no rule under functions is for \"p/chekout\" (did you mean "
	  "\"p/checkout\"?), expected one"}},
	/* sources and sinks */
	{"unknown source",
	 A "sources: {cloudwach: {}}\n",
	 {"f.yaml:2:11: unknown source \"cloudwach\" (did you mean \"cloudwatch\"?), expected one "
	  "of cloudwatch, "
	  "sonarqube, or any name with exec:"}},
	{"unknown sink",
	 A "sinks: {prometheus: {}}\n",
	 {"f.yaml:2:9: unknown sink \"prometheus\", expected one of terminal, pushgateway"}},
	{"gateway without url",
	 A "sinks: {pushgateway: {}}\n",
	 {"f.yaml:2:9: sink \"pushgateway\" has no url, expected url: a URL"}},
	{"archive without path",
	 A "sinks: {archive: {}}\n",
	 {"f.yaml:2:9: sink \"archive\" has no path, expected"}},
	{"arguments behind a program",
	 A "sources: {x: {exec: cat -n}}\n",
	 {"f.yaml:2:21: exec is \"cat -n\", expected a program: a path such as ./mine"}},
	{"secret for a bad variable",
	 A "sources: {x: {exec: cat, secrets: {a-b: x}}}\n",
	 {"f.yaml:2:36: \"a-b\" names no variable, expected A-Z"}},
	{"bad cannot_tell",
	 A "sinks: {commit_status: {provider: github, repo: a/b, token: x, cannot_tell: fine}}\n",
	 {"f.yaml:2:77: cannot_tell is \"fine\"", "expected one of success, failure, pending"}},
	{"repository without owner",
	 A "sinks: {commit_status: {provider: github, repo: shop, token: x}}\n",
	 {"f.yaml:2:49: repo is \"shop\", expected a repository such as owner/name"}},
	/* all of them at once, in the order of the file */
	{"several mistakes",
	 "version: 3\naccounts:\n  p: {provider: aws}\nfunctions:\n  q/f: {teste: []}\nlimits: "
	 "{rate: fast}\n",
	 {"f.yaml:1:10: version is", "f.yaml:3:3: account \"p\" has no region",
	  "f.yaml:5:3: unknown account \"q\"", "f.yaml:5:9: unknown key \"teste\"",
	  "f.yaml:6:16: rate is \"fast\""}},
	{"control character in a message",
	 "\"a\\e[31m\": 1\n" A,
	 {"f.yaml:1:1: unknown key \"a?[31m\""}},
};

/* All rows are tried before the test fails. */
static size_t wrong_count;
#define tell_wrong(...) (print_error(__VA_ARGS__), wrong_count++)

/* Wants beginning with the file name are one line each; others stand in the line before. */
static void check_bad(const struct bad_case *bc)
{
	struct config_errors errs = {0};
	struct config *c = parse(bc->text, &errs);
	char *out = printed(&errs), *line = out, *next = out;
	size_t lines = 0;

	for (size_t i = 0; i < ARRAY_LEN(bc->want) && bc->want[i]; i++) {
		if (strncmp(bc->want[i], "f.yaml:", 7) == 0) {
			line = next;
			next = line + strcspn(line, "\n");
			next += *next == '\n';
			lines++;
		}
		if (!strstr(line, bc->want[i]) || strstr(line, bc->want[i]) > next ||
		    (bc->want[i][0] == 'f' && strncmp(bc->want[i], "f.yaml:", 7) == 0 &&
		     strstr(line, bc->want[i]) != line))
			tell_wrong("%s: want \"%s\" in\n%s", bc->name, bc->want[i], out);
	}
	if (errs.count != lines || c)
		tell_wrong("%s: %zu mistakes, want %zu:\n%s", bc->name, errs.count, lines, out);
	for (size_t i = 0; i < errs.count; i++)
		if (!strstr(errs.items[i].text, ", expected "))
			tell_wrong("%s: says not what was expected: %s", bc->name,
				   errs.items[i].text);
	free(out);
	config_errors_release(&errs);
}

static void test_mistakes(void **state)
{
	(void)state;
	assert_true(ARRAY_LEN(bad_cases) >= 45);
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++)
		check_bad(&bad_cases[i]);
	assert_int_equal(wrong_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
