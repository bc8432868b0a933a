#include "common/work/offset.h"

#include "common/base/bug.h"

void offset_add(struct offset *o, int64_t sent_us, int64_t got_us, int64_t our_wall_us,
		int64_t their_wall_ms)
{
	int64_t trip_us = got_us - sent_us;

	if (sent_us <= 0 || trip_us < 0)
		return;
	o->sample[o->next].trip_us = trip_us;
	/* Cut to ms: on average half of one is missing. */
	o->sample[o->next].offset_us = their_wall_ms * 1000 + 500 - (our_wall_us - trip_us / 2);
	o->next = (o->next + 1) % OFFSET_SAMPLES;
	o->count = MIN_OF(o->count + 1, (size_t)OFFSET_SAMPLES);
}

bool offset_best(const struct offset *o, int64_t *offset_us, int64_t *trip_us)
{
	size_t best = 0;

	if (!o->count)
		return false;
	for (size_t i = 1; i < o->count; i++)
		if (o->sample[i].trip_us < o->sample[best].trip_us)
			best = i;
	*offset_us = o->sample[best].offset_us;
	if (trip_us)
		*trip_us = o->sample[best].trip_us;
	return true;
}
