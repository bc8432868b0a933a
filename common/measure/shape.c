/* shape.c - see shape.h. */
#include "common/measure/shape.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"

#define STEPS_MAX 49 /* a jump and a level each stay within RAMP_STAGES_MAX */

struct levels {
	double base, peak;
	int64_t duration_ms;
	uint64_t seed;
};

static void add(struct ramp *r, double target, int64_t duration_ms)
{
	r->stages[r->count++] = (struct ramp_stage){target, duration_ms};
}

static void make_increasing(const struct levels *l, struct ramp *out)
{
	out->start = l->base;
	add(out, l->peak, l->duration_ms);
}

static void make_triangle(const struct levels *l, struct ramp *out)
{
	out->start = l->base;
	add(out, l->peak, l->duration_ms / 2);
	add(out, l->base, l->duration_ms - l->duration_ms / 2);
}

static void make_spike(const struct levels *l, struct ramp *out)
{
	int64_t side_ms = l->duration_ms * 2 / 5;

	out->start = l->base;
	add(out, l->base, side_ms);
	add(out, l->peak, 0);
	add(out, l->peak, l->duration_ms - 2 * side_ms);
	add(out, l->base, 0);
	add(out, l->base, side_ms);
}

static void make_random(const struct levels *l, struct ramp *out)
{
	int64_t steps = MIN_OF(MAX_OF(l->duration_ms / MS_PER_S, INT64_C(2)), STEPS_MAX);
	struct rng rng = {.state = l->seed};

	for (int64_t i = 0; i < steps; i++) {
		int64_t from_ms = l->duration_ms * i / steps;
		double level = l->base + (l->peak - l->base) * rng_unit(&rng);

		if (i == 0)
			out->start = level;
		else
			add(out, level, 0);
		add(out, level, l->duration_ms * (i + 1) / steps - from_ms);
	}
}

static const struct {
	const char *name;
	void (*make)(const struct levels *l, struct ramp *out);
} shapes[] = {
	{"increasing", make_increasing},
	{"random", make_random},
	{"triangle", make_triangle},
	{"spike", make_spike},
};

int shape_make(const char *name, double base, double peak, int64_t duration_ms, uint64_t seed,
	       struct ramp *out)
{
	const struct levels levels = {base, peak, duration_ms, seed};

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		if (strcmp(shapes[i].name, name) == 0) {
			*out = (struct ramp){0};
			shapes[i].make(&levels, out);
			return 0;
		}
	}
	return -EINVAL;
}
