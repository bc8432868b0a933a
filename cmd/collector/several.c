/*
 * several.c - start times, clocks and environments of several shards.
 */
#include "cmd/collector/several.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 160

/* By the clock of the planner's host, where the loader knew how far its own was off. */
static bool started_ms(const struct json *shard, double *out)
{
	const char *text = json_get_str(shard, "started_at");
	struct wall at;

	if (!text || wall_parse_rfc3339(text, &at) != 0)
		return false;
	*out = (double)wall_ms(at) + json_get_real(shard, "planner_offset_ms", 0);
	return true;
}

static struct json *shard_object(const struct json *shard, size_t index, double first_ms)
{
	static const char *const keys[] = {"attempt",	 "outcome",	      "host",
					   "started_at", "planner_offset_ms", "clock_offset_ms",
					   "due"};
	struct json *o = json_obj();
	double at_ms;

	json_put_int(o, "index", (int64_t)index);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_get(shard, keys[i]))
			json_put(o, keys[i], json_copy(json_get(shard, keys[i])));
	if (started_ms(shard, &at_ms))
		json_put_real(o, "start_ms", at_ms - first_ms);
	return o;
}

static void doubt_starts(struct gathered *g, double apart_ms)
{
	char text[NAME_SIZE];

	if (apart_ms <= SHARDS_APART_MS_MAX)
		return;
	snprintf(text, sizeof(text), "shards-apart: the loaders began %.1f s apart",
		 apart_ms / MS_PER_S);
	gathered_doubt(g, text);
}

/* As the loader reckons for itself: twice the spread, what was open at once, what failed. */
static uint64_t environments_expected(const struct gathered *g, const struct json *const *shards,
				      size_t count, enum variant v, int64_t spread)
{
	uint64_t failed = 0, open = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++)
		failed += o == OUT_OK ? 0 : g->outcomes[v][o] + g->warmup[v][o];
	for (size_t i = 0; i < count; i++)
		open += (uint64_t)MAX_OF(
			json_get_int(json_get(shards[i], "open_calls"), variant_name(v), 0),
			INT64_C(0));
	return MAX_OF(2 * (uint64_t)spread, open) + failed;
}

static void doubt_churn(struct gathered *g, const struct json *plan,
			const struct json *const *shards, size_t count)
{
	int64_t spread = json_get_int(plan, "environments", 0);
	char text[NAME_SIZE];

	for (int v = 0; v < VARIANT_COUNT && spread > 0; v++) {
		uint64_t expected =
			environments_expected(g, shards, count, (enum variant)v, spread);

		if (g->environment_count[v] <= expected)
			continue;
		snprintf(text, sizeof(text),
			 "churn: %zu environments of %s answered at a spread of %lld",
			 g->environment_count[v], variant_name((enum variant)v), (long long)spread);
		gathered_doubt(g, text);
	}
}

void several_gather(struct gathered *g, const struct json *plan, const struct json *const *shards,
		    size_t shard_count)
{
	double first_ms = 0, last_ms = 0, at_ms;
	bool is_known = false;

	if (shard_count < 2)
		return;
	for (size_t i = 0; i < shard_count; i++) {
		if (!started_ms(shards[i], &at_ms))
			continue;
		first_ms = is_known ? MIN_OF(first_ms, at_ms) : at_ms;
		last_ms = is_known ? MAX_OF(last_ms, at_ms) : at_ms;
		is_known = true;
	}
	g->shards = json_arr();
	for (size_t i = 0; i < shard_count; i++)
		if (shards[i])
			json_push(g->shards, shard_object(shards[i], i, first_ms));
	doubt_starts(g, last_ms - first_ms);
	doubt_churn(g, plan, shards, shard_count);
}
