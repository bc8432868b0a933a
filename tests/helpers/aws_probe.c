/*
 * aws_probe.c - one call of common/aws, its answer as one line of JSON: for the integration tests.
 *
 *	aws_probe list | config F [Q] | versions F | publish F | delete F V | aliases F | account |
 *		concurrency F | metrics F MINUTES | logs GROUP | get URL | wait DIR ACCOUNT COUNT
 *
 * Options come from the environment, as the SDKs' do, and PROBE_ROLE, PROBE_EXTERNAL_ID,
 * PROBE_PROFILE, PROBE_DURATION, PROBE_CA_FILE, PROBE_RATE. Exit 0; 1 with {"fault", "text"} when
 *the call fails.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "common/aws/cloudwatch.h"
#include "common/aws/lambda.h"
#include "common/aws/logs.h"
#include "common/base/unit.h"
#include "common/json/json.h"

struct probe {
	struct aws_client *client;
	char **args;
	struct json *out;
	struct aws_error err;
};

static struct json *function_json(const struct lambda_function *f)
{
	struct json *o = json_obj();

	json_put_str(o, "name", f->name);
	json_put_str(o, "version", f->version);
	json_put_str(o, "code_sha256", f->code_sha256);
	json_put_str(o, "revision_id", f->revision_id);
	json_put_str(o, "state", f->state);
	json_put_str(o, "arch", f->arch);
	json_put_str(o, "runtime", f->runtime);
	json_put_str(o, "environment_sha256", f->environment_sha256);
	json_put_int(o, "memory_bytes", f->memory_bytes);
	json_put_int(o, "timeout_ms", f->timeout_ms);
	json_put_int(o, "modified_s", wall_s(f->modified_at));
	json_put_bool(o, "is_ready", lambda_is_ready(f));
	return o;
}

static int list_out(struct probe *p, struct lambda_list *l, int rc)
{
	struct json *items = json_arr();

	for (size_t i = 0; i < l->count; i++)
		json_push(items, function_json(&l->items[i]));
	json_put(p->out, "items", items);
	lambda_list_release(l);
	return rc;
}

static int do_list(struct probe *p)
{
	struct lambda_list l = {0};
	int rc = lambda_list_functions(p->client, &l, &p->err);

	return list_out(p, &l, rc);
}

static int do_versions(struct probe *p)
{
	struct lambda_list l = {0};
	int rc = lambda_list_versions(p->client, p->args[0], &l, &p->err);

	return list_out(p, &l, rc);
}

static int function_out(struct probe *p, struct lambda_function *f, int rc)
{
	if (rc == 0) {
		json_put(p->out, "function", function_json(f));
		lambda_function_release(f);
	}
	return rc;
}

static int do_config(struct probe *p)
{
	struct lambda_function f;
	int rc = lambda_get_configuration(p->client, p->args[0], p->args[1], &f, &p->err);

	return function_out(p, &f, rc);
}

static int do_publish(struct probe *p)
{
	struct lambda_function f;
	int rc = lambda_publish_version(p->client, p->args[0], NULL, "by the probe", &f, &p->err);

	return function_out(p, &f, rc);
}

static int do_delete(struct probe *p)
{
	return lambda_delete_version(p->client, p->args[0], p->args[1], &p->err);
}

static int do_aliases(struct probe *p)
{
	struct lambda_aliases a = {0};
	int rc = lambda_list_aliases(p->client, p->args[0], &a, &p->err);

	for (size_t i = 0; i < a.count; i++)
		json_put_str(p->out, a.items[i].name, a.items[i].version);
	lambda_aliases_release(&a);
	return rc;
}

static int do_account(struct probe *p)
{
	struct lambda_account a = {0};
	int rc = lambda_get_account(p->client, &a, &p->err);

	json_put_int(p->out, "concurrent", a.concurrent);
	json_put_int(p->out, "unreserved", a.unreserved);
	return rc;
}

static int do_concurrency(struct probe *p)
{
	int64_t reserved = 0;
	int rc = lambda_get_concurrency(p->client, p->args[0], &reserved, &p->err);

	json_put_int(p->out, "reserved", reserved);
	return rc;
}

/* 501 queries, so that a second batch has to go out; the first and the last are told. */
static int do_metrics(struct probe *p)
{
	enum { COUNT = CLOUDWATCH_BATCH_MAX + 1 };
	struct cloudwatch_query *queries = x_calloc(COUNT, sizeof(*queries));
	struct cloudwatch_result *results = x_calloc(COUNT, sizeof(*results));
	struct wall now = wall_now();
	int64_t minutes = 0;
	int rc = unit_parse_i64(p->args[1], &minutes);

	for (size_t i = 0; i < COUNT; i++)
		queries[i] = (struct cloudwatch_query){.metric = i ? "Duration" : "Invocations",
						       .stat = i ? "p50" : "Sum",
						       .period_s = 60,
						       .function = p->args[0]};
	if (rc == 0)
		rc = cloudwatch_get(p->client, queries, COUNT,
				    wall_add_ns(now, -minutes * 60 * NS_PER_S), now, results,
				    &p->err);
	json_put_real(p->out, "invocations", cloudwatch_sum(&results[0]));
	json_put_int(p->out, "status", results[0].status);
	json_put_int(p->out, "points", (int64_t)results[0].count);
	json_put_str(p->out, "message", results[0].message);
	json_put_int(p->out, "last_status", results[COUNT - 1].status);
	json_put_int(p->out, "last_points", (int64_t)results[COUNT - 1].count);
	for (size_t i = 0; i < COUNT; i++)
		cloudwatch_result_release(&results[i]);
	free(queries);
	free(results);
	return rc;
}

