/*
 * clock.h - two clocks that the compiler keeps apart (rank 0).
 *
 * Elapsed time comes only from struct mono; dates come only from struct wall. The two
 * types exist so that subtracting one from the other does not compile.
 *
 *	struct mono start = mono_now();
 *	int64_t took_ns = mono_diff_ns(mono_now(), start);
 */
#ifndef PLIMSOLL_BASE_CLOCK_H
#define PLIMSOLL_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bug.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define MS_PER_S INT64_C(1000)

struct mono {
	int64_t ns; /* CLOCK_MONOTONIC */
};
struct wall {
	int64_t ns; /* since 1970-01-01T00:00:00Z */
};

struct mono mono_now(void);
int64_t mono_diff_ns(struct mono later, struct mono earlier);
struct mono mono_add_ns(struct mono m, int64_t ns);
bool mono_is_before(struct mono a, struct mono b);

/* CLOCK_BOOTTIME in microseconds: it goes on while the host sleeps. For leases. */
int64_t boot_us(void);

struct wall wall_now(void);
struct wall wall_from_s(int64_t s);
int64_t wall_s(struct wall w);
int64_t wall_ms(struct wall w);
int64_t wall_diff_ns(struct wall later, struct wall earlier);
struct wall wall_add_ns(struct wall w, int64_t ns);

#define WALL_RFC3339_SIZE 25 /* "2026-11-22T15:04:05.123Z" and its NUL */
#define WALL_BASIC_SIZE 17   /* "20261122T150405Z" and its NUL: the AWS form */

void wall_format_rfc3339(struct wall w, char out[WALL_RFC3339_SIZE]);
void wall_format_basic(struct wall w, char out[WALL_BASIC_SIZE]);
/* Accepts Z, +00:00, +0000 and other offsets, with or without a fraction. -EINVAL otherwise. */
MUST_CHECK int wall_parse_rfc3339(const char *text, struct wall *out);
/* "20261122T150405Z". -EINVAL otherwise. */
MUST_CHECK int wall_parse_basic(const char *text, struct wall *out);
/* An HTTP Date header: "Sun, 22 Nov 2026 15:04:05 GMT". -EINVAL otherwise. */
MUST_CHECK int wall_parse_http(const char *text, struct wall *out);

#endif
