/*
 * figures.h - figures of run.finished as people read them: "61.0 ms", "+131 %", "+0.5 pp".
 *
 * Units are those of the events: us, KiB, usd, 1 (a ratio); any other is printed as it is.
 */
#ifndef PLIMSOLL_SINK_FIGURES_H
#define PLIMSOLL_SINK_FIGURES_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/json/json.h"

#define FIGURE_SIZE 64

/* "–" for what is not a number. */
void figure_value(const struct json *v, const char *unit, char out[FIGURE_SIZE]);
/* Of a figure that another tool tells, whose "1" need not be a ratio. */
void figure_foreign(const struct json *v, const char *unit, char out[FIGURE_SIZE]);
/* What one of data.objectives was judged by, or why there is nothing. */
void figure_objective(const struct json *objective, char out[FIGURE_SIZE]);
/* Whether it is on a figure of another tool, which comes later than the verdict. */
bool figure_is_of_tool(const struct json *objective);
/* A difference as diff_kind says: "ratio" in percent, "points" in percentage points. */
void figure_diff(const struct json *diff, const char *kind, char out[FIGURE_SIZE]);
/* Likewise, without a sign: "14 %". */
void figure_size(const struct json *diff, const char *kind, char out[FIGURE_SIZE]);
/* "+128 … +134 %"; "" when a bound is missing. */
void figure_interval(const struct json *low, const struct json *high, const char *kind,
		     char out[FIGURE_SIZE]);
/* "±10 %", "±0.5 pp"; "" without a tolerance. */
void figure_tolerance(const struct json *tolerance, char out[FIGURE_SIZE]);

#endif
