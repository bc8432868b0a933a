/*
 * config.h - the settings of plimsoll.yaml and conf.d/, checked and typed (rank 2).
 *
 * libyaml's only door. Every mistake is found in one go, each with file, line, column, what was
 * expected and the nearest known name. A configuration with a mistake is never returned.
 *
 *	struct config_errors errs = {0};
 *	struct config *c;
 *	if (config_load("plimsoll.yaml", &c, &errs) != 0)
 *		config_errors_print(&errs, stderr);	// "file:line:col: ..., expected ..."
 *	const struct config_function *f = config_rule(c, "prod", "checkout");
 *	config_free(c);
 *
 * Strings are owned by the configuration. Secrets are held as references (file:, credential:,
 * ${NAME}) and read only by config_secret(), at the place that needs them.
 */
#ifndef PLIMSOLL_CONFIG_CONFIG_H
#define PLIMSOLL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/buf.h"

enum config_provider { PROVIDER_AWS, PROVIDER_HTTP };

/* Bits of when: and of causes in events. X(symbol, name) */
#define CAUSES(X)                                                                                  \
	X(CAUSE_ADDED, "added")                                                                    \
	X(CAUSE_CODE, "code")                                                                      \
	X(CAUSE_RUNTIME, "runtime")                                                                \
	X(CAUSE_MEMORY, "memory")                                                                  \
	X(CAUSE_TIMEOUT, "timeout")                                                                \
	X(CAUSE_ENVIRONMENT, "environment")                                                        \
	X(CAUSE_LAYERS, "layers")                                                                  \
	X(CAUSE_ARCHITECTURE, "architecture")                                                      \
	X(CAUSE_ALIAS, "alias")                                                                    \
	X(CAUSE_SNAPSTART, "snapstart")
enum cause {
#define X(symbol, name) symbol,
	CAUSES(X)
#undef X
		CAUSE_COUNT
};
const char *cause_name(enum cause c);
MUST_CHECK int cause_parse(const char *name, enum cause *out);

struct json;

struct config_place { /* where a setting stands, for messages of later checks */
	const char *file;
	int line, column; /* from 1 */
};

struct config_account {
	char *name;
	enum config_provider provider;
	char *region, *role, *profile, *endpoint, *ca_file;
	char *cert_file, *key_file; /* of ours, for http targets that ask for one */
	char *external_id;	    /* a secret reference; see config_secret */
	uint32_t publish_keep;	    /* 0 = never publish; N = "keep N" */
	int64_t poll_ms, quiet_ms, not_found_after_ms;
	char **allow; /* http: hosts (host or host:port) that may be called */
	size_t allow_count;
	bool environments_from_logs;
	bool test_first_seen; /* first sight of a function is tested too; default false */
	struct config_place place;
};

struct config_rows { /* a file of values for placeholders {{row.COLUMN}} */
	char *file;  /* beneath config.data_folder; NULL = none */
	char sha256_hex[65];
	bool is_ndjson;
	char *order;   /* "in-order", "random"; NULL = in order */
	char *columns; /* what {{row...}} may name, a line each; NULL = not known */
};

struct config_payload {
	char *bytes; /* read from file at load time, or inline text */
	size_t len_bytes;
	double weight;
	char *filling; /* "json", "text": it holds placeholders; NULL = none */
	struct config_rows rows;
};

struct config_function {
	char *account, *pattern; /* pattern may hold * and ? */
	struct config_payload *payloads;
	size_t payload_count;	 /* 0 = none given */
	struct config_rows rows; /* of payloads that name none, and of the url */
	struct json *expect;	 /* checks on answers, as in shard.planned; NULL = none given */
	char *instance, *cold;	 /* JSON pointer or header:NAME */
	char **tests;		 /* names; test_count 0 with has_tests = noticed, never called */
	size_t test_count;
	bool has_tests;
	char *http_version; /* "1.1", "2", "auto"; NULL = none given */
	char *alias, *url, *watch, *sonarqube, *owner, *cloud_name;
	struct config_place place;
};

#define CONFIG_STAGES_MAX 100
struct config_stage {
	double target; /* calls a second, or users */
	bool is_rate;  /* as it was written */
	int64_t duration_ms;
};

struct config_replay {
	char *file;	    /* beneath config.data_folder; NULL = none */
	double speed, rate; /* so many times as fast, so many times as many calls */
};

struct config_test {
	char *name;
	char *executor;		 /* k6's names */
	char *shape;		 /* NULL = none */
	char *arrival;		 /* "burst", "uniform", "poisson" */
	double rate_per_s;	 /* of stages: the highest; 0 where the rate is not known here */
	double start_rate_per_s; /* ramping-arrival-rate */
	uint32_t vus;		 /* of stages: the most */
	uint32_t start_vus;	 /* ramping-vus */
	struct config_stage stages[CONFIG_STAGES_MAX];
	size_t stage_count;
	struct config_replay replay;
	uint64_t iterations; /* of all users together; per-vu-iterations: of each */
	int64_t duration_ms; /* of a replay: 0 = all of the trace */
	int64_t warmup_ms;
	uint32_t spread;  /* 0 = off */
	uint32_t shards;  /* loaders that carry one run together; 1 */
	char *stop;	  /* "off", "when-decided" */
	char *baseline;	  /* "previous-version" */
	char *cold;	  /* "observe", "force" */
	uint32_t when;	  /* bits of enum cause */
	int64_t every_ms; /* 0 = never by the clock */
	struct config_place place;
};

struct config_metric {
	char *name;
	bool is_gate;
	bool is_points;	  /* tolerance in points, else ratio */
	double tolerance; /* 0.1 = 10 %; 0.005 = 0.5pp */
};

