#include "common/digest/digest.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void digest_base64(const void *data, size_t len_bytes, struct buf *out)
{
	const uint8_t *in = data;

	for (size_t i = 0; i < len_bytes; i += 3) {
		size_t left = len_bytes - i;
		uint32_t bits = (uint32_t)in[i] << 16;
		char four[4];

		if (left > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			bits |= in[i + 2];
		four[0] = alphabet[bits >> 18];
		four[1] = alphabet[bits >> 12 & 63];
		four[2] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		four[3] = left > 2 ? alphabet[bits & 63] : '=';
		buf_add(out, four, sizeof(four));
	}
}

/* 0 to 63, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four, of which the last pad are '='. The bits that padding leaves over are 0. */
static int decode_group(const char *four, size_t pad, struct buf *out)
{
	uint32_t bits = 0;
	char three[3];

	for (size_t i = 0; i < 4; i++) {
		int v = i < 4 - pad ? value_of(four[i]) : 0;

		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)v;
	}
	for (size_t i = 0; i < 3; i++)
		three[i] = (char)(bits >> (16 - 8 * i) & 255);
	if ((pad > 0 && three[2]) || (pad > 1 && three[1]))
		return -EINVAL;
	buf_add(out, three, 3 - pad);
	return 0;
}

int digest_base64_decode(const char *text, size_t len_bytes, struct buf *out)
{
	size_t pad = 0;

	if (len_bytes % 4)
		return -EINVAL;
	if (len_bytes && text[len_bytes - 1] == '=')
		pad = text[len_bytes - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < len_bytes; i += 4) {
		int rc = decode_group(text + i, i + 4 == len_bytes ? pad : 0, out);

		if (rc)
			return rc;
		if (buf_is_over(out))
			return -E2BIG;
	}
	return 0;
}
