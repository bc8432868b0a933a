/*
 * hdr_codec.c - the V2 compressed encoding of HdrHistogram; zlib's only door.
 *
 *	base64(cookie u32, length u32, zlib(header 40 bytes, counters as ZigZag LEB128))
 *
 * All integers big-endian. A run of zero counters is one negative number (Java writes a single
 * zero as 0, Python as -1: we write what Python writes and read both).
 * Payloads come from strangers: nothing is inflated past what its own header can justify.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/digest/digest.h"
#include "common/stats/hdr.h"

enum {
	COOKIE_PAYLOAD = 0x1c849313,
	COOKIE_COMPRESSED = 0x1c849314,
	COOKIE_VERSION_MASK = 0x0f, /* what differs between the versions of the encoding */
	OUTER_BYTES = 8,
	HEADER_BYTES = 40,
	WORD_MAX_BYTES = 9,
};

struct payload_header {
	uint32_t cookie, payload_bytes, normalizing_offset, digits;
	uint64_t lowest, highest, ratio_bits;
};

static void put_u32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_u64(uint8_t *to, uint64_t v)
{
	put_u32(to, (uint32_t)(v >> 32));
	put_u32(to + 4, (uint32_t)v);
}

static uint32_t get_u32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint64_t get_u64(const uint8_t *from)
{
	return (uint64_t)get_u32(from) << 32 | get_u32(from + 4);
}

