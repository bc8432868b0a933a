/*
 * schedule.c - rounds, blocks and due times; see schedule.h.
 */
#include "cmd/loader/schedule.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"

#define ROUNDING 1e-9 /* of a round: keeps 5 s / 0.1 s at 50 rounds */

static const struct {
	const char *name;
	bool is_closed;
} executors[EXECUTOR_COUNT] = {
#define X(symbol, name, is_closed) [symbol] = {name, is_closed},
	EXECUTORS(X)
#undef X
};

static const char *const arrivals[ARRIVAL_COUNT] = {
#define X(symbol, name) [symbol] = name,
	ARRIVALS(X)
#undef X
};

bool executor_is_closed(enum executor e)
{
	return executors[e].is_closed;
}

int executor_parse(const char *name, enum executor *out)
{
	for (size_t i = 0; name && i < EXECUTOR_COUNT; i++) {
		if (strcmp(executors[i].name, name) == 0) {
			*out = (enum executor)i;
			return 0;
		}
	}
	return -EINVAL;
}

int arrival_parse(const char *name, enum arrival *out)
{
	for (size_t i = 0; name && i < ARRIVAL_COUNT; i++) {
		if (strcmp(arrivals[i], name) == 0) {
			*out = (enum arrival)i;
			return 0;
		}
	}
	return -EINVAL;
}

static struct rng round_rng(const struct workload *w, int64_t round)
{
	struct rng r = {.state = w->seed};
	uint64_t first = rng_next(&r);
	uint64_t second;

	r.state = first ^ w->shard_index;
	second = rng_next(&r);
	r.state = second ^ (uint64_t)round;
	return r;
}

/* ---- what is known before the first call ---- */

static const char *what_is_wrong(const struct workload *w)
{
	bool is_closed = w->executor < EXECUTOR_COUNT && executor_is_closed(w->executor);

	if (w->executor >= EXECUTOR_COUNT || w->arrival >= ARRIVAL_COUNT)
		return "unknown executor or arrival";
	if (w->variant_count < 1 || w->variant_count > VARIANT_COUNT)
		return "no variant to call";
	if (w->spread > SPREAD_MAX)
		return "spread is above 2048";
	if (w->payload_count > PAYLOADS_MAX)
		return "more than 64 payloads";
	if (w->warmup_ms < 0 || w->duration_ms < 0 || w->block_ms < 0)
		return "a negative duration";
	if (!is_closed && !(w->rate_per_s > 0 && w->rate_per_s <= 1e6))
		return "rate_per_s must be above 0 and at most 1000000";
	if (is_closed && w->vus == 0)
		return "vus must be at least 1";
	if (w->executor == EXEC_SHARED_ITERATIONS && w->iterations == 0)
		return "iterations must be at least 1";
	if (w->executor != EXEC_SHARED_ITERATIONS && w->duration_ms == 0)
		return "duration_ms must be above 0";
	return NULL;
}

static void plan_open(struct schedule *s)
{
	const struct workload *w = &s->w;
	double block_ns = (double)(w->block_ms ? w->block_ms : BLOCK_MS_DEFAULT) * 1e6;

	s->interval_ns = (double)s->round_n * 1e9 / w->rate_per_s;
	s->rounds = (int64_t)ceil((double)w->duration_ms * 1e6 / s->interval_ns - ROUNDING);
	s->rounds = MAX_OF(s->rounds, 1);
	s->warmup_rounds = (int64_t)floor((double)w->warmup_ms * 1e6 / s->interval_ns + ROUNDING);
	s->rounds_per_block = (int64_t)ceil(block_ns / s->interval_ns - ROUNDING);
	s->rounds_per_block = MAX_OF(s->rounds_per_block, 1);
	s->rounds_per_block =
		MAX_OF(s->rounds_per_block, (s->rounds + BLOCKS_DUE_MAX - 1) / BLOCKS_DUE_MAX);
	s->blocks = MAX_OF(s->rounds / s->rounds_per_block, 1);
	s->due_total = (uint64_t)s->rounds * s->round_n;
	s->warmup_total = (uint64_t)s->warmup_rounds * s->round_n;
	s->due_max = s->due_total;
	s->round = -s->warmup_rounds;
	s->start_ns = -llround((double)s->warmup_rounds * s->interval_ns);
}

