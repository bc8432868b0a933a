/*
 * share.c - shares of calls (errors, throttles), compared in points.
 *
 * A failing call names no environment, so the clusters are blocks of time
 * (docs/decisions/0010-shares-of-calls.md).
 */
#include <math.h>
#include <stdlib.h>

#include "common/verdict/metric.h"

/* With no event on either side the data are identical. That is "no difference" once this many
 * calls a side have been seen: the upper bound of the new share is then under 5 points. */
#define NONE_CALLS_MIN 59
#define NONE_LEVEL 0.95

static void count_blocks(const struct measured *m, const struct metric_spec *spec,
			 struct rate_block *blocks[VARIANT_COUNT])
{
	for (size_t i = 0; i < m->count; i++) {
		const struct sample *s = &m->samples[i];
		struct rate_block *b = &blocks[s->variant][s->block];

		if (s->is_warmup || !(spec->among & (1u << s->outcome)))
			continue;
		b->due++;
		b->bad += spec->bad & (1u << s->outcome) ? 1 : 0;
	}
}

/* Values come from the outcome counts, which cover every call; intervals from the samples. */
static bool share_of(const struct measured *m, const struct metric_spec *spec, enum variant v,
		     double *out, size_t *n)
{
	uint64_t bad = 0, among = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++) {
		among += spec->among & (1u << o) ? m->outcomes[v][o] : 0;
		bad += spec->bad & (1u << o) ? m->outcomes[v][o] : 0;
	}
	*n = (size_t)among;
	*out = among ? (double)bad / (double)among : 0;
	return among > 0;
}

/* Each past run is a block: that runs differ by more than chance shows in the design effect. */
static size_t past_blocks(const struct json *past, const char *name, struct rate_block *blocks)
{
	size_t count = 0;

	for (size_t i = 0; i < json_len(past); i++) {
		const struct json *v = stored_value(json_elem(past, i), name);
		int64_t due = json_get_int(v, "n", 0);
		double share = json_get_real(v, "value", (double)NAN);

		if (due <= 0 || due > UINT32_MAX || !(share >= 0 && share <= 1))
			continue;
		blocks[count].due = (uint32_t)due;
		blocks[count++].bad = (uint32_t)llround(share * (double)due);
	}
	return count;
}

/* Which are the old blocks: those of the same minutes, or the past runs. */
static size_t old_blocks(const struct measured *m, const char *name,
			 const struct estimate_options *opts, struct rate_block *blocks,
			 struct estimate *e)
{
	size_t count;

	if (!opts->past)
		return m->block_count;
	count = past_blocks(opts->past, name, blocks);
	e->n_old = count;
	e->has_old = count > 0;
	if (count < STORED_RUNS_MIN)
		e->cannot = "few-runs";
	return count;
}

static void compare(struct estimate *e)
{
	e->diff = e->diff_abs = e->rate.new.share - e->rate.old.share;
	e->basis = BASIS_BLOCKS;
	if (e->rate.old.bad > 0 || e->rate.new.bad > 0)
		return;
	if (e->rate.old.due < NONE_CALLS_MIN || e->rate.new.due < NONE_CALLS_MIN) {
		e->cannot = "few-calls";
		return;
	}
	e->upper_old = rate_upper_of_none(e->rate.old.due, NONE_LEVEL);
	e->upper_new = rate_upper_of_none(e->rate.new.due, NONE_LEVEL);
	e->note = "none-seen";
}

void share_estimate(const struct measured *m, const char *name, const struct metric_spec *spec,
		    const struct estimate_options *opts, struct estimate *e)
{
	struct rate_block *blocks[VARIANT_COUNT];
	size_t old_count;

	e->has_new = share_of(m, spec, VARIANT_NEW, &e->new, &e->n_new);
	if (!opts->has_old && !opts->past)
		return;
	if (opts->has_old)
		e->has_old = share_of(m, spec, VARIANT_OLD, &e->old, &e->n_old);
	for (int v = 0; v < VARIANT_COUNT; v++)
		blocks[v] = x_calloc(m->block_count + json_len(opts->past) + 1, sizeof(*blocks[v]));
	count_blocks(m, spec, blocks);
	old_count = old_blocks(m, name, opts, blocks[VARIANT_OLD], e);
	if (!e->has_old || !e->has_new)
		e->cannot = e->cannot ? e->cannot : "no-data";
	else if (rate_diff_init(&e->rate, blocks[VARIANT_OLD], old_count, blocks[VARIANT_NEW],
				m->block_count) != 0)
		e->cannot = e->cannot ? e->cannot : "few-blocks";
	else if (!e->cannot)
		compare(e);
	if (opts->past)
		e->old = e->rate.old.share;
	for (int v = 0; v < VARIANT_COUNT; v++)
		free(blocks[v]);
}
