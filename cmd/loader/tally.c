/*
 * tally.c - counting calls; see tally.h. Writing them out is tally_json.c.
 */
#include "cmd/loader/tally.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MAX (1024u * 1024u) /* responses of blocks that have not ended */

/* Which figures a call of this temperature can bring at all. */
static bool can_come(enum figure f, enum temperature temp, bool has_report)
{
	if (f == FIGURE_RESPONSE || f == FIGURE_SERVICE)
		return true;
	if (f == FIGURE_INIT)
		return has_report && (temp == TEMP_COLD || temp == TEMP_RESTORED);
	return has_report && temp != TEMP_UNKNOWN;
}

uint32_t calls_every(uint64_t due_max, uint32_t round_calls)
{
	uint64_t rounds = (due_max + round_calls - 1) / round_calls;
	uint64_t fit = MAX_OF(CALLS_MAX / round_calls, 1);

	return (uint32_t)((rounds + fit - 1) / fit);
}

struct tally *tally_new(const struct schedule *s, bool has_report)
{
	struct tally *t = x_calloc(1, sizeof(*t));

	for (size_t i = 0; i < s->w.variant_count; i++)
		for (size_t temp = 0; temp < TEMPERATURE_COUNT; temp++)
			for (size_t f = 0; f < FIGURE_COUNT; f++)
				if (can_come((enum figure)f, (enum temperature)temp, has_report))
					t->series[s->w.variants[i]][temp].figures[f] = hdr_new();
	blocks_init(&t->blocks, (size_t)MIN_OF(s->due_max, VALUES_MAX));
	t->calls = (struct calls)CALLS_INIT;
	t->calls.every = calls_every(s->due_max, s->round_n);
	t->calls.cap = (size_t)MIN_OF(s->due_max, CALLS_MAX);
	t->calls.items = x_calloc(t->calls.cap, sizeof(*t->calls.items));
	t->cold = (struct calls)CALLS_INIT;
	t->cold.cap = CALLS_COLD_MAX;
	t->cold.items = x_calloc(t->cold.cap, sizeof(*t->cold.items));
	t->late = hdr_new();
	t->last = hdr_new();
	return t;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	for (size_t v = 0; v < VARIANT_COUNT; v++)
		for (size_t temp = 0; temp < TEMPERATURE_COUNT; temp++)
			for (size_t f = 0; f < FIGURE_COUNT; f++)
				hdr_free(t->series[v][temp].figures[f]);
	blocks_release(&t->blocks);
	calls_release(&t->calls);
	calls_release(&t->cold);
	hdr_free(t->late);
	hdr_free(t->last);
	free(t);
}

void tally_due(struct tally *t, const struct place *p)
{
	if (p->round < 0) {
		t->warmup_due[p->variant]++;
		return;
	}
	t->due++;
	blocks_due(&t->blocks, p->block, p->variant);
}

static void count_reason(struct reasons *r, const char *text)
{
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->items[i].text, text) == 0) {
			r->items[i].count++;
			return;
		}
	}
	if (r->count == REASONS_MAX) {
		r->others++;
		return;
	}
	snprintf(r->items[r->count].text, REASON_SIZE, "%s", text);
	r->items[r->count++].count = 1;
}

static uint32_t held_u32(int64_t value)
{
	if (value < 0)
		return 0;
	return value > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void record_figures(struct series *s, const struct result *r)
{
	const struct answer *a = r->answer;
	const int64_t values[FIGURE_COUNT] = {
		[FIGURE_RESPONSE] = r->response_us, [FIGURE_SERVICE] = r->service_us,
		[FIGURE_BILLED] = a->billed_us,	    [FIGURE_INIT] = a->init_us,
		[FIGURE_MEMORY] = a->memory_kib,
	};

	for (size_t f = 0; f < FIGURE_COUNT; f++)
		if (s->figures[f] && (f <= FIGURE_SERVICE || values[f] > 0))
			hdr_record(s->figures[f], values[f]);
}

static struct call_record record_of(const struct result *r, enum temperature temp,
				    uint16_t instance)
{
	const struct answer *a = r->answer;
	struct call_record c = {
		.due_us = r->place->due_ns / 1000,
		.round = (uint32_t)r->place->round,
		.variant = r->place->variant,
		.outcome = r->outcome,
		.temperature = temp,
		.instance = instance,
	};

	if (r->was_sent) {
		c.response_us = held_u32(r->response_us);
		c.service_us = held_u32(r->service_us);
	}
	if (a) {
		c.billed_us = a->billed_us;
		c.init_us = a->init_us;
		c.memory_kib = a->memory_kib;
		if (a->request_id) {
			c.id_bytes = (uint8_t)MIN_OF(a->id_bytes, CALL_ID_MAX_BYTES);
			memcpy(c.id, a->request_id, c.id_bytes);
		}
	}
	return c;
}

static void record_call(struct tally *t, const struct result *r, enum temperature temp,
			uint16_t instance)
{
	struct call_record c;

	if ((uint32_t)r->place->round % t->calls.every != 0 || t->calls.count == t->calls.cap)
		return;
	c = record_of(r, temp, instance);
	calls_add(&t->calls, &c);
}

/* The first burst after a publish falls into the warm-up: its cold starts are all that there are
 * of many a version. */
static void count_warmup(struct tally *t, const struct result *r)
{
	enum temperature temp = r->answer ? r->answer->temperature : TEMP_UNKNOWN;
	struct call_record c;

	t->warmup[r->place->variant][r->outcome]++;
	if ((temp != TEMP_COLD && temp != TEMP_RESTORED) || r->outcome != OUT_OK ||
	    t->cold.count == t->cold.cap)
		return;
	c = record_of(r, temp, 0);
	calls_add(&t->cold, &c);
}

static void count_why(struct tally *t, const struct result *r)
{
	const char *why = r->answer && r->answer->reason[0] ? r->answer->reason : r->reason;

	if (r->outcome == OUT_OK || r->outcome == OUT_NOT_SENT || r->outcome == OUT_ABORTED || !why)
		return;
	count_reason(r->outcome == OUT_THROTTLED ? &t->throttles : &t->errors, why);
}

static void count_measured(struct tally *t, const struct result *r)
{
	const struct answer *a = r->answer;
	const struct place *p = r->place;
	enum temperature temp = a ? a->temperature : TEMP_UNKNOWN;
	struct series *s = &t->series[p->variant][temp];
	bool is_ok = r->outcome == OUT_OK;
	uint16_t instance = 0;

	t->done++;
	t->outcomes[p->variant][r->outcome]++;
	s->is_used = true;
	s->outcomes[r->outcome]++;
	if (r->was_sent) {
		t->sent++;
		hdr_record(t->late, r->late_us);
	}
	if (is_ok) {
		record_figures(s, r);
		if (a->instance)
			instance = instances_note(&t->instances, a->instance, a->instance_bytes);
		instances_count_call(&t->instances, instance, p->variant);
	}
	blocks_done(&t->blocks, p->block, p->variant, is_ok, held_u32(r->response_us));
	record_call(t, r, temp, instance);
	count_why(t, r);
}

void tally_done(struct tally *t, const struct result *r)
{
	if (r->outcome == OUT_OK)
		hdr_record(t->last, r->response_us);
	else if (r->was_sent && r->outcome != OUT_THROTTLED)
		t->failed[r->place->variant]++;
	if (r->place->round < 0)
		count_warmup(t, r);
	else
		count_measured(t, r);
}
