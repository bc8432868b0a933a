/* plan.c - the steps of a plan, in order. */
#include "cmd/planner/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/planner/draft.h"

/* A function may spend up to 10 s on its start, outside its own timeout. */
#define AWS_START_MS 10000
#define SLACK_MS 500
#define AWS_TIMEOUT_DEFAULT_MS 3000
#define HTTP_TIMEOUT_MS 30000
/* base64 of it, with the rest of the event, stays within 64 KiB. */
#define PAYLOADS_MAX_BYTES ((size_t)40 * 1024)

static const char *purpose_of(const struct draft *d)
{
	const char *kind = json_get_str(d->change, "kind");

	if (d->in->options->purpose)
		return d->in->options->purpose;
	if (d->in->event->run)
		return "confirm";
	if (kind && strcmp(kind, "manual") == 0)
		return "manual";
	return kind && strcmp(kind, "schedule") == 0 ? "schedule" : "change";
}

/* One try of a test for a change: a repeat of the event gives the same id. */
static void make_run_id(struct draft *d)
{
	const char *change = json_get_str(d->change, "id");
	const char *parts[] = {change ? change : d->in->event->id, d->test ? d->test->name : "",
			       d->purpose, d->confirms ? d->confirms : "0"};

	digest_id('r', parts, ARRAY_LEN(parts), d->run_id);
}

static int64_t timeout_of(const struct draft *d)
{
	if (d->account->provider == PROVIDER_HTTP)
		return HTTP_TIMEOUT_MS;
	return json_get_int(d->target, "timeout_ms", AWS_TIMEOUT_DEFAULT_MS);
}

static struct call_time call_time_of(const struct draft *d)
{
	double median_ms = json_real(json_at(d->in->event->data, "cloud.duration_p50_ms"));

	if (d->in->call_ms > 0)
		return (struct call_time){d->in->call_ms, "last-run"};
	if (median_ms > 0)
		return (struct call_time){median_ms, "cloud-median"};
	return (struct call_time){(double)timeout_of(d), "timeout"};
}

static struct price price_of(const struct draft *d)
{
	const struct config_price *p = &d->in->config->price;
	const char *arch = json_get_str(d->target, "arch");
	bool is_arm = arch && strcmp(arch, "arm64") == 0;

	if (d->account->provider == PROVIDER_HTTP)
		return (struct price){0};
	return (struct price){
		.per_request_usd = p->per_request_usd,
		.per_gb_s_usd = is_arm ? p->per_gb_s_arm_usd : p->per_gb_s_x86_usd,
		.memory_gb = (double)json_get_int(d->target, "memory_bytes", 134217728) /
			     (1024.0 * 1024 * 1024),
	};
}

static struct concurrency concurrency_of(const struct draft *d)
{
	const struct json *limits = json_get(d->in->event->data, "limits");

	int64_t account = json_get_int(limits, "account_concurrency", -1);

	return (struct concurrency){json_get_int(limits, "unreserved", account),
				    json_get_int(limits, "reserved", -1),
				    json_get_int(limits, "in_use", -1)};
}

/* A calibration measures it: its own intervals must not be widened by what is assumed. */
double draft_lottery(const struct draft *d)
{
	if (strcmp(d->purpose, "calibrate") == 0)
		return 0;
	return json_get_real(d->in->calibrated, "lottery", LOTTERY_DEFAULT);
}

/* The first gate that is compared as a ratio is the one that the smallest effect is told for. */
void draft_see(struct draft *d)
{
	const struct config *c = d->in->config;
	const struct config_metric *asked = NULL;
	unsigned gates = 0;

	for (size_t i = 0; i < c->metric_count; i++) {
		if (!c->metrics[i].is_gate)
			continue;
		gates++;
		if (!asked && !c->metrics[i].is_points)
			asked = &c->metrics[i];
	}
	if (!d->has_old || !asked || !shape_is_open(&d->shape))
		return;
	d->estimate.has_detectable = true;
	d->estimate.tolerance = asked->tolerance;
	d->estimate.detectable_ratio =
		estimate_detectable(&d->shape, draft_lottery(d), asked->tolerance, gates);
}

static void say_what_is_seen(struct draft *d)
{
	if (d->free_spread < d->test->spread)
		draft_note(d, "spread %u instead of %u: %u calls at once are free (%s)",
			   d->free_spread, d->test->spread, d->room.calls, d->room.because);
	if (d->shards < d->test->shards)
		draft_note(d, "%u shard%s instead of %u: there is not more to share", d->shards,
			   d->shards == 1 ? "" : "s", d->test->shards);
	if (d->shards > 1 && d->test->stop && strcmp(d->test->stop, "off") != 0)
		draft_note(d, "%u shards: it does not stop early", d->shards);
	if (d->has_old && d->shape.spread && d->shape.spread < 4)
		draft_note(d, "with %u environments a side only twice the tolerance counts",
			   d->shape.spread);
	if (d->estimate.has_detectable)
		draft_note(d, "sees %.0f %% and more", 100 * d->estimate.detectable_ratio);
}

/* What the ledger says of this very plan: the event has come before. */
static const struct json *planned_before(const struct draft *d)
{
	const struct json *last =
		json_get(json_get(d->in->past, "tests"), d->test ? d->test->name : "");
	const char *run = json_get_str(last, "run");

	return run && strcmp(run, d->run_id) == 0 ? last : NULL;
}

/* A repeat is in the day's sum already, and is cut as it was the first time. */
static int64_t spent_before(const struct draft *d)
{
	const struct json *last = planned_before(d);

	return last ? json_get_int(last, "spent_micro_usd", 0) : d->in->spent_micro_usd;
}

