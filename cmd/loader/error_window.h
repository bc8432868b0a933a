/*
 * error_window.h - when a run must stop because the target fails: the last 100 calls. Pure.
 *
 * Stops when more of the calls in the window failed than the ratio allows, beyond chance (two
 * standard deviations), and never before 20 calls: one failure in three must not end a run whose
 * limit is one in two just because failures came in a row.
 */
#ifndef PLIMSOLL_LOADER_ERROR_WINDOW_H
#define PLIMSOLL_LOADER_ERROR_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define ERROR_WINDOW_CALLS 100
#define ERROR_WINDOW_CALLS_MIN 20

struct error_window {
	bool is_bad[ERROR_WINDOW_CALLS];
	uint32_t at, count, bad;
};

/* True when the limit is passed. ratio 0 = no limit. */
bool error_window_add(struct error_window *w, bool is_bad, double ratio);

#endif