static void plan_closed(struct schedule *s)
{
	const struct workload *w = &s->w;
	uint64_t n = s->w.variant_count;

	s->due_max = w->requests_max ? w->requests_max : CALLS_DUE_MAX;
	if (w->executor == EXEC_SHARED_ITERATIONS)
		s->due_max = (w->iterations + n - 1) / n * n;
	s->start_ns = -w->warmup_ms * NS_PER_MS;
}

static int check_size(const struct schedule *s, char why[SCHEDULE_WHY_SIZE])
{
	uint64_t all = s->due_max + s->warmup_total;
	uint64_t max = s->w.requests_max ? MIN_OF(s->w.requests_max, CALLS_DUE_MAX) : CALLS_DUE_MAX;

	if (all <= max)
		return 0;
	snprintf(why, SCHEDULE_WHY_SIZE,
		 "the workload makes %llu calls and the limit is %llu; lower the rate or the time",
		 (unsigned long long)all, (unsigned long long)max);
	return -E2BIG;
}

/* ---- one round ---- */

static void draw_payloads(struct schedule *s, struct rng *r, uint32_t per_variant)
{
	const struct workload *w = &s->w;
	double sum = 0;

	for (size_t i = 0; i < w->payload_count; i++)
		sum += w->weights[i];
	for (uint32_t k = 0; k < per_variant; k++) {
		double left;
		size_t i = 0;

		s->payloads[k] = 0;
		if (w->payload_count < 2)
			continue;
		left = rng_unit(r) * sum;
		while (i + 1 < w->payload_count && left >= w->weights[i])
			left -= w->weights[i++];
		s->payloads[k] = (uint16_t)i;
	}
}

static int64_t poisson_gap_ns(const struct schedule *s, struct rng *r)
{
	return llround(-log1p(-rng_unit(r)) * 1e9 / s->w.rate_per_s);
}

static void set_due(struct schedule *s, struct rng *r)
{
	bool is_even = s->w.arrival == ARRIVAL_UNIFORM || s->w.spread == 0;
	double phase = (double)s->w.shard_index / MAX_OF(s->w.shard_of, 1u);

	for (uint32_t j = 0; j < s->begun_n; j++) {
		double places = (double)s->round;

		if (s->w.arrival == ARRIVAL_POISSON) {
			s->due_ns[j] = s->poisson_ns;
			s->poisson_ns += poisson_gap_ns(s, r);
			continue;
		}
		if (is_even)
			places += (j + phase) / s->begun_n;
		s->due_ns[j] = llround(places * s->interval_ns);
	}
}

static void begin_round(struct schedule *s, uint32_t per_variant)
{
	struct rng r = round_rng(&s->w, s->round);

	s->begun_per_variant = per_variant;
	s->begun_n = per_variant * (uint32_t)s->w.variant_count;
	s->seq = 0;
	s->is_in_round = true;
	for (uint32_t i = 0; i < s->begun_n; i++)
		s->items[i] = i;
	rng_shuffle(&r, s->items, s->begun_n);
	draw_payloads(s, &r, per_variant);
	if (!executor_is_closed(s->w.executor))
		set_due(s, &r);
}

/* The warm-up of poisson arrivals ends at 0, so its first call is known only after drawing all. */
static void find_poisson_start(struct schedule *s)
{
	int64_t first_round = s->round;

	for (; s->round < 0; s->round++)
		begin_round(s, s->per_variant);
	s->round = first_round;
	s->is_in_round = false;
	s->start_ns = -s->poisson_ns;
	s->poisson_ns = s->start_ns;
}

