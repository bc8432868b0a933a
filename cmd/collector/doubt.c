/*
 * doubt.c - what makes a run suspect although its loader saw nothing wrong with itself.
 */
#include <string.h>

#include "cmd/collector/judge.h"

/* Above this share of the calls due, what was measured is no longer what was asked for. */
#define LOST_SHARE_MAX 0.01
#define LOST_CALLS_MIN 3
/* A foreign tool's run is compared from this many samples a side on (docs/MEASURING.md). */
#define FOREIGN_SAMPLES_MIN 200

static bool is_gate(const struct json *plan, const char *name)
{
	return json_get_bool(json_named(json_get(plan, "metrics"), name), "is_gate", false);
}

static bool is_lost(const struct gathered *g, enum outcome o)
{
	for (int v = 0; v < VARIANT_COUNT; v++) {
		uint64_t lost = g->outcomes[v][o], due = gathered_due(g, (enum variant)v);

		if (lost >= LOST_CALLS_MIN && (double)lost > LOST_SHARE_MAX * (double)due)
			return true;
	}
	return false;
}

/* Nothing answered: whatever is left was measured before or beside a broken target. */
static bool is_unreached(const struct gathered *g)
{
	return is_lost(g, OUT_CONNECT) || is_lost(g, OUT_TLS) || is_lost(g, OUT_DNS);
}

static size_t samples_of(const struct gathered *g, enum variant v)
{
	size_t count = 0;

	for (size_t i = 0; i < g->count; i++) {
		const struct sample *s = &g->samples[i];

		count += s->variant == v && s->outcome == OUT_OK && !s->is_warmup;
	}
	return count;
}

void doubts_find(const struct json *plan, struct gathered *g)
{
	if (is_lost(g, OUT_THROTTLED) && !is_gate(plan, "throttle_ratio"))
		gathered_doubt(g, "throttled");
	/* Where errors are a gate, that gate judges it. */
	if (is_unreached(g) && !is_gate(plan, "error_ratio"))
		gathered_doubt(g, "not-reached");
	if (is_lost(g, OUT_NOT_SENT))
		gathered_doubt(g, "not-sent");
	if (g->is_foreign)
		gathered_doubt(g, "no-self-check");
}

void doubts_list(const struct gathered *g, char out[JUDGE_REASON_SIZE])
{
	struct buf text = BUF_INIT(JUDGE_REASON_SIZE - 1);

	for (size_t i = 0; i < json_len(g->doubts); i++)
		buf_addf(&text, "%s%s", i ? ", " : "", json_str(json_elem(g->doubts, i)));
	snprintf(out, JUDGE_REASON_SIZE, "%s", buf_str(&text));
	buf_release(&text);
}

bool doubts_beyond_a_cut(const struct gathered *g)
{
	/* The calls that were still due when it was cut count as not sent. */
	static const char *const explained[] = {"not-sent", "rate-not-reached"};
	size_t beyond = json_len(g->doubts);

	for (size_t i = 0; i < json_len(g->doubts); i++) {
		for (size_t k = 0; k < ARRAY_LEN(explained); k++)
			beyond -= strcmp(json_str(json_elem(g->doubts, i)), explained[k]) == 0;
	}
	return beyond > 0;
}

bool doubts_has_answers(const struct gathered *g, enum variant v)
{
	return g->outcomes[v][OUT_OK] > 0 || samples_of(g, v) > 0;
}

bool doubts_allow_comparison(const struct gathered *g)
{
	return g->is_foreign && json_len(g->doubts) == 1 &&
	       samples_of(g, VARIANT_OLD) >= FOREIGN_SAMPLES_MIN &&
	       samples_of(g, VARIANT_NEW) >= FOREIGN_SAMPLES_MIN;
}
