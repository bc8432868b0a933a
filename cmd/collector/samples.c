/*
 * samples.c - the calls of all shards as one list.
 */
#include <string.h>

#include "cmd/collector/samples.h"
#include "common/verdict/sampling.h"

#define US_PER_MS 1000.0

/* A run that was decided early is judged by its calls up to that look. */
static bool is_beyond(const struct json *data, const struct call_record *c)
{
	const struct json *rounds = json_at(data, "stopped.rounds");

	return rounds && c->due_us >= 0 && c->round >= json_int(rounds);
}

static bool add_calls(struct sampling *s, struct gathered *g, uint64_t shard,
		      const struct json *data)
{
	const struct json *instances = json_get(data, "instances");
	const char *text = json_get_str(data, "calls");
	struct calls calls = CALLS_INIT;

	if (!text)
		return false;
	if (calls_decode(text, strlen(text), &calls) != 0) {
		gathered_doubt(g, "calls-unreadable");
		return false;
	}
	g->every = MAX_OF(g->every, calls.every);
	for (size_t i = 0; i < calls.count; i++) {
		const struct call_record *c = &calls.items[i];

		if (!is_beyond(data, c))
			sampling_add_call(s, shard, c, sampling_environment(c, instances));
	}
	calls_release(&calls);
	return true;
}

/* A foreign tool's samples_ms: no rounds, no environments, blocks by place in the list. */
static void add_samples_ms(struct sampling *of, struct gathered *g, uint64_t shard,
			   const struct json *series)
{
	const struct json *list = json_get(series, "samples_ms");
	size_t count = json_len(list);
	enum variant v;
	enum temperature t;

	if (variant_parse(json_get_str(series, "variant"), &v) != 0)
		return;
	if (temperature_parse(json_get_str(series, "temperature"), &t) != 0)
		t = TEMP_UNKNOWN;
	for (size_t i = 0; i < count; i++) {
		double ms = json_real(json_elem(list, i));
		uint64_t place = i * FOREIGN_BLOCKS / count;
		struct sample *s;

		if (ms * US_PER_MS > (double)HDR_HIGHEST) /* as for histograms: no such call */
			gathered_doubt(g, "samples-unreadable");
		if (!(ms > 0) || ms * US_PER_MS > (double)HDR_HIGHEST)
			continue;
		/* One round a block; the place in time makes each round a block of its own. */
		s = sampling_add(of, shard << 32 | place, (int64_t)place * BLOCK_US);
		s->variant = v;
		s->temperature = t;
		s->outcome = OUT_OK;
		s->value[FIG_RESPONSE] = ms * US_PER_MS;
	}
}

static struct json *names_of(const struct strmap *environments)
{
	struct json *names = json_arr();

	for (size_t i = 0; i < environments->count; i++)
		json_push(names, json_new_str(environments->items[i].key));
	return names;
}

static void take(struct gathered *g, struct sampling *s)
{
	g->samples = s->samples;
	g->count = s->count;
	g->round_count = s->round_count;
	g->block_count = s->block_count;
	for (int v = 0; v < VARIANT_COUNT; v++) {
		g->environment_count[v] = s->environments[v].count;
		g->environments[v] = names_of(&s->environments[v]);
	}
	s->samples = NULL;
}

void samples_gather(struct gathered *g, const struct json *plan, const struct json *const *shards,
		    size_t shard_count)
{
	struct sampling s = {.price = call_price_read(plan)};

	g->every = 1;
	for (size_t i = 0; i < shard_count; i++) {
		const struct json *series = json_get(shards[i], "series");

		if (!shards[i] || add_calls(&s, g, i, shards[i]))
			continue;
		for (size_t k = 0; k < json_len(series); k++)
			add_samples_ms(&s, g, i, json_elem(series, k));
	}
	sampling_number(&s);
	take(g, &s);
	sampling_release(&s);
}
