/*
 * budget.c - fits a plan into the money that is left: fewer calls first, then fewer environments.
 *
 * Environments carry the verdict (docs/VERDICT.md), so as many stay as the money lets be called
 * often enough to be judged.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/planner/draft.h"
#include "common/base/unit.h"

#define BLOCK_MS 2500.0 /* as write_shard.c tells the loader */
#define BLOCKS_MIN 24	/* of a bootstrap, as common/verdict has it */
/* An environment counts with so many good calls; some fail, are cold, or lose theirs. */
#define CALLS_MIN 5
#define SPARE_ROUNDS 3
/* A plan that sees nothing below this many tolerances is not worth its money ... */
#define USEFUL_TOLERANCES 5
/* ... unless the settings' own workload hardly sees more. */
#define USEFUL_LOSS 2

/* Stages, traces and counted calls are what somebody wants to see: half of them is another test. */
static bool can_be_cut(const struct draft *d)
{
	return !d->shape.trace && !d->shape.ramp.count && !d->test->iterations;
}

/* The steps in which the time is cut: whole rounds, or seconds of users. */
static double step_ms(const struct shape *s)
{
	return shape_is_open(s) ? shape_round_ms(s) : 1000;
}

/* An environment's percentile needs calls beyond it, as common/verdict has it. */
static double rounds_of_gates(const struct config *c)
{
	static const struct {
		const char *percentile;
		double calls;
	} rows[] = {{"_p90", 10}, {"_p95", 20}, {"_p99", 100}};
	double most = CALLS_MIN;

	for (size_t i = 0; i < c->metric_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			if (c->metrics[i].is_gate && strstr(c->metrics[i].name, rows[k].percentile))
				most = MAX_OF(most, rows[k].calls);
	return most + SPARE_ROUNDS;
}

/* Fewer steps are never judged: each environment's calls, or blocks where nobody names them. */
static double least_steps(const struct draft *d, const struct shape *s)
{
	bool is_known = s->spread && d->rule->instance;

	if (!d->has_old || is_known)
		return rounds_of_gates(d->in->config);
	return BLOCKS_MIN * ceil(BLOCK_MS / step_ms(s) - 1e-9);
}

static void try_steps(struct draft *d, const struct funds *f, double steps)
{
	d->cut.duration_ms = (int64_t)floor(steps * step_ms(&d->shape));
	d->shards = slice_count(&d->shape);
	slices_estimate(&d->shape, d->shards, &f->call, &f->price, &d->estimate);
}

/* As long as the money lasts, at this spread; false: not even the least. */
static bool cut_calls(struct draft *d, const struct funds *f)
{
	double high = floor((double)d->test->duration_ms / step_ms(&d->shape) + 1e-9);
	double low = least_steps(d, &d->shape);

	/* A test that is as short as that by itself is not cut. */
	try_steps(d, f, MIN_OF(low, high));
	if (low > high || !guard_is_paid(&d->estimate, f->left_micro_usd))
		return false;
	while (low < high) {
		double middle = ceil((low + high) / 2);

		try_steps(d, f, middle);
		if (guard_is_paid(&d->estimate, f->left_micro_usd))
			low = middle;
		else
			high = middle - 1;
	}
	try_steps(d, f, low);
	return true;
}

/* As many environments as can be paid; if none can, the draft is left as the cheapest way. */
static bool cut_environments(struct draft *d, const struct funds *f)
{
	uint32_t least = d->has_old ? 2 : 1, cheapest = d->shape.spread;
	int64_t lowest = INT64_MAX;
	char why[GUARD_WHY_SIZE];
	bool is_paid;

	while (!(is_paid = cut_calls(d, f)) && d->shape.spread > least) {
		if (d->estimate.cost_micro_usd < lowest) {
			lowest = d->estimate.cost_micro_usd;
			cheapest = d->shape.spread;
		}
		d->shape.spread--;
		if (guard_fit(&d->shape, &d->room, &f->call, why) != 0)
			break;
	}
	if (!is_paid && d->estimate.cost_micro_usd > lowest) {
		d->shape.spread = cheapest;
		(void)cut_calls(d, f);
	}
	draft_see(d);
	return is_paid;
}

static bool is_useful(const struct estimate *left, const struct estimate *all)
{
	return !left->has_detectable ||
	       left->detectable_ratio <= MAX_OF(USEFUL_TOLERANCES * left->tolerance,
						USEFUL_LOSS * all->detectable_ratio);
}

/* "296 calls with 4 environments a side" */
static void add_size(const struct draft *d, struct buf *out)
{
	buf_addf(out, "%llu calls", (unsigned long long)d->estimate.requests);
	if (d->shape.spread)
		buf_addf(out, " with %u environments a side", d->shape.spread);
}

/* What the limits would have to be for all of the test. */
static void add_limits(const struct draft *d, const struct funds *f, int64_t cost, struct buf *out)
{
	const struct config_limits *limits = &d->in->config->limits;
	bool is_above_run = cost > limits->cost_per_run_micro_usd;
	char text[UNIT_TEXT_SIZE];

	unit_format_usd(cost, text); /* to the last digit: it is to be copied */
	if (is_above_run)
		buf_addf(out, "limits.cost_per_run: %s USD", text);
	unit_format_usd(f->spent_micro_usd + cost, text);
	if (f->spent_micro_usd + cost > limits->cost_per_day_micro_usd)
		buf_addf(out, "%slimits.cost_per_day: %s USD", is_above_run ? " and " : "", text);
}

/* What can be had for the money, and why that is not worth it. */
static void add_rest(const struct draft *d, const struct funds *f, const struct estimate *all,
		     bool is_paid, struct buf *out)
{
	const struct estimate *e = &d->estimate;
	char left[UNIT_TEXT_SIZE], cost[UNIT_TEXT_SIZE];

	unit_format_money(f->left_micro_usd, left);
	unit_format_money(e->cost_micro_usd, cost);
	buf_addf(out, "; %s is left", left);
	if (is_paid) {
		buf_adds(out, ": ");
		add_size(d, out);
		buf_addf(out,
			 ", which see %.0f %% and more where %g %% is asked (all of them: %.0f %%)",
			 100 * e->detectable_ratio, 100 * e->tolerance,
			 100 * all->detectable_ratio);
	} else {
		buf_adds(out, ", and the least that can be judged, ");
		add_size(d, out);
		buf_addf(out, ", costs %s", cost);
	}
}

static void refuse(struct draft *d, const struct funds *f, const struct estimate *all,
		   struct buf *why)
{
	if (all->requests <= GUARD_CALLS_MAX) {
		buf_adds(why, "; to set: ");
		add_limits(d, f, all->cost_micro_usd, why);
	}
	draft_decide(d, DECIDE_REFUSE, "%s", buf_str(why));
}

void budget_fit(struct draft *d, const struct funds *f, const char *above)
{
	struct estimate all = d->estimate;
	struct shape shape = d->shape;
	uint32_t shards = d->shards;
	struct buf text = BUF_INIT(1500);
	bool is_paid;

	d->cut = *d->test;
	d->shape.test = &d->cut;
	is_paid = can_be_cut(d) && cut_environments(d, f);
	if (is_paid && is_useful(&d->estimate, &all)) {
		add_size(d, &text);
		draft_note(d, "cut to %s: %s", buf_str(&text), above);
	} else {
		buf_adds(&text, above);
		if (can_be_cut(d))
			add_rest(d, f, &all, is_paid, &text);
		d->shape = shape;
		d->shards = shards;
		d->estimate = all;
		refuse(d, f, &all, &text);
	}
	buf_release(&text);
}
