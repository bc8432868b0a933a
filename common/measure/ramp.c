/* ramp.c - see ramp.h. */
#include "common/measure/ramp.h"

#include <math.h>

#include "common/base/clock.h"

#define ROUNDING 1e-9L /* calls; what sums of rates may be off by */

static double stage_start(const struct ramp *r, size_t i)
{
	return i ? r->stages[i - 1].target : r->start;
}

static long double stage_calls(const struct ramp *r, size_t i)
{
	long double both = (long double)stage_start(r, i) + r->stages[i].target;

	return both / 2 * (long double)r->stages[i].duration_ms / 1000;
}

int64_t ramp_duration_ms(const struct ramp *r)
{
	int64_t sum_ms = 0;

	for (size_t i = 0; i < r->count; i++)
		sum_ms += r->stages[i].duration_ms;
	return sum_ms;
}

double ramp_total(const struct ramp *r)
{
	long double sum = 0;

	for (size_t i = 0; i < r->count; i++)
		sum += stage_calls(r, i);
	return (double)sum;
}

double ramp_peak(const struct ramp *r)
{
	double peak = r->start;

	for (size_t i = 0; i < r->count; i++)
		peak = MAX_OF(peak, r->stages[i].target);
	return peak;
}

double ramp_at(const struct ramp *r, int64_t at_ns)
{
	int64_t began_ns = 0;

	for (size_t i = 0; i < r->count; i++) {
		int64_t length_ns = r->stages[i].duration_ms * NS_PER_MS;
		double from = stage_start(r, i);

		if (at_ns < began_ns + length_ns)
			return from + (r->stages[i].target - from) *
					      (double)MAX_OF(at_ns - began_ns, INT64_C(0)) /
					      (double)length_ns;
		began_ns += length_ns;
	}
	return r->count ? r->stages[r->count - 1].target : r->start;
}

/* Calls that come before that time. */
static double area_until(const struct ramp *r, int64_t at_ms)
{
	long double sum = 0;
	int64_t began_ms = 0;

	for (size_t i = 0; i < r->count && began_ms < at_ms; i++) {
		int64_t in_ms = MIN_OF(r->stages[i].duration_ms, at_ms - began_ms);
		double from = stage_start(r, i);
		double to = from;

		if (r->stages[i].duration_ms)
			to += (r->stages[i].target - from) * (double)in_ms /
			      (double)r->stages[i].duration_ms;
		sum += ((long double)from + to) / 2 * (long double)in_ms / 1000;
		began_ms += r->stages[i].duration_ms;
	}
	return (double)sum;
}

/*
 * Between edges the area of a window is a quadratic of its place, so it is most at an edge, or
 * where the rates at both its ends are equal: the bound by the peak and ten places a stage are
 * near enough for a plan.
 */
double ramp_most_within(const struct ramp *r, int64_t window_ms)
{
	double most = 0, bound = ramp_peak(r) * (double)window_ms / 1000;
	int64_t began_ms = 0;

	for (size_t i = 0; i < r->count; i++) {
		for (int64_t k = 0; k <= 10; k++) {
			int64_t from_ms = began_ms + r->stages[i].duration_ms * k / 10;
			double before = area_until(r, MAX_OF(from_ms - window_ms, INT64_C(0)));
			double here = area_until(r, from_ms);
			double after = area_until(r, from_ms + window_ms);

			most = MAX_OF(most, MAX_OF(after - here, here - before));
		}
		began_ms += r->stages[i].duration_ms;
	}
	return MIN_OF(most, bound);
}

static int64_t within_stage_ns(const struct ramp *r, size_t i, long double calls)
{
	long double from = stage_start(r, i), length_s = r->stages[i].duration_ms / 1000.0L;
	long double slope = (r->stages[i].target - from) / length_s;
	long double root = sqrtl(MAX_OF(from * from + 2 * slope * calls, 0.0L));
	long double at_s = calls > 0 ? 2 * calls / (from + root) : 0;

	return llroundl(MIN_OF(at_s, length_s) * 1e9L);
}

int64_t ramp_walk_to(const struct ramp *r, struct ramp_walk *w, double calls)
{
	for (; w->stage < r->count; w->stage++) {
		long double in_stage = stage_calls(r, w->stage);

		if (calls < w->before + in_stage - ROUNDING)
			return w->began_ms * NS_PER_MS +
			       within_stage_ns(r, w->stage, calls - w->before);
		w->before += in_stage;
		w->began_ms += r->stages[w->stage].duration_ms;
	}
	return w->began_ms * NS_PER_MS;
}
