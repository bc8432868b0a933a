/*
 * sampling.c - packed calls to samples.
 */
#include <math.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/unit.h"
#include "common/verdict/sampling.h"

#define US_PER_MS 1000.0
#define BYTES_PER_GB (1024.0 * 1024.0 * 1024.0)
#define CALLS_PER_MILLION 1e6

struct round {
	uint64_t key;
	int64_t due_us; /* of its first call */
	uint32_t block;
};

static double usd_of(const struct json *price, const char *key)
{
	const char *text = json_get_str(price, key);
	double usd = 0;

	return text && unit_parse_double(text, &usd) == 0 ? usd : 0;
}

struct call_price call_price_read(const struct json *plan)
{
	const struct json *price = json_get(plan, "price");
	double gb = json_real(json_at(plan, "target.memory_bytes")) / BYTES_PER_GB;

	return (struct call_price){usd_of(price, "per_request_usd"),
				   usd_of(price, "per_gb_s_usd") * gb};
}

/* Billed time is rounded up to whole milliseconds; where it is not known the service time is
 * taken, which is a little more. */
static double cost_of(const struct call_price *p, const struct call_record *c)
{
	double us = c->billed_us > 0 ? c->billed_us : c->service_us;

	if (p->per_s_usd <= 0)
		return 0;
	return CALLS_PER_MILLION *
	       (p->per_request_usd + ceil(us / US_PER_MS) / MS_PER_S * p->per_s_usd);
}

struct sample *sampling_add(struct sampling *s, uint64_t round_key, int64_t due_us)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 1024;
		s->samples = x_realloc(s->samples, s->cap, sizeof(*s->samples));
		s->raw = x_realloc(s->raw, s->cap, sizeof(*s->raw));
	}
	s->raw[s->count] = (struct sampling_raw){round_key, due_us};
	s->samples[s->count] = (struct sample){0};
	return &s->samples[s->count++];
}

static uint32_t environment_of(struct sampling *s, enum variant v, const char *name)
{
	struct strmap *m = &s->environments[v];
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

const char *sampling_environment(const struct call_record *c, const struct json *instances)
{
	return c->instance ? json_str(json_elem(instances, (size_t)c->instance - 1)) : NULL;
}

void sampling_add_call(struct sampling *of, uint64_t shard, const struct call_record *c,
		       const char *environment)
{
	struct sample *s = sampling_add(of, shard << 32 | c->round, c->due_us);

	s->variant = c->variant;
	s->outcome = c->outcome;
	s->temperature = c->temperature;
	s->is_warmup = c->due_us < 0;
	s->value[FIG_RESPONSE] = c->response_us;
	s->value[FIG_SERVICE] = c->service_us;
	s->value[FIG_BILLED] = c->billed_us;
	add_start(s, c);
	s->value[FIG_MEMORY] = c->memory_kib;
	s->value[FIG_COST] = cost_of(&of->price, c);
	/* Cold starts of the warm-up count; the environments are those that measured. */
	if (!s->is_warmup)
		s->environment = environment_of(of, c->variant, environment);
}

static int by_key(const void *a, const void *b)
{
	const struct round *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->due_us > y->due_us) - (x->due_us < y->due_us);
}

static size_t list_rounds(const struct sampling *s, struct round *rounds)
{
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++)
		rounds[i] = (struct round){s->raw[i].round_key, s->raw[i].due_us, 0};
	qsort(rounds, s->count, sizeof(*rounds), by_key);
	for (size_t i = 0; i < s->count; i++) {
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

void sampling_number(struct sampling *s)
{
	struct round *rounds;

	if (s->count == 0)
		return;
	rounds = x_calloc(s->count, sizeof(*rounds));
	s->round_count = list_rounds(s, rounds);
	s->block_count = number_blocks(rounds, s->round_count);
	for (size_t i = 0; i < s->count; i++) {
		const struct round *r = bsearch(&s->raw[i].round_key, rounds, s->round_count,
						sizeof(*rounds), key_in_round);

		s->samples[i].round = (uint32_t)(r - rounds);
		s->samples[i].block = r->block;
	}
	free(rounds);
}

void sampling_release(struct sampling *s)
{
	for (int v = 0; v < VARIANT_COUNT; v++)
		strmap_release(&s->environments[v], NULL);
	free(s->samples);
	free(s->raw);
	*s = (struct sampling){0};
}
