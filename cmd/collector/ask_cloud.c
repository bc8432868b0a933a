/*
 * ask_cloud.c - one question, one answer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/collector/ask_cloud.h"
#include "common/aws/lambda.h"
#include "common/aws/logs.h"
#include "common/base/exit_code.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

#define QUESTION_MAX_BYTES (64u * 1024u)
#define PERIOD_S 60
#define VARIANTS_MAX 2

/* Of the function as a whole. */
static const struct {
	const char *metric, *stat, *member;
} function_rows[ASK_CLOUD_METRICS] = {
	{"Invocations", "Sum", "invocations"},
	{"Errors", "Sum", "errors"},
	{"Throttles", "Sum", "throttles"},
	{"Duration", "p50", "duration_p50_ms"},
};
/* Of a version alone; the order is that of function_rows' members of the same name. */
static const struct {
	const char *metric, *member;
} version_rows[] = {{"Invocations", "invocations"}, {"Throttles", "throttles"}};

/* $LATEST and aliases have callers beside us; a published version's own number has none. */
static bool is_number(const char *qualifier)
{
	return qualifier && *qualifier && strspn(qualifier, "0123456789") == strlen(qualifier);
}

size_t ask_cloud_queries(const struct json *question, struct cloudwatch_query *out,
			 struct buf resources[VARIANTS_MAX])
{
	const char *function = json_get_str(question, "function");
	const struct json *variants = json_get(question, "variants");
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(function_rows); i++)
		out[count++] = (struct cloudwatch_query){.metric = function_rows[i].metric,
							 .stat = function_rows[i].stat,
							 .period_s = PERIOD_S,
							 .function = function};
	for (size_t v = 0; v < json_len(variants) && v < VARIANTS_MAX; v++) {
		const char *qualifier = json_get_str(json_elem(variants, v), "qualifier");

		if (!is_number(qualifier))
			continue;
		buf_addf(&resources[v], "%s:%s", function, qualifier);
		for (size_t i = 0; i < ARRAY_LEN(version_rows); i++)
			out[count++] =
				(struct cloudwatch_query){.metric = version_rows[i].metric,
							  .stat = "Sum",
							  .period_s = PERIOD_S,
							  .function = function,
							  .resource = buf_str(&resources[v])};
	}
	return count;
}

/* Points of a percentile cannot be put together exactly; the middle one stands for the run. */
static double middle_of(const struct cloudwatch_result *r)
{
	return r->points[r->count / 2].value;
}

static void put_function(struct json *o, const struct cloudwatch_result *results)
{
	bool is_seen = results[0].count > 0;

	for (size_t i = 0; i < ARRAY_LEN(function_rows); i++) {
		const struct cloudwatch_result *r = &results[i];
		bool is_sum = strcmp(function_rows[i].stat, "Sum") == 0;

		if (r->status != CW_COMPLETE)
			continue;
		/* A zero is not published: no point of Errors means 0 where Invocations has one. */
		if (is_sum && is_seen)
			json_put_int(o, function_rows[i].member, (int64_t)cloudwatch_sum(r));
		else if (!is_sum && r->count > 0)
			json_put_real(o, function_rows[i].member, middle_of(r));
	}
}

static void put_version(struct json *versions, const char *name,
			const struct cloudwatch_result *results)
{
	struct json *o;

	if (results[0].count == 0 && results[1].count == 0)
		return; /* this provider does not count by version */
	o = json_obj();
	for (size_t i = 0; i < ARRAY_LEN(version_rows); i++)
		json_put_int(o, version_rows[i].member, (int64_t)cloudwatch_sum(&results[i]));
	json_put(versions, name, o);
}

struct json *ask_cloud_figures(const struct json *question, const struct cloudwatch_result *results,
			       size_t count)
{
	const struct json *variants = json_get(question, "variants");
	struct json *o = json_obj(), *versions = json_obj();
	size_t at = ARRAY_LEN(function_rows);

	json_put_str(o, "source", "cloudwatch");
	put_function(o, results);
	for (size_t v = 0; v < json_len(variants) && v < VARIANTS_MAX; v++) {
		const struct json *variant = json_elem(variants, v);

		if (!is_number(json_get_str(variant, "qualifier")) ||
		    at + ARRAY_LEN(version_rows) > count)
			continue;
		put_version(versions, json_get_str(variant, "name"), &results[at]);
		at += ARRAY_LEN(version_rows);
	}
	json_put(o, "versions", versions);
	return o;
}

static bool read_times(const struct json *question, struct wall *from, struct wall *to)
{
	const char *from_text = json_get_str(question, "from"),
		   *to_text = json_get_str(question, "to");

	return from_text && to_text && wall_parse_rfc3339(from_text, from) == 0 &&
	       wall_parse_rfc3339(to_text, to) == 0;
}

static int ask_figures(struct aws_client *client, const struct json *question, struct json **out,
		       struct aws_error *err)
{
	struct buf resources[VARIANTS_MAX] = {BUF_INIT(256), BUF_INIT(256)};
	struct cloudwatch_query queries[ASK_CLOUD_QUERIES_MAX];
	struct cloudwatch_result results[ASK_CLOUD_QUERIES_MAX] = {{0}};
	size_t count = ask_cloud_queries(question, queries, resources);
	struct wall from, to;
	int rc = -EINVAL;

