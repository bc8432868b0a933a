/*
 * tally_json.c - the counts as members of shard.progress and shard.finished.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/loader/tally.h"

#define FIGURE_MAX_BYTES (128u * 1024u)
#define CALLS_TEXT_MAX_BYTES (1024u * 1024u)

static const char *const figure_names[FIGURE_COUNT] = {
#define X(symbol, name) [symbol] = name,
	FIGURES(X)
#undef X
};

static struct json *outcomes_json(const uint64_t outcomes[OUTCOME_COUNT])
{
	struct json *o = json_obj();

	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		if (outcomes[i])
			json_put_int(o, outcome_name((enum outcome)i), (int64_t)outcomes[i]);
	return o;
}

static uint64_t sum_of(const uint64_t outcomes[OUTCOME_COUNT])
{
	uint64_t sum = 0;

	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		sum += outcomes[i];
	return sum;
}

static struct json *one_series(const struct series *s, enum variant v, enum temperature temp)
{
	struct json *o = json_obj();

	json_put_str(o, "variant", variant_name(v));
	json_put_str(o, "temperature", temperature_name(temp));
	json_put(o, "outcomes", outcomes_json(s->outcomes));
	for (size_t f = 0; f < FIGURE_COUNT; f++) {
		struct buf text = BUF_INIT(FIGURE_MAX_BYTES);

		if (!s->figures[f] || hdr_count(s->figures[f]) == 0)
			continue;
		hdr_encode(s->figures[f], &text);
		json_put_str(o, figure_names[f], buf_str(&text));
		buf_release(&text);
	}
	return o;
}

static struct json *series_json(const struct tally *t)
{
	struct json *list = json_arr();

	for (size_t v = 0; v < VARIANT_COUNT; v++)
		for (size_t temp = 0; temp < TEMPERATURE_COUNT; temp++)
			if (t->series[v][temp].is_used)
				json_push(list, one_series(&t->series[v][temp], (enum variant)v,
							   (enum temperature)temp));
	return list;
}

static struct json *warmup_json(const struct tally *t)
{
	struct json *list = json_arr();

	for (size_t v = 0; v < VARIANT_COUNT; v++) {
		struct json *o;

		BUG_ON(sum_of(t->warmup[v]) != t->warmup_due[v]);
		if (!t->warmup_due[v])
			continue;
		o = json_obj();
		json_put_str(o, "variant", variant_name((enum variant)v));
		json_put_int(o, "due", (int64_t)t->warmup_due[v]);
		json_put(o, "outcomes", outcomes_json(t->warmup[v]));
		json_push(list, o);
	}
	return list;
}

static struct json *reasons_json(const struct reasons *r)
{
	struct json *o = json_obj();

	for (size_t i = 0; i < r->count; i++)
		json_put_int(o, r->items[i].text, (int64_t)r->items[i].count);
	if (r->others)
		json_put_int(o, "others", (int64_t)r->others);
	return o;
}

static int by_due(const void *a, const void *b)
{
	const struct call_record *x = a, *y = b;

	/* The rounds of the warm-up are negative. */
	if (x->round != y->round)
		return (int32_t)x->round < (int32_t)y->round ? -1 : 1;
	if (x->due_us != y->due_us)
		return x->due_us < y->due_us ? -1 : 1;
	if (x->variant != y->variant)
		return x->variant < y->variant ? -1 : 1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

void tally_put_calls(const struct tally *t, struct json *data)
{
	struct buf text = BUF_INIT(CALLS_TEXT_MAX_BYTES);

	json_del(data, "calls");
	json_del(data, "calls_every");
	calls_encode(&t->calls, &text);
	if (t->calls.count > 0 && !buf_is_over(&text)) {
		json_put_str(data, "calls", buf_str(&text));
		json_put_int(data, "calls_every", t->calls.every);
	}
	buf_release(&text);
}

bool tally_thin_calls(struct tally *t)
{
	struct calls *c = &t->calls;
	size_t kept = 0;

	c->every *= 2;
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].due_us < 0 || c->items[i].round % c->every == 0)
			c->items[kept++] = c->items[i];
	/* The first round is always kept, and so is the warm-up: when only they are left, the
	 * record says nothing any more. */
	c->count = kept < c->count ? kept : 0;
	return c->count > 0;
}

const struct calls *tally_join_calls(struct tally *t)
{
	for (size_t i = 0; i < t->cold.count; i++)
		calls_add(&t->calls, &t->cold.items[i]);
	t->cold.count = 0;
	if (t->calls.count > 1)
		qsort(t->calls.items, t->calls.count, sizeof(*t->calls.items), by_due);
	return &t->calls;
}

void tally_json(struct tally *t, struct json *data)
{
	uint64_t sum = 0;

	for (size_t v = 0; v < VARIANT_COUNT; v++)
		sum += sum_of(t->outcomes[v]);
	BUG_ON(sum != t->due || t->done != t->due);
	json_put_int(data, "due", (int64_t)t->due);
	json_put_int(data, "sent", (int64_t)t->sent);
	json_put(data, "series", series_json(t));
	json_put(data, "warmup", warmup_json(t));
	json_put(data, "blocks", blocks_json(&t->blocks));
	tally_join_calls(t);
	tally_put_calls(t, data);
	json_put(data, "instances", instances_json(&t->instances));
	json_put(data, "throttle_reasons", reasons_json(&t->throttles));
	json_put(data, "error_reasons", reasons_json(&t->errors));
}

void tally_progress(struct tally *t, struct json *data)
{
	uint64_t all[OUTCOME_COUNT] = {0}, due = t->due;

	for (size_t v = 0; v < VARIANT_COUNT; v++) {
		due += t->warmup_due[v];
		for (size_t o = 0; o < OUTCOME_COUNT; o++)
			all[o] += t->outcomes[v][o] + t->warmup[v][o];
	}
	json_put_int(data, "due", (int64_t)due);
	json_put(data, "outcomes", outcomes_json(all));
	if (hdr_count(t->last) > 0) {
		json_put_int(data, "p50_us", hdr_percentile(t->last, 50));
		json_put_int(data, "p95_us", hdr_percentile(t->last, 95));
	}
	hdr_clear(t->last);
}
