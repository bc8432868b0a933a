/* write_shard.c - a plan as the data of shard.planned: what a loader needs, and no more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/planner/draft.h"
#include "common/http/http.h"
#include "common/template/template.h"

#define BLOCK_MS 2500
#define BODY_MAX_BYTES (1024 * 1024)

static char *lambda_url(const struct draft *d, const struct version *v)
{
	struct buf url = BUF_INIT(4096);
	const char *name = draft_cloud_name(d);

	buf_addf(&url, "%s/2015-03-31/functions/", d->in->endpoint ? d->in->endpoint : "");
	http_encode(name, strlen(name), "", &url);
	buf_adds(&url, "/invocations");
	if (v->qualifier) {
		buf_adds(&url, "?Qualifier=");
		http_encode(v->qualifier, strlen(v->qualifier), "", &url);
	}
	return buf_steal(&url);
}

static struct json *expect_of(const struct draft *d)
{
	const struct config_function *rule = d->rule;
	struct json *o = rule->expect ? json_copy(rule->expect) : json_obj();

	if (d->account->provider == PROVIDER_AWS && !json_get(o, "status"))
		json_put_int(o, "status", 200);
	return o;
}

static struct json *shard_target(const struct draft *d, const char *name, const struct version *v)
{
	bool is_aws = d->account->provider == PROVIDER_AWS;
	char *url = is_aws ? lambda_url(d, v) : x_strdup(d->rule->url);
	struct json *o = json_obj();

	json_put_str(o, "variant", name);
	json_put_str(o, "method", is_aws ? "lambda-invoke" : "http");
	json_put_str(o, "url", url);
	if (!is_aws && template_is_one(url))
		json_put_bool(o, "template", true);
	if (is_aws) {
		json_put_str(o, "qualifier", v->qualifier);
		json_put_str(o, "region", d->account->region);
		json_put_str(o, "function", draft_cloud_name(d));
	}
	json_put_str(o, "http_version", d->rule->http_version);
	json_put(o, "headers", json_obj());
	json_put(o, "expect", expect_of(d));
	json_put_str(o, "instance", d->rule->instance);
	json_put_str(o, "cold", d->rule->cold);
	json_put_str(o, "ca", d->account->ca_file);
	free(url);
	return o;
}

uint64_t write_seed(const struct draft *d)
{
	uint8_t sum[SHA256_BYTES];
	uint64_t seed = 0;

	digest_sha256(d->run_id, strlen(d->run_id), sum);
	for (size_t i = 0; i < 8; i++)
		seed = seed << 8 | sum[i];
	return seed;
}

/* A u64 does not survive JSON numbers. */
static void put_seed(const struct draft *d, struct json *into)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)write_seed(d));
	json_put_str(into, "seed", text);
}

static void put_stages(const struct shape *s, struct json *into)
{
	bool is_open = shape_is_open(s);
	const struct ramp *r = &s->ramp;
	struct json *list = json_arr();

	write_number(into, is_open ? "start_rate_per_s" : "start_vus", r->start);
	for (size_t i = 0; i < r->count; i++) {
		struct json *o = json_obj();

		write_number(o, is_open ? "rate_per_s" : "vus", r->stages[i].target);
		json_put_int(o, "duration_ms", r->stages[i].duration_ms);
		json_push(list, o);
	}
	json_put(into, "stages", list);
}

static void put_replay(const struct draft *d, struct json *into)
{
	const struct config_replay *r = &d->test->replay;
	struct json *o = json_obj();

	json_put_str(o, "file", r->file);
	json_put_str(o, "sha256", d->trace_sha256_hex);
	write_number(o, "speed", r->speed);
	write_number(o, "rate", r->rate);
	json_put(into, "replay", o);
}

static struct json *workload_of(const struct draft *d, const struct slice *part)
{
	const struct config_test *t = &part->test;
	struct json *o = json_obj();

	json_put_str(o, "executor", t->executor);
	if (part->shape.ramp.count)
		put_stages(&part->shape, o);
	else if (t->rate_per_s > 0)
		write_number(o, "rate_per_s", t->rate_per_s);
	else if (t->vus)
		json_put_int(o, "vus", t->vus);
	if (part->shape.trace)
		put_replay(d, o);
	if (t->iterations)
		json_put_int(o, "iterations", (int64_t)t->iterations);
	json_put_str(o, "arrival", t->arrival);
	json_put_int(o, "spread", part->shape.spread);
	json_put_int(o, "warmup_ms", t->warmup_ms);
	json_put_int(o, "duration_ms", shape_duration_ms(&part->shape));
	json_put_int(o, "block_ms", BLOCK_MS);
	put_seed(d, o);
	return o;
}

