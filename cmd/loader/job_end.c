/*
 * job_end.c - shard.progress and shard.finished.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"

#include "cmd/loader/job.h"
#include "cmd/loader/quality.h"

#define ID_SIZE 128
#define ROUND_TO 1e4 /* of ratios: what is behind that is noise */

const char *job_end_name(enum job_end end)
{
	static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
		JOB_ENDS(X)
#undef X
	};

	return names[end];
}

static struct json *where_json(const struct job *j)
{
	struct json *o = json_obj();

	json_put_int(o, "index", j->shard->index);
	json_put_int(o, "of", j->shard->of);
	return o;
}

static struct json *head_json(const struct job *j)
{
	struct json *o = json_obj();

	json_put_str(o, "run", j->shard->run);
	json_put(o, "shard", where_json(j));
	return o;
}

void job_progress(struct job *j)
{
	const struct workload *w = &j->shard->workload;
	struct json *data;
	char id[ID_SIZE];

	/* Progress may be lost anywhere: not worth waiting for a slow reader. */
	if (stage_is_blocked(j->world->stage))
		return;
	data = head_json(j);
	json_put_int(data, "elapsed_ms", mono_diff_ns(mono_now(), j->began) / NS_PER_MS);
	json_put_int(data, "total_ms", w->warmup_ms + w->duration_ms);
	tally_progress(j->tally, data);
	json_put_int(data, "in_flight", j->in_flight);
	snprintf(id, sizeof(id), "%s.%lld.%llu", j->shard->id, (long long)j->shard->attempt,
		 (unsigned long long)j->progress_seq++);
	if (stage_emit_new(j->world->stage, EV_SHARD_PROGRESS, id, j->shard->subject, j->shard->run,
			   wall_now(), data) != 0)
		stage_count(j->world->stage, "progress-not-sent");
}

/* ---- the result ---- */

static double rounded(double ratio)
{
	return (double)(int64_t)(ratio * ROUND_TO + 0.5) / ROUND_TO;
}

static void add_pool(const struct engine_pool *pool, struct engine_pool_stats *all)
{
	struct engine_pool_stats one;

	if (!pool) /* its name did not resolve */
		return;
	engine_pool_stats(pool, &one);
	all->sent_bytes += one.sent_bytes;
	all->received_bytes += one.received_bytes;
	all->connects += one.connects;
	all->local_faults += one.local_faults;
	all->waited += one.waited;
	all->blocked += one.blocked;
	all->local_why = one.local_why ? one.local_why : all->local_why;
}

static struct engine_pool_stats pool_sums(const struct job *j)
{
	struct engine_pool_stats all = {0};

	for (size_t i = 0; i < j->shard->workload.variant_count; i++)
		add_pool(j->pools[i], &all);
	return all;
}

static uint64_t warmup_calls(const struct tally *t)
{
	return t->warmup_due[VARIANT_OLD] + t->warmup_due[VARIANT_NEW];
}

/* Of a core, without what was spent waiting awake (--spin). */
static double busy_ratio(const struct job *j, const struct machine_use *use)
{
	int64_t took_ns = mono_diff_ns(mono_now(), j->machine.at);
	int64_t spun_ns = loop_spun_ns(j->world->loop) - j->spun_before_ns;

	if (took_ns <= 0)
		return 0;
	return rounded(fmax(use->own_ratio - (double)spun_ns / (double)took_ns, 0));
}

/* Which of our own limits was in the way, if one was. Counts hold the warm-up too. */
static void fill_limits(const struct job *j, struct quality *q)
{
	struct engine_pool_stats all = pool_sums(j);
	double calls = (double)(j->tally->due + warmup_calls(j->tally));
	struct machine_use use;

	machine_end(&j->machine, &use);
	q->cpu_ratio = busy_ratio(j, &use);
	q->others_cpu_ratio = rounded(use.others_ratio);
	q->cpu_wait_ratio = rounded(use.wait_ratio);
	q->steal_ratio = rounded(use.steal_ratio);
	q->clock_step_ms = use.clock_step_ms;
	q->local_faults = all.local_faults;
	q->local_why = all.local_why;
	q->places = j->shard->in_flight;
	q->waited_ratio = calls > 0 ? rounded((double)all.waited / calls) : 0;
	q->blocked_ratio = calls > 0 ? rounded((double)all.blocked / calls) : 0;
}

/* No connection to the target, or none that held: that is its finding, not our doubt. */
static uint64_t unreached(const struct tally *t)
{
	static const enum outcome all[] = {OUT_CONNECT, OUT_TLS, OUT_DNS};
	uint64_t sum = 0;

	for (size_t v = 0; v < VARIANT_COUNT; v++)
		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			sum += t->outcomes[v][all[i]];
	return sum;
}