	if (read_times(question, &from, &to))
		rc = cloudwatch_get(client, queries, count, from, to, results, err);
	if (rc == 0)
		*out = ask_cloud_figures(question, results, count);
	for (size_t i = 0; i < count; i++)
		cloudwatch_result_release(&results[i]);
	for (size_t v = 0; v < VARIANTS_MAX; v++)
		buf_release(&resources[v]);
	return rc;
}

static int ask_revision(struct aws_client *client, const struct json *question, struct json **out,
			struct aws_error *err)
{
	struct lambda_function f = {0};
	int rc = lambda_get_configuration(client, json_get_str(question, "function"),
					  json_get_str(question, "qualifier"), &f, err);

	if (rc != 0)
		return rc;
	*out = json_obj();
	json_put_str(*out, "revision", f.revision_id);
	json_put_str(*out, "code_sha256", f.code_sha256);
	lambda_function_release(&f);
	return 0;
}

/* Where the function logs and how, it says itself. */
static int ask_environments(struct aws_client *client, const struct json *question,
			    struct json **out, struct aws_error *err)
{
	const char *name = json_get_str(question, "function");
	struct logs_query q = {0};
	struct lambda_function f = {0};
	struct logs_calls calls;
	char *group;
	int rc;

	if (!read_times(question, &q.from, &q.to))
		return -EINVAL;
	rc = lambda_get_configuration(client, name, NULL, &f, err);
	if (rc != 0)
		return rc;
	group = f.log_group ? x_strdup(f.log_group) : x_asprintf("/aws/lambda/%s", name);
	q.group = group;
	q.is_json = strcmp(f.log_format, "JSON") == 0;
	logs_calls_init(&calls, q.is_json);
	rc = logs_read_reports(client, &q, &calls, err);
	if (rc == 0 && calls.is_cut)
		log_warn("%s: there is more in its logs than is read", name);
	if (rc == 0)
		*out = logs_calls_json(&calls);
	logs_calls_release(&calls);
	lambda_function_release(&f);
	free(group);
	return rc;
}

/* The cloud's name of a function may be another than ours (cloud_name in its rule). */
static void use_cloud_name(const struct config *cfg, struct json *question)
{
	const char *account = json_get_str(question, "account");
	const char *function = json_get_str(question, "function");
	const struct config_function *rule = config_rule(cfg, account, function);

	if (rule && rule->cloud_name)
		json_put_str(question, "function", rule->cloud_name);
}

static const struct {
	const char *want;
	int (*ask)(struct aws_client *client, const struct json *question, struct json **out,
		   struct aws_error *err);
} wants[] = {
	{"figures", ask_figures},
	{"revision", ask_revision},
	{"environments", ask_environments},
};

static int ask_what_is_wanted(struct aws_client *client, const struct json *question,
			      struct json **out, struct aws_error *err)
{
	const char *want = json_get_str(question, "want");

	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		if (strcmp(want, wants[i].want) == 0)
			return wants[i].ask(client, question, out, err);
	}
	return aws_error_set(err, AWS_BAD_REQUEST, "the cloud is not asked for %s", want);
}

static int ask(const struct config *cfg, struct json *question, struct json **out)
{
	const char *want = json_get_str(question, "want"),
		   *name = json_get_str(question, "account");
	const struct config_account *account = name ? config_account(cfg, name) : NULL;
	struct aws_client *client = NULL;
	struct aws_error err = {0};
	struct aws_options o;
	int rc;

	if (!account || !want || !json_get_str(question, "function"))
		return EXIT_USAGE;
	use_cloud_name(cfg, question);
	aws_options_from_account(account, &o);
	o.limiter_dir = json_get_str(question, "state");
	rc = aws_client_new(&o, &client, &err);
	if (rc == 0)
		rc = ask_what_is_wanted(client, question, out, &err);
	aws_client_free(client);
	if (rc == 0)
		return EXIT_FINE;
	log_warn("%s", err.text);
	return EXIT_AGAIN;
}

int ask_cloud_main(void)
{
	struct buf in = BUF_INIT(QUESTION_MAX_BYTES), out = BUF_INIT(ASK_CLOUD_ANSWER_MAX_BYTES);
	struct json *question = NULL, *answer = NULL;
	struct config_errors errs = {0};
	struct config *cfg = NULL;
	int code = EXIT_USAGE;
	const char *path;

	log_init("plimsoll-collector");
	if (fs_read_fd(0, &in) != 0 ||
	    json_parse(buf_str(&in), in.len_bytes, QUESTION_MAX_BYTES, &question, NULL) != 0)
		goto out;
	path = json_get_str(question, "config");
	if (!path || config_load(path, &cfg, &errs) != 0)
		goto out;
	code = ask(cfg, question, &answer);
	if (code != EXIT_FINE)
		goto out;
	json_write(answer, &out);
	buf_addc(&out, '\n');
	if (buf_is_over(&out))
		log_warn("the answer is larger than %u bytes", ASK_CLOUD_ANSWER_MAX_BYTES);
	if (buf_is_over(&out) || fs_write_all(1, buf_str(&out), out.len_bytes) != 0)
		code = EXIT_AGAIN;
out:
	config_free(cfg);
	config_errors_release(&errs);
	json_free(question);
	json_free(answer);
	buf_release(&in);
	buf_release(&out);
	return code;
}
