/*
 * clock_check.c - see clock_check.h.
 */
#include "cmd/loader/clock_check.h"

#include <string.h>

#include "common/base/bug.h"

#define LOOK_EVERY_NS (20 * NS_PER_MS)
#define DATE_MAX_BYTES 40
#define WIDE_MS 200

bool clock_check_is_due(const struct clock_check *c, struct wall done)
{
	return !c->is_known || done.ns - c->looked_at_ns >= LOOK_EVERY_NS ||
	       done.ns <= c->looked_at_ns;
}

void clock_check_add(struct clock_check *c, const char *date, size_t len_bytes, struct wall sent,
		     struct wall done)
{
	char text[DATE_MAX_BYTES + 1];
	struct wall theirs;
	int64_t low_ms, high_ms;

	if (len_bytes > DATE_MAX_BYTES || !clock_check_is_due(c, done))
		return;
	c->looked_at_ns = done.ns;
	memcpy(text, date, len_bytes);
	text[len_bytes] = '\0';
	if (wall_parse_http(text, &theirs) != 0)
		return;
	low_ms = wall_ms(sent) - wall_ms(theirs) - MS_PER_S;
	high_ms = wall_ms(done) - wall_ms(theirs);
	c->low_ms = c->is_known ? MAX_OF(c->low_ms, low_ms) : low_ms;
	c->high_ms = c->is_known ? MIN_OF(c->high_ms, high_ms) : high_ms;
	c->is_known = true;
}

int64_t clock_check_offset_ms(const struct clock_check *c)
{
	bool is_wide = c->high_ms - c->low_ms > WIDE_MS;

	if (!c->is_known || (is_wide && c->low_ms <= 0 && c->high_ms >= 0))
		return 0;
	return (c->low_ms + c->high_ms) / 2;
}
