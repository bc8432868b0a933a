/*
 * job.c - the life of a job; see job.h.
 */
#include "cmd/loader/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

#include "cmd/loader/replay.h"

#define LOOK_AGAIN_NS (200 * NS_PER_MS) /* at a fence that is taken, at a pause */
#define CONNECT_GAP_NS (10 * NS_PER_MS)
/* Opening a connection without TLS costs next to nothing: all of them within this. */
#define CONNECT_RAMP_NS (10 * NS_PER_MS)
/* After all that the run itself may take: keys, connections, a late start. */
#define LEASED_MARGIN_NS (60 * NS_PER_S)
#define CONNECT_AHEAD_MAX 64 /* more are opened as they are needed */
#define CONNECT_AHEAD 8
#define DESCRIPTORS_BESIDE 32 /* standard streams, epoll, pipes, files under --state */
#define CONNECT_MANY_GAP_NS (100 * NS_PER_US)
#define CONNECT_MANY_TLS_GAP_NS NS_PER_MS

/* ---- ending ---- */

static void unlink_job(struct job *j)
{
	struct job **at = &j->world->first;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	j->world->count--;
}

void job_free(struct job *j)
{
	struct loop_timer *timers[] = {&j->due_timer, &j->progress_timer, &j->deadline_timer,
				       &j->act_timer, &j->ahead_timer};

	unlink_job(j);
	for (size_t i = 0; i < VARIANT_COUNT; i++)
		if (j->pools[i])
			engine_pool_free(j->pools[i]);
	if (j->next_request)
		lanes_put(j->next_request);
	look_release(&j->look);
	ahead_release(&j->ahead);
	lanes_release(&j->lanes);
	session_stop(&j->session);
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		loop_timer_clear(j->world->loop, timers[i]);
	schedule_release(&j->schedule);
	tally_free(j->tally);
	hdr_free(j->loop_delay);
	free(j->calls);
	users_release(&j->users);
	fence_drop(&j->world->fences, j->fence);
	shard_free(j->shard);
	free(j);
}

void jobs_drop(struct job_world *w)
{
	while (w->first)
		job_free(w->first);
}

void job_act_soon(struct job *j)
{
	loop_timer_set_in(j->world->loop, &j->act_timer, 0);
}

static void set_end(struct job *j, enum job_end end, const char *fmt, va_list ap)
{
	j->end = end;
	vsnprintf(j->reason, sizeof(j->reason), fmt, ap);
	job_act_soon(j);
}

void job_stop(struct job *j, enum job_end end, const char *fmt, ...)
{
	va_list ap;

	if (j->end != JOB_END_NONE || j->state == JOB_OVER)
		return;
	va_start(ap, fmt);
	set_end(j, end, fmt, ap);
	va_end(ap);
}

static void finish(struct job *j)
{
	if (j->state == JOB_RUNNING || j->state == JOB_DRAINING) {
		job_cut(j);
		j->ended = mono_now();
	}
	log_at(j->end == JOB_ERROR ? LOG_WARN : LOG_INFO, "shard %s of %s: %s%s%s", j->shard->id,
	       j->shard->subject, job_end_name(j->end), j->reason[0] ? ": " : "", j->reason);
	job_report(j);
	j->state = JOB_OVER;
}

/* It may have been on its way to another end already: that one has not been told yet. */
void job_stop_now(struct job *j, enum job_end end, const char *fmt, ...)
{
	va_list ap;

	if (j->state == JOB_OVER)
		return;
	va_start(ap, fmt);
	set_end(j, end, fmt, ap);
	va_end(ap);
	finish(j);
}

/* ---- starting ---- */

static void on_keys(struct session *s, enum session_news news, void *ctx)
{
	struct job *j = ctx;

	if (news != SESSION_FRESH)
		job_stop(j, JOB_ERROR, "%s%s",
			 news == SESSION_RAN_OUT ? "the credentials ran out: " : "", s->failure);
	else if (j->state == JOB_CREDENTIALS)
		job_act_soon(j);
}

static void on_connected(struct engine_pool *p, uint32_t open, uint32_t failed, void *ctx)
{
	struct job *j = ctx;

	(void)p;
	log_debug("shard %s: %u connections open, %u failed", j->shard->id, open, failed);
	BUG_ON(j->pools_connecting == 0);
	j->pools_connecting--;
	job_act_soon(j);
}

