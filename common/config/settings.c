/* settings.c - the rows: every setting with its type, range, default and meaning. */
#include "common/config/settings.h"

#include "common/config/config.h"

#define AT(strct, field) offsetof(struct strct, field)
#define ARRIVALS "constant-arrival-rate ramping-arrival-rate"
#define VUS "constant-vus ramping-vus"
#define ITERATIONS "shared-iterations per-vu-iterations"
#define OPEN ARRIVALS " replay"
#define RAMPS "ramping-arrival-rate ramping-vus"
#define DAY_MS 86400000.0

#define A(field) .offset = AT(config_account, field)
static const struct setting account_rows[] = {
	{"provider", T_CHOICE, A(provider), .words = "aws http", .is_required = true,
	 .doc = "who runs the functions; http is any URL"},
	{"region", T_REGION, A(region), .only = "aws", .is_required = true,
	 .doc = "one region; another region is another account entry"},
	{"role", T_ROLE, A(role), .only = "aws",
	 .doc = "the role to assume; without it the caller's own credentials are used"},
	{"external_id", T_SECRET, A(external_id), .only = "aws",
	 .doc = "the ExternalId that the role asks for; a secret"},
	{"profile", T_TEXT, A(profile), .only = "aws",
	 .doc = "the profile of the AWS files to start from"},
	{"endpoint", T_URL, A(endpoint), .only = "aws",
	 .doc = "the address of all AWS services, instead of AWS's own; AWS_ENDPOINT_URL works "
		"too"},
	{"ca_file", T_PATH, A(ca_file), .doc = "certificates to trust besides the system's"},
	{"cert_file", T_PATH, A(cert_file), .only = "http",
	 .doc = "our certificate, for hosts that ask for one; PEM, with the chain"},
	{"key_file", T_PATH, A(key_file), .only = "http",
	 .doc = "its private key; PEM, readable by the loader only"},
	{"publish_versions", T_PUBLISH, A(publish_keep), .only = "aws", .min = 1, .max = 50,
	 .default_text = "never",
	 .doc = "keep N: versions may be published to compare with, and those made are deleted "
		"again"},
	{"poll", T_DURATION, A(poll_ms), .only = "aws", .min = 1000, .max = DAY_MS,
	 .default_text = "60s", .doc = "how often the watcher looks"},
	{"quiet_time", T_DURATION, A(quiet_ms), .max = 3600000, .default_text = "10s",
	 .doc = "edits closer together than this are one change"},
	{"not_found_after", T_DURATION, A(not_found_after_ms), .only = "aws", .max = DAY_MS,
	 .default_text = "60s",
	 .doc = "a function is removed after two \"not found\" this far apart"},
	{"allow", T_HOSTS, A(allow), AT(config_account, allow_count), .only = "http",
	 .is_required = true,
	 .doc = "the hosts that may be called, and no other; private addresses only when named "
		"here"},
	{"environments_from_logs", T_BOOL, A(environments_from_logs), .only = "aws",
	 .default_text = "false",
	 .doc = "where answers do not name their environment, its logs are read after the verdict "
		"(--wait-cloud; logs:FilterLogEvents)"},
	{"test_first_seen", T_BOOL, A(test_first_seen), .default_text = "false",
	 .doc = "test functions also when they are seen for the first time"},
};
#undef A
const struct section section_account = {"accounts.NAME", "One provider, one role, one region.",
					account_rows,	 ARRAY_LEN(account_rows),
					"provider",	 "provider"};

#define P(field) .offset = AT(config_payload, field)
static const struct setting payload_rows[] = {
	{"file", T_VERBATIM, P(bytes), .doc = "read from this file, beside the configuration"},
	{"text", T_VERBATIM, P(bytes), .doc = "or as it stands here"},
	{"weight", T_NUMBER, P(weight), .min = 0.000001, .max = 1e6, .default_text = "1",
	 .doc = "how often it is sent, relative to the others"},
	{"template", T_FILLING, P(filling),
	 .doc = "it holds placeholders: {{seq}}, {{random 1 100}}, {{uuid}}, {{row.COLUMN}}, "
		"{{json row.COLUMN}}, {{variant}}, {{run}}, {{open}} for {{ (docs/MEASURING.md)"},
	{"rows", T_ROWS, P(rows), .doc = "where the values of {{row.COLUMN}} come from"},
	{"rows_order", T_WORD, P(rows.order), .words = "in-order random",
	 .doc = "in-order: one after the other, and again from the first"},
};
#undef P
const struct section section_payload = {"functions.*.payloads[]",
					"One of several bodies to send.",
					payload_rows,
					ARRAY_LEN(payload_rows),
					NULL,
					NULL};

