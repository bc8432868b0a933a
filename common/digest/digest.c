#include "common/digest/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <errno.h>
#include <limits.h>

static const char hex_digits[] = "0123456789abcdef";

void digest_sha256(const void *data, size_t len_bytes, uint8_t out[SHA256_BYTES])
{
	unsigned out_bytes = 0;
	int ok = EVP_Digest(len_bytes ? data : "", len_bytes, out, &out_bytes, EVP_sha256(), NULL);

	BUG_ON(ok != 1 || out_bytes != SHA256_BYTES);
}

void digest_hex(const uint8_t *data, size_t len_bytes, char *out)
{
	for (size_t i = 0; i < len_bytes; i++) {
		out[2 * i] = hex_digits[data[i] >> 4];
		out[2 * i + 1] = hex_digits[data[i] & 15];
	}
	out[2 * len_bytes] = '\0';
}

void digest_sha256_hex(const void *data, size_t len_bytes, char out[SHA256_HEX_SIZE])
{
	uint8_t sum[SHA256_BYTES];

	digest_sha256(data, len_bytes, sum);
	digest_hex(sum, sizeof(sum), out);
}

void digest_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t len_bytes,
			uint8_t out[SHA256_BYTES])
{
	unsigned out_bytes = 0;

	BUG_ON(key_bytes > INT_MAX);
	/* A NULL key would mean "the key of the last call" to HMAC(). */
	if (!HMAC(EVP_sha256(), key_bytes ? key : "", (int)key_bytes, len_bytes ? data : "",
		  len_bytes, out, &out_bytes))
		BUG("HMAC-SHA256 failed");
	BUG_ON(out_bytes != SHA256_BYTES);
}

void digest_random(void *out, size_t len_bytes)
{
	BUG_ON(len_bytes > INT_MAX);
	if (RAND_bytes(out, (int)len_bytes) != 1)
		BUG("no random bytes from OpenSSL");
}

void digest_wipe(void *secret, size_t len_bytes)
{
	if (secret)
		OPENSSL_cleanse(secret, len_bytes);
}

/* RFC 4648 base32 in lower case; out gets chars characters, in must hold enough bits. */
static void base32(const uint8_t *in, size_t chars, char *out)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (size_t i = 0; i < chars; i++) {
		size_t bit = i * 5;
		unsigned pair = (unsigned)in[bit / 8] << 8 | in[bit / 8 + 1];

		out[i] = alphabet[pair >> (11 - bit % 8) & 31];
	}
	out[chars] = '\0';
}

void digest_id(char prefix, const char *const *parts, size_t count, char out[DIGEST_ID_SIZE])
{
	uint8_t sum[SHA256_BYTES];
	unsigned out_bytes = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]) + 1) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, sum, &out_bytes) == 1;
	EVP_MD_CTX_free(ctx);
	BUG_ON(!ok || out_bytes != SHA256_BYTES);
	out[0] = prefix;
	base32(sum, DIGEST_ID_SIZE - 2, out + 1);
}

void digest_id_random(char prefix, char out[DIGEST_ID_SIZE])
{
	uint8_t bytes[SHA256_BYTES];

	digest_random(bytes, sizeof(bytes));
	out[0] = prefix;
	base32(bytes, DIGEST_ID_SIZE - 2, out + 1);
}
