/*
 * schedule_closed.c - executors of virtual users; see schedule.h.
 */
#include "cmd/loader/schedule_parts.h"

#include <math.h>

/* ---- rounds, as users ask for them ---- */

/* How many calls of each variant the next measured round holds. */
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

bool schedule_begin_closed(struct schedule *s, int64_t now_ns)
{
	int64_t block_ns = (s->w.block_ms ? s->w.block_ms : BLOCK_MS_DEFAULT) * NS_PER_MS;
	uint32_t per_variant = closed_round(s, MAX_OF(now_ns, 0));

	if (per_variant == 0)
		return false;
	if (now_ns < 0) {
		s->round = -++s->warmups_begun;
		schedule_begin_round(s, per_variant);
		return true;
	}
	s->round = s->round < 0 || s->taken_measured == 0 ? 0 : s->round + 1;
	if (s->round == 0) {
		s->block_began_ns = now_ns;
	} else if (now_ns - s->block_began_ns >= block_ns) {
		s->block_began_ns = now_ns;
		s->block++;
	}
	schedule_begin_round(s, per_variant);
	return true;
}

static const char *users_wrong(const struct workload *w)
{
	return w->vus && w->vus <= USERS_MAX ? NULL : "vus must be from 1 to 100000";
}

static uint32_t own_users(const struct workload *w)
{
	return w->vus;
}

static uint32_t closed_calls(const struct workload *w)
{
	(void)w;
	return ROUND_WITHOUT_SPREAD;
}

static void plan_users(struct schedule *s, uint64_t due_max)
{
	s->due_max = due_max;
	s->users = workload_users(&s->w);
	s->start_ns = -s->w.warmup_ms * NS_PER_MS;
}

static enum user_turn may_always(const struct schedule *s, uint32_t user, int64_t now_ns)
{
	(void)s;
	(void)user;
	(void)now_ns;
	return USER_CALLS;
}

/* All of them, at the start. */
static bool rise_at_once(struct schedule *s, uint32_t *user, int64_t *at_ns)
{
	if (s->next_user == s->users)
		return false;
	*user = s->next_user++;
	*at_ns = s->start_ns;
	return true;
}

/* ---- constant-vus ---- */

static const char *constant_wrong(const struct workload *w)
{
	return w->duration_ms ? users_wrong(w) : "duration_ms must be above 0";
}

static void plan_constant(struct schedule *s)
{
	plan_users(s, s->w.requests_max ? s->w.requests_max : CALLS_DUE_MAX);
}

const struct executor_def schedule_constant_vus = {
	.is_closed = true,
	.wrong = constant_wrong,
	.duration_ms = own_duration_ms,
	.users = own_users,
	.round = closed_calls,
	.plan = plan_constant,
	.may_call = may_always,
	.rise = rise_at_once,
};

/* ---- shared-iterations ---- */

static const char *counted_wrong(const struct workload *w)
{
	return w->iterations ? users_wrong(w) : "iterations must be at least 1";
}

static uint64_t whole_pairs(const struct schedule *s, uint64_t calls)
{
	uint64_t n = s->w.variant_count;

	return (calls + n - 1) / n * n;
}

static void plan_shared(struct schedule *s)
{
	plan_users(s, whole_pairs(s, s->w.iterations));
}

const struct executor_def schedule_shared = {
	.is_closed = true,
	.wrong = counted_wrong,
	.duration_ms = own_duration_ms,
	.users = own_users,
	.round = closed_calls,
	.plan = plan_shared,
	.may_call = may_always,
	.rise = rise_at_once,
};

/* ---- per-vu-iterations ---- */

static const char *per_vu_wrong(const struct workload *w)
{
	if (w->iterations > CALLS_DUE_MAX)
		return "iterations must be at most 1000000000";
	return counted_wrong(w);
}

static void plan_per_vu(struct schedule *s)
{
	plan_users(s, whole_pairs(s, s->w.iterations * s->w.vus));
	s->user_taken = x_calloc(s->users, sizeof(*s->user_taken));
}

/* Should the calls of all not make whole pairs, then the first user has one more. */
static enum user_turn may_per_vu(const struct schedule *s, uint32_t user, int64_t now_ns)
{
	uint64_t own = s->w.iterations;

	(void)now_ns;
	if (s->taken_measured >= s->due_max)
		return USER_ENDS;
	if (user == 0)
		own += s->due_max - s->w.iterations * s->users;
	return s->user_taken[user] < own ? USER_CALLS : USER_RESTS;
}

const struct executor_def schedule_per_vu = {
	.is_closed = true,
	.wrong = per_vu_wrong,
	.duration_ms = own_duration_ms,
	.users = own_users,
	.round = closed_calls,
	.plan = plan_per_vu,
	.may_call = may_per_vu,
	.rise = rise_at_once,
};

/* ---- ramping-vus ---- */