#define F(field) .offset = AT(config_function, field)
static const struct setting expect_rows[] = {
	{"status", T_STATUSES, F(expect), .doc = "the HTTP status of a good answer; else any 2xx"},
	{"headers", T_EXPECT_HEADERS, F(expect),
	 .doc = "headers of a good answer; names in any case, values as they are"},
	{"body_contains", T_EXPECT_TEXT, F(expect), .doc = "text that a good answer holds"},
	{"json", T_EXPECT_JSON, F(expect),
	 .doc = "values of a good answer, by JSON pointer; an unquoted word is what it is in JSON"},
	{"body_bytes", T_EXPECT_SIZE, F(expect), .doc = "the size of a good answer's body"},
};
static const struct section section_expect = {
	"functions.*.expect",
	"What a good answer looks like. One that fails a check counts as function_error; the "
	"result says which check and how often (error_reasons: expect:json:/ok).",
	expect_rows,
	ARRAY_LEN(expect_rows),
	NULL,
	NULL};
static const struct setting function_rows[] = {
	{"payload", T_PAYLOAD, F(payloads), AT(config_function, payload_count),
	 .doc = "the body of every call"},
	{"payloads", T_PAYLOADS, F(payloads), AT(config_function, payload_count),
	 .doc = "several bodies, drawn by weight"},
	{"rows", T_ROWS, F(rows),
	 .doc = "the same for the url, and for payloads without rows of their own"},
	{"rows_order", T_WORD, F(rows.order), .words = "in-order random", .doc = "of these rows"},
	{"expect", T_SECTION, .rows = &section_expect, .doc = "what a good answer looks like"},
	{"instance", T_POINTER, F(instance),
	 .doc = "where the answer says which execution environment it came from"},
	{"cold", T_POINTER, F(cold),
	 .doc = "where the answer says whether the call was a cold start"},
	{"tests", T_NAMES, F(tests), AT(config_function, test_count),
	 .doc = "the tests to run; [] is noticed and never called; without it the test compare"},
	{"alias", T_QUALIFIER, F(alias), .only = "aws",
	 .doc = "what is under test, instead of the newest published version; $LATEST: the "
		"unpublished function itself"},
	{"url", T_URL_TEMPLATE, F(url), .only = "http", .is_required = true,
	 .doc = "where it is called; path and query may hold placeholders, as payloads do"},
	{"http_version", T_WORD, F(http_version), .words = "1.1 2 auto", .only = "http",
	 .doc = "2: HTTP/2, over TLS by ALPN, else by prior knowledge; auto: what ALPN chooses; "
		"without it 1.1"},
	{"watch", T_NAME, F(watch), .doc = "the name of the webhook that tells of its changes"},
	{"sonarqube", T_TEXT, F(sonarqube), .doc = "its project key in SonarQube"},
	{"owner", T_TEXT, F(owner), .doc = "who to ask; shown with results"},
	{"cloud_name", T_TEXT, F(cloud_name), .only = "aws",
	 .doc = "its name at the provider, where that is no valid name here"},
};
#undef F
const struct section section_function = {"functions.ACCOUNT/PATTERN",
					 "A rule for all functions that match; * and ? are "
					 "wildcards. The most specific rule wins (the "
					 "one with most literal characters); rules are not merged.",
					 function_rows,
					 ARRAY_LEN(function_rows),
					 NULL,
					 "provider"};

#define T(field) .offset = AT(config_test, field)
static const struct setting replay_rows[] = {
	{"file", T_FILE, T(replay.file), .is_required = true,
	 .doc = "CSV beneath `files:`: the offset of each call in seconds, or in ms below a first "
		"line offset_ms; then, if it is told, its payload (from 0)"},
	{"speed", T_NUMBER, T(replay.speed), .min = 0.001, .max = 1000, .default_text = "1",
	 .doc = "so many times as fast as it was"},
	{"rate", T_NUMBER, T(replay.rate), .min = 0.001, .max = 1000, .default_text = "1",
	 .doc = "so many times as many calls; 0.1 makes every tenth"},
};
static const struct section section_replay = {"tests.NAME.workload.replay",
					      "A recorded trace, made again.",
					      replay_rows,
					      ARRAY_LEN(replay_rows),
					      NULL,
					      NULL};
