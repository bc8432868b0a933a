#include "cmd/plimsoll/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/look.h"
#include "common/stats/welch.h"

static void copy_version(char out[64], const struct json *data, const char *variant)
{
	const char *q = json_get_str(json_named(json_get(data, "variants"), variant), "qualifier");

	snprintf(out, 64, "%s", q ? q : "");
}

/* Half of the interval at 95 %, whatever level the run's gates stood at. */
static double half_at_95(const struct json *m)
{
	double low = log1p(json_get_real(m, "low", 0)), high = log1p(json_get_real(m, "high", 0));
	double level = json_get_real(m, "level", 0.95);

	return (high - low) / 2 * student_factor(0.95, (double)INFINITY) /
	       student_factor(level, (double)INFINITY);
}

static void add_diff(struct history_point *p, const struct json *m)
{
	const char *kind = json_get_str(m, "diff_kind");
	double half;

	if (!kind || strcmp(kind, "ratio") != 0 || !json_is_num(json_get(m, "diff")) ||
	    !json_is_num(json_get(m, "low")) || !json_is_num(json_get(m, "high")))
		return;
	half = half_at_95(m);
	p->diff = log1p(json_get_real(m, "diff", 0));
	p->low = p->diff - half;
	p->high = p->diff + half;
	p->has_diff = isfinite(p->diff) && isfinite(half);
}

void history_add(struct history *h, const struct json *data, const char *metric)
{
	const struct json *m = json_named(json_get(data, "metrics"), metric);
	const char *outcome = json_get_str(data, "outcome"), *unit = json_get_str(m, "unit");
	const char *at = json_get_str(data, "finished_at");
	struct history_point *p;

	if (!outcome || strcmp(outcome, "valid") != 0 || !json_is_num(json_get(m, "new")))
		return;
	if (h->count == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 64;
		h->points = x_realloc(h->points, h->cap, sizeof(*h->points));
	}
	p = &h->points[h->count++];
	*p = (struct history_point){.value = json_get_real(m, "new", 0)};
	look_short_date(at ? at : "", p->when);
	copy_version(p->version, data, "new");
	copy_version(p->old_version, data, "old");
	snprintf(h->unit, sizeof(h->unit), "%s", unit ? unit : "1");
	add_diff(p, m);
}

static bool is_next(const struct history_point *before, const struct history_point *p)
{
	return p->has_diff && p->version[0] && strcmp(before->version, p->old_version) == 0;
}

/* Errors of different runs are independent: their squares add up. */
static void add_up(struct history *h)
{
	double square = 0;

	for (size_t i = 0; i < h->count; i++) {
		struct history_point *p = &h->points[i];
		const struct history_point *before = i ? &h->points[i - 1] : NULL;
		double half = (p->high - p->low) / 2;

		if (before && is_next(before, p)) {
			p->since = before->since;
			p->sum = before->sum + p->diff;
			square += half * half;
		} else {
			p->since = i;
			p->sum = p->has_diff ? p->diff : 0;
			square = p->has_diff ? half * half : 0;
		}
		p->sum_low = p->sum - sqrt(square);
		p->sum_high = p->sum + sqrt(square);
	}
}

static void find_levels(struct history *h)
{
	double *values = x_calloc(h->count + 1, sizeof(*values));
	bool is_positive = true;

	for (size_t i = 0; i < h->count; i++)
		is_positive = is_positive && h->points[i].value > 0;
	for (size_t i = 0; i < h->count; i++)
		values[i] = is_positive ? log(h->points[i].value) : h->points[i].value;
	h->change_count = change_points(values, h->count, h->count, h->changes);
	for (size_t i = 0; i < h->change_count && is_positive; i++) {
		h->changes[i].before = exp(h->changes[i].before);
		h->changes[i].after = exp(h->changes[i].after);
	}
	free(values);
}

static void turn_round(struct history *h)
{
	for (size_t i = 0; i < h->count / 2; i++) {
		struct history_point kept = h->points[i];

		h->points[i] = h->points[h->count - 1 - i];
		h->points[h->count - 1 - i] = kept;
	}
}

void history_look(struct history *h)
{
	turn_round(h);
	add_up(h);
	find_levels(h);
}

void history_release(struct history *h)
{
	free(h->points);
	*h = (struct history){0};
}
