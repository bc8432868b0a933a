/*
 * schedule_open.c - executors of a rate: constant and ramping; see schedule.h.
 */
#include "cmd/loader/schedule_parts.h"

#include <math.h>

#define RATE_MAX_PER_S 1e6

static uint32_t open_round(const struct workload *w)
{
	return w->spread ? w->spread : ROUND_WITHOUT_SPREAD;
}

/* ---- constant-arrival-rate ---- */

static const char *constant_wrong(const struct workload *w)
{
	if (!(w->rate_per_s > 0 && w->rate_per_s <= RATE_MAX_PER_S))
		return "rate_per_s must be above 0 and at most 1000000";
	return w->duration_ms ? NULL : "duration_ms must be above 0";
}

static double constant_peak(const struct workload *w)
{
	return w->rate_per_s;
}

static double constant_most_within(const struct workload *w, int64_t window_ms)
{
	return w->rate_per_s * (double)window_ms / 1e3;
}

/* The warm-up of poisson arrivals ends at 0, so its first call is known only after drawing all. */
static void find_poisson_start(struct schedule *s)
{
	int64_t first_round = s->round;

	for (; s->round < 0; s->round++)
		schedule_begin_round(s, s->per_variant);
	s->round = first_round;
	s->is_in_round = false;
	s->start_ns = -s->poisson_ns;
	s->poisson_ns = s->start_ns;
}

void schedule_plan_warmup(struct schedule *s, double rate_per_s)
{
	s->interval_ns = (double)s->round_n * 1e9 / rate_per_s;
	s->warmup_rounds = (int64_t)floor((double)s->w.warmup_ms * 1e6 / s->interval_ns + ROUNDING);
	s->warmup_total = (uint64_t)s->warmup_rounds * s->round_n;
	s->round = -s->warmup_rounds;
	s->start_ns = -llround((double)s->warmup_rounds * s->interval_ns);
}

static void plan_constant(struct schedule *s)
{
	const struct workload *w = &s->w;
	double block_ns = (double)(w->block_ms ? w->block_ms : BLOCK_MS_DEFAULT) * 1e6;

	schedule_plan_warmup(s, w->rate_per_s);
	s->rounds = (int64_t)ceil((double)w->duration_ms * 1e6 / s->interval_ns - ROUNDING);
	s->rounds = MAX_OF(s->rounds, 1);
	s->rounds_per_block = (int64_t)ceil(block_ns / s->interval_ns - ROUNDING);
	s->rounds_per_block = MAX_OF(s->rounds_per_block, 1);
	s->rounds_per_block =
		MAX_OF(s->rounds_per_block, (s->rounds + BLOCKS_DUE_MAX - 1) / BLOCKS_DUE_MAX);
	s->blocks = MAX_OF(s->rounds / s->rounds_per_block, 1);
	s->due_total = (uint64_t)s->rounds * s->round_n;
	s->due_max = s->due_total;
	if (w->arrival == ARRIVAL_POISSON && s->due_total <= CALLS_DUE_MAX)
		find_poisson_start(s);
}

static int64_t poisson_gap_ns(const struct schedule *s, struct rng *r)
{
	return llround(-log1p(-rng_unit(r)) * 1e9 / s->w.rate_per_s);
}

static void set_constant_due(struct schedule *s, struct rng *r)
{
	double phase = shard_phase(&s->w);

	for (uint32_t j = 0; j < s->begun_n; j++) {
		double places = (double)s->round;

		if (s->w.arrival == ARRIVAL_POISSON) {
			s->due_ns[j] = s->poisson_ns;
			s->poisson_ns += poisson_gap_ns(s, r);
			continue;
		}
		if (is_even(&s->w))
			places += (j + phase) / s->begun_n;
		s->due_ns[j] = llround(places * s->interval_ns);
	}
}

static uint32_t constant_block(struct schedule *s)
{
	return (uint32_t)MIN_OF(s->round / s->rounds_per_block, s->blocks - 1);
}

const struct executor_def schedule_constant = {
	.wrong = constant_wrong,
	.peak_per_s = constant_peak,
	.most_within = constant_most_within,
	.duration_ms = own_duration_ms,
	.round = open_round,
	.plan = plan_constant,
	.set_due = set_constant_due,
	.block = constant_block,
};

/* ---- ramping-arrival-rate ---- */