static int do_logs(struct probe *p)
{
	struct logs_query q = {.group = p->args[0], .to = wall_now()};
	struct logs_calls calls;
	int rc;

	logs_calls_init(&calls, false);
	rc = logs_read_reports(p->client, &q, &calls, &p->err);
	json_put(p->out, "answer", logs_calls_json(&calls));
	json_put_bool(p->out, "is_cut", calls.is_cut);
	logs_calls_release(&calls);
	return rc;
}

static int do_get(struct probe *p)
{
	struct http *h = http_new(&(struct http_options){.ca_file = getenv("PROBE_CA_FILE")});
	struct http_response r = HTTP_RESPONSE_INIT;
	struct http_request req = {
		.method = "GET", .url = p->args[0], .timeout_ms = 1500, .body_max_bytes = 1000};
	int rc = http_do(h, &req, &r);

	json_put_int(p->out, "rc", -rc);
	json_put_int(p->out, "status", r.status);
	json_put_str(p->out, "why", r.why);
	json_put_str(p->out, "body", buf_str(&r.body));
	http_response_release(&r);
	http_free(h);
	return 0;
}

static int do_wait(struct probe *p)
{
	struct limiter *l;
	int64_t count = 0;
	double rate = LIMITER_PER_S;
	int rc = unit_parse_i64(p->args[2], &count);

	if (getenv("PROBE_RATE"))
		rc = rc ? rc : unit_parse_double(getenv("PROBE_RATE"), &rate);
	if (rc == 0)
		rc = limiter_open(p->args[0], p->args[1], rate, &l);
	if (rc)
		return aws_error_set(&p->err, AWS_OTHER, "%s", strerror(-rc));
	while (rc == 0 && count-- > 0)
		rc = limiter_wait(l, NULL, NULL);
	limiter_close(l);
	return rc;
}

static const struct {
	const char *name;
	int (*run)(struct probe *p);
	int args;
	bool is_local; /* needs no client */
} verbs[] = {
	{"list", do_list, 0, false},	     {"config", do_config, 1, false},
	{"versions", do_versions, 1, false}, {"publish", do_publish, 1, false},
	{"delete", do_delete, 2, false},     {"aliases", do_aliases, 1, false},
	{"account", do_account, 0, false},   {"concurrency", do_concurrency, 1, false},
	{"metrics", do_metrics, 2, false},   {"get", do_get, 1, true},
	{"wait", do_wait, 3, true},	     {"logs", do_logs, 1, false},
};

static int open_client(struct probe *p)
{
	struct aws_options o = {.account = "probe",
				.role = getenv("PROBE_ROLE"),
				.external_id = getenv("PROBE_EXTERNAL_ID"),
				.profile = getenv("PROBE_PROFILE"),
				.ca_file = getenv("PROBE_CA_FILE"),
				.calls_per_s = 1000,
				.is_stopped = http_signal_pending};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM); /* stays pending, as in a process with a signalfd */
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;

	if (getenv("PROBE_DURATION") &&
	    unit_parse_i64(getenv("PROBE_DURATION"), &o.duration_s) != 0)
		return -EINVAL;
	return aws_client_new(&o, &p->client, &p->err);
}

static int run_verb(struct probe *p, const char *name, int count)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		int rc;

		if (strcmp(verbs[i].name, name) != 0 || count < verbs[i].args)
			continue;
		rc = verbs[i].is_local ? 0 : open_client(p);
		return rc ? rc : verbs[i].run(p);
	}
	return -ENOSYS;
}

int main(int argc, char **argv)
{
	struct probe p = {.args = argv + 2, .out = json_obj()};
	struct buf text = BUF_INIT(64u * 1024u * 1024u);
	int rc = argc > 1 ? run_verb(&p, argv[1], argc - 2) : -ENOSYS;

	if (rc) {
		json_put_str(p.out, "fault", aws_fault_name(p.err.fault));
		json_put_str(p.out, "code", p.err.code);
		json_put_str(p.out, "text", p.err.text);
		json_put_int(p.out, "rc", rc);
	}
	json_write(p.out, &text);
	puts(buf_str(&text));
	json_free(p.out);
	buf_release(&text);
	aws_client_free(p.client);
	return rc ? 1 : 0;
}