static const char *ramping_wrong(const struct workload *w)
{
	double lowest = w->ramp.start;

	for (size_t i = 0; i < w->ramp.count; i++)
		lowest = MIN_OF(lowest, w->ramp.stages[i].target);
	if (w->ramp.count == 0 || ramp_duration_ms(&w->ramp) <= 0)
		return "stages that last some time are missing";
	if (!(lowest >= 0 && ramp_peak(&w->ramp) <= USERS_MAX))
		return "users of stages must be from 0 to 100000";
	return ramp_peak(&w->ramp) >= 1 ? NULL : "the stages have no user at all";
}

static int64_t ramping_duration_ms(const struct workload *w)
{
	return ramp_duration_ms(&w->ramp);
}

/* The warm-up is made by the mean number of users. */
static uint32_t warm_users(const struct workload *w)
{
	double mean = ramp_total(&w->ramp) * 1e3 / (double)ramp_duration_ms(&w->ramp);

	return w->warmup_ms ? (uint32_t)MAX_OF(llround(mean), 1) : 0;
}

static uint32_t ramping_users(const struct workload *w)
{
	return (uint32_t)MAX_OF(llround(ramp_peak(&w->ramp)), (long long)warm_users(w));
}

/* One call of each: at the end at most one is left to complete a round. */
static uint32_t ramping_round(const struct workload *w)
{
	(void)w;
	return 1;
}

static void plan_ramping(struct schedule *s)
{
	plan_constant(s);
	s->warm_users = warm_users(&s->w);
}

static int64_t stage_from(const struct ramp *r, size_t i)
{
	return llround(i ? r->stages[i - 1].target : r->start);
}

/* When the k-th of diff steps comes; the last comes with the end of the stage, as in k6. */
static int64_t step_ns(int64_t length_ns, int64_t k, int64_t diff)
{
	return (int64_t)floorl((long double)length_ns * (long double)k / (long double)diff);
}

static int64_t steps_done(int64_t length_ns, int64_t at_ns, int64_t diff)
{
	int64_t k = (int64_t)((long double)diff * (long double)at_ns / (long double)length_ns);

	while (k > 0 && step_ns(length_ns, k, diff) > at_ns)
		k--;
	while (k < diff && step_ns(length_ns, k + 1, diff) <= at_ns)
		k++;
	return k;
}

/* How many users there are at that time. */
static int64_t users_at(const struct ramp *r, int64_t at_ns)
{
	int64_t began_ns = 0;

	for (size_t i = 0; i < r->count; i++) {
		int64_t length_ns = r->stages[i].duration_ms * NS_PER_MS;
		int64_t from = stage_from(r, i), to = llround(r->stages[i].target);

		if (at_ns < began_ns + length_ns) {
			int64_t diff = MAX_OF(to, from) - MIN_OF(to, from);
			int64_t done = diff ? steps_done(length_ns, at_ns - began_ns, diff) : 0;

			return to > from ? from + done : from - done;
		}
		began_ns += length_ns;
	}
	return stage_from(r, r->count);
}

static enum user_turn may_ramping(const struct schedule *s, uint32_t user, int64_t now_ns)
{
	/* At the end anybody may complete the round, and hears that it is over. */
	if (now_ns >= s->w.duration_ms * NS_PER_MS)
		return USER_CALLS;
	if (now_ns < 0)
		return user < s->warm_users ? USER_CALLS : USER_RESTS;
	return user < users_at(&s->w.ramp, now_ns) ? USER_CALLS : USER_RESTS;
}

/* The users of one part, from - to, or none of them; the time of the next_user-th of it. */
struct part {
	int64_t from, to, began_ns, length_ns;
};

/* 0: the warm-up, 1: the start, 2 + i: stage i, and then the end. */
static struct part part_of(const struct schedule *s, size_t at)
{
	const struct ramp *r = &s->w.ramp;
	struct part p = {.began_ns = 0};

	if (at == 0)
		return (struct part){0, s->warm_users, s->start_ns, 0};
	if (at == 1)
		return (struct part){0, stage_from(r, 0), 0, 0};
	for (size_t i = 0; i < at - 2 && i < r->count; i++)
		p.began_ns += r->stages[i].duration_ms * NS_PER_MS;
	if (at - 2 == r->count)
		return (struct part){0, 1, p.began_ns, 0};
	p.from = stage_from(r, at - 2);
	p.to = llround(r->stages[at - 2].target);
	p.length_ns = r->stages[at - 2].duration_ms * NS_PER_MS;
	return p;
}

static bool rise_by_stages(struct schedule *s, uint32_t *user, int64_t *at_ns)
{
	for (; s->next_stage < s->w.ramp.count + 3; s->next_stage++) {
		struct part p = part_of(s, s->next_stage);
		int64_t done = s->next_user;

		if (p.from + done < p.to) {
			*user = (uint32_t)(p.from + done);
			*at_ns = p.began_ns +
				 (p.length_ns ? step_ns(p.length_ns, done + 1, p.to - p.from) : 0);
			s->next_user++;
			return true;
		}
		s->next_user = 0;
	}
	return false;
}

const struct executor_def schedule_ramping_vus = {
	.is_closed = true,
	.wrong = ramping_wrong,
	.duration_ms = ramping_duration_ms,
	.users = ramping_users,
	.round = ramping_round,
	.plan = plan_ramping,
	.may_call = may_ramping,
	.rise = rise_by_stages,
};
