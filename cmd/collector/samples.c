/*
 * samples.c - packed calls to samples.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/samples.h"
#include "common/base/strmap.h"
#include "common/base/unit.h"
#include "common/measure/calls.h"

#define US_PER_MS 1000.0
#define BYTES_PER_GB (1024.0 * 1024.0 * 1024.0)
#define CALLS_PER_MILLION 1e6

struct price {
	double per_request_usd, per_s_usd; /* per_s at the function's memory; 0 = unknown */
};

/* What is known of a call besides its sample, until rounds and blocks are numbered. */
struct raw {
	uint64_t round_key; /* shard << 32 | round */
	int64_t due_us;
};

struct round {
	uint64_t key;
	int64_t due_us; /* of its first call */
	uint32_t block;
};

struct build {
	struct gathered *g;
	struct raw *raw; /* beside g->samples */
	size_t cap;
	struct price price;
	struct strmap environments[VARIANT_COUNT]; /* name -> 1 + number, as a pointer */
};

static double usd_of(const struct json *price, const char *key)
{
	const char *text = json_get_str(price, key);
	double usd = 0;

	return text && unit_parse_double(text, &usd) == 0 ? usd : 0;
}

static struct price read_price(const struct json *plan)
{
	const struct json *price = json_get(plan, "price");
	double gb = json_real(json_at(plan, "target.memory_bytes")) / BYTES_PER_GB;

	return (struct price){usd_of(price, "per_request_usd"), usd_of(price, "per_gb_s_usd") * gb};
}

/* Billed time is rounded up to whole milliseconds; where it is not known the service time is
 * taken, which is a little more. */
static double cost_of(const struct price *p, const struct call_record *c)
{
	double us = c->billed_us > 0 ? c->billed_us : c->service_us;

	if (p->per_s_usd <= 0)
		return 0;
	return CALLS_PER_MILLION *
	       (p->per_request_usd + ceil(us / US_PER_MS) / MS_PER_S * p->per_s_usd);
}

static struct sample *add(struct build *b, struct raw raw)
{
	struct gathered *g = b->g;

	if (g->count == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 1024;
		g->samples = x_realloc(g->samples, b->cap, sizeof(*g->samples));
		b->raw = x_realloc(b->raw, b->cap, sizeof(*b->raw));
	}
	b->raw[g->count] = raw;
	g->samples[g->count] = (struct sample){0};
	return &g->samples[g->count++];
}

static uint32_t environment_of(struct build *b, enum variant v, const char *name)
{
	struct strmap *m = &b->environments[v];
	uintptr_t number = name ? (uintptr_t)strmap_get(m, name) : 0;

	if (name && number == 0) {
		number = m->count + 1;
		strmap_put(m, name, (void *)number);
	}
	return (uint32_t)number;
}

/* What a start took: its init or restore, and the whole call. */
static void add_start(struct sample *s, const struct call_record *c)
{
	bool is_restored = c->temperature == TEMP_RESTORED;

	s->value[is_restored ? FIG_RESTORE : FIG_INIT] = c->init_us;
	if (is_restored)
		s->value[FIG_RESTORED_RESPONSE] = c->response_us;
	else if (c->temperature == TEMP_COLD)
		s->value[FIG_COLD_RESPONSE] = c->response_us;
}

static void add_call(struct build *b, uint64_t shard, const struct call_record *c,
		     const struct json *instances)
{
	struct sample *s = add(b, (struct raw){shard << 32 | c->round, c->due_us});
	const char *name =
		c->instance ? json_str(json_elem(instances, (size_t)c->instance - 1)) : NULL;

	s->variant = c->variant;
	s->outcome = c->outcome;
	s->temperature = c->temperature;
	s->is_warmup = c->due_us < 0;
	s->value[FIG_RESPONSE] = c->response_us;
	s->value[FIG_SERVICE] = c->service_us;
	s->value[FIG_BILLED] = c->billed_us;
	add_start(s, c);
	s->value[FIG_MEMORY] = c->memory_kib;
	s->value[FIG_COST] = cost_of(&b->price, c);
	/* Cold starts of the warm-up count; the environments are those that measured. */
	if (!s->is_warmup)
		s->environment = environment_of(b, c->variant, name);
}

