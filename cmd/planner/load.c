/* load.c - how much a workload calls, and how fast; see estimate.h. */
#include <math.h>
#include <string.h>

#include "cmd/planner/estimate.h"

static uint32_t trace_of(const struct shape *s)
{
	return MAX_OF(s->trace_of, 1u);
}

bool shape_is_open(const struct shape *s)
{
	return s->trace || strstr(s->test->executor, "arrival-rate");
}

double shape_peak_per_s(const struct shape *s)
{
	const struct config_replay *r = &s->test->replay;

	if (!shape_is_open(s))
		return 0;
	if (s->trace)
		return trace_most_within(s->trace, r->speed, r->rate, 1000) / trace_of(s);
	return s->ramp.count ? ramp_peak(&s->ramp) : s->test->rate_per_s;
}

int64_t shape_duration_ms(const struct shape *s)
{
	const struct config_replay *r = &s->test->replay;
	int64_t asked_ms = s->test->duration_ms, all_ms;
	size_t entry, calls;

	if (!s->trace)
		return asked_ms;
	calls = MAX_OF(trace_calls(s->trace, r->rate), (size_t)1);
	all_ms = trace_due_ns(s->trace, r->speed, r->rate, calls - 1, &entry) / 1000000 + 1;
	return asked_ms ? MIN_OF(asked_ms, all_ms) : all_ms;
}

/* Of a trace that is cut: by its mean, which is what a plan needs. */
static double trace_share(const struct shape *s)
{
	const struct config_replay *r = &s->test->replay;
	size_t entry, low = 0, high = trace_calls(s->trace, r->rate);
	int64_t end_ns = shape_duration_ms(s) * 1000000;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (trace_due_ns(s->trace, r->speed, r->rate, middle, &entry) < end_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return (double)low / trace_of(s);
}

double shape_calls(const struct shape *s)
{
	if (s->trace)
		return trace_share(s);
	if (s->ramp.count)
		return ramp_total(&s->ramp);
	return s->test->rate_per_s * (double)s->test->duration_ms / 1000;
}

double shape_mean_per_s(const struct shape *s)
{
	if (!shape_is_open(s))
		return 0;
	return shape_calls(s) * 1000 / (double)MAX_OF(shape_duration_ms(s), INT64_C(1));
}

uint32_t shape_round_calls(const struct shape *s)
{
	if (s->trace)
		return s->variants;
	return s->variants * (s->spread ? s->spread : ROUND_WITHOUT_SPREAD);
}

double shape_round_ms(const struct shape *s)
{
	return shape_round_calls(s) * 1000.0 / shape_peak_per_s(s);
}

double shape_peak(const struct shape *s, double call_ms)
{
	const struct config_replay *r = &s->test->replay;
	int64_t window_ms = MAX_OF((int64_t)ceil(call_ms), INT64_C(1));

	if (!shape_is_open(s))
		return s->ramp.count ? ramp_peak(&s->ramp) : s->test->vus;
	if (s->trace)
		return ceil(trace_most_within(s->trace, r->speed, r->rate, window_ms) /
			    trace_of(s)) +
		       1;
	if (s->spread)
		return shape_round_calls(s) * (1 + floor(call_ms / shape_round_ms(s)));
	if (s->ramp.count)
		return ceil(ramp_most_within(&s->ramp, window_ms)) + 1;
	return ceil(s->test->rate_per_s * call_ms / 1000) + 1;
}
