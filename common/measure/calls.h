/*
 * calls.h - every call of a shard, packed: the judge's data (rank 2).
 *
 * Version 1, little-endian, then base64 in shard.finished.data.calls:
 *	header	"PLC1", u32 count, u32 every (1 = all rounds; k = every k-th whole round)
 *	record	u32 due_us since the measured part's start (signed: warm-up calls are negative)
 *		u32 round, u8 variant | outcome << 1, u8 temperature, u16 instance (1 + index
 *		into instances[]; 0 = unknown), u32 response_us, u32 service_us,
 *		u32 billed_us, u32 init_us, u32 memory_kib   (0 = not known)
 *		u8 id length (0 to 36), then the request id; 16 means a UUID's bytes (a text
 *		of 16 characters goes as 17, with a NUL behind it)
 * A figure past u32 is held at its maximum. Documented for other tools in docs/EVENTS.md.
 *
 *	struct calls c = CALLS_INIT;
 *	calls_add(&c, &call);
 *	calls_encode(&c, &text);		// base64
 *	rc = calls_decode(text, len, &c);	// -EINVAL: not version 1, or cut short
 *
 * DIAGNOSTICS
 *	What does not decode is a data error. Encoding more than CALLS_MAX + CALLS_COLD_MAX
 *	calls is a bug: thin them first.
 */
#ifndef PLIMSOLL_MEASURE_CALLS_H
#define PLIMSOLL_MEASURE_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/measure/outcome.h"

#define CALLS_MAX 10000	    /* measured */
#define CALLS_COLD_MAX 1000 /* cold starts of the warm-up, beside them */
#define CALL_ID_MAX_BYTES 36

struct call_record {
	int64_t due_us; /* since the start of the measured part; negative in the warm-up */
	uint32_t round;
	enum variant variant;
	enum outcome outcome;
	enum temperature temperature;
	uint32_t response_us, service_us; /* valid for calls that were sent */
	uint32_t billed_us, init_us, memory_kib;
	uint16_t instance; /* 1 + index into instances[]; 0 = unknown */
	uint8_t id_bytes;
	char id[CALL_ID_MAX_BYTES]; /* as text; a UUID is packed on the wire */
};

struct calls {
	struct call_record *items; /* owned */
	size_t count, cap;
	uint32_t every;
};

#define CALLS_INIT                                                                                 \
	{                                                                                          \
		.every = 1                                                                         \
	}

void calls_add(struct calls *c, const struct call_record *r);
void calls_release(struct calls *c);
/* Appends to base64; at most about 920 KB. */
void calls_encode(const struct calls *c, struct buf *base64);
/* out is written only on success, whatever it held before; release it then. */
MUST_CHECK int calls_decode(const char *base64, size_t len_bytes, struct calls *out);

#endif
