/*
 * unit.h - the one place that reads and writes numbers with units (rank 0).
 *
 *	int64_t ms;
 *	rc = unit_parse_duration_ms("1m30s", &ms);	// 90000
 *
 * A parser takes the whole text or nothing: trailing characters are -EINVAL, a value that does
 * not fit is -ERANGE. unit_expected() gives the words for an error message.
 *
 *	duration	90s 5m 1h30m 250ms 7d 100us		-> milliseconds or nanoseconds
 *	rate		10/s 300/m 0.5/s 2/h			-> calls a second
 *	size		64KiB 1MiB 512 (bytes)			-> bytes
 *	money		1 USD, 0.50 USD, 0.50			-> micro-dollars (1e-6 USD)
 *	ratio		10% 0.1					-> 0.1
 *	points		0.5pp					-> 0.005
 */
#ifndef PLIMSOLL_BASE_UNIT_H
#define PLIMSOLL_BASE_UNIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bug.h"

enum unit {
	UNIT_DURATION,
	UNIT_RATE,
	UNIT_SIZE,
	UNIT_MONEY,
	UNIT_RATIO,
	UNIT_POINTS,
	UNIT_COUNT,
	UNIT_NUMBER
};

MUST_CHECK int unit_parse_u64(const char *text, uint64_t *out);
MUST_CHECK int unit_parse_i64(const char *text, int64_t *out);
/* Finite, in the C locale. */
MUST_CHECK int unit_parse_double(const char *text, double *out);
MUST_CHECK int unit_parse_duration_ns(const char *text, int64_t *out_ns);
MUST_CHECK int unit_parse_duration_ms(const char *text, int64_t *out_ms);
MUST_CHECK int unit_parse_rate(const char *text, double *out_per_s);
MUST_CHECK int unit_parse_size(const char *text, uint64_t *out_bytes);
MUST_CHECK int unit_parse_money(const char *text, int64_t *out_micro_usd);
MUST_CHECK int unit_parse_ratio(const char *text, double *out);
MUST_CHECK int unit_parse_points(const char *text, double *out);

/* "a duration such as 30s or 5m"; for "expected ..." in messages. */
const char *unit_expected(enum unit u);

#define UNIT_TEXT_SIZE 48
/* For people: "1m 30s", "82.4 ms", "1.2 s", "340 us". */
void unit_format_duration_ns(int64_t ns, char out[UNIT_TEXT_SIZE]);
/* "0.0042 USD"; never rounds a cost down to zero. */
void unit_format_money(int64_t micro_usd, char out[UNIT_TEXT_SIZE]);
/* Decimal string for events: "0.004200". */
void unit_format_usd(int64_t micro_usd, char out[UNIT_TEXT_SIZE]);

#endif
