/*
 * job_run.c - sending what is due and hearing what comes back: the hot path of a job.
 *
 * Nothing here allocates per call: calls, histograms and request bytes are there before the first
 * one is due. Callbacks of the engine only count and set timers; a job ends from its act timer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

#include "cmd/loader/job.h"

#define START_IN_NS (2 * NS_PER_MS)	      /* to prepare the first burst in */
#define START_AHEAD_MAX_NS (60 * NS_PER_S)    /* of start_at: more is a wrong clock */
#define START_PREPARED_IN_NS (30 * NS_PER_MS) /* where each call of it has bytes of its own */
#define CALLS_IN_USE_MAX 65536u
#define PREPARE_MARGIN_NS (5 * NS_PER_US) /* beyond what one takes, before the next is due */
#define PREPARE_MOST_NS (50 * NS_PER_US)  /* more was not its own: we did not run */
#define PREPARE_SLICE_NS (100 * NS_PER_US)
#define SIGN_AHEAD_NS NS_PER_MS /* of a gap: enough to prepare the next burst in */
#define CONNECT_TIMEOUT_MS 5000

static const enum outcome of_end[] = {
	[ENGINE_ANSWERED] = OUT_OK,	[ENGINE_TIMEOUT] = OUT_TIMEOUT,
	[ENGINE_CONNECT] = OUT_CONNECT, [ENGINE_TLS] = OUT_TLS,
	[ENGINE_DNS] = OUT_DNS,		[ENGINE_BAD_ANSWER] = OUT_HTTP_ERROR,
	[ENGINE_ABORTED] = OUT_ABORTED, [ENGINE_NOT_SENT] = OUT_NOT_SENT,
};

static void on_done(struct engine_pool *p, struct engine_call *e, void *ctx);
static void count_unresolved(struct job *j);
static void on_due(struct loop *l, struct loop_timer *t);
static void send_closed(struct job *j);

/* ---- before the first call ---- */

/* As many as can be waiting or in flight at once: all that become due within a timeout. */
static size_t calls_needed(const struct job *j)
{
	const struct workload *w = &j->shard->workload;
	uint64_t all = j->schedule.due_total + j->schedule.warmup_total;
	double within = workload_most_within(w, j->shard->timeout_ms);

	if (j->is_closed)
		return j->schedule.users;
	return (size_t)MIN_OF(MIN_OF((uint64_t)within + 3 * (uint64_t)j->schedule.round_n, all),
			      CALLS_IN_USE_MAX);
}

static int open_pool(struct job *j, size_t i, char why[SHARD_WHY_SIZE])
{
	const struct shard *sh = j->shard;
	const struct shard_target *t = &sh->targets[i];
	const struct config_account *account =
		j->world->guard.config ? config_account(j->world->guard.config, sh->account) : NULL;
	struct engine_endpoint ep = {
		.host = t->host,
		.port = t->port,
		.is_tls = t->is_tls,
		.ca_file = account && account->ca_file ? account->ca_file : t->ca,
		.cert_file = account ? account->cert_file : NULL,
		.key_file = account ? account->key_file : NULL,
		.unix_path = t->unix_socket,
		.protocol = t->protocol,
	};
	struct engine_limits limits = {
		.in_flight = MAX_OF(sh->in_flight / (uint32_t)sh->workload.variant_count, 1),
		.timeout_ms = sh->timeout_ms,
		.connect_timeout_ms = MIN_OF(sh->timeout_ms, CONNECT_TIMEOUT_MS),
		.body_max_bytes = sh->body_max_bytes,
		.connections = job_connections(j),
		.streams = sh->streams,
	};
	char engine_why[ENGINE_WHY_SIZE] = "";
	int rc = guard_target(&j->world->guard, sh, t, &ep.allow_private, why);

	if (rc != 0)
		return rc;
	rc = engine_pool_new(j->world->engine, &ep, &limits, on_done, j, &j->pools[i], engine_why);
	if (rc != 0)
		snprintf(why, SHARD_WHY_SIZE, "cannot call %s: %s", t->authority, engine_why);
	if (rc == -ENOENT || rc == -EAGAIN)
		count_unresolved(j);
	return rc;
}

int job_prepare(struct job *j, char why[SHARD_WHY_SIZE])
{
	const struct workload *w = &j->shard->workload;
	size_t count = calls_needed(j);
	bool has_report = false;
	int rc = lanes_init(&j->lanes, j->shard, &j->session, j->world->files, why);

	for (size_t i = 0; i < w->variant_count && rc == 0; i++) {
		j->index_of[w->variants[i]] = (uint8_t)i;
		has_report = has_report || j->lanes.kinds[i]->has_report;
		rc = open_pool(j, i, why);
	}
	if (rc != 0)
		return rc;
	ahead_init(&j->ahead, &j->schedule, &j->lanes, j->index_of);
	j->tally = tally_new(&j->schedule, has_report);
	j->loop_delay = hdr_new();
	j->calls = x_calloc(count, sizeof(*j->calls));
	j->calls_max = count;
	if (j->is_closed)
		users_init(&j->users, &j->schedule);
	return 0;
}

