/*
 * ramp.h - a figure that moves in straight lines from stage to stage, and how much has come of it
 * by when (rank 2). Pure.
 *
 * It begins at start and reaches each stage's target at the end of the stage; a stage of no
 * duration is a jump. Rates are calls a second, so the area under the line is calls.
 *
 *	struct ramp r = {.start = 0, .count = 1, .stages = {{.target = 100, .duration_ms = 4000}}};
 *	ramp_total(&r);				// 200 calls
 *	struct ramp_walk w = {0};
 *	ramp_walk_to(&r, &w, 50);		// 2000000000 ns: half of the time, a quarter of the
 *calls
 *
 * The time at which n calls have come is the inverse of the area. With r0 the rate at the start of
 * the stage, a its slope and m the calls since then:  t = 2 m / (r0 + sqrt(r0^2 + 2 a m)), the form
 * of the quadratic's root that loses no digits when a is small. Where nothing comes for a while
 * (rate 0) the call that is due then comes at the end of the pause.
 */
#ifndef PLIMSOLL_MEASURE_RAMP_H
#define PLIMSOLL_MEASURE_RAMP_H

#include <stddef.h>
#include <stdint.h>

#define RAMP_STAGES_MAX 100

struct ramp_stage {
	double target;
	int64_t duration_ms;
};

struct ramp {
	double start;
	size_t count;
	struct ramp_stage stages[RAMP_STAGES_MAX];
};

/* Where ramp_walk_to is; zero to begin. */
struct ramp_walk {
	size_t stage;
	long double before; /* calls of the stages before it */
	int64_t began_ms;   /* of this stage */
};

int64_t ramp_duration_ms(const struct ramp *r);
double ramp_total(const struct ramp *r); /* area: target * seconds */
double ramp_peak(const struct ramp *r);
/* At that time; at a jump the value after it; before 0 the start, after the end the last target. */
double ramp_at(const struct ramp *r, int64_t at_ns);
/* The most that comes within any window of that length. */
double ramp_most_within(const struct ramp *r, int64_t window_ms);
/*
 * When the area passes calls, rounded to the nanosecond; the end when it never does. One walk asks
 * for ever more calls, never for fewer.
 */
int64_t ramp_walk_to(const struct ramp *r, struct ramp_walk *w, double calls);

#endif