static const struct setting workload_rows[] = {
	{"executor", T_WORD, T(executor), .words = OPEN " " VUS " " ITERATIONS,
	 .default_text = "constant-arrival-rate",
	 .doc = "k6's names for how calls are made; replay makes those of a recorded trace again"},
	{"rate", T_RATE, T(rate_per_s), .min = 0.01, .max = 100000, .default_text = "10/s",
	 .only = ARRIVALS,
	 .doc = "calls of both versions together; the highest of a shape, not given with stages"},
	{"start_rate", T_RATE, T(start_rate_per_s), .max = 100000, .only = "ramping-arrival-rate",
	 .doc = "where the first stage begins (0/s), or the lowest of a shape (a tenth of rate)"},
	{"duration", T_DURATION, T(duration_ms), .min = 1000, .max = DAY_MS, .default_text = "2m",
	 .doc = "of the measured part, after the warm-up; the longest where iterations are "
		"counted; not given with stages; of a replay all of it, or up to there"},
	{"spread", T_SPREAD, T(spread), .min = 1, .max = 1000, .default_text = "16",
	 .only = ARRIVALS,
	 .doc = "calls of each version at once, so that as many environments answer; off spaces "
		"them "
		"evenly"},
	{"stages", T_STAGES, T(stages), AT(config_test, stage_count), .only = RAMPS,
	 .doc = "one after the other, each a straight line to its target; a duration of 0s jumps"},
	{"arrival", T_WORD, T(arrival), .words = "burst uniform poisson", .only = ARRIVALS,
	 .doc = "burst where there is a spread, else uniform"},
	{"shape", T_WORD, T(shape), .words = "increasing random triangle spike", .only = RAMPS,
	 .doc = "instead of stages: how the rate or the users move, up to those given"},
	{"vus", T_COUNT, T(vus), .min = 1, .max = 100000, .only = VUS " " ITERATIONS,
	 .is_required = true, .required_for = "constant-vus " ITERATIONS,
	 .doc = "virtual users: each calls again when it has its answer; the most of a shape, not "
		"given with stages"},
	{"start_vus", T_COUNT, T(start_vus), .max = 100000, .only = "ramping-vus",
	 .doc = "users before the first stage (1), or the fewest of a shape (a tenth of vus)"},
	{"iterations", T_COUNT64, T(iterations), .min = 1, .max = 1e9, .only = ITERATIONS,
	 .is_required = true,
	 .doc = "how many calls: of all users together; with per-vu-iterations of each"},
	{"replay", T_SECTION, .rows = &section_replay, .only = "replay", .is_required = true,
	 .doc = "a recorded trace, made again"},
	{"stop", T_WORD, T(stop), .words = "off when-decided", .default_text = "off",
	 .only = ARRIVALS,
	 .doc = "when-decided: a run of one shard that compares two versions ends at a quarter, "
		"half or three quarters of its calls once every gate is decided; see "
		"[MEASURING.md](MEASURING.md)"},
	{"shards", T_COUNT, T(shards), .min = 1, .max = 16, .default_text = "1",
	 .doc = "loaders that carry the run together, each its part of rate and spread; fewer "
		"where "
		"there is too little to share"},
};
static const struct section section_workload = {"tests.NAME.workload",
						"How calls are made.",
						workload_rows,
						ARRAY_LEN(workload_rows),
						"executor",
						"executor"};
static const struct setting test_rows[] = {
	{"workload", T_SECTION, .rows = &section_workload, .doc = "how calls are made"},
	{"warmup", T_DURATION, T(warmup_ms), .max = 3600000, .default_text = "20s",
	 .doc = "calls due before this are not counted"},
	{"baseline", T_WORD, T(baseline), .words = "previous-version",
	 .default_text = "previous-version", .doc = "what the new version is compared with"},
	{"cold", T_WORD, T(cold), .words = "observe force", .default_text = "observe",
	 .doc = "force: old and new are versions that nobody has called yet, so that the first "
		"burst is as many cold starts of each as the spread says; the watcher keeps a copy "
		"of the newest code for that (publish_versions: keep 4 or more; "
		"lambda:UpdateFunctionConfiguration). observe: the cold starts that happen"},
	{"when", T_WHEN, T(when),
	 .default_text = "[code, runtime, memory, timeout, environment, layers, architecture, "
			 "alias, snapstart]",
	 .doc = "the causes that are worth this test"},
	{"every", T_DURATION, T(every_ms), .min = 60000, .max = 3650 * DAY_MS,
	 .doc = "at most this often: a change within this time of the last run is skipped"},
};
#undef T
const struct section section_test = {
	"tests.NAME",
	"What to do with a changed function. Unless the file names one, there is a test "
	"compare, of the defaults.",
	test_rows,
	ARRAY_LEN(test_rows),
	NULL,
	NULL};