static int64_t since_origin_ns(const struct job *j, struct mono at)
{
	return mono_diff_ns(at, j->origin);
}

static struct wall wall_at(const struct job *j, int64_t offset_ns)
{
	return wall_add_ns(j->origin_wall, offset_ns);
}

/* ---- results ---- */

static void count_call(struct job *j, const struct place *place, const struct engine_call *e,
		       const struct answer *a, enum outcome outcome, const char *why)
{
	struct result r = {
		.place = place,
		.outcome = outcome,
		.answer = a,
		.reason = why,
	};

	if (e && e->sent.ns) {
		r.was_sent = true;
		if (mono_is_before(j->last_sent, e->sent))
			j->last_sent = e->sent;
		r.late_us = mono_diff_ns(e->sent, e->due) / NS_PER_US;
		r.service_us = mono_diff_ns(e->done, e->sent) / NS_PER_US;
		r.response_us = mono_diff_ns(e->done, e->due) / NS_PER_US;
	}
	tally_done(j->tally, &r);
	look_done(&j->look, place->round, j->next_place.round, j->tally);
}

/* Without an address nothing is sent, but all that was due is told. Of closed executors nobody
 * knows how much that would have been. */
static void count_unresolved(struct job *j)
{
	struct place place;

	if (j->is_closed)
		return;
	j->tally = tally_new(&j->schedule, false);
	j->loop_delay = hdr_new();
	j->began = j->ended = mono_now();
	j->began_wall = wall_now();
	while (schedule_next(&j->schedule, 0, &place)) {
		tally_due(j->tally, &place);
		count_call(j, &place, NULL, NULL, OUT_DNS, "no address");
	}
}

static void look_at_clock(struct job *j, const struct engine_call *e)
{
	const struct wall done = wall_at(j, since_origin_ns(j, e->done));
	const char *date;
	size_t len_bytes;
	int64_t offset_ms;

	if (!clock_check_is_due(&j->clock, done))
		return;
	date = response_header(e->response, "date", &len_bytes);
	if (!date)
		return;
	clock_check_add(&j->clock, date, len_bytes, wall_at(j, since_origin_ns(j, e->sent)), done);
	offset_ms = clock_check_offset_ms(&j->clock);
	if (offset_ms > CLOCK_REFUSED_MS || offset_ms < -CLOCK_REFUSED_MS)
		job_stop(j, JOB_ERROR,
			 "our clock and the target's differ by %lld s; set the clock of this host",
			 (long long)(offset_ms / 1000));
}

static bool is_bad(enum outcome outcome, const struct answer *a)
{
	if (outcome == OUT_THROTTLED)
		return a && a->is_account_throttle;
	return outcome != OUT_OK && outcome != OUT_NOT_SENT && outcome != OUT_ABORTED;
}

static void look_at_errors(struct job *j, enum outcome outcome, const struct answer *a,
			   const char *why)
{
	if (outcome == OUT_NOT_SENT || outcome == OUT_ABORTED)
		return;
	if (error_window_add(&j->errors, is_bad(outcome, a), j->shard->abort_error_ratio))
		job_stop(j, JOB_ABORTED,
			 "%u of the last %u calls failed (limit %g %%); last: %s %s", j->errors.bad,
			 j->errors.count, j->shard->abort_error_ratio * 100, outcome_name(outcome),
			 a ? a->reason : why);
}

static void user_is_free(struct job *j, uint32_t user, struct mono since)
{
	users_put(&j->users, user, since_origin_ns(j, since));
	if (j->state != JOB_RUNNING)
		return;
	/* At once: its connection is in our hands, and a timer would cost another turn. */
	j->burst_began = since;
	send_closed(j);
}

static void on_done(struct engine_pool *p, struct engine_call *e, void *ctx)
{
	struct call *c = CONTAINER_OF(e, struct call, engine);
	struct job *j = ctx;
	struct answer answer;
	const struct answer *a = NULL;
	enum outcome outcome = of_end[e->end];
	size_t i = j->index_of[c->place.variant];

	(void)p;
	if (e->end == ENGINE_ANSWERED) {
		target_read(j->lanes.kinds[i], &j->shard->targets[i], e->response,
			    &j->lanes.scratch, &answer);
		a = &answer;
		outcome = answer.outcome;
		look_at_clock(j, e);
	}
	count_call(j, &c->place, e, a, outcome, e->why);
	look_at_errors(j, outcome, a, e->why ? e->why : "");
	lanes_put(c->request);
	c->next_free = j->free_calls;
	j->free_calls = c;
	j->in_flight--;
	j->open_calls[c->place.variant]--;
	if (j->is_closed && j->end == JOB_END_NONE)
		user_is_free(j, c->user, e->done);
	if (j->in_flight == 0 && j->state == JOB_DRAINING)
		job_act_soon(j);
}

