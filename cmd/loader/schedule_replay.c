/*
 * schedule_replay.c - a recorded trace, made again; see schedule.h.
 */
#include "cmd/loader/schedule_parts.h"

#include <math.h>

static const char *replay_wrong(const struct workload *w)
{
	if (!w->trace || w->trace->count == 0)
		return "replay has no trace";
	if (!(w->speed > 0 && w->speed <= 1e6 && w->trace_rate > 0 && w->trace_rate <= 1e6))
		return "speed and rate of a replay must be above 0 and at most 1000000";
	return trace_calls(w->trace, w->trace_rate) >= w->variant_count
		       ? NULL
		       : "the trace makes less than one call of each variant";
}

static double replay_most_within(const struct workload *w, int64_t window_ms)
{
	return ceil(trace_most_within(w->trace, w->speed, w->trace_rate, window_ms) /
		    MAX_OF(w->shard_of, 1u));
}

static double replay_peak(const struct workload *w)
{
	return replay_most_within(w, MS_PER_S);
}

/* To the end of the millisecond of its last call. */
static int64_t replay_duration_ms(const struct workload *w)
{
	size_t entry, calls = trace_calls(w->trace, w->trace_rate);
	int64_t last_ns = trace_due_ns(w->trace, w->speed, w->trace_rate, calls - 1, &entry);
	int64_t all_ms = last_ns / NS_PER_MS + 1;

	return w->duration_ms ? MIN_OF(w->duration_ms, all_ms) : all_ms;
}

static uint32_t replay_round(const struct workload *w)
{
	(void)w;
	return 1;
}

/* Calls of the trace that are due before the end. */
static size_t calls_before(const struct workload *w, int64_t end_ns)
{
	size_t low = 0, high = trace_calls(w->trace, w->trace_rate), entry;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (trace_due_ns(w->trace, w->speed, w->trace_rate, middle, &entry) < end_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void plan_replay(struct schedule *s)
{
	const struct workload *w = &s->w;
	uint32_t of = MAX_OF(w->shard_of, 1u);
	size_t calls = calls_before(w, w->duration_ms * NS_PER_MS);
	int64_t all = (int64_t)(calls / w->variant_count);

	s->rounds = MAX_OF((all - w->shard_index + of - 1) / of, INT64_C(1));
	s->due_total = (uint64_t)s->rounds * s->round_n;
	s->due_max = s->due_total;
	schedule_plan_warmup(s, (double)s->due_total * 1e3 / (double)w->duration_ms);
}

/* Both variants get the payload of the first call of their round. */
static void set_replay_due(struct schedule *s, struct rng *r)
{
	const struct workload *w = &s->w;
	size_t first = (size_t)(s->round * MAX_OF(w->shard_of, 1u) + w->shard_index) * s->round_n;
	size_t entry;

	(void)r;
	for (uint32_t j = 0; j < s->begun_n; j++) {
		if (s->round < 0) {
			s->due_ns[j] = llround(((double)s->round + (double)j / s->begun_n) *
					       s->interval_ns);
			continue;
		}
		s->due_ns[j] = trace_due_ns(w->trace, w->speed, w->trace_rate, first + j, &entry);
		if (j == 0 && w->trace->payloads)
			s->payloads[0] = w->trace->payloads[entry];
	}
}

const struct executor_def schedule_replay = {
	.wrong = replay_wrong,
	.peak_per_s = replay_peak,
	.most_within = replay_most_within,
	.duration_ms = replay_duration_ms,
	.round = replay_round,
	.plan = plan_replay,
	.set_due = set_replay_due,
	.block = schedule_block_by_time,
};