int schedule_init(struct schedule *s, const struct workload *w, char why[SCHEDULE_WHY_SIZE])
{
	const char *wrong = what_is_wrong(w);
	int rc;

	memset(s, 0, sizeof(*s));
	if (wrong) {
		snprintf(why, SCHEDULE_WHY_SIZE, "%s", wrong);
		return -EINVAL;
	}
	s->w = *w;
	s->per_variant = w->spread ? w->spread : ROUND_WITHOUT_SPREAD;
	if (executor_is_closed(w->executor))
		s->per_variant = ROUND_WITHOUT_SPREAD;
	s->round_n = s->per_variant * (uint32_t)w->variant_count;
	if (executor_is_closed(w->executor))
		plan_closed(s);
	else
		plan_open(s);
	rc = check_size(s, why);
	if (rc != 0)
		return rc;
	s->items = x_calloc(s->round_n, sizeof(*s->items));
	s->payloads = x_calloc(s->per_variant, sizeof(*s->payloads));
	s->due_ns = x_calloc(s->round_n, sizeof(*s->due_ns));
	if (w->arrival == ARRIVAL_POISSON && !executor_is_closed(w->executor))
		find_poisson_start(s);
	return 0;
}

void schedule_release(struct schedule *s)
{
	free(s->items);
	free(s->payloads);
	free(s->due_ns);
	memset(s, 0, sizeof(*s));
}

static bool begin_open(struct schedule *s)
{
	if (s->round >= s->rounds)
		return false;
	if (s->round >= 0)
		s->block = (uint32_t)MIN_OF(s->round / s->rounds_per_block, s->blocks - 1);
	begin_round(s, s->per_variant);
	return true;
}

/* How many calls of each variant the next measured round of a closed executor holds. */
static uint32_t closed_round(const struct schedule *s, int64_t now_ns)
{
	uint64_t n = s->w.variant_count;
	uint64_t used = s->taken_measured;
	uint64_t left = s->due_max > used ? (s->due_max - used) / n : 0;

	if (s->w.duration_ms && now_ns >= s->w.duration_ms * NS_PER_MS)
		return 0;
	if (s->w.requests_max) {
		uint64_t room = s->w.requests_max > s->taken ? s->w.requests_max - s->taken : 0;

		left = MIN_OF(left, room / n);
	}
	return (uint32_t)MIN_OF(left, s->per_variant);
}

static bool begin_closed(struct schedule *s, int64_t now_ns)
{
	int64_t block_ns = (s->w.block_ms ? s->w.block_ms : BLOCK_MS_DEFAULT) * NS_PER_MS;
	uint32_t per_variant = closed_round(s, MAX_OF(now_ns, 0));

	if (per_variant == 0)
		return false;
	if (now_ns < 0) {
		s->round = -++s->warmups_begun;
		begin_round(s, per_variant);
		return true;
	}
	s->round = s->round < 0 || s->taken_measured == 0 ? 0 : s->round + 1;
	if (s->round == 0) {
		s->block_began_ns = now_ns;
	} else if (now_ns - s->block_began_ns >= block_ns) {
		s->block_began_ns = now_ns;
		s->block++;
	}
	begin_round(s, per_variant);
	return true;
}

bool schedule_next(struct schedule *s, int64_t now_ns, struct place *out)
{
	bool is_closed = executor_is_closed(s->w.executor);
	uint32_t item;

	if (s->is_at_end)
		return false;
	if (!s->is_in_round && !(is_closed ? begin_closed(s, now_ns) : begin_open(s))) {
		s->is_at_end = true;
		return false;
	}
	item = s->items[s->seq];
	out->due_ns = is_closed ? now_ns : s->due_ns[s->seq];
	out->round = (int32_t)s->round;
	out->block = s->round < 0 ? 0 : s->block;
	out->seq = s->seq;
	out->variant = s->w.variants[item / s->begun_per_variant];
	out->payload = s->payloads[item % s->begun_per_variant];
	out->pair = s->pairs + item % s->begun_per_variant;
	s->taken++;
	if (s->round >= 0)
		s->taken_measured++;
	if (++s->seq == s->begun_n) {
		s->is_in_round = false;
		s->pairs += s->begun_per_variant;
		if (!is_closed)
			s->round++;
	}
	return true;
}
