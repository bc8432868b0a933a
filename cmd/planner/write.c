/* write.c - a plan as the data of run.planned. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/planner/draft.h"
#include "cmd/planner/ledger.h"
#include "common/base/unit.h"

/* Behind the time that the run itself takes: others may run before it in the same loader. */
#define DEADLINE_MARGIN_MS (15 * 60 * 1000)

static const char *const decisions[] = {
	[DECIDE_TEST] = "test", [DECIDE_SKIP] = "skip", [DECIDE_REFUSE] = "refuse"};

void write_copy(struct json *into, const struct json *from, const char *key)
{
	const struct json *v = json_get(from, key);

	if (v)
		json_put(into, key, json_copy(v));
}

void write_number(struct json *into, const char *key, double v)
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

const char *draft_cloud_name(const struct draft *d)
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
		write_copy(o, d->change, keys[i]);
	return o;
}

static struct json *target_of(const struct draft *d)
{
	static const char *const keys[] = {"provider",	   "region",	  "qualifier",
					   "is_immutable", "code_sha256", "memory_bytes",
					   "timeout_ms",   "arch"};
	struct json *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		write_copy(o, d->target, keys[i]);
	json_put_str(o, "function", draft_cloud_name(d));
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
		write_number(o, "limit", list[i]->limit);
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
	write_number(o, "call_ms", e->call.ms);
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

/* How a confirmation is told apart from the run that it repeats. */
static void put_first(const struct draft *d, struct json *o)
{
	const struct json *first = NULL;

	if (d->test && d->confirms && strcmp(d->purpose, "confirm") == 0)
		first = ledger_first(d->in->history, d->test->name, d->confirms);
	if (first)
		json_put(o, "first", json_copy(first));
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
	put_first(d, o);
	if (may_stop(d))
		json_put(o, "stop", stop_of());
	if (d->decision == DECIDE_TEST) {
		put_deadline(d, o);
		json_put(o, "reserve", write_reserve(d));
	}
	return o;
}
