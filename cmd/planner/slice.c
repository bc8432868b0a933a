/* slice.c - shares of a workload. */
#include "cmd/planner/slice.h"

#include <string.h>

/* Counted calls are dealt out in pairs, one of each version. */
static uint32_t most_of_closed(const struct shape *s)
{
	uint64_t most = (uint64_t)shape_peak(s, 0) / s->variants;
	bool is_shared = strcmp(s->test->executor, "shared-iterations") == 0;

	if (is_shared)
		most = MIN_OF(most, s->test->iterations / shape_round_calls(s));
	return (uint32_t)MIN_OF(most, (uint64_t)SLICES_MAX);
}

static uint32_t most_of_even(const struct shape *s)
{
	double rounds = shape_calls(s) / shape_round_calls(s);

	return (uint32_t)MIN_OF(MIN_OF(rounds, (double)s->in_flight / s->variants),
				(double)SLICES_MAX);
}

uint32_t slice_count(const struct shape *s)
{
	uint32_t most;

	if (!shape_is_open(s))
		most = most_of_closed(s);
	else
		most = s->spread ? s->spread : most_of_even(s);
	return MAX_OF(MIN_OF(s->test->shards, most), UINT32_C(1));
}

static uint64_t share(uint64_t all, uint32_t index, uint32_t of)
{
	return all / of + (index < all % of);
}

/* A shard's round must fit into its calls in flight, or it would wait for itself. */
static uint32_t in_flight_of(const struct shape *s, uint32_t spread, uint32_t index, uint32_t of)
{
	uint32_t rounds = s->variants * s->spread;

	if (s->in_flight < rounds)
		rounds = 0;
	return (rounds ? s->variants * spread : 0) +
	       (uint32_t)share(s->in_flight - rounds, index, of);
}

/* Of users whole ones: the remainders go to the first shards, at each stage alike. */
static void cut_ramp(const struct shape *s, uint32_t index, uint32_t of, double part,
		     struct ramp *out)
{
	bool is_open = shape_is_open(s);

	*out = s->ramp;
	out->start =
		is_open ? s->ramp.start * part : (double)share((uint64_t)s->ramp.start, index, of);
	for (size_t i = 0; i < out->count; i++) {
		double target = s->ramp.stages[i].target;

		out->stages[i].target =
			is_open ? target * part : (double)share((uint64_t)target, index, of);
	}
}

void slice_cut(const struct shape *s, uint32_t index, uint32_t of, struct slice *out)
{
	bool is_per_user = strcmp(s->test->executor, "per-vu-iterations") == 0;
	uint64_t rest = s->test->iterations % s->variants;
	double part;

	*out = (struct slice){.test = *s->test, .shape = *s};
	out->shape.test = &out->test;
	out->shape.spread = (uint32_t)share(s->spread, index, of);
	out->shape.in_flight = in_flight_of(s, out->shape.spread, index, of);
	part = s->spread ? (double)out->shape.spread / s->spread : 1.0 / of;
	out->test.rate_per_s = s->test->rate_per_s * part;
	out->shape.trace_of = of;
	cut_ramp(s, index, of, part, &out->shape.ramp);
	out->test.vus = (uint32_t)share(s->test->vus, index, of);
	if (is_per_user)
		return;
	out->test.iterations = s->variants * share(s->test->iterations / s->variants, index, of) +
			       (index == 0 ? rest : 0);
}

void slices_estimate(const struct shape *s, uint32_t of, const struct call_time *call,
		     const struct price *price, struct estimate *out)
{
	struct estimate sum = {.call = *call};

	for (uint32_t i = 0; i < of; i++) {
		struct estimate one;
		struct slice part;

		slice_cut(s, i, of, &part);
		estimate_make(&part.shape, call, price, &one);
		sum.requests += one.requests;
		sum.cost_micro_usd += one.cost_micro_usd;
		sum.peak_concurrency += one.peak_concurrency;
		sum.duration_ms = MAX_OF(sum.duration_ms, one.duration_ms);
	}
	*out = sum;
}
