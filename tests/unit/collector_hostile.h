/*
 * collector_hostile.h - what holds of every judgement, whatever went in.
 */
#ifndef PLIMSOLL_TESTS_COLLECTOR_HOSTILE_H
#define PLIMSOLL_TESTS_COLLECTOR_HOSTILE_H

#include <math.h>

#include "cmd/collector/finish.h"

static inline bool is_green(enum verdict v)
{
	return v == VERDICT_BETTER || v == VERDICT_SAME;
}

/* An interval holds its own middle; without one there is no word but "cannot tell". */
static inline void assert_metric_sound(const struct judged_metric *m)
{
	const struct bounds *b = &m->bounds;

	if (!isnan(b->low) || !isnan(b->high)) {
		assert_true(b->low <= m->est.diff + 1e-9 && m->est.diff <= b->high + 1e-9);
		assert_true(m->level >= 0.9 && m->level < 1);
	} else {
		assert_false(is_green(m->verdict) || m->verdict == VERDICT_WORSE);
	}
	if (is_green(m->verdict))
		assert_true(m->est.n_new > 0 && m->est.n_old > 0);
	if (m->is_gate && m->verdict == VERDICT_CANNOT_TELL)
		assert_non_null(m->reason);
}

static inline size_t answered(const struct gathered *g)
{
	size_t count = 0;

	for (size_t i = 0; i < g->count; i++)
		count += g->samples[i].variant == VARIANT_NEW && g->samples[i].outcome == OUT_OK &&
			 !g->samples[i].is_warmup;
	return count;
}

static inline void assert_sound(const struct json *plan, const struct gathered *g,
				const struct judgement *j)
{
	struct json *o = finish_judged(plan, g, j, (struct wall){0});
	struct buf text = BUF_INIT(8u << 20);

	for (size_t i = 0; i < j->metric_count; i++)
		assert_metric_sound(&j->metrics[i]);
	if (is_green(j->verdict))
		assert_true(answered(g) > 0);
	if (j->outcome != RUN_VALID && j->outcome != RUN_SUSPECT)
		assert_true(j->verdict == VERDICT_CANNOT_TELL ||
			    j->verdict == VERDICT_NOT_COMPARED);
	assert_true(j->verdict_reason[0] != '\0');
	assert_int_equal(j->confirm_wanted && j->verdict != VERDICT_WORSE, 0);
	for (size_t i = 0; i < j->objective_count; i++)
		assert_true(j->objectives[i].is_met < 0 ||
			    (j->outcome == RUN_VALID && j->objectives[i].has_value));
	json_write(o, &text);
	assert_false(buf_is_over(&text));
	assert_null(strstr(buf_str(&text), ":nan"));
	assert_null(strstr(buf_str(&text), ":inf"));
	assert_null(strstr(buf_str(&text), ":-inf"));
	buf_release(&text);
	json_free(o);
}

#endif