/* Before what is said of the plan: what it is cut to stands first. */
static void fit_money(struct draft *d, const struct call_time *call, const struct price *price)
{
	const struct config_limits *limits = &d->in->config->limits;
	int64_t spent = d->spent_micro_usd = spent_before(d);
	struct funds funds = {*call, *price, spent, guard_left(limits, spent)};
	char why[GUARD_WHY_SIZE];
	int rc = guard_money(limits, &d->estimate, spent, why);

	if (rc == 0 || d->decision != DECIDE_TEST)
		return;
	budget_fit(d, &funds, why);
	d->is_day_spent = rc == -ENOSPC && d->decision != DECIDE_TEST;
}

/* Also for what is refused: the figures belong to the refusal. */
static void fit(struct draft *d)
{
	const struct config_limits *limits = &d->in->config->limits;
	struct concurrency concurrency = concurrency_of(d);
	struct call_time call = call_time_of(d);
	struct price price = price_of(d);
	char why[GUARD_WHY_SIZE];
	double peak_per_s;

	d->shape = (struct shape){
		.test = d->test,
		.variants = d->has_old ? 2 : 1,
		.spread = d->test->spread,
		.timeout_ms = timeout_of(d) + SLACK_MS +
			      (d->account->provider == PROVIDER_AWS ? AWS_START_MS : 0),
	};
	moving_fill(d);
	guard_room(limits, &concurrency, &d->room);
	if (guard_fit(&d->shape, &d->room, &call, why))
		draft_decide(d, DECIDE_REFUSE, "%s", why);
	d->free_spread = d->shape.spread;
	d->shards = slice_count(&d->shape);
	slices_estimate(&d->shape, d->shards, &call, &price, &d->estimate);
	draft_see(d);
	fit_money(d, &call, &price);
	peak_per_s = shape_peak_per_s(&d->shape);
	if (peak_per_s > limits->rate_per_s)
		draft_decide(d, DECIDE_REFUSE, "%g calls/s are above limits.rate of %g/s",
			     peak_per_s, limits->rate_per_s);
	if (d->decision == DECIDE_TEST)
		say_what_is_seen(d);
}

static void check_what_is_known(struct draft *d)
{
	if (write_payload_bytes(d) > PAYLOADS_MAX_BYTES)
		draft_decide(d, DECIDE_REFUSE,
			     "the payloads have %zu bytes; a plan carries at most %zu",
			     write_payload_bytes(d), PAYLOADS_MAX_BYTES);
	if (d->account->provider == PROVIDER_HTTP && !config_is_allowed(d->account, d->rule->url))
		draft_decide(d, DECIDE_REFUSE, "the host of %s is not in allow of account %s",
			     d->rule->url, d->account->name);
}

static void finish(struct draft *d, struct plan *out)
{
	if (d->in->options->is_dry_run && d->decision == DECIDE_TEST) {
		struct buf reason = BUF_INIT(2048);

		buf_addf(&reason, "dry-run: %s", buf_str(&d->reason));
		draft_decide(d, DECIDE_SKIP, "%s", buf_str(&reason));
		buf_release(&reason);
	}
	memcpy(out->run_id, d->run_id, sizeof(out->run_id));
	out->decision = d->decision;
	out->test = x_strdup(d->test ? d->test->name : "");
	out->is_day_spent = d->is_day_spent;
	out->is_repeat = planned_before(d) != NULL;
	out->spent_micro_usd = d->spent_micro_usd;
	out->run = write_run(d);
	if (d->decision == DECIDE_TEST) {
		out->shards = x_calloc(d->shards, sizeof(*out->shards));
		while (out->shard_count < d->shards) {
			out->shards[out->shard_count] = write_shard(d, (uint32_t)out->shard_count);
			out->shard_count++;
		}
		out->cost_micro_usd = d->estimate.cost_micro_usd;
	}
	buf_release(&d->reason);
	json_free(d->past);
}

static void make_one(struct draft *d, const struct config_test *test, struct plan *out)
{
	d->test = test;
	d->reason = (struct buf)BUF_INIT(2000);
	make_run_id(d);
	choose(d);
	/* A person who tries a refusal or a dry run wants the figures; a skip has none. */
	if (d->decision == DECIDE_TEST) {
		version_pick(d);
		check_what_is_known(d);
		fit(d);
	}
	finish(d, out);
}

void plan_make(const struct plan_input *in, struct plan_list *out)
{
	const struct config_test *tests[TESTS_MAX];
	struct plan_input money = *in;
	struct draft first = {.in = &money};
	size_t count;

	first.change = json_get(in->event->data, "change");
	first.target = json_get(in->event->data, "target");
	first.purpose = purpose_of(&first);
	first.confirms = in->options->confirms ? in->options->confirms : in->event->run;
	if (!in->event->subject || subject_parse(in->event->subject, &first.subject))
		return; /* the event's own check has seen to it */
	first.account = config_account(in->config, first.subject.account);
	first.rule = config_rule(in->config, first.subject.account, first.subject.function);
	count = choose_tests(&first, tests);
	out->items = x_calloc(count, sizeof(*out->items));
	for (size_t i = 0; i < count; i++) {
		struct draft d = first;
		struct plan *p = &out->items[out->count++];

		make_one(&d, tests[i], p);
		money.spent_micro_usd += p->is_repeat ? 0 : p->cost_micro_usd;
	}
}

void plan_list_release(struct plan_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].test);
		json_free(list->items[i].run);
		for (size_t k = 0; k < list->items[i].shard_count; k++)
			json_free(list->items[i].shards[k]);
		free(list->items[i].shards);
	}
	free(list->items);
	*list = (struct plan_list){0};
}