static void fill_quality(const struct job *j, struct quality *q)
{
	const struct tally *t = j->tally;
	const struct workload *w = &j->shard->workload;

	*q = (struct quality){
		.is_open = !executor_is_closed(w->executor),
		.is_complete = j->end == JOB_COMPLETE,
		.unreached_ratio = t->due ? (double)unreached(t) / (double)t->due : 0,
		.achieved_ratio = t->due ? rounded((double)t->sent / (double)t->due) : 0,
		.late_p50_us = hdr_percentile(t->late, 50),
		.late_p99_us = hdr_percentile(t->late, 99),
		.loop_p99_us = hdr_percentile(j->loop_delay, 99),
		.took_ms = mono_diff_ns(j->ended, j->began) / NS_PER_MS,
		.has_clock = j->clock.is_known,
		.clock_offset_ms = clock_check_offset_ms(&j->clock),
		/* Of several shards each sees the environments of all: the collector looks. */
		.spread = executor_is_closed(w->executor) || j->shard->of > 1 ? 0 : w->spread,
		.has_environments = t->instances.count > 0,
		.overflowed = j->overflowed,
		.block_values_lost = t->blocks.lost,
	};
	fill_limits(j, q);
	for (size_t i = 0; i < w->variant_count; i++) {
		enum variant v = w->variants[i];

		q->has_variant[v] = true;
		q->environments[v] = instances_seen(&t->instances, v);
		q->failed[v] = t->failed[v];
		q->open_calls_peak[v] = j->open_calls_peak[v];
	}
}

/* On the wire, TLS records and warm-up included. */
static struct json *bytes_json(const struct job *j)
{
	struct engine_pool_stats all = pool_sums(j);
	struct json *o = json_obj();

	json_put_int(o, "sent", (int64_t)all.sent_bytes);
	json_put_int(o, "received", (int64_t)all.received_bytes);
	return o;
}

static struct json *open_calls(const struct job *j)
{
	const struct workload *w = &j->shard->workload;
	struct json *o = json_obj();

	for (size_t i = 0; i < w->variant_count; i++)
		json_put_int(o, variant_name(w->variants[i]), j->open_calls_peak[w->variants[i]]);
	return o;
}

static void put_host(struct json *data)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) == 0 && *host)
		json_put_str(data, "host", host);
}

static struct json *start_of_result(const struct job *j)
{
	struct json *data = head_json(j), *tool = json_obj();

	json_put_str(tool, "name", "plimsoll-loader");
	json_put_str(tool, "version", PLIMSOLL_VERSION);
	json_put_int(data, "attempt", j->shard->attempt);
	json_put_str(data, "outcome", job_end_name(j->end));
	if (j->reason[0])
		json_put_str(data, "reason", j->reason);
	json_put(data, "tool", tool);
	put_host(data);
	return data;
}

static struct json *never_ran(const struct job *j)
{
	struct json *data = start_of_result(j);

	json_put_int(data, "due", 0);
	json_put(data, "series", json_arr());
	return data;
}

static struct json *did_run(struct job *j)
{
	struct json *data = start_of_result(j);
	char started_at[WALL_RFC3339_SIZE];
	struct quality q;

	wall_format_rfc3339(j->began_wall, started_at);
	json_put_str(data, "started_at", started_at);
	json_put_int(data, "duration_ms", MAX_OF(mono_diff_ns(j->ended, j->began) / NS_PER_MS, 0));
	if (j->clock.is_known)
		json_put_int(data, "clock_offset_ms", clock_check_offset_ms(&j->clock));
	json_put_int(data, "sending_ms",
		     MAX_OF(mono_diff_ns(j->last_sent, j->origin) / NS_PER_MS, 0));
	tally_json(j->tally, data);
	if (j->look.is_decided)
		json_put(data, "stopped", look_json(&j->look));
	json_put(data, "bytes", bytes_json(j));
	json_put(data, "open_calls", open_calls(j));
	fill_quality(j, &q);
	json_put(data, "quality", quality_json(&q));
	if (j->needs_keys)
		json_put_int(data, "sessions", (int64_t)j->lanes.sessions_used);
	if (j->ahead.cap > 0)
		json_put_int(data, "prepared_late", (int64_t)j->ahead.late);
	return data;
}

/* -E2BIG when the line is too long; data stays the caller's. */
static int emit(const struct job *j, struct json *data)
{
	char id[ID_SIZE], why[EVENT_WHY_SIZE] = "";
	struct event ev;
	int rc;

	snprintf(id, sizeof(id), "%s.%lld", j->shard->id, (long long)j->shard->attempt);
	rc = event_new(&ev, EV_SHARD_FINISHED, id, j->shard->subject, j->shard->run, wall_now(),
		       json_ref(data), why);
	if (rc == 0) {
		rc = stage_emit(j->world->stage, &ev);
		event_release(&ev);
	} else if (rc != -E2BIG) {
		log_error("cannot send the result of shard %s: %s", j->shard->id, why);
	}
	return rc;
}

void job_report(struct job *j)
{
	bool has_run = j->began.ns != 0;
	struct json *data = has_run ? did_run(j) : never_ran(j);
	int rc = emit(j, data);

	while (rc == -E2BIG && has_run && tally_thin_calls(j->tally)) {
		tally_put_calls(j->tally, data);
		rc = emit(j, data);
	}
	if (rc == -E2BIG && has_run) {
		tally_put_calls(j->tally, data);
		rc = emit(j, data);
	}
	if (rc != 0) {
		json_free(data);
		j->end = JOB_ERROR;
		snprintf(j->reason, sizeof(j->reason), "the result is longer than an event may be");
		data = never_ran(j);
		rc = emit(j, data);
	}
	if (rc != 0)
		stage_count(j->world->stage, "result-not-sent");
	json_free(data);
}
