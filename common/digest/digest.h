/*
 * digest.h - SHA-256, HMAC, base64, base32 and the derived ids (rank 1).
 *
 * The only folder besides the engine's TLS that includes OpenSSL.
 *
 *	char id[DIGEST_ID_SIZE];
 *	digest_id('c', (const char *[]){"prod/hello", "code", revision}, 3, id);
 */
#ifndef PLIMSOLL_DIGEST_DIGEST_H
#define PLIMSOLL_DIGEST_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/*
 * DIAGNOSTICS
 *	OpenSSL refusing a digest or random bytes is a bug: no caller could go on without them.
 */
#define SHA256_BYTES 32
#define SHA256_HEX_SIZE 65

void digest_sha256(const void *data, size_t len_bytes, uint8_t out[SHA256_BYTES]);
void digest_sha256_hex(const void *data, size_t len_bytes, char out[SHA256_HEX_SIZE]);
void digest_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t len_bytes,
			uint8_t out[SHA256_BYTES]);
void digest_hex(const uint8_t *data, size_t len_bytes, char *out); /* 2*len + 1 characters */
void digest_random(void *out, size_t len_bytes);
void digest_wipe(void *secret, size_t len_bytes); /* not optimised away */

/* Standard alphabet with padding. */
void digest_base64(const void *data, size_t len_bytes, struct buf *out);
/*
 * Appends to out. -EINVAL for anything that is not whole, padded base64 (white space is not
 * skipped, left-over bits are 0); -E2BIG when out is full. After failure out holds a part.
 */
MUST_CHECK int digest_base64_decode(const char *text, size_t len_bytes, struct buf *out);

/*
 * Ids: lower-case base32 (RFC 4648, no padding) of SHA-256 over the parts, each followed by a
 * NUL byte, cut to 20 characters behind a one-letter prefix.
 */
#define DIGEST_ID_SIZE 22
void digest_id(char prefix, const char *const *parts, size_t count, char out[DIGEST_ID_SIZE]);
void digest_id_random(char prefix, char out[DIGEST_ID_SIZE]);

#endif