struct config_objective {
	char *account, *pattern;
	char *text;	  /* "response_p95 < 300ms" */
	char *metric;	  /* "response_p95"; "sonar/coverage": a figure of a source or the cloud */
	char op[3];	  /* "<" "<=" ">" ">=" */
	double limit;	  /* in unit */
	const char *unit; /* "us", "1", "KiB", "usd"; NULL of a figure: as its tool tells it */
	struct config_place place;
};
/* So that the name of the objective in Prometheus, made from its text, is never too long. */
#define CONFIG_FIGURE_MAX_BYTES 48
#define CONFIG_OBJECTIVE_MAX_BYTES 100
/* As data.cloud of run.finished names them. */
#define CONFIG_CLOUD_FIGURES "invocations errors throttles duration_p50_ms"

struct config_limits {
	int64_t cost_per_run_micro_usd, cost_per_day_micro_usd;
	double rate_per_s;
	uint32_t concurrency;
	double abort_error_ratio, keep_free_ratio;
};

struct config_named_secret {
	char *name, *ref;
};

struct config_source {
	char *name;
	char *kind; /* "cloudwatch", "sonarqube", "exec" */
	char *exec, *url, *token;
	int64_t timeout_ms;
	char **exports;
	size_t export_count;
	struct config_named_secret *secrets;
	size_t secret_count;
	struct config_place place;
};

struct config_sink {
	char *name;
	char *kind; /* "pushgateway", "archive", "file", "exec", "terminal", ... */
	char *url, *path, *exec, *token;
	int64_t timeout_ms;
	char *mode;			     /* of a pushgateway: groups, batch */
	char *provider, *repo, *cannot_tell; /* commit_status */
	struct config_place place;
};

struct config_price {
	double per_request_usd;
	double per_gb_s_x86_usd, per_gb_s_arm_usd;
};

struct config_bus {   /* the services; all NULL without a bus: section */
	char *redis;  /* unix socket */
	char *secret; /* reference: password of this process' Redis user */
	char **work;  /* endpoints: the planner binds all, a loader connects to the first */
	size_t work_count;
	char **results; /* likewise, of the collector */
	size_t result_count;
	char *key;	  /* reference: secret CURVE key of this process, Z85 */
	char *server_key; /* public key of planner and collector, Z85; loaders need it */
	char *loaders;	  /* file: who may connect, lines NAME PUBLIC-KEY */
	int64_t lease_ms; /* 30 s */
	bool is_set;
	struct config_place place;
};

struct config {
	struct config_bus bus;
	struct config_account *accounts;
	size_t account_count;
	struct config_function *functions;
	size_t function_count;
	struct config_test *tests; /* holds the default test "compare" unless the file names one */
	size_t test_count;
	struct config_metric *metrics; /* gates first, then report */
	size_t metric_count;
	struct config_objective *objectives;
	size_t objective_count;
	struct config_limits limits;
	struct config_source *sources;
	size_t source_count;
	struct config_sink *sinks;
	size_t sink_count;
	struct config_price price;
	char *data_folder;   /* files: of data files; never NULL */
	char sha256_hex[65]; /* of the file contents, in order of reading */
	char *path;
	char **files; /* all that were read; places borrow from here */
	size_t file_count;
};

struct config_error {
	char *file;
	int line, column;
	char *text; /* "unknown key \"functons\" (did you mean \"functions\"?), expected one of ..."
		     */
};
struct config_errors {
	struct config_error *items;
	size_t count, cap;
};

/*
 * Reads path and, beside it, conf.d/[asterisk].yaml in name order. 0, or -EINVAL with errs filled,
 * or -errno with one entry in errs when the file cannot be read.
 */
MUST_CHECK int config_load(const char *path, struct config **out, struct config_errors *errs);
/*
 * The settings that a program takes which was given none: the first that can be read of
 * ./plimsoll.yaml, $XDG_CONFIG_HOME/plimsoll/plimsoll.yaml (else ~/.config/...) and
 * /etc/plimsoll/plimsoll.yaml. NULL when none is there. The caller frees it.
 */
char *config_find(void);
/* The same from memory, for tests and for `run` without a file. name stands in messages. */
MUST_CHECK int config_parse(const char *name, const char *text, size_t len_bytes,
			    struct config **out, struct config_errors *errs);
void config_free(struct config *c);
void config_errors_print(const struct config_errors *errs, FILE *out);
void config_errors_release(struct config_errors *errs);

const struct config_account *config_account(const struct config *c, const char *name);
const struct config_test *config_test(const struct config *c, const char *name);
/* The most specific function rule that matches, or NULL. */
const struct config_function *config_rule(const struct config *c, const char *account,
					  const char *function);

/*
 * The objectives of a function: those of the most specific pattern that matches. At most max are
 * handed out (borrowed); the result is how many.
 */
#define CONFIG_OBJECTIVES_MAX 5
size_t config_objectives(const struct config *c, const char *account, const char *function,
			 const struct config_objective *out[CONFIG_OBJECTIVES_MAX]);

/*
 * Whether an http account's allow list names the URL's host. An entry without a port is for every
 * port of that host. Whether the address is private is the engine's question.
 */
bool config_is_allowed(const struct config_account *a, const char *url);

/*
 * Reads a secret: "file:/path" (trailing newline dropped), "credential:name" (from
 * $CREDENTIALS_DIRECTORY), "${NAME}" from the environment, else the text itself.
 * -errno, with what to do in why. The caller wipes and frees *out.
 */
MUST_CHECK int config_secret(const char *ref, char **out, char why[200]);

/* docs/CONFIG.md and the JSON Schema for editors, from the tables. */
void config_reference(struct buf *markdown);
void config_json_schema(struct buf *json);

#endif
