/* load_live.c - see load_live.h. */
#include "cmd/plimsoll/load_live.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/unit.h"

#define CLEAR_LINE "\r\033[K"

/* The sum of the outcomes but for ok. */
static int64_t not_ok(const struct json *outcomes)
{
	struct json *count;
	const char *name;
	int64_t sum = 0;

	for (void *it = NULL; json_next(outcomes, &it, &name, &count);)
		if (strcmp(name, "ok") != 0)
			sum += json_int(count);
	return sum;
}

static struct load_second read_second(const struct json *data)
{
	const struct json *outcomes = json_get(data, "outcomes");

	return (struct load_second){
		.elapsed_ms = json_get_int(data, "elapsed_ms", 0),
		.due = json_get_int(data, "due", 0),
		.ok = json_get_int(outcomes, "ok", 0),
		.not_ok = not_ok(outcomes),
		.in_flight = json_get_int(data, "in_flight", 0),
		.p50_us = json_get_int(data, "p50_us", 0),
		.p95_us = json_get_int(data, "p95_us", 0),
	};
}

static void write_row(const struct load_live *l, size_t i)
{
	const struct load_second *now = &l->last[i], *then = &l->before[i];
	uint32_t processes = l->plan->processes;

	if (!l->csv)
		return;
	fprintf(l->csv, "%.3f,%s,%zu,%lld,%lld,%lld,%lld,%lld,%lld\n",
		(double)now->elapsed_ms / 1e3, l->plan->works[i / processes].name, i % processes,
		(long long)(now->due - then->due), (long long)(now->ok - then->ok),
		(long long)(now->not_ok - then->not_ok), (long long)now->in_flight,
		(long long)now->p50_us, (long long)now->p95_us);
}

void load_live_progress(struct load_live *l, const struct json *data)
{
	size_t i = (size_t)json_int(json_at(data, "shard.index"));

	if (i >= l->plan->work_count * l->plan->processes)
		return;
	l->before[i] = l->last[i];
	l->last[i] = read_second(data);
	l->is_known[i] = true;
	write_row(l, i);
}

/* What all shards did in their last second; the slowest one's percentiles. */
static void add_up(const struct load_live *l, struct load_second *sum, double *per_s)
{
	*sum = (struct load_second){0};
	*per_s = 0;
	for (size_t i = 0; i < l->plan->work_count * l->plan->processes; i++) {
		const struct load_second *now = &l->last[i], *then = &l->before[i];
		int64_t ms = now->elapsed_ms - then->elapsed_ms;

		if (!l->is_known[i])
			continue;
		sum->elapsed_ms = MAX_OF(sum->elapsed_ms, now->elapsed_ms);
		sum->not_ok += now->not_ok;
		sum->in_flight += now->in_flight;
		sum->p50_us = MAX_OF(sum->p50_us, now->p50_us);
		sum->p95_us = MAX_OF(sum->p95_us, now->p95_us);
		if (ms > 0)
			*per_s += (double)(now->ok + now->not_ok - then->ok - then->not_ok) * 1e3 /
				  (double)ms;
	}
}

void load_live_show(struct load_live *l)
{
	char p50[UNIT_TEXT_SIZE], p95[UNIT_TEXT_SIZE];
	struct load_second sum;
	double per_s;

	if (!l->is_shown)
		return;
	add_up(l, &sum, &per_s);
	if (!sum.elapsed_ms)
		return;
	unit_format_duration_ns(sum.p50_us * NS_PER_US, p50);
	unit_format_duration_ns(sum.p95_us * NS_PER_US, p95);
	fprintf(stderr, CLEAR_LINE "%4lld s  %8.0f/s  p50 %s  p95 %s  %lld not ok  %lld in flight",
		(long long)((sum.elapsed_ms + 500) / 1000), per_s, p50, p95, (long long)sum.not_ok,
		(long long)sum.in_flight);
	fflush(stderr);
	l->has_line = true;
}

void load_live_end(struct load_live *l)
{
	if (l->has_line)
		fputs(CLEAR_LINE, stderr);
	l->has_line = false;
}
