/*
 * clock_check.h - our clock against the target's, from the Date header of its answers. Pure.
 *
 * Date is cut to the second, so one answer bounds the offset to a second and its service time;
 * the bounds of many answers close in on it.
 */
#ifndef PLIMSOLL_LOADER_CLOCK_CHECK_H
#define PLIMSOLL_LOADER_CLOCK_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/clock.h"

#define CLOCK_SUSPECT_MS 2000
#define CLOCK_REFUSED_MS 240000 /* AWS refuses signatures from 300 s on */

struct clock_check {
	bool is_known;
	int64_t low_ms, high_ms; /* ours minus theirs */
	int64_t looked_at_ns;	 /* at most one answer in 20 ms is looked at */
};

/* Will an answer that came now be looked at: not worth finding its date otherwise. */
bool clock_check_is_due(const struct clock_check *c, struct wall done);
/* date is a header value, not NUL-terminated. Odd texts are ignored. */
void clock_check_add(struct clock_check *c, const char *date, size_t len_bytes, struct wall sent,
		     struct wall done);
/* The middle of the bounds; 0 when not known, or when wide bounds allow for none. */
int64_t clock_check_offset_ms(const struct clock_check *c);

#endif