/* ZigZag, then LEB128 whose ninth byte carries eight bits. Returns the bytes used. */
static size_t put_word(uint8_t *to, int64_t value)
{
	uint64_t v = ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
	size_t n = 0;

	while (v >= 0x80 && n < WORD_MAX_BYTES - 1) {
		to[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	to[n++] = (uint8_t)v;
	return n;
}

/* 0 when the bytes end inside of a word. */
static size_t get_word(const uint8_t *from, size_t len_bytes, int64_t *out)
{
	uint64_t v = 0;

	for (size_t n = 0; n < len_bytes && n < WORD_MAX_BYTES; n++) {
		bool is_last = n == WORD_MAX_BYTES - 1 || (from[n] & 0x80) == 0;
		uint64_t bits = n == WORD_MAX_BYTES - 1 ? from[n] : from[n] & 0x7f;

		v |= bits << (7 * n);
		if (is_last) {
			*out = (int64_t)((v >> 1) ^ (~(v & 1) + 1));
			return n + 1;
		}
	}
	return 0;
}

/* The counters up to the highest one in use. */
static size_t encode_counts(const struct hdr *h, size_t used, uint8_t *to)
{
	size_t n = 0;

	for (size_t i = 0; i < used;) {
		size_t zeros = 0;

		while (i + zeros < used && h->counts[i + zeros] == 0)
			zeros++;
		if (zeros > 0) {
			n += put_word(to + n, -(int64_t)zeros);
			i += zeros;
		} else {
			n += put_word(to + n, h->counts[i++]);
		}
	}
	return n;
}

static size_t used_counts(const struct hdr *h)
{
	size_t used = h->counts_len;

	while (used > 0 && h->counts[used - 1] == 0)
		used--;
	return used;
}

void hdr_encode(const struct hdr *h, struct buf *out)
{
	static const uint8_t ratio_one[8] = {0x3f, 0xf0};
	size_t used = used_counts(h);
	uint8_t *raw = x_calloc(1, HEADER_BYTES + used * WORD_MAX_BYTES);
	size_t counts_bytes = encode_counts(h, used, raw + HEADER_BYTES);
	uLong raw_bytes = (uLong)(HEADER_BYTES + counts_bytes);
	uLongf packed_bytes = compressBound(raw_bytes);
	uint8_t *packed = x_calloc(1, OUTER_BYTES + packed_bytes);

	put_u32(raw, COOKIE_PAYLOAD);
	put_u32(raw + 4, (uint32_t)counts_bytes);
	put_u32(raw + 12, (uint32_t)h->digits);
	put_u64(raw + 16, (uint64_t)h->lowest);
	put_u64(raw + 24, (uint64_t)h->highest);
	memcpy(raw + 32, ratio_one, sizeof(ratio_one));
	int rc = compress(packed + OUTER_BYTES, &packed_bytes, raw, raw_bytes);
	BUG_ON(rc != Z_OK);
	put_u32(packed, COOKIE_COMPRESSED);
	put_u32(packed + 4, (uint32_t)packed_bytes);
	digest_base64(packed, OUTER_BYTES + packed_bytes, out);
	free(packed);
	free(raw);
}

static int check_outer(const struct buf *raw)
{
	const uint8_t *data = (const uint8_t *)buf_str(raw);

	if (raw->len_bytes < OUTER_BYTES)
		return -EINVAL;
	uint32_t cookie = get_u32(data) & ~UINT32_C(0xf0);
	uint32_t ours = COOKIE_COMPRESSED & ~UINT32_C(0xf0);
	if (cookie != ours)
		return ((cookie ^ ours) & ~(uint32_t)COOKIE_VERSION_MASK) == 0 ? -ENOTSUP : -EINVAL;
	return get_u32(data + 4) == raw->len_bytes - OUTER_BYTES ? 0 : -EINVAL;
}

static int inflate_exactly(z_stream *z, uint8_t *to, size_t len_bytes)
{
	z->next_out = to;
	z->avail_out = (uInt)len_bytes;
	while (z->avail_out > 0) {
		int rc = inflate(z, Z_NO_FLUSH);

		if (rc == Z_STREAM_END)
			break;
		if (rc != Z_OK)
			return -EINVAL;
	}
	return z->avail_out == 0 ? 0 : -EINVAL;
}

/* The stream must end here: one byte of room more must stay empty. */
static int inflate_end(z_stream *z)
{
	uint8_t more;

	z->next_out = &more;
	z->avail_out = 1;
	int rc = inflate(z, Z_FINISH);
	z->next_out = NULL;
	return rc == Z_STREAM_END && z->avail_out == 1 ? 0 : -EINVAL;
}

static int parse_header(const uint8_t *raw, struct payload_header *out)
{
	*out = (struct payload_header){get_u32(raw),	  get_u32(raw + 4),  get_u32(raw + 8),
				       get_u32(raw + 12), get_u64(raw + 16), get_u64(raw + 24),
				       get_u64(raw + 32)};
	if (out->cookie != COOKIE_PAYLOAD || out->normalizing_offset != 0 || out->digits > 5 ||
	    out->lowest > INT64_MAX || out->highest > INT64_MAX)
		return -EINVAL;
	return 0;
}

static int decode_counts(struct hdr *h, const uint8_t *from, size_t len_bytes)
{
	size_t index = 0;

	while (len_bytes > 0) {
		int64_t word;
		size_t used = get_word(from, len_bytes, &word);

		if (used == 0)
			return -EINVAL;
		from += used;
		len_bytes -= used;
		if (word < 0) {
			if (word < -(int64_t)(h->counts_len - index))
				return -EINVAL;
			index += (size_t)-word;
			continue;
		}
		if (index >= h->counts_len)
			return -EINVAL;
		if (__builtin_add_overflow(h->count, word, &h->count))
			return -EOVERFLOW;
		h->counts[index++] = word;
	}
	return 0;
}

/* The extremes are known to their bucket only; hdr_min and hdr_max say no more than that. */
static void find_extremes(struct hdr *h)
{
	size_t used = used_counts(h), first = 0;

	if (used == 0)
		return;
	while (h->counts[first] == 0)
		first++;
	h->min = hdr_bucket_at(h, first).low;
	h->max = hdr_bucket_at(h, used - 1).low;
}

static int decode_stream(z_stream *z, bool any_range, struct hdr **out)
{
	uint8_t head[HEADER_BYTES];
	struct payload_header p = {0};
	struct hdr *h = NULL;
	uint8_t *words = NULL;
	int rc = inflate_exactly(z, head, sizeof(head));

	if (rc == 0)
		rc = parse_header(head, &p);
	if (rc == 0 && !any_range &&
	    (p.lowest != HDR_LOWEST || p.highest != (uint64_t)HDR_HIGHEST ||
	     p.digits != HDR_DIGITS))
		rc = -ERANGE;
	if (rc == 0)
		rc = hdr_new_range((int64_t)p.lowest, (int64_t)p.highest, (int)p.digits, &h);
	if (rc == 0 && p.payload_bytes > h->counts_len * WORD_MAX_BYTES)
		rc = -EINVAL;
	if (rc != 0)
		goto out;
	words = x_calloc(1, (size_t)p.payload_bytes + 1);
	rc = inflate_exactly(z, words, p.payload_bytes);
	if (rc == 0)
		rc = inflate_end(z);
	if (rc == 0)
		rc = decode_counts(h, words, p.payload_bytes);
	if (rc != 0)
		goto out;
	find_extremes(h);
	*out = h;
	h = NULL;
out:
	free(words);
	hdr_free(h);
	return rc;
}

static int decode(const char *base64, size_t len_bytes, bool any_range, struct hdr **out)
{
	struct buf raw = BUF_INIT(HDR_TEXT_MAX_BYTES);
	z_stream z = {0};
	int rc;

	if (len_bytes > HDR_TEXT_MAX_BYTES)
		return -E2BIG;
	rc = digest_base64_decode(base64, len_bytes, &raw);
	if (rc == 0)
		rc = check_outer(&raw);
	if (rc != 0)
		goto out;
	z.next_in = (Bytef *)raw.data + OUTER_BYTES;
	z.avail_in = (uInt)(raw.len_bytes - OUTER_BYTES);
	if (inflateInit(&z) != Z_OK) {
		rc = -ENOMEM;
		goto out;
	}
	rc = decode_stream(&z, any_range, out);
	inflateEnd(&z);
out:
	buf_release(&raw);
	return rc;
}

int hdr_decode(const char *base64, size_t len_bytes, struct hdr **out)
{
	return decode(base64, len_bytes, false, out);
}

int hdr_decode_any(const char *base64, size_t len_bytes, struct hdr **out)
{
	return decode(base64, len_bytes, true, out);
}
