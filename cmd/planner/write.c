/* write.c - a plan as the data of run.planned and shard.planned. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/planner/draft.h"
#include "common/base/unit.h"
#include "common/http/http.h"
#include "common/template/template.h"

#define BLOCK_MS 2500
#define BODY_MAX_BYTES (1024 * 1024)
/* Behind the time that the run itself takes: others may run before it in the same loader. */
#define DEADLINE_MARGIN_MS (15 * 60 * 1000)

static const char *const decisions[] = {
	[DECIDE_TEST] = "test", [DECIDE_SKIP] = "skip", [DECIDE_REFUSE] = "refuse"};

static void put_copy(struct json *into, const struct json *from, const char *key)
{
	const struct json *v = json_get(from, key);

	if (v)
		json_put(into, key, json_copy(v));
}

/* Whole numbers stay whole: 300000, not 300000.0. */
static void put_number(struct json *into, const char *key, double v)
{
	if (v == floor(v) && fabs(v) < 9e15)
		json_put_int(into, key, (int64_t)v);
	else
		json_put_real(into, key, v);
}

/* Prices are far below a micro-dollar. */
static void put_price(struct json *into, const char *key, double usd)
{
	char text[64];
	size_t len = (size_t)snprintf(text, sizeof(text), "%.12f", usd);

	while (len > 1 && text[len - 1] == '0' && text[len - 2] != '.')
		text[--len] = '\0';
	json_put_str(into, key, text);
}

static const char *cloud_name(const struct draft *d)
{
	return d->rule && d->rule->cloud_name ? d->rule->cloud_name : d->subject.function;
}

static struct json *run_of(const struct draft *d)
{
	struct json *o = json_obj();

	json_put_str(o, "id", d->run_id);
	json_put_str(o, "purpose", d->purpose);
	if (strcmp(d->purpose, "confirm") == 0)
		json_put_str(o, "confirms", d->confirms);
	json_put_str(o, "change", json_get_str(d->change, "id"));
	return o;
}

static struct json *change_of(const struct draft *d)
{
	static const char *const keys[] = {"id",       "kind",	     "causes",
					   "revision", "first_seen", "commit"};
	struct json *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put_copy(o, d->change, keys[i]);
	return o;
}

static struct json *target_of(const struct draft *d)
{
	static const char *const keys[] = {"provider",	   "region",	  "qualifier",
					   "is_immutable", "code_sha256", "memory_bytes",
					   "timeout_ms",   "arch"};
	struct json *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put_copy(o, d->target, keys[i]);
	json_put_str(o, "function", cloud_name(d));
	if (d->in->options->new_qualifier) {
		json_put_str(o, "qualifier", d->new.qualifier);
		json_put_bool(o, "is_immutable", strcmp(d->new.qualifier, "$LATEST") != 0);
		json_del(o, "code_sha256");
		json_put_str(o, "code_sha256", d->new.code_sha256);
	}
	return o;
}

static struct json *variant_of(const char *name, const struct version *v)
{
	struct json *o = json_obj();

	json_put_str(o, "name", name);
	json_put_str(o, "qualifier", v->qualifier);
	json_put_str(o, "code_sha256", v->code_sha256);
	if (v->is_unused)
		json_put_bool(o, "is_unused", true);
	return o;
}

static struct json *variants_of(const struct draft *d)
{
	struct json *a = json_arr();

	if (d->has_old)
		json_push(a, variant_of("old", &d->old));
	json_push(a, variant_of("new", &d->new));
	return a;
}

static struct json *metrics_of(const struct config *c)
{
	struct json *a = json_arr();

	for (size_t i = 0; i < c->metric_count; i++) {
		const struct config_metric *m = &c->metrics[i];
		struct json *o = json_obj(), *tolerance;

		json_put_str(o, "name", m->name);
		json_put_bool(o, "is_gate", m->is_gate);
		if (m->is_gate) {
			tolerance = json_obj();
			json_put_real(tolerance, m->is_points ? "points" : "ratio", m->tolerance);
			json_put(o, "tolerance", tolerance);
		}
		json_put_str(o, "direction", "lower");
		json_push(a, o);
	}
	return a;
}

static struct json *objectives_of(const struct draft *d)
{
	const struct config_objective *list[CONFIG_OBJECTIVES_MAX];
	size_t count =
		config_objectives(d->in->config, d->subject.account, d->subject.function, list);
	struct json *a = json_arr();

	for (size_t i = 0; i < count; i++) {
		struct json *o = json_obj();

		json_put_str(o, "name", list[i]->text);
		json_put_str(o, "metric", list[i]->metric);
		json_put_str(o, "op", list[i]->op);
		put_number(o, "limit", list[i]->limit);
		json_put_str(o, "unit", list[i]->unit);
		json_push(a, o);
	}
	return a;
}

static struct json *estimate_of(const struct draft *d)
{
	const struct estimate *e = &d->estimate;
	char usd[UNIT_TEXT_SIZE];
	struct json *o = json_obj();

