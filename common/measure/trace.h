/*
 * trace.h - when the calls of a recorded hour came, to be made again (rank 2). Pure.
 *
 * CSV, one call a line: its offset, and optionally the payload to send (counted from 0). A first
 * line of names says the unit: offset_s (the default without one) or offset_ms, then payload.
 * Offsets never go back; they count from the first one, so times since 1970 serve as well. Digits
 * behind the nanosecond are cut off. Empty lines and lines that begin with # are passed over.
 *
 *	offset_s,payload
 *	0.000,0
 *	0.412,1
 *
 *	struct trace t;
 *	if (trace_parse(text, len_bytes, &t, why) == 0)
 *		...
 *	trace_release(&t);
 *
 * DIAGNOSTICS
 *	-EINVAL, -E2BIG: why names the line and what is wrong with it.
 */
#ifndef PLIMSOLL_MEASURE_TRACE_H
#define PLIMSOLL_MEASURE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bug.h"

#define TRACE_CALLS_MAX 4000000u
#define TRACE_BYTES_MAX ((size_t)64 * 1024 * 1024) /* of a file, for those who read it */
#define TRACE_WHY_SIZE 120

struct trace {
	int64_t *offsets_ns; /* owned; the first is 0 */
	uint16_t *payloads;  /* owned; NULL when the file names none */
	size_t count;
};

MUST_CHECK int trace_parse(const char *text, size_t len_bytes, struct trace *out,
			   char why[TRACE_WHY_SIZE]);
void trace_release(struct trace *t);

/* How many calls are made of it at this multiple of its rate: each 0.5 takes every second one. */
size_t trace_calls(const struct trace *t, double rate);
/*
 * The i-th of those calls is due where the trace is at i / rate, in straight lines between its
 * calls, speed times as fast. *entry is the recorded call whose payload it has.
 */
int64_t trace_due_ns(const struct trace *t, double speed, double rate, size_t i, size_t *entry);
/* The most calls that are due within any second, and within a window of that length. */
double trace_most_within(const struct trace *t, double speed, double rate, int64_t window_ms);

#endif