/* ---- sending ---- */

/* One that was used before, else the next one: memory that is never needed is never touched. */
static struct call *spare_call(struct job *j)
{
	if (!j->free_calls && j->calls_begun < j->calls_max)
		j->free_calls = &j->calls[j->calls_begun++];
	return j->free_calls;
}

/* prepared: what ahead_next() gave with it; user: of a closed executor. */
static void send_one(struct job *j, const struct place *place, struct prepared *prepared,
		     uint32_t user)
{
	struct call *c = spare_call(j);
	size_t i = j->index_of[place->variant];
	char why[SHARD_WHY_SIZE];
	int rc;

	tally_due(j->tally, place);
	look_due(&j->look, place->round);
	if (!c) {
		if (prepared)
			lanes_put(prepared);
		j->overflowed++;
		count_call(j, place, NULL, NULL, OUT_NOT_SENT, "too_many_waiting");
		return;
	}
	rc = ahead_request(&j->ahead, place, wall_at(j, place->due_ns), prepared, &c->request, why);
	if (rc != 0) {
		count_call(j, place, NULL, NULL, OUT_NOT_SENT, "not_prepared");
		job_stop(j, JOB_ERROR, "%s", why);
		return;
	}
	j->free_calls = c->next_free;
	j->in_flight++;
	if (++j->open_calls[place->variant] > j->open_calls_peak[place->variant])
		j->open_calls_peak[place->variant] = j->open_calls[place->variant];
	c->place = *place;
	c->user = user;
	c->engine = (struct engine_call){
		.due = mono_add_ns(j->origin, place->due_ns),
		.request = &c->request->request,
	};
	engine_submit(j->pools[i], &c->engine);
}

static void all_were_due(struct job *j)
{
	j->state = JOB_DRAINING;
	job_act_soon(j);
}

/* What follows is not due any more; what was sent meanwhile ends as it would have. */
static void on_decided(void *ctx)
{
	struct job *j = ctx;

	if (j->state != JOB_RUNNING || j->end != JOB_END_NONE) {
		j->look.is_decided = false; /* all was due: the end decides */
		return;
	}
	if (j->next_request)
		lanes_put(j->next_request);
	j->next_request = NULL;
	j->has_next = false;
	all_were_due(j);
}

/* After a gap in the middle of a burst the loop's guards are asked before the rest goes out. */
static bool is_after_gap(const struct job *j)
{
	return j->world->is_bus && mono_diff_ns(mono_now(), j->burst_began) >= LOOP_GAP_NS;
}

static void send_open(struct job *j)
{
	struct mono due = {0}, now;

	while (j->has_next && j->end == JOB_END_NONE) {
		due = mono_add_ns(j->origin, j->next_place.due_ns);
		now = mono_now();
		if (mono_is_before(now, due) || is_after_gap(j))
			break;
		send_one(j, &j->next_place, j->next_request, 0);
		j->has_next = ahead_next(&j->ahead, &j->next_place, &j->next_request);
	}
	if (!j->has_next) {
		all_were_due(j);
		return;
	}
	if (j->end != JOB_END_NONE)
		return;
	j->armed_for = due;
	loop_timer_set(j->world->loop, &j->due_timer, due);
	if (mono_diff_ns(due, mono_now()) > SIGN_AHEAD_NS)
		lanes_ahead(&j->lanes, wall_at(j, j->next_place.due_ns));
	if (j->ahead.cap)
		loop_timer_set_in(j->world->loop, &j->ahead_timer, 0);
}

/* Enough time before the next call has to leave to prepare one more? */
static bool has_idle_time(const struct job *j, struct mono now)
{
	struct mono due = mono_add_ns(j->origin, j->next_place.due_ns + j->world->batch_ns);

	return mono_diff_ns(due, now) > j->ahead.step_ns + PREPARE_MARGIN_NS;
}

/*
 * Requests of their own for calls to come. A few at a time: answers that came in meanwhile are
 * heard in between.
 */
