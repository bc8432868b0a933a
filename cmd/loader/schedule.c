/*
 * schedule.c - what all executors have in common: rounds, orders, payloads; see schedule.h.
 */
#include "cmd/loader/schedule_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const struct executor_def *def;
} executors[EXECUTOR_COUNT] = {
#define X(symbol, name, def) [symbol] = {name, &def},
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
	return executors[e].def->is_closed;
}

const char *executor_name(enum executor e)
{
	return executors[e].name;
}

const char *executor_names(void)
{
	static const char names[] =
#define X(symbol, name, def) ", " name
		EXECUTORS(X)
#undef X
		;

	return names + 2;
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

/* ---- what is known before the first call ---- */

double workload_peak_per_s(const struct workload *w)
{
	const struct executor_def *def = executors[w->executor].def;

	return def->is_closed ? 0 : def->peak_per_s(w);
}

double workload_most_within(const struct workload *w, int64_t window_ms)
{
	const struct executor_def *def = executors[w->executor].def;

	return def->is_closed ? 0 : def->most_within(w, window_ms);
}

uint32_t workload_users(const struct workload *w)
{
	const struct executor_def *def = executors[w->executor].def;

	return def->is_closed ? def->users(w) : 0;
}

int64_t workload_duration_ms(const struct workload *w)
{
	return executors[w->executor].def->duration_ms(w);
}

int64_t own_duration_ms(const struct workload *w)
{
	return w->duration_ms;
}

bool is_even(const struct workload *w)
{
	return w->arrival != ARRIVAL_BURST || w->spread == 0;
}

double shard_phase(const struct workload *w)
{
	return (double)w->shard_index / MAX_OF(w->shard_of, 1u);
}

static const char *what_is_wrong(const struct workload *w)
{
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
	return executors[w->executor].def->wrong(w);
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
	s->def = executors[w->executor].def;
	s->w.duration_ms = workload_duration_ms(w);
	s->per_variant = s->def->round(w);
	s->round_n = s->per_variant * (uint32_t)w->variant_count;
	s->last_per_variant = s->per_variant;
	s->items = x_calloc(s->round_n, sizeof(*s->items));
	s->payloads = x_calloc(s->per_variant, sizeof(*s->payloads));
	s->due_ns = x_calloc(s->round_n, sizeof(*s->due_ns));
	s->def->plan(s);
	rc = check_size(s, why);
	if (rc != 0)
		schedule_release(s);
	return rc;
}

void schedule_release(struct schedule *s)
{
	free(s->user_taken);
	free(s->items);
	free(s->payloads);
	free(s->due_ns);
	memset(s, 0, sizeof(*s));
}

/* ---- one round ---- */

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

void schedule_begin_round(struct schedule *s, uint32_t per_variant)
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
	if (!s->def->is_closed)
		s->def->set_due(s, &r);
}

static bool begin_open(struct schedule *s)
{
	bool is_last = s->round == s->rounds - 1;

	if (s->round >= s->rounds)
		return false;
	schedule_begin_round(s, is_last ? s->last_per_variant : s->per_variant);
	if (s->round >= 0)
		s->block = s->def->block(s);
	return true;
}

bool schedule_next(struct schedule *s, int64_t now_ns, struct place *out)
{
	bool is_closed = s->def->is_closed;
	uint32_t item;

	if (s->is_at_end)
		return false;
	if (!s->is_in_round && !(is_closed ? schedule_begin_closed(s, now_ns) : begin_open(s))) {
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

enum user_turn schedule_user(struct schedule *s, uint32_t user, int64_t now_ns, struct place *out)
{
	enum user_turn turn = s->is_at_end ? USER_ENDS : s->def->may_call(s, user, now_ns);

	if (turn == USER_CALLS && !schedule_next(s, now_ns, out))
		turn = USER_ENDS;
	if (turn == USER_CALLS && s->user_taken && out->round >= 0)
		s->user_taken[user]++;
	return turn;
}

bool schedule_rise(struct schedule *s, uint32_t *user, int64_t *at_ns)
{
	return s->def->rise(s, user, at_ns);
}
