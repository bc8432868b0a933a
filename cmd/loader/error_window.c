/*
 * error_window.c - see error_window.h.
 */
#include "cmd/loader/error_window.h"

#include <math.h>

#define DEVIATIONS 2.0

bool error_window_add(struct error_window *w, bool is_bad, double ratio)
{
	double limit;

	if (w->count == ERROR_WINDOW_CALLS)
		w->bad -= w->is_bad[w->at];
	else
		w->count++;
	w->is_bad[w->at] = is_bad;
	w->bad += is_bad;
	w->at = (w->at + 1) % ERROR_WINDOW_CALLS;
	if (ratio <= 0 || w->count < ERROR_WINDOW_CALLS_MIN)
		return false;
	limit = w->count * ratio + DEVIATIONS * sqrt(w->count * ratio * (1 - ratio));
	/* A limit above every possible count would never stop a target that always fails. */
	return w->bad > limit || (w->bad == w->count && ratio < 1);
}
