/*
 * http1_parts.h - what the two halves of the parser share (rank 3): http1_head.c reads the head,
 * http1.c the body. Nobody else includes it.
 */
#ifndef PLIMSOLL_ENGINE_HTTP1_PARTS_H
#define PLIMSOLL_ENGINE_HTTP1_PARTS_H

#include "common/engine/http1.h"

enum http1_phase {
	PHASE_HEAD,
	PHASE_LENGTH,
	PHASE_UNTIL_CLOSE,
	PHASE_CHUNK_SIZE,
	PHASE_CHUNK_EXTENSION,
	PHASE_CHUNK_LF,
	PHASE_CHUNK_DATA,
	PHASE_CHUNK_END,
	PHASE_CHUNK_END_LF,
	PHASE_TRAILER,
	PHASE_TRAILER_LINE,
	PHASE_TRAILER_LF,
	PHASE_DONE,
	PHASE_BAD,
};

static inline bool http1_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Ends the answer as HTTP1_BAD; why is static text. */
void http1_refuse(struct http1 *h, const char *why);
/* Takes bytes of the head, at least one; returns how many. At its end the phase is the body's. */
size_t http1_step_head(struct http1 *h, const char *data, size_t len_bytes);
/* Takes a whole head when it is, byte for byte, that of the answer before; 0 when it is not. */
size_t http1_take_same_head(struct http1 *h, const char *data, size_t len_bytes);

#endif
