/*
 * quality.c - see quality.h.
 */
#include "cmd/loader/quality.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/loader/clock_check.h"

#define SENTENCE_SIZE 200

PRINTF_LIKE(2, 3) static void doubt(struct json *list, const char *fmt, ...)
{
	char text[SENTENCE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_push(list, json_new_str(text));
}

static void doubt_rate(const struct quality *q, struct json *list)
{
	if (q->is_open && q->is_complete && q->achieved_ratio < QUALITY_ACHIEVED_RATIO_MIN)
		doubt(list, "rate-not-reached: %.1f %% of the calls due were sent",
		      q->achieved_ratio * 100);
	if (q->is_open && q->late_p50_us > QUALITY_LATE_P50_US_MAX)
		doubt(list, "late: half of the calls left %.1f ms late or later",
		      (double)q->late_p50_us / 1e3);
	if (q->loop_p99_us > QUALITY_LOOP_P99_US_MAX)
		doubt(list, "loop-delay: our own loop was %.1f ms late at the 99th percentile",
		      (double)q->loop_p99_us / 1e3);
	if (q->cpu_ratio > QUALITY_CPU_RATIO_MAX && q->took_ms >= QUALITY_CPU_TOOK_MS_MIN)
		doubt(list, "loader-busy: we used %.0f %% of a core ourselves", q->cpu_ratio * 100);
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
	if (q->has_clock && llabs(q->clock_offset_ms) > CLOCK_SUSPECT_MS)
		doubt(list, "clock-off: our clock and the target's differ by %.1f s",
		      (double)q->clock_offset_ms / 1e3);
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
