/*
 * target.h - what can be fuzzed with libFuzzer (`make fuzz-http1`), and replayed by a unit test.
 *
 * Each takes an input of any bytes, exercises one reader of ours and aborts when a promise is
 * broken. The first two bytes of an input choose how it is read, so that a corpus holds that too.
 *
 *	fuzz_http1(data, len_bytes);
 */
#ifndef PLIMSOLL_FUZZ_TARGET_H
#define PLIMSOLL_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* An HTTP/1 answer: whole, byte by byte and cut at random give the same result. */
void fuzz_http1(const uint8_t *data, size_t len_bytes);
/* An HTTP/2 connection: the same, and calls that come, are given up and end meanwhile. */
void fuzz_http2(const uint8_t *data, size_t len_bytes);

#endif