/* The last block takes what would be too short for one of its own. */
uint32_t schedule_block_by_time(struct schedule *s)
{
	int64_t wanted_ms = s->w.block_ms ? s->w.block_ms : BLOCK_MS_DEFAULT;
	int64_t length_ns =
		MAX_OF(wanted_ms * NS_PER_MS, s->w.duration_ms * NS_PER_MS / BLOCKS_DUE_MAX);
	int64_t at_ns = s->due_ns[0];

	if (at_ns - s->block_began_ns < length_ns ||
	    s->w.duration_ms * NS_PER_MS - at_ns < length_ns)
		return s->block;
	s->block_began_ns = at_ns;
	return s->block + 1;
}

static const char *ramping_wrong(const struct workload *w)
{
	double lowest = w->ramp.start;

	for (size_t i = 0; i < w->ramp.count; i++)
		lowest = MIN_OF(lowest, w->ramp.stages[i].target);
	if (w->ramp.count == 0 || ramp_duration_ms(&w->ramp) <= 0)
		return "stages that last some time are missing";
	if (!(lowest >= 0 && ramp_peak(&w->ramp) <= RATE_MAX_PER_S))
		return "rates of stages must be from 0 to 1000000";
	return ramp_total(&w->ramp) > 0 ? NULL : "the stages make no call at all";
}

static double ramping_peak(const struct workload *w)
{
	return ramp_peak(&w->ramp);
}

static double ramping_most_within(const struct workload *w, int64_t window_ms)
{
	return ramp_most_within(&w->ramp, window_ms);
}

static int64_t ramping_duration_ms(const struct workload *w)
{
	return ramp_duration_ms(&w->ramp);
}

/*
 * Bursts are whole; of calls with due times of their own the last round has only what is left, so
 * that none comes after the end.
 */
static void plan_ramping(struct schedule *s)
{
	double phase = is_even(&s->w) ? shard_phase(&s->w) : 0;
	double calls, left;

	s->area = ramp_total(&s->w.ramp);
	schedule_plan_warmup(s, s->area * 1e3 / (double)s->w.duration_ms);
	calls = MAX_OF(ceil(s->area - phase - ROUNDING), 1);
	s->rounds = (int64_t)ceil(calls / s->round_n);
	left = calls - (double)(s->rounds - 1) * s->round_n;
	if (is_even(&s->w))
		s->last_per_variant = (uint32_t)ceil(left / (double)s->w.variant_count);
	s->due_total =
		(uint64_t)(s->rounds - 1) * s->round_n + s->last_per_variant * s->w.variant_count;
	s->due_max = s->due_total;
}

/*
 * The next of so many places of [0, 1), drawn evenly and given in ascending order: of the k that
 * are left the lowest leaves a share of v^(1/k) of the rest above it.
 */
static double next_of_sorted(struct schedule *s, uint64_t all, struct rng *r)
{
	if (s->poisson_left == 0) {
		s->poisson_left = all;
		s->poisson_log = 0;
	}
	s->poisson_log += log1p(-rng_unit(r)) / (double)s->poisson_left--;
	return -expm1(s->poisson_log);
}

static int64_t random_due_ns(struct schedule *s, struct rng *r)
{
	double share;

	if (s->round >= 0)
		return ramp_walk_to(&s->w.ramp, &s->walk,
				    s->area * next_of_sorted(s, s->due_total, r));
	share = 1 - next_of_sorted(s, s->warmup_total, r);
	return MIN_OF(llround((double)s->start_ns * share), INT64_C(-1));
}

static void set_ramping_due(struct schedule *s, struct rng *r)
{
	bool is_random = s->w.arrival == ARRIVAL_POISSON;
	double phase = shard_phase(&s->w);

	for (uint32_t j = 0; j < s->begun_n; j++) {
		double place = (double)s->round * s->round_n;

		if (is_random) {
			s->due_ns[j] = random_due_ns(s, r);
			continue;
		}
		if (is_even(&s->w))
			place += j + phase;
		s->due_ns[j] = s->round < 0 ? llround(place * s->interval_ns / s->round_n)
					    : ramp_walk_to(&s->w.ramp, &s->walk, place);
	}
}

const struct executor_def schedule_ramping = {
	.wrong = ramping_wrong,
	.peak_per_s = ramping_peak,
	.most_within = ramping_most_within,
	.duration_ms = ramping_duration_ms,
	.round = open_round,
	.plan = plan_ramping,
	.set_due = set_ramping_due,
	.block = schedule_block_by_time,
};