uint32_t job_connections(const struct job *j)
{
	uint32_t n = j->shard->connections / (uint32_t)j->shard->workload.variant_count;

	return j->shard->connections ? MAX_OF(n, 1u) : 0;
}

static uint32_t connections_ahead(const struct job *j)
{
	const struct workload *w = &j->shard->workload;
	uint32_t n = w->spread > 1 ? w->spread : CONNECT_AHEAD;

	if (j->shard->connections)
		return job_connections(j);
	if (executor_is_closed(w->executor))
		n = workload_users(w);
	return MIN_OF(MIN_OF(n, CONNECT_AHEAD_MAX),
		      MAX_OF(j->shard->in_flight / (uint32_t)w->variant_count, 1));
}

/* Thousands are opened no faster than a listener's queue takes them. */
static int64_t connect_gap_ns(const struct job *j, size_t i, uint32_t count)
{
	if (count > CONNECT_AHEAD_MAX)
		return j->shard->targets[i].is_tls ? CONNECT_MANY_TLS_GAP_NS : CONNECT_MANY_GAP_NS;
	if (j->shard->targets[i].is_tls)
		return CONNECT_GAP_NS;
	return MIN_OF(CONNECT_GAP_NS, CONNECT_RAMP_NS / count);
}

static void connect_ahead(struct job *j)
{
	uint32_t count = connections_ahead(j);
	char why[SHARD_WHY_SIZE];

	if (job_prepare(j, why) != 0) {
		job_stop(j, JOB_ERROR, "%s", why);
		return;
	}
	j->state = JOB_CONNECTING;
	j->pools_connecting = j->shard->workload.variant_count;
	for (size_t i = 0; i < j->shard->workload.variant_count; i++)
		engine_pool_connect(j->pools[i], count, connect_gap_ns(j, i, count), on_connected);
}

/* False when there is not enough time left to be worth starting. */
static bool has_time(const struct job *j)
{
	const struct workload *w = &j->shard->workload;
	struct wall end = wall_add_ns(wall_now(), (w->warmup_ms + w->duration_ms) * NS_PER_MS);

	return !j->shard->has_deadline || wall_diff_ns(j->shard->deadline, end) >= 0;
}

static void look_again(struct job *j)
{
	loop_timer_set_in(j->world->loop, &j->act_timer, LOOK_AGAIN_NS);
}

static void leave_waiting(struct job *j)
{
	int rc = 0;

	if (!has_time(j)) {
		job_stop(j, JOB_ERROR, "the deadline leaves no time for it");
		return;
	}
	if (j->world->is_paused) {
		look_again(j);
		return;
	}
	if (!j->world->is_bus)
		rc = fence_take(&j->world->fences, j->shard->subject, j->shard->run, &j->fence);
	if (rc == -EAGAIN) {
		look_again(j);
		return;
	}
	if (rc != 0) {
		job_stop(j, JOB_ERROR, "cannot lock %s under --state: %s", j->shard->subject,
			 strerror(-rc));
		return;
	}
	if (!j->needs_keys) {
		connect_ahead(j);
		return;
	}
	j->state = JOB_CREDENTIALS;
	session_start(&j->session, j->world->loop,
		      &(struct session_how){
			      .program = j->world->credential_program,
			      .account = j->shard->account,
			      .run = j->shard->run,
			      .functions = j->shard->targets[0].function,
			      .config = stage_config_path(j->world->stage),
			      .state = stage_state_dir(j->world->stage),
		      },
		      on_keys, j);
}

/* The one place that moves a job along; runs from the loop, never inside another callback. */
static void act(struct loop *l, struct loop_timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, act_timer);

	(void)l;
	if (j->state == JOB_OVER) {
		job_free(j);
		return;
	}
	if (j->end == JOB_END_NONE && j->state == JOB_WAITING)
		leave_waiting(j);
	else if (j->end == JOB_END_NONE && j->state == JOB_CREDENTIALS && j->session.generation)
		connect_ahead(j);
	else if (j->end == JOB_END_NONE && j->state == JOB_CONNECTING && !j->pools_connecting)
		job_begin(j);
	if (j->end == JOB_END_NONE && j->state == JOB_DRAINING && j->in_flight == 0)
		j->end = JOB_COMPLETE;
	if (j->end != JOB_END_NONE) {
		finish(j);
		job_act_soon(j); /* to be freed outside of anything of its own */
	}
}