/* What is sent: the command line's, else the rule's, else {} to a Lambda and nothing to a URL. */
static size_t payloads(const struct draft *d, const struct config_payload **out,
		       struct config_payload *own)
{
	const struct plan_options *o = d->in->options;
	bool is_aws = d->account->provider == PROVIDER_AWS;

	*out = own;
	if (o->payload) {
		*own = (struct config_payload){
			.bytes = (char *)o->payload, .len_bytes = o->payload_bytes, .weight = 1};
		return 1;
	}
	if (d->rule->payload_count) {
		*out = d->rule->payloads;
		return d->rule->payload_count;
	}
	*own = (struct config_payload){
		.bytes = (char *)(is_aws ? "{}" : ""), .len_bytes = is_aws ? 2 : 0, .weight = 1};
	own->rows = d->rule->rows;
	return is_aws || d->rule->rows.file;
}

size_t write_payload_bytes(const struct draft *d)
{
	const struct config_payload *list;
	struct config_payload own;
	size_t count = payloads(d, &list, &own), sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += list[i].len_bytes;
	return sum;
}

static struct json *rows_of(const struct config_rows *rows)
{
	struct json *o = json_obj();

	json_put_str(o, "file", rows->file);
	json_put_str(o, "sha256", rows->sha256_hex);
	json_put_str(o, "format", rows->is_ndjson ? "ndjson" : "csv");
	json_put_str(o, "order", rows->order);
	return o;
}

static struct json *payloads_of(const struct draft *d)
{
	const struct config_payload *list;
	struct config_payload own;
	size_t count = payloads(d, &list, &own);
	struct json *a = json_arr();

	for (size_t i = 0; i < count; i++) {
		struct buf text = BUF_INIT(128 * 1024);
		struct json *o = json_obj();

		digest_base64(list[i].bytes, list[i].len_bytes, &text);
		write_number(o, "weight", list[i].weight);
		json_put_str(o, "base64", buf_str(&text));
		json_put_str(o, "template", list[i].filling);
		if (list[i].rows.file)
			json_put(o, "rows", rows_of(&list[i].rows));
		json_push(a, o);
		buf_release(&text);
	}
	return a;
}

static struct json *limits_of(const struct draft *d, const struct slice *part)
{
	struct json *o = json_obj();
	uint64_t slack = shape_is_open(&part->shape) ? shape_round_calls(&part->shape) : 0;
	struct estimate own;

	estimate_make(&part->shape, &d->estimate.call, &(struct price){0}, &own);
	json_put_int(o, "in_flight", part->shape.in_flight);
	json_put_int(o, "requests", (int64_t)(own.requests + slack));
	json_put_int(o, "timeout_ms", d->shape.timeout_ms);
	json_put_int(o, "body_bytes", BODY_MAX_BYTES);
	json_put_real(o, "abort_error_ratio", d->in->config->limits.abort_error_ratio);
	return o;
}

/* The loader looks by the same figures as the collector: they are copied from the run. */
static struct json *plan_of(const struct json *run)
{
	static const char *const keys[] = {"stop",	   "run",     "compare", "metrics",
					   "environments", "lottery", "price",	 "target"};
	struct json *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		write_copy(o, run, keys[i]);
	return o;
}

struct json *write_shard(const struct draft *d, uint32_t index)
{
	struct json *o = json_obj(), *where = json_obj(), *targets = json_arr(),
		    *run = write_run(d);
	struct slice part;

	slice_cut(&d->shape, index, d->shards, &part);
	json_put_int(where, "index", index);
	json_put_int(where, "of", d->shards);
	if (d->has_old)
		json_push(targets, shard_target(d, "old", &d->old));
	json_push(targets, shard_target(d, "new", &d->new));
	json_put_str(o, "run", d->run_id);
	json_put(o, "shard", where);
	json_put_str(o, "account", d->account->name);
	write_copy(o, run, "deadline");
	json_put(o, "targets", targets);
	json_put(o, "workload", workload_of(d, &part));
	json_put(o, "payloads", payloads_of(d));
	json_put(o, "limits", limits_of(d, &part));
	if (json_get(run, "stop"))
		json_put(o, "plan", plan_of(run));
	json_free(run);
	return o;
}