static const struct setting gate_rows[] = {
	{"tolerance", T_TEXT, 0, .is_required = true,
	 .doc = "a ratio such as 10%; for error_ratio and throttle_ratio points such as 0.5pp"},
};
const struct section section_gate = {"metrics.gate.METRIC",
				     "At most three metrics make a run's verdict.",
				     gate_rows,
				     ARRAY_LEN(gate_rows),
				     NULL,
				     NULL};

#define L(field) .offset = AT(config_limits, field)
static const struct setting limits_rows[] = {
	{"cost_per_run", T_MONEY, L(cost_per_run_micro_usd), .min = 1, .max = 1e12,
	 .default_text = "0.50 USD",
	 .doc = "a plan that would cost more is cut, and refused where too little would be left"},
	{"cost_per_day", T_MONEY, L(cost_per_day_micro_usd), .min = 1, .max = 1e12,
	 .default_text = "20 USD", .doc = "as is one that would pass this, of a day in UTC"},
	{"rate", T_RATE, L(rate_per_s), .min = 0.01, .max = 1e6, .default_text = "500/s",
	 .doc = "the highest rate of calls of one run; on the bus of all runs together"},
	{"concurrency", T_COUNT, L(concurrency), .min = 1, .max = 100000, .default_text = "100",
	 .doc = "calls in flight of one run, the spread is made smaller to fit; on the bus of all "
		"runs together, so that it bounds how many go side by side"},
	{"abort_error_ratio", T_RATIO, L(abort_error_ratio), .min = 0.0001, .max = 1,
	 .default_text = "50%", .doc = "a run with more failing calls is ended"},
	{"keep_free", T_RATIO, L(keep_free_ratio), .max = 0.99, .default_text = "20%",
	 .doc = "of the account's unreserved concurrency, never used by tests"},
};
#undef L
const struct section section_limits = {
	"limits", "What a test may cost.", limits_rows, ARRAY_LEN(limits_rows), NULL, NULL};

#define C(field) .offset = AT(config_price, field)
static const struct setting gb_s_rows[] = {
	{"x86_64", T_PRICE, C(per_gb_s_x86_usd), .max = 1, .default_text = "0.0000166667",
	 .doc = "per GB-second on x86"},
	{"arm64", T_PRICE, C(per_gb_s_arm_usd), .max = 1, .default_text = "0.0000133334",
	 .doc = "per GB-second on arm"},
};
static const struct section section_gb_s = {"prices.per_gb_s",
					    "Per GB-second, by architecture.",
					    gb_s_rows,
					    ARRAY_LEN(gb_s_rows),
					    NULL,
					    NULL};
static const struct setting prices_rows[] = {
	{"per_request", T_PRICE, C(per_request_usd), .max = 1, .default_text = "0.0000002",
	 .doc = "per call"},
	{"per_gb_s", T_SECTION, .rows = &section_gb_s, .doc = "per GB-second"},
};
#undef C
const struct section section_prices = {
	"prices",    "In USD; of AWS's first tier in 2026 where not given.",
	prices_rows, ARRAY_LEN(prices_rows),
	NULL,	     NULL};

