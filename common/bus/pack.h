/*
 * pack.h - the parts of a message in one frame of ZeroMQ's (rank 2; private to the folder).
 *
 * One frame, for libzmq ends the process when a connection dies while a message of several frames
 * is received (4.3.4, fq.cpp, with ZMQ_IMMEDIATE; docs/BUS.md). Its form:
 *
 *	version (1 byte)  { length (4 bytes, the highest first)  that many bytes } 1 to 16 times
 *
 *	void *out = x_calloc(1, bus_packed_bytes(parts, count));
 *	bus_pack(parts, count, out);
 *	rc = bus_unpack(out, len_bytes, parts, &count);	// they point into out
 *
 * DIAGNOSTICS
 *	-EPROTONOSUPPORT: another version. -EINVAL: a length goes beyond the frame or stops short of
 *	it, no part, too many, too large.
 */
#ifndef PLIMSOLL_BUS_PACK_H
#define PLIMSOLL_BUS_PACK_H

#include "common/bus/bus.h"

#define BUS_PACKED_MAX_BYTES (1u + BUS_PARTS_MAX * 4u + BUS_MESSAGE_MAX_BYTES)

/* 0: no part, too many, too large. */
size_t bus_packed_bytes(const struct bus_part *parts, size_t count);
/* out has room for bus_packed_bytes, which is not 0. */
void bus_pack(const struct bus_part *parts, size_t count, void *out);
/* Nothing is copied: the parts live as long as the frame. */
MUST_CHECK int bus_unpack(const void *frame, size_t len_bytes, struct bus_part parts[BUS_PARTS_MAX],
			  size_t *count);

#endif
