/*
 * offset.h - how far another host's wall clock is from ours, from echoed times (rank 4).
 *
 * Of the last 16 exchanges the one with the shortest round trip is believed: the true offset is
 * within half of it (Cristian 1989, as NTP's clock filter, RFC 5905 section 10).
 */
#ifndef PLIMSOLL_WORK_OFFSET_H
#define PLIMSOLL_WORK_OFFSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OFFSET_SAMPLES 16

struct offset {
	struct {
		int64_t trip_us, offset_us;
	} sample[OFFSET_SAMPLES];
	size_t count, next;
};

/* An answer: sent and got on one steady clock of ours, our wall clock when it came, and theirs (cut
 * to ms) when they answered. What cannot be is left out. */
void offset_add(struct offset *o, int64_t sent_us, int64_t got_us, int64_t our_wall_us,
		int64_t their_wall_ms);
/* Theirs minus ours, and the round trip it rests on (may be NULL). False: nothing is known yet. */
bool offset_best(const struct offset *o, int64_t *offset_us, int64_t *trip_us);

#endif