#define B(field) .offset = AT(config_bus, field)
static const struct setting bus_rows[] = {
	{"redis", T_SOCKET, B(redis), .default_text = "/run/plimsoll/redis/redis.sock",
	 .doc = "where Redis listens; loaders need it not"},
	{"secret", T_SECRET, B(secret),
	 .doc = "the password of this process' user in Redis (pl-planner and so on); loaders need "
		"none"},
	{"work", T_ENDPOINTS, B(work), AT(config_bus, work_count),
	 .default_text = "[ipc:///run/plimsoll/planner/work.sock]",
	 .doc = "where the planner hands out work: it listens on all of them, a loader connects to "
		"the first"},
	{"results", T_ENDPOINTS, B(results), AT(config_bus, result_count),
	 .default_text = "[ipc:///run/plimsoll/collector/results.sock]",
	 .doc = "where the collector takes results, likewise"},
	{"key", T_SECRET_KEY, B(key),
	 .doc = "the secret key of this process: of the planner and the collector, or of one "
		"loader; a secret"},
	{"server_key", T_KEY, B(server_key),
	 .doc = "the public key of the planner and the collector, by which a loader knows them"},
	{"loaders", T_PATH, B(loaders),
	 .doc = "who may connect: a file of lines NAME PUBLIC-KEY, for the planner and the "
		"collector; who is not in it is refused"},
	{"lease", T_DURATION, B(lease_ms), .min = 1000, .max = 60000, .default_text = "30s",
	 .doc = "a loader that is not heard of for so long loses its run, and stops it before"},
};
#undef B
const struct section section_bus = {
	"bus",
	"How the services are connected (--bus); not needed in a pipe. Each process has settings "
	"of its own: its password, its key.",
	bus_rows,
	ARRAY_LEN(bus_rows),
	NULL,
	NULL};

#define S(field) .offset = AT(config_source, field)
static const struct setting sonarqube_rows[] = {
	{"url", T_URL, S(url), .is_required = true, .doc = "the server"},
	{"token", T_SECRET, S(token), .doc = "a secret"},
	{"timeout", T_DURATION, S(timeout_ms), .min = 100, .max = 600000, .default_text = "10s",
	 .doc = "how long to wait for it"},
	{"export", T_NAMES, S(exports), AT(config_source, export_count),
	 .doc = "the measurements to show in Prometheus, at most 10"},
};
static const struct setting cloudwatch_rows[] = {
	{"timeout", T_DURATION, S(timeout_ms), .min = 1000, .max = DAY_MS, .default_text = "5m",
	 .doc = "how long figures are asked for again until two reads agree"},
};
static const struct setting source_exec_rows[] = {
	{"exec", T_PROGRAM, S(exec), .is_required = true,
	 .doc = "run.planned on its stdin, one measurement a line on its stdout"},
	{"timeout", T_DURATION, S(timeout_ms), .min = 100, .max = 600000, .default_text = "10s",
	 .doc = "after which it is killed"},
	{"export", T_NAMES, S(exports), AT(config_source, export_count),
	 .doc = "the measurements to show in Prometheus, at most 10"},
	{"secrets", T_SECRETS, S(secrets), AT(config_source, secret_count),
	 .doc = "secrets that it gets as files; the variable NAME holds the path"},
};
#undef S
static const struct section source_cloudwatch = {"sources.cloudwatch",
						 "Amazon CloudWatch.",
						 cloudwatch_rows,
						 ARRAY_LEN(cloudwatch_rows),
						 NULL,
						 NULL};
static const struct section source_sonarqube = {
	"sources.sonarqube", "SonarQube.", sonarqube_rows, ARRAY_LEN(sonarqube_rows), NULL, NULL};
static const struct section source_exec = {
	"sources.NAME (exec)",	     "Any program.", source_exec_rows,
	ARRAY_LEN(source_exec_rows), NULL,	     NULL};
const struct section *const source_sections[] = {&source_cloudwatch, &source_sonarqube,
						 &source_exec, NULL};

#define K(field) .offset = AT(config_sink, field)
#define TIMEOUT                                                                                    \
	{                                                                                          \
		"timeout", T_DURATION, K(timeout_ms), .min = 100, .max = 600000,                   \
						      .default_text = "10s",                       \
						      .doc = "how long to wait for it"             \
	}
static const struct setting pushgateway_rows[] = {
	{"url", T_URL, K(url), .is_required = true, .doc = "its address"},
	{"mode", T_WORD, K(mode), .words = "groups batch", .default_text = "groups",
	 .doc = "groups: a group a function. batch: many functions in one, for a gateway that "
		"checks all series at each push and holds thousands of functions"},
	{"token", T_SECRET, K(token), .doc = "a secret: for Bearer, or user:password for Basic"},
	TIMEOUT,
};
static const struct setting archive_rows[] = {
	{"path", T_PATH, K(path), .is_required = true, .doc = "the SQLite file"},
};
static const struct setting file_rows[] = {
	{"path", T_PATH, K(path), .is_required = true, .doc = "a file that events are added to"},
};
static const struct setting sink_exec_rows[] = {
	{"exec", T_PROGRAM, K(exec), .is_required = true, .doc = "run.finished on its stdin"},
	TIMEOUT,
};
static const struct setting grafana_rows[] = {
	{"url", T_URL, K(url), .is_required = true, .doc = "the server"},
	{"token", T_SECRET, K(token), .doc = "a secret"},
	TIMEOUT,
};
static const struct setting commit_status_rows[] = {
	{"provider", T_WORD, K(provider), .words = "github gitlab", .is_required = true,
	 .doc = "whose API"},
	{"repo", T_REPO, K(repo), .is_required = true, .doc = "the repository"},
	{"token", T_SECRET, K(token), .is_required = true, .doc = "a secret"},
	{"url", T_URL, K(url), .doc = "of a server of one's own"},
	{"cannot_tell", T_WORD, K(cannot_tell), .words = "success failure pending",
	 .default_text = "failure",
	 .doc = "what the commit is told when the verdict is cannot-tell"},
	TIMEOUT,
};
#undef K
static const struct section sink_terminal = {
	"sinks.terminal", "A person's summary.", NULL, 0, NULL, NULL};
