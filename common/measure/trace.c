/* trace.c - see trace.h. */
#include "common/measure/trace.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

#define FIRST_SIZE 65536u
#define OFFSET_NS_MAX (INT64_MAX / 4)
#define ROUNDING 1e-9 /* of a call: 3 of 10 at 0.3 is 1 whole call */

struct reading {
	struct trace *out;
	size_t cap, line;
	int64_t unit_ns, first_ns;
	bool has_payloads, is_past_names;
};

PRINTF_LIKE(3, 4)
static int wrong(const struct reading *r, char why[TRACE_WHY_SIZE], const char *fmt, ...)
{
	int used = snprintf(why, TRACE_WHY_SIZE, "line %zu: ", r->line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + used, TRACE_WHY_SIZE - (size_t)used, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool is_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

/* "12.34" of the unit, as nanoseconds; NULL when it is no number or too large. */
static const char *parse_offset(const char *at, const char *end, int64_t unit_ns, int64_t *out)
{
	int64_t whole = 0, part_ns = 0, weight_ns = unit_ns;

	if (!is_digit(at, end))
		return NULL;
	for (; is_digit(at, end); at++) {
		whole = whole * 10 + (*at - '0');
		if (whole > OFFSET_NS_MAX / unit_ns)
			return NULL;
	}
	if (at < end && *at == '.')
		for (at++; is_digit(at, end); at++) {
			weight_ns /= 10;
			part_ns += weight_ns * (*at - '0');
		}
	*out = whole * unit_ns + part_ns;
	return at;
}

static int read_names(struct reading *r, const char *at, const char *end, char why[TRACE_WHY_SIZE])
{
	static const struct {
		const char *line;
		int64_t unit_ns;
	} known[] = {
		{"offset_s", NS_PER_S},
		{"offset_ms", NS_PER_MS},
		{"offset_s,payload", NS_PER_S},
		{"offset_ms,payload", NS_PER_MS},
	};
	size_t len = (size_t)(end - at);

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i].line) == len && memcmp(known[i].line, at, len) == 0) {
			r->unit_ns = known[i].unit_ns;
			return 0;
		}
	}
	return wrong(r, why, "expected an offset such as 12.5, or the names offset_s,payload");
}

/* Whether the calls of a file have payloads is said by the first of them. */
static int read_payload(struct reading *r, const char *at, const char *end,
			char why[TRACE_WHY_SIZE])
{
	struct trace *t = r->out;
	unsigned payload = 0;

	if (t->count == 0)
		r->has_payloads = at < end;
	if (r->has_payloads != (at < end))
		return wrong(r, why,
			     r->has_payloads ? "no payload, unlike the lines before it"
					     : "more than an offset, unlike the lines "
					       "before it");
	if (at == end)
		return 0;
	if (*at++ != ',' || !is_digit(at, end))
		return wrong(r, why, "expected OFFSET,PAYLOAD with a number from 0");
	for (; is_digit(at, end) && payload <= UINT16_MAX; at++)
		payload = payload * 10 + (unsigned)(*at - '0');
	if (at != end || payload > UINT16_MAX)
		return wrong(r, why, "expected OFFSET,PAYLOAD with a number from 0 to 65535");
	t->payloads[t->count] = (uint16_t)payload;
	return 0;
}

static int grow(struct reading *r, char why[TRACE_WHY_SIZE])
{
	struct trace *t = r->out;

	if (t->count < r->cap)
		return 0;
	if (r->cap == TRACE_CALLS_MAX) {
		snprintf(why, TRACE_WHY_SIZE, "more than %u calls", TRACE_CALLS_MAX);
		return -E2BIG;
	}
	r->cap = r->cap ? MIN_OF(r->cap * 2, (size_t)TRACE_CALLS_MAX) : FIRST_SIZE;
	t->offsets_ns = x_realloc(t->offsets_ns, r->cap, sizeof(*t->offsets_ns));
	t->payloads = x_realloc(t->payloads, r->cap, sizeof(*t->payloads));
	return 0;
}

static int read_line(struct reading *r, const char *at, const char *end, char why[TRACE_WHY_SIZE])
{
	struct trace *t = r->out;
	int64_t offset_ns;
	int rc;

	if (end > at && end[-1] == '\r')
		end--;
	if (at == end || *at == '#')
		return 0;
	if (!r->is_past_names && !is_digit(at, end)) {
		r->is_past_names = true;
		return read_names(r, at, end, why);
	}
	r->is_past_names = true;
	at = parse_offset(at, end, r->unit_ns, &offset_ns);
	if (!at)
		return wrong(r, why, "the offset is not a number of this size");
	if (t->count == 0)
		r->first_ns = offset_ns;
	offset_ns -= r->first_ns;
	if (offset_ns < (t->count ? t->offsets_ns[t->count - 1] : 0))
		return wrong(r, why, "the offset is before the one of the line above");
	rc = grow(r, why);
	if (rc == 0)
		rc = read_payload(r, at, end, why);
	if (rc == 0)
		t->offsets_ns[t->count++] = offset_ns;
	return rc;
}

int trace_parse(const char *text, size_t len_bytes, struct trace *out, char why[TRACE_WHY_SIZE])
{
	struct trace t = {0};
	struct reading r = {.out = &t, .unit_ns = NS_PER_S};
	const char *at = text, *end = text + len_bytes;
	int rc = 0;

	while (at < end && rc == 0) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		r.line++;
		rc = read_line(&r, at, line_end ? line_end : end, why);
		at = line_end ? line_end + 1 : end;
	}
	if (rc == 0 && t.count == 0) {
		snprintf(why, TRACE_WHY_SIZE, "there is no call in it");
		rc = -EINVAL;
	}
	if (rc == 0 && !r.has_payloads) {
		free(t.payloads);
		t.payloads = NULL;
	}
	if (rc == 0)
		*out = t;
	else
		trace_release(&t);
	return rc;
}

void trace_release(struct trace *t)
{
	free(t->offsets_ns);
	free(t->payloads);
	*t = (struct trace){0};
}

size_t trace_calls(const struct trace *t, double rate)
{
	return (size_t)floor((double)t->count * rate + ROUNDING);
}

int64_t trace_due_ns(const struct trace *t, double speed, double rate, size_t i, size_t *entry)
{
	double place = (double)i / rate + ROUNDING, part;
	size_t at = MIN_OF((size_t)place, t->count - 1);
	int64_t gap_ns = at + 1 < t->count ? t->offsets_ns[at + 1] - t->offsets_ns[at] : 0;

	part = place - (double)at;
	*entry = at;
	if (part < 2 * ROUNDING)
		part = 0;
	return llround(((double)t->offsets_ns[at] + (double)gap_ns * part) / speed);
}

double trace_most_within(const struct trace *t, double speed, double rate, int64_t window_ms)
{
	double window_ns = (double)(window_ms * NS_PER_MS) * speed;
	size_t most = 1, first = 0;

	for (size_t i = 0; i < t->count; i++) {
		while ((double)(t->offsets_ns[i] - t->offsets_ns[first]) >= window_ns && first < i)
			first++;
		most = MAX_OF(most, i - first + 1);
	}
	return ceil((double)most * rate);
}