static bool add_calls(struct build *b, uint64_t shard, const struct json *data)
{
	const char *text = json_get_str(data, "calls");
	struct calls calls = CALLS_INIT;

	if (!text)
		return false;
	if (calls_decode(text, strlen(text), &calls) != 0) {
		gathered_doubt(b->g, "calls-unreadable");
		return false;
	}
	b->g->every = MAX_OF(b->g->every, calls.every);
	for (size_t i = 0; i < calls.count; i++)
		add_call(b, shard, &calls.items[i], json_get(data, "instances"));
	calls_release(&calls);
	return true;
}

/* A foreign tool's samples_ms: no rounds, no environments, blocks by place in the list. */
static void add_samples_ms(struct build *b, uint64_t shard, const struct json *series)
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

		if (!(ms > 0))
			continue;
		/* One round a block; the place in time makes each round a block of its own. */
		s = add(b, (struct raw){shard << 32 | place, (int64_t)place * BLOCK_US});
		s->variant = v;
		s->temperature = t;
		s->outcome = OUT_OK;
		s->value[FIG_RESPONSE] = ms * US_PER_MS;
	}
}

static int by_key(const void *a, const void *b)
{
	const struct round *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->due_us > y->due_us) - (x->due_us < y->due_us);
}

static size_t list_rounds(const struct build *b, struct round *rounds)
{
	size_t count = 0;

	for (size_t i = 0; i < b->g->count; i++)
		rounds[i] = (struct round){b->raw[i].round_key, b->raw[i].due_us, 0};
	qsort(rounds, b->g->count, sizeof(*rounds), by_key);
	for (size_t i = 0; i < b->g->count; i++) {
		if (count == 0 || rounds[count - 1].key != rounds[i].key)
			rounds[count++] = rounds[i];
	}
	return count;
}

/*
 * The measured rounds of one shard. A remainder of fewer rounds than the block before it belongs
 * to that one, so that no block is shorter than it should be.
 */
static size_t number_shard(struct round *rounds, size_t count, size_t blocks)
{
	size_t begin = 0, before = 0, blocks_before = blocks;

	for (size_t i = 0; i < count; i++) {
		if (i == 0 || rounds[i].due_us - rounds[begin].due_us >= BLOCK_US) {
			before = i - begin;
			begin = i;
			blocks++;
		}
		rounds[i].block = (uint32_t)(blocks - 1);
	}
	if (blocks - blocks_before > 1 && count - begin < before) {
		blocks--;
		for (size_t i = begin; i < count; i++)
			rounds[i].block = (uint32_t)(blocks - 1);
	}
	return blocks;
}

static size_t number_blocks(struct round *rounds, size_t count)
{
	size_t blocks = 0;

	for (size_t i = 0, end; i < count; i = end) {
		end = i + 1;
		if (rounds[i].due_us < 0)
			continue;
		while (end < count && rounds[end].due_us >= 0 &&
		       rounds[end].key >> 32 == rounds[i].key >> 32)
			end++;
		blocks = number_shard(&rounds[i], end - i, blocks);
	}
	return blocks;
}

static int key_in_round(const void *key, const void *round)
{
	uint64_t x = *(const uint64_t *)key, y = ((const struct round *)round)->key;

	return (x > y) - (x < y);
}

static void number_rounds(struct build *b)
{
	struct gathered *g = b->g;
	struct round *rounds;

	if (g->count == 0)
		return;
	rounds = x_calloc(g->count, sizeof(*rounds));
	g->round_count = list_rounds(b, rounds);
	g->block_count = number_blocks(rounds, g->round_count);
	for (size_t i = 0; i < g->count; i++) {
		const struct round *r = bsearch(&b->raw[i].round_key, rounds, g->round_count,
						sizeof(*rounds), key_in_round);

		g->samples[i].round = (uint32_t)(r - rounds);
		g->samples[i].block = r->block;
	}
	free(rounds);
}

void samples_gather(struct gathered *g, const struct json *plan, const struct json *const *shards,
		    size_t shard_count)
{
	struct build b = {.g = g, .price = read_price(plan)};

	g->every = 1;
	for (size_t i = 0; i < shard_count; i++) {
		const struct json *series = json_get(shards[i], "series");

		if (!shards[i] || add_calls(&b, i, shards[i]))
			continue;
		for (size_t k = 0; k < json_len(series); k++)
			add_samples_ms(&b, i, json_elem(series, k));
	}
	number_rounds(&b);
	for (int v = 0; v < VARIANT_COUNT; v++) {
		g->environment_count[v] = b.environments[v].count;
		strmap_release(&b.environments[v], NULL);
	}
	free(b.raw);
}