	unit_format_usd(e->cost_micro_usd, usd);
	json_put_int(o, "requests", (int64_t)e->requests);
	json_put_str(o, "cost_usd", usd);
	json_put_int(o, "peak_concurrency", e->peak_concurrency);
	if (e->has_detectable)
		json_put_real(o, "detectable_ratio", round(e->detectable_ratio * 1000) / 1000);
	json_put_int(o, "duration_ms", e->duration_ms);
	json_put_str(o, "duration_basis", e->call.basis);
	put_number(o, "call_ms", e->call.ms);
	return o;
}

static struct json *price_of(const struct draft *d)
{
	const struct config_price *p = &d->in->config->price;
	const char *arch = json_get_str(d->target, "arch");
	bool is_arm = arch && strcmp(arch, "arm64") == 0,
	     is_aws = d->account->provider == PROVIDER_AWS;
	struct json *o = json_obj();

	put_price(o, "per_request_usd", is_aws ? p->per_request_usd : 0);
	put_price(o, "per_gb_s_usd",
		  !is_aws  ? 0
		  : is_arm ? p->per_gb_s_arm_usd
			   : p->per_gb_s_x86_usd);
	return o;
}

static void put_deadline(const struct draft *d, struct json *into)
{
	int64_t last_ms = d->estimate.duration_ms + d->shape.timeout_ms + DEADLINE_MARGIN_MS;
	char text[WALL_RFC3339_SIZE];

	wall_format_rfc3339(wall_add_ns(d->in->event->time, last_ms * NS_PER_MS), text);
	json_put_str(into, "deadline", text);
}

static void put_compare(const struct draft *d, struct json *o)
{
	json_put_str(o, "compare", d->has_old ? "interleaved" : d->past ? "stored" : "none");
	if (d->past)
		json_put(o, "past", json_copy(d->past));
}

/* A run that may end early: of one shard, with calls that are planned one by one. */
static bool may_stop(const struct draft *d)
{
	return d->decision == DECIDE_TEST && d->has_old && d->shards == 1 && d->test->stop &&
	       strcmp(d->test->stop, "when-decided") == 0 && shape_is_open(&d->shape);
}

static struct json *stop_of(void)
{
	static const double fractions[] = {0.25, 0.5, 0.75, 1};
	struct json *o = json_obj(), *looks = json_arr();

	for (size_t i = 0; i < ARRAY_LEN(fractions); i++)
		json_push(looks, json_new_real(fractions[i]));
	json_put(o, "looks", looks);
	return o;
}

struct json *write_run(const struct draft *d)
{
	bool is_estimated = d->estimate.call.basis != NULL;
	struct json *o = json_obj();

	json_put(o, "run", run_of(d));
	json_put(o, "change", change_of(d));
	json_put(o, "target", target_of(d));
	json_put_str(o, "decision", decisions[d->decision]);
	json_put_str(o, "reason", buf_str(&d->reason));
	json_put_str(o, "test", d->test ? d->test->name : NULL);
	json_put_int(o, "shards", d->decision == DECIDE_TEST ? d->shards : 0);
	json_put_str(o, "config_sha256", d->in->config->sha256_hex);
	if (!is_estimated)
		return o;
	put_compare(d, o);
	json_put(o, "variants", variants_of(d));
	json_put(o, "estimate", estimate_of(d));
	json_put(o, "price", price_of(d));
	json_put(o, "metrics", metrics_of(d->in->config));
	json_put(o, "objectives", objectives_of(d));
	if (d->shape.spread)
		json_put_int(o, "environments", d->shape.spread);
	json_put_real(o, "lottery", draft_lottery(d));
	if (may_stop(d))
		json_put(o, "stop", stop_of());
	if (d->decision == DECIDE_TEST) {
		put_deadline(d, o);
		json_put(o, "reserve", write_reserve(d));
	}
	return o;
}

static char *lambda_url(const struct draft *d, const struct version *v)
{
	struct buf url = BUF_INIT(4096);
	const char *name = cloud_name(d);

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
		json_put_str(o, "function", cloud_name(d));
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

	put_number(into, is_open ? "start_rate_per_s" : "start_vus", r->start);
	for (size_t i = 0; i < r->count; i++) {
		struct json *o = json_obj();

		put_number(o, is_open ? "rate_per_s" : "vus", r->stages[i].target);
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
	put_number(o, "speed", r->speed);
	put_number(o, "rate", r->rate);
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
		put_number(o, "rate_per_s", t->rate_per_s);
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
		put_number(o, "weight", list[i].weight);
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
static struct json *plan_of(const struct draft *d)
{
	static const char *const keys[] = {"stop",	   "run",     "compare", "metrics",
					   "environments", "lottery", "price",	 "target"};
	struct json *run = write_run(d), *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put_copy(o, run, keys[i]);
	json_free(run);
	return o;
}

struct json *write_shard(const struct draft *d, uint32_t index)
{
	struct json *o = json_obj(), *where = json_obj(), *targets = json_arr();
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
	put_deadline(d, o);
	json_put(o, "targets", targets);
	json_put(o, "workload", workload_of(d, &part));
	json_put(o, "payloads", payloads_of(d));
	json_put(o, "limits", limits_of(d, &part));
	if (may_stop(d))
		json_put(o, "plan", plan_of(d));
	return o;
}