static const struct section sink_pushgateway = {"sinks.pushgateway",
						"Prometheus Pushgateway.",
						pushgateway_rows,
						ARRAY_LEN(pushgateway_rows),
						NULL,
						NULL};
static const struct section sink_archive = {
	"sinks.archive", "The archive of runs.", archive_rows, ARRAY_LEN(archive_rows), NULL, NULL};
static const struct section sink_file = {
	"sinks.file", "A file of events.", file_rows, ARRAY_LEN(file_rows), NULL, NULL};
static const struct section sink_grafana = {"sinks.grafana",
					    "Annotations in Grafana.",
					    grafana_rows,
					    ARRAY_LEN(grafana_rows),
					    NULL,
					    NULL};
static const struct section sink_commit_status = {"sinks.commit_status",
						  "The status of a commit.",
						  commit_status_rows,
						  ARRAY_LEN(commit_status_rows),
						  NULL,
						  NULL};
static const struct section sink_exec = {"sinks.NAME (exec)",	    "Any program.", sink_exec_rows,
					 ARRAY_LEN(sink_exec_rows), NULL,	    NULL};
const struct section *const sink_sections[] = {
	&sink_terminal, &sink_pushgateway,   &sink_archive, &sink_file,
	&sink_grafana,	&sink_commit_status, &sink_exec,    NULL};

static const struct section *const accounts_of[] = {&section_account, NULL};
static const struct section *const functions_of[] = {&section_function, &section_payload, NULL};
static const struct section *const tests_of[] = {&section_test, NULL};
static const struct section *const metrics_of[] = {&section_gate, NULL};
static const struct section *const limits_of[] = {&section_limits, NULL};
static const struct section *const prices_of[] = {&section_prices, NULL};
static const struct section *const bus_of[] = {&section_bus, NULL};
const struct top_key top_keys[] = {
	{"version", TOP_VERSION, NULL, "of this format: 1"},
	{"accounts", TOP_NAMED, accounts_of, "where functions live, by name; at least one"},
	{"functions", TOP_PATTERNS, functions_of, "what is watched and tested, by account/pattern"},
	{"tests", TOP_NAMED, tests_of, "what is done with a changed function, by name"},
	{"metrics", TOP_METRICS, metrics_of,
	 "gate: the metrics that make the verdict, with a tolerance each; report: those that are "
	 "shown"},
	{"objectives", TOP_OBJECTIVES, NULL,
	 "by account/pattern, a list of at most five such as `response_p95 < 300ms`; the most "
	 "specific pattern counts. TOOL/NAME instead of a metric is a figure of a source or of the "
	 "cloud, held against a number in its own unit: `sonar/coverage >= 80`, where `sonar` is "
	 "one of sources:, or `cloudwatch/errors < 1` (invocations, errors, throttles, "
	 "duration_p50_ms; with --wait-cloud). While it has not come it is unknown, which is never "
	 "met"},
	{"limits", TOP_SECTION, limits_of, "what a test may cost"},
	{"sources", TOP_NAMED, source_sections, "who else is asked about a run"},
	{"sinks", TOP_NAMED, sink_sections, "where results go"},
	{"prices", TOP_SECTION, prices_of, "what calls cost"},
	{"files", TOP_FOLDER, NULL,
	 "the folder of data files (rows, traces), which settings name relative to it; else the "
	 "folder of this file"},
	{"bus", TOP_SECTION, bus_of, "how the services are connected"},
};
const size_t top_key_count = ARRAY_LEN(top_keys);
