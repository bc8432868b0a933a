/*
 * stamp.h - when the kernel got bytes, which may be long before they are read (rank 3).
 *
 * A loop that rests between its turns (loop_set_rest) reads answers late. The kernel notes when
 * they came (SO_TIMESTAMPNS); so the rest is in no measured time.
 *
 *	bool has_stamps = stamp_ask(fd);
 *	ssize_t n = stamp_recv(fd, data, sizeof(data), &at);	// at: when the last of them came
 *
 * DIAGNOSTICS
 *	Where the kernel has no stamp (a unix socket), at is the time of reading.
 */
#ifndef PLIMSOLL_ENGINE_STAMP_H
#define PLIMSOLL_ENGINE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/clock.h"

bool stamp_ask(int fd);
/* As recv(2), errno included; *at is set when bytes came. at NULL: a plain recv. */
ssize_t stamp_recv(int fd, void *out, size_t size_bytes, struct mono *at);

#endif
