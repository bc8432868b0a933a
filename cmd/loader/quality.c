/*
 * quality.c - see quality.h.
 */
#include "cmd/loader/quality.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/loader/clock_check.h"

#define SENTENCE_SIZE 256

PRINTF_LIKE(2, 3) static void doubt(struct json *list, const char *fmt, ...)
{
	char text[SENTENCE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_push(list, json_new_str(text));
}

static bool is_busy(const struct quality *q)
{
	return q->cpu_ratio > QUALITY_CPU_RATIO_MAX && q->took_ms >= QUALITY_CPU_TOOK_MS_MIN;
}

static bool is_rate_missed(const struct quality *q)
{
	return q->is_open && q->is_complete &&
	       q->achieved_ratio + q->unreached_ratio < QUALITY_ACHIEVED_RATIO_MIN;
}

static bool is_late(const struct quality *q)
{
	return q->is_open && q->late_p50_us > QUALITY_LATE_P50_US_MAX;
}

static void doubt_rate(const struct quality *q, struct json *list)
{
	if (is_rate_missed(q))
		doubt(list, "rate-not-reached: %.1f %% of the calls due were sent",
		      q->achieved_ratio * 100);
	if (is_late(q))
		doubt(list, "late: half of the calls left %.1f ms late or later",
		      (double)q->late_p50_us / 1e3);
	if (q->loop_p99_us > QUALITY_LOOP_P99_US_MAX)
		doubt(list, "loop-delay: our own loop was %.1f ms late at the 99th percentile",
		      (double)q->loop_p99_us / 1e3);
	if (is_busy(q))
		doubt(list, "loader-busy: we used %.0f %% of a core ourselves", q->cpu_ratio * 100);
}

/* ---- which limit of ours it was ---- */

static bool lacks_connections(const struct quality *q)
{
	return q->local_faults > 0;
}

static void say_connections(const struct quality *q, struct json *list)
{
	doubt(list,
	      "limit-connections: this host could not open %llu (%s); raise its limit of "
	      "descriptors (ulimit -n) or ports, or use fewer connections",
	      (unsigned long long)q->local_faults, q->local_why ? q->local_why : "");
}

static void say_cpu(const struct quality *q, struct json *list)
{
	doubt(list,
	      "limit-cpu: one core does no more than this; use more processes (--processes) or "
	      "more loaders (%.0f %% of a core were ours)",
	      q->cpu_ratio * 100);
}

static bool is_stolen(const struct quality *q)
{
	return q->steal_ratio > QUALITY_STEAL_RATIO_MAX;
}

static void say_steal(const struct quality *q, struct json *list)
{
	doubt(list, "limit-steal: the hypervisor kept %.0f %% of this machine; use a quieter one",
	      q->steal_ratio * 100);
}

/* Then answers are read late too, and a fast target looks slow. */
static bool is_starved(const struct quality *q)
{
	return q->cpu_wait_ratio > QUALITY_CPU_WAIT_RATIO_MAX &&
	       q->took_ms >= QUALITY_CPU_TOOK_MS_MIN;
}

static void say_starved(const struct quality *q, struct json *list)
{
	doubt(list,
	      "limit-machine: %.0f %% of the time others had the core that the load needed; give "
	      "it "
	      "one of its own",
	      q->cpu_wait_ratio * 100);
}

static bool is_crowded(const struct quality *q)
{
	return q->others_cpu_ratio > QUALITY_OTHERS_RATIO_MAX;
}

static void say_machine(const struct quality *q, struct json *list)
{
	doubt(list,
	      "limit-machine: other programs used %.0f %% of this machine's cores; give the load "
	      "one of its own",
	      q->others_cpu_ratio * 100);
}

static bool is_capped(const struct quality *q)
{
	return q->waited_ratio > QUALITY_WAITED_RATIO_MAX;
}

static void say_in_flight(const struct quality *q, struct json *list)
{
	doubt(list,
	      "limit-in-flight: %.0f %% of the calls found all %u places taken: the target is too "
	      "slow for this rate with so many; more (in_flight, --connections) if it should take "
	      "more at once",
	      q->waited_ratio * 100, q->places);
}

static bool is_blocked(const struct quality *q)
{
	return q->blocked_ratio > QUALITY_BLOCKED_RATIO_MAX;
}

static void say_bandwidth(const struct quality *q, struct json *list)
{
	doubt(list,
	      "limit-bandwidth: %.0f %% of the requests did not fit into the socket's buffer: the "
	      "network or the target takes them too slowly",
	      q->blocked_ratio * 100);
}

/*
 * The first that applies, where calls left late or not at all. The target is blamed only where we
 * had the processor to serve it.
 */
static const struct limit {
	const char *word;
	bool (*applies)(const struct quality *q);
	void (*say)(const struct quality *q, struct json *list);
} limits[] = {
	{"connections", lacks_connections, say_connections},
	{"cpu", is_busy, say_cpu},
	{"machine", is_starved, say_starved},
	{"bandwidth", is_blocked, say_bandwidth},
	{"in-flight", is_capped, say_in_flight},
	{"steal", is_stolen, say_steal},
	{"machine", is_crowded, say_machine},
};

static const struct limit *limit_of(const struct quality *q)
{
	if (!is_rate_missed(q) && !is_late(q) && !q->overflowed && !q->local_faults &&
	    q->loop_p99_us <= QUALITY_LOOP_P99_US_MAX)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (limits[i].applies(q))
			return &limits[i];
	return NULL;
}

static void doubt_clock(const struct quality *q, struct json *list)
{
	if (q->has_clock && llabs(q->clock_offset_ms) > CLOCK_SUSPECT_MS)
		doubt(list, "clock-off: our clock and the target's differ by %.1f s",
		      (double)q->clock_offset_ms / 1e3);
	if (llabs(q->clock_step_ms) > QUALITY_CLOCK_STEP_MS_MAX)
		doubt(list,
		      "clock-step: this host's clock was moved by %.1f s during the run; times of "
		      "day in the result are off",
		      (double)q->clock_step_ms / 1e3);
}

static void doubt_churn(const struct quality *q, struct json *list)
{
	for (size_t v = 0; v < VARIANT_COUNT; v++) {
		uint64_t at_once = MAX_OF(2 * (uint64_t)q->spread, q->open_calls_peak[v]);
		uint64_t expected = at_once + q->failed[v];

		if (q->has_environments && q->spread && q->environments[v] > expected)
			doubt(list, "churn: %u environments of %s answered at a spread of %u",
			      q->environments[v], variant_name((enum variant)v), q->spread);
	}
}

static struct json *doubts(const struct quality *q)
{
	struct json *list = json_arr();

	doubt_rate(q, list);
	if (limit_of(q))
		limit_of(q)->say(q, list);
	doubt_clock(q, list);
	doubt_churn(q, list);
	if (q->overflowed)
		doubt(list, "too-many-waiting: %llu calls were due while all places were taken",
		      (unsigned long long)q->overflowed);
	if (q->block_values_lost)
		doubt(list, "blocks-cut: %llu response times are missing from the blocks",
		      (unsigned long long)q->block_values_lost);
	return list;
}

struct json *quality_json(const struct quality *q)
{
	struct json *o = json_obj(), *environments;

	json_put_real(o, "achieved_ratio", q->achieved_ratio);
	json_put_int(o, "late_p50_us", q->late_p50_us);
	json_put_int(o, "late_p99_us", q->late_p99_us);
	json_put_real(o, "cpu_ratio", q->cpu_ratio);
	json_put_real(o, "others_cpu_ratio", q->others_cpu_ratio);
	json_put_real(o, "cpu_wait_ratio", q->cpu_wait_ratio);
	json_put_real(o, "steal_ratio", q->steal_ratio);
	json_put_real(o, "waited_ratio", q->waited_ratio);
	json_put_real(o, "blocked_ratio", q->blocked_ratio);
	json_put_int(o, "local_faults", (int64_t)q->local_faults);
	json_put_int(o, "clock_step_ms", q->clock_step_ms);
	json_put_str(o, "limit", limit_of(q) ? limit_of(q)->word : NULL);
	json_put_int(o, "loop_p99_us", q->loop_p99_us);
	if (q->has_environments) {
		environments = json_obj();
		for (size_t v = 0; v < VARIANT_COUNT; v++)
			if (q->has_variant[v])
				json_put_int(environments, variant_name((enum variant)v),
					     q->environments[v]);
		json_put(o, "environments", environments);
	}
	json_put(o, "suspect", doubts(q));
	return o;
}