static void on_deadline(struct loop *l, struct loop_timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, deadline_timer);

	(void)l;
	job_stop(j, j->state < JOB_RUNNING ? JOB_ERROR : JOB_ABORTED, "the deadline has passed");
}

static void on_progress(struct loop *l, struct loop_timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, progress_timer);

	if (j->state != JOB_RUNNING && j->state != JOB_DRAINING)
		return;
	job_progress(j);
	loop_timer_set_in(l, t, NS_PER_S);
}

void job_set_deadline(struct job *j, struct wall deadline)
{
	if (j->shard->has_deadline && wall_diff_ns(deadline, j->shard->deadline) >= 0)
		return;
	j->shard->deadline = deadline;
	j->shard->has_deadline = true;
	loop_timer_set_in(j->world->loop, &j->deadline_timer,
			  MAX_OF(wall_diff_ns(deadline, wall_now()), 0));
}

/* Connections that are asked for by number. */
static int check_descriptors(const struct shard *sh, char why[SHARD_WHY_SIZE])
{
	struct rlimit limit;

	if (!sh->connections || getrlimit(RLIMIT_NOFILE, &limit) ||
	    (rlim_t)sh->connections + DESCRIPTORS_BESIDE <= limit.rlim_cur)
		return 0;
	snprintf(why, SHARD_WHY_SIZE,
		 "%u connections need as many file descriptors, and this process may have %llu; "
		 "raise the hard limit (ulimit -Hn)",
		 sh->connections, (unsigned long long)limit.rlim_cur);
	return -EMFILE;
}

/* Everything that can be refused without a connection. */
static int check(struct job *j, char why[SHARD_WHY_SIZE])
{
	const struct shard *sh = j->shard;
	char short_why[SCHEDULE_WHY_SIZE];
	int rc = replay_load(j->shard, j->world->files, why);

	if (rc == 0)
		rc = guard_size(&j->world->guard, sh, why);
	if (rc == 0)
		rc = check_descriptors(sh, why);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < sh->workload.variant_count; i++) {
		const struct target_kind *kind = target_kind(sh->targets[i].method);
		bool allow_private;

		if (!kind) {
			snprintf(why, SHARD_WHY_SIZE, "method \"%s\" is not known here",
				 sh->targets[i].method);
			return -EINVAL;
		}
		j->needs_keys = j->needs_keys || kind->needs_credentials;
		if (kind->needs_credentials && !sh->targets[i].function) {
			snprintf(why, SHARD_WHY_SIZE, "a lambda-invoke target names its function");
			return -EINVAL;
		}
		rc = guard_target(&j->world->guard, sh, &sh->targets[i], &allow_private, why);
		if (rc != 0)
			return rc;
	}
	rc = schedule_init(&j->schedule, &sh->workload, short_why);
	if (rc != 0)
		snprintf(why, SHARD_WHY_SIZE, "%s", short_why);
	else
		j->shard->workload.duration_ms = j->schedule.w.duration_ms;
	j->is_closed = executor_is_closed(sh->workload.executor);
	return rc;
}

/* How long a run waits on the bus was not known when it was planned. */
static void set_leased_deadline(struct shard *sh)
{
	const struct workload *w = &sh->workload;
	struct wall begin = wall_now();

	if (sh->has_start_at && wall_diff_ns(sh->start_at, begin) > 0)
		begin = sh->start_at;
	sh->deadline =
		wall_add_ns(begin, (w->warmup_ms + w->duration_ms + sh->timeout_ms) * NS_PER_MS +
					   LEASED_MARGIN_NS);
	sh->has_deadline = true;
}

void job_start(struct job_world *w, struct shard *shard_take, const char *parse_why)
{
	struct job *j = x_calloc(1, sizeof(*j));
	char why[SHARD_WHY_SIZE];

	j->world = w;
	j->shard = shard_take;
	j->act_timer.run = act;
	j->deadline_timer.run = on_deadline;
	j->progress_timer.run = on_progress;
	j->next = w->first;
	w->first = j;
	w->count++;
	if (w->is_bus && !parse_why)
		set_leased_deadline(j->shard);
	if (parse_why)
		job_stop(j, JOB_ERROR, "%s", parse_why);
	else if (check(j, why) != 0)
		job_stop(j, JOB_ERROR, "%s", why);
	else if (j->shard->has_deadline)
		loop_timer_set_in(w->loop, &j->deadline_timer,
				  MAX_OF(wall_diff_ns(j->shard->deadline, wall_now()), 0));
	job_act_soon(j);
}
