/* estimate.c - calls, money, time, and the smallest effect. */
#include "cmd/planner/estimate.h"

#include <math.h>
#include <string.h>

#include "common/stats/welch.h"

/* A closed workload makes the more calls the faster they are; this fast at most is reckoned with.
 */
#define FAST_CALL_MS 10.0
#define DRIFT_NOISE 0.035 /* what centring on rounds leaves, by simulation */
#define CALL_NOISE 0.17	  /* of one call's log time */
#define POWER 0.8

static double warmup_rounds(const struct shape *s)
{
	double round_ms = shape_round_calls(s) * 1000.0 / shape_mean_per_s(s);

	return floor((double)s->test->warmup_ms / round_ms + 1e-9);
}

/* A round more than the plan needs is a limit that holds; one less would cut the run short. */
static uint64_t open_requests(const struct shape *s)
{
	double rounds = ceil(shape_calls(s) / shape_round_calls(s) - 1e-9) + warmup_rounds(s);

	return (uint64_t)MAX_OF(rounds, 1.0) * shape_round_calls(s);
}

static double mean_users(const struct shape *s)
{
	if (s->ramp.count)
		return ramp_total(&s->ramp) * 1000 / (double)ramp_duration_ms(&s->ramp);
	return s->test->vus;
}

/* Of executors that count them; 0 = as many as come. */
static double iterations(const struct shape *s)
{
	bool is_per_user = strcmp(s->test->executor, "per-vu-iterations") == 0;

	return (double)s->test->iterations * (is_per_user ? s->test->vus : 1);
}

static uint64_t closed_requests(const struct shape *s, double call_ms)
{
	double per_user_ms = MAX_OF(call_ms, FAST_CALL_MS);
	double warmup = ceil(mean_users(s)) * (double)s->test->warmup_ms / per_user_ms;
	double measured = s->test->iterations
				  ? iterations(s) + s->variants
				  : mean_users(s) * (double)s->test->duration_ms / per_user_ms;

	return (uint64_t)ceil(warmup + measured);
}

static int64_t run_ms(const struct shape *s, double call_ms)
{
	double measured = (double)shape_duration_ms(s);

	if (s->test->iterations)
		measured = MIN_OF(measured, iterations(s) * call_ms / s->test->vus);
	return s->test->warmup_ms + llround(measured);
}

void estimate_make(const struct shape *s, const struct call_time *call, const struct price *price,
		   struct estimate *out)
{
	/* How many calls a closed workload makes is not known while their time is not. */
	bool is_guess = strcmp(call->basis, "timeout") == 0;
	double busy_s, peak = shape_peak(s, call->ms);
	struct estimate e = {.call = *call, .duration_ms = run_ms(s, call->ms)};

	e.requests = shape_is_open(s) ? open_requests(s)
				      : closed_requests(s, is_guess ? FAST_CALL_MS : call->ms);
	busy_s = shape_is_open(s) ? (double)e.requests * call->ms / 1000
				  : mean_users(s) * (double)e.duration_ms / 1000;
	e.cost_micro_usd = llround(ceil(1e6 * ((double)e.requests * price->per_request_usd +
					       busy_s * price->memory_gb * price->per_gb_s_usd)));
	e.peak_concurrency = (uint32_t)MIN_OF(peak, (double)s->in_flight);
	*out = e;
}

/* In standard errors. Most plans ask for the same, and it takes a tenth of a plan's time: kept. */
static double reach(double level, double df)
{
	static double of_level, of_df, kept;

	if (level != of_level || df != of_df) {
		kept = student_factor(level, df) + student_quantile(POWER, df);
		of_level = level;
		of_df = df;
	}
	return kept;
}

/*
 * w = half the interval's width on the log scale, for E environments a side:
 * t(level, 2E - 2) * sd * sqrt(2 / E); a true effect is found four times in five when it lies
 * another t(0.8) standard errors beyond. With two or three environments the judge asks for twice
 * the tolerance. Without a spread the interval rests on blocks, widened by one environment's
 * lottery.
 */
double estimate_detectable(const struct shape *s, double lottery, double tolerance, unsigned gates)
{
	uint32_t e = s->spread ? s->spread : 1;
	double calls = shape_calls(s) / 2 / e;
	double noise = 1.57 * CALL_NOISE * CALL_NOISE / MAX_OF(calls, 1.0);
	double se = sqrt((lottery * lottery + DRIFT_NOISE * DRIFT_NOISE + noise) * 2 / e);
	double df = e > 1 ? 2.0 * e - 2 : INFINITY;
	double level = 1 - 0.05 / MAX_OF(gates, 1u);
	double edge = s->spread && e < 4 ? 2 * tolerance : tolerance;

	return expm1(log1p(edge) + reach(level, df) * se);
}
