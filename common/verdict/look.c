/* look.c - the calls so far against the gates. */
#include <math.h>
#include <string.h>

#include "common/verdict/gate.h"
#include "common/verdict/look.h"
#include "common/verdict/plan.h"
#include "common/verdict/sampling.h"

uint32_t look_rounds(double fraction, uint64_t all)
{
	return (uint32_t)MIN_OF(floor(fraction * (double)all + 1e-9), (double)INT32_MAX);
}

/* All gates of the plan; false where one is of a metric that is not known here. */
static bool make_gates(const struct json *part, const struct measured *m, struct estimate *ests,
		       struct gate *gates, size_t *count)
{
	const struct json *metrics = json_get(part, "metrics");
	struct estimate_options opts = plan_options(part);

	for (size_t i = 0; i < json_len(metrics) && *count < GATES_MAX; i++) {
		const struct json *planned = json_elem(metrics, i);
		const char *name = json_get_str(planned, "name");
		struct metric_spec spec;

		if (!json_get_bool(planned, "is_gate", false))
			continue;
		if (metric_parse(name, &spec) != 0)
			return false;
		estimate_make(m, name, &spec, &opts, &ests[*count]);
		gates[*count] = plan_gate(planned, &ests[*count]);
		(*count)++;
	}
	return *count > 0;
}

static bool are_decided(const struct json *part, const struct looks *l, const struct measured *m)
{
	struct estimate ests[GATES_MAX];
	struct gate gates[GATES_MAX];
	struct holm_answer answers[GATES_MAX] = {0};
	size_t count = 0;
	bool all = make_gates(part, m, ests, gates, &count);

	if (all)
		gates_decide(gates, count, l, answers);
	for (size_t i = 0; i < count; i++) {
		all = all && answers[i].is_decided;
		estimate_release(&ests[i]);
	}
	return all;
}

struct sums {
	uint64_t outcomes[VARIANT_COUNT][OUTCOME_COUNT];
	uint64_t ok[VARIANT_COUNT][TEMPERATURE_COUNT];
};

static void sum_up(const struct sampling *s, struct sums *out)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct sample *one = &s->samples[i];

		if (one->is_warmup)
			continue;
		out->outcomes[one->variant][one->outcome]++;
		out->ok[one->variant][one->temperature] += one->outcome == OUT_OK;
	}
}

bool look_decides(const struct json *part, size_t look, uint32_t rounds, const struct calls *calls,
		  const struct json *instances)
{
	struct hdr *const no_histograms[VARIANT_COUNT][FIGURE_COUNT] = {{NULL}};
	struct sampling s = {.price = call_price_read(part)};
	struct looks l = looks_read(part);
	struct sums sums = {0};
	bool all;

	if (look + 1 >= l.count)
		return false;
	l.at = look;
	for (size_t i = 0; i < calls->count; i++) {
		const struct call_record *c = &calls->items[i];

		if (c->due_us < 0 || c->round < rounds)
			sampling_add_call(&s, 0, c, sampling_environment(c, instances));
	}
	sampling_number(&s);
	sum_up(&s, &sums);
	all = are_decided(part, &l,
			  &(struct measured){.samples = s.samples,
					     .count = s.count,
					     .round_count = s.round_count,
					     .block_count = s.block_count,
					     .is_warm = figures_are_warm(sums.ok),
					     .outcomes = sums.outcomes,
					     .hist = no_histograms});
	sampling_release(&s);
	return all;
}
