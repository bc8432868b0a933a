/*
 * shard_workload.c - the workload of a shard, and the trace that it replays; see shard.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/unit.h"

#include "cmd/loader/datafile.h"
#include "cmd/loader/replay.h"
#include "cmd/loader/shard.h"

#define VUS_READ_MAX (2 * USERS_MAX) /* more is as wrong as that */

PRINTF_LIKE(2, 3) static int refuse(char why[SHARD_WHY_SIZE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SHARD_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Of calls a second or of users, by what the executor is. */
static int parse_stages(struct workload *w, const struct json *j, char why[SHARD_WHY_SIZE])
{
	bool is_closed = executor_is_closed(w->executor);
	const char *target = is_closed ? "vus" : "rate_per_s";
	const struct json *list = json_get(j, "stages");

	if (json_len(list) > RAMP_STAGES_MAX)
		return refuse(why, "%zu stages; at most %d", json_len(list), RAMP_STAGES_MAX);
	w->ramp.start = json_get_real(j, is_closed ? "start_vus" : "start_rate_per_s", 0);
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *stage = json_elem(list, i);
		struct ramp_stage *out = &w->ramp.stages[w->ramp.count++];

		out->target = json_get_real(stage, target, -1);
		out->duration_ms = json_get_int(stage, "duration_ms", -1);
		if (!(out->target >= 0) || out->duration_ms < 0)
			return refuse(why, "stage %zu; expected %s and duration_ms from 0", i + 1,
				      target);
	}
	if (w->ramp.count)
		w->duration_ms = ramp_duration_ms(&w->ramp);
	return 0;
}

static int parse_replay(struct shard *sh, const struct json *j, char why[SHARD_WHY_SIZE])
{
	const char *file = json_get_str(j, "file"), *sha256_hex = json_get_str(j, "sha256");

	if (sh->workload.executor != EXEC_REPLAY)
		return 0;
	if (!file || !sha256_hex)
		return refuse(why, "a replay names its file and the sha256 of it");
	sh->replay.file = x_strdup(file);
	sh->replay.sha256_hex = x_strdup(sha256_hex);
	sh->workload.speed = json_get_real(j, "speed", 1);
	sh->workload.trace_rate = json_get_real(j, "rate", 1);
	return 0;
}

static int parse_names(struct workload *w, const struct json *j, char why[SHARD_WHY_SIZE])
{
	const char *executor = json_get_str(j, "executor"), *arrival = json_get_str(j, "arrival");

	if (executor_parse(executor, &w->executor) != 0)
		return refuse(why, "executor \"%.60s\" is not known here; expected one of %s",
			      executor ? executor : "", executor_names());
	w->arrival = ARRIVAL_BURST;
	if (arrival && arrival_parse(arrival, &w->arrival) != 0)
		return refuse(why,
			      "arrival \"%.60s\" is not known; expected burst, uniform or poisson",
			      arrival);
	return 0;
}

int shard_parse_workload(struct shard *sh, const struct json *j, char why[SHARD_WHY_SIZE])
{
	struct workload *w = &sh->workload;
	const char *seed = json_get_str(j, "seed");
	int rc = parse_names(w, j, why);

	if (rc != 0)
		return rc;
	if (seed && unit_parse_u64(seed, &w->seed) != 0)
		return refuse(why, "seed is not a whole number below 2^64 in a string");
	w->rate_per_s = json_get_real(j, "rate_per_s", 0);
	w->vus = (uint32_t)MIN_OF(MAX_OF(json_get_int(j, "vus", 0), 0), VUS_READ_MAX);
	w->iterations = (uint64_t)MAX_OF(json_get_int(j, "iterations", 0), 0);
	w->spread = (uint32_t)MIN_OF(MAX_OF(json_get_int(j, "spread", 0), 0), SPREAD_MAX + 1);
	w->warmup_ms = json_get_int(j, "warmup_ms", 0);
	w->duration_ms = json_get_int(j, "duration_ms", 0);
	w->block_ms = json_get_int(j, "block_ms", BLOCK_MS_DEFAULT);
	w->shard_index = (uint32_t)sh->index;
	w->shard_of = (uint32_t)sh->of;
	rc = parse_stages(w, j, why);
	return rc == 0 ? parse_replay(sh, json_get(j, "replay"), why) : rc;
}

/* ---- the trace ---- */

static int check_payloads(const struct shard *sh, char why[SHARD_WHY_SIZE])
{
	const struct trace *t = &sh->replay.trace;

	for (size_t i = 0; t->payloads && i < t->count; i++)
		if (t->payloads[i] >= sh->payload_count)
			return refuse(why, "%s: call %zu wants payload %u; there are %zu (from 0)",
				      sh->replay.file, i + 1, t->payloads[i], sh->payload_count);
	return 0;
}

int replay_load(struct shard *sh, const char *folder, char why[SHARD_WHY_SIZE])
{
	struct shard_replay *r = &sh->replay;
	char file_why[DATAFILE_WHY_SIZE], trace_why[TRACE_WHY_SIZE];
	struct buf text;
	int rc;

	if (!r->file)
		return 0;
	rc = datafile_read(folder, r->file, r->sha256_hex, TRACE_BYTES_MAX, &text, file_why);
	if (rc != 0) {
		snprintf(why, SHARD_WHY_SIZE, "%s", file_why);
		return rc;
	}
	rc = trace_parse(text.data, text.len_bytes, &r->trace, trace_why);
	buf_release(&text);
	if (rc != 0) {
		snprintf(why, SHARD_WHY_SIZE, "%s: %s", r->file, trace_why);
		return rc;
	}
	sh->workload.trace = &r->trace;
	return check_payloads(sh, why);
}