static void on_ahead(struct loop *l, struct loop_timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, ahead_timer);
	struct mono began = mono_now(), now = began;

	if (j->state != JOB_RUNNING || j->end != JOB_END_NONE || !j->has_next)
		return;
	while (has_idle_time(j, now) && mono_diff_ns(now, began) < PREPARE_SLICE_NS) {
		struct mono before = now;

		if (!ahead_step(&j->ahead, since_origin_ns(j, now)))
			return;
		now = mono_now();
		j->ahead.step_ns +=
			(MIN_OF(mono_diff_ns(now, before), PREPARE_MOST_NS) - j->ahead.step_ns) / 8;
	}
	if (has_idle_time(j, now))
		loop_timer_set_in(l, t, 0);
}

static void send_closed(struct job *j)
{
	const struct free_user *first;
	struct place place;

	if (j->users.has_rise)
		users_rise(&j->users, &j->schedule, since_origin_ns(j, mono_now()));
	while ((first = users_first(&j->users)) && j->end == JOB_END_NONE) {
		struct free_user f = *first;
		enum user_turn turn;

		if (is_after_gap(j)) {
			loop_timer_set(j->world->loop, &j->due_timer,
				       mono_add_ns(j->origin, f.since_ns));
			return;
		}
		turn = schedule_user(&j->schedule, f.user, f.since_ns, &place);
		if (turn == USER_ENDS) {
			all_were_due(j);
			return;
		}
		users_pop(&j->users);
		if (turn == USER_CALLS)
			send_one(j, &place, NULL, f.user);
		else
			users_rest(&j->users, f.user);
	}
	if (j->users.has_rise)
		loop_timer_set(j->world->loop, &j->due_timer,
			       mono_add_ns(j->origin, j->users.rises_ns));
}

static void on_due(struct loop *l, struct loop_timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, due_timer);

	(void)l;
	if (j->state != JOB_RUNNING || j->end != JOB_END_NONE)
		return;
	j->burst_began = mono_now();
	engine_batch_begin(j->world->engine);
	if (j->is_closed) {
		send_closed(j);
	} else {
		hdr_record(j->loop_delay, mono_diff_ns(j->burst_began, j->armed_for) / NS_PER_US);
		send_open(j);
	}
	engine_batch_end(j->world->engine);
}

/* From now to the first call; -ERANGE when start_at makes no sense. */
static int start_in_ns(const struct job *j, struct wall now, int64_t *out)
{
	*out = j->ahead.cap ? START_PREPARED_IN_NS : START_IN_NS;
	if (!j->shard->has_start_at)
		return 0;
	*out = MAX_OF(*out, wall_diff_ns(j->shard->start_at, now));
	return *out > START_AHEAD_MAX_NS ? -ERANGE : 0;
}

void job_begin(struct job *j)
{
	struct wall now = wall_now();
	int64_t in_ns;

	if (start_in_ns(j, now, &in_ns) != 0) {
		job_stop(j, JOB_ERROR, "the start is %lld s ahead; the clocks of the hosts differ",
			 (long long)(in_ns / NS_PER_S));
		return;
	}
	j->state = JOB_RUNNING;
	j->due_timer.run = on_due;
	j->began = mono_add_ns(mono_now(), in_ns);
	j->began_wall = wall_add_ns(now, in_ns);
	j->origin = mono_add_ns(j->began, -j->schedule.start_ns);
	j->origin_wall = wall_add_ns(j->began_wall, -j->schedule.start_ns);
	machine_begin(&j->machine);
	j->spun_before_ns = loop_spun_ns(j->world->loop);
	loop_timer_set(j->world->loop, &j->progress_timer, mono_add_ns(j->began, NS_PER_S));
	if (!j->is_closed) {
		look_init(&j->look, j->world->loop, j->shard->plan, (uint64_t)j->schedule.rounds,
			  on_decided, j);
		j->ahead.origin = j->origin_wall;
		(void)ahead_step(&j->ahead, j->schedule.start_ns);
		j->has_next = ahead_next(&j->ahead, &j->next_place, &j->next_request);
		lanes_ahead(&j->lanes, j->began_wall);
		j->ahead_timer.run = on_ahead;
		if (j->ahead.cap)
			loop_timer_set_in(j->world->loop, &j->ahead_timer, 0);
	}
	j->armed_for = j->began;
	loop_timer_set(j->world->loop, &j->due_timer, j->began);
}

void job_cut(struct job *j)
{
	for (size_t i = 0; i < j->shard->workload.variant_count; i++)
		engine_pool_abort(j->pools[i], "the run was cut short");
	BUG_ON(j->in_flight != 0);
	/* What the plan still had due counts: the classes add up to the plan's calls. */
	while (j->has_next) {
		tally_due(j->tally, &j->next_place);
		count_call(j, &j->next_place, NULL, NULL, OUT_NOT_SENT, "run_cut_short");
		if (j->next_request)
			lanes_put(j->next_request);
		j->has_next = ahead_next(&j->ahead, &j->next_place, &j->next_request);
	}
}
