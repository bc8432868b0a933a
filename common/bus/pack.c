/* pack.c - one frame a message: a version, then each part behind its length. */
#include "common/bus/pack.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define LENGTH_BYTES 4u

size_t bus_packed_bytes(const struct bus_part *parts, size_t count)
{
	size_t sum = 0;

	if (!count || count > BUS_PARTS_MAX)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len_bytes > BUS_MESSAGE_MAX_BYTES - sum)
			return 0;
		sum += parts[i].len_bytes;
	}
	return 1 + count * LENGTH_BYTES + sum;
}

void bus_pack(const struct bus_part *parts, size_t count, void *out)
{
	unsigned char *at = out;

	*at++ = BUS_VERSION;
	for (size_t i = 0; i < count; i++) {
		uint32_t len_bytes = (uint32_t)parts[i].len_bytes;

		for (unsigned shift = 32; shift; shift -= 8)
			*at++ = (unsigned char)(len_bytes >> (shift - 8));
		if (len_bytes)
			memcpy(at, parts[i].data, len_bytes);
		at += len_bytes;
	}
}

static uint32_t length_at(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

int bus_unpack(const void *frame, size_t len_bytes, struct bus_part parts[BUS_PARTS_MAX],
	       size_t *count)
{
	const unsigned char *at = frame, *end = at + len_bytes;

	*count = 0;
	if (!len_bytes || len_bytes > BUS_PACKED_MAX_BYTES)
		return -EINVAL;
	if (*at++ != BUS_VERSION)
		return -EPROTONOSUPPORT;
	while (at < end) {
		size_t left = (size_t)(end - at), part_bytes;

		if (*count == BUS_PARTS_MAX || left < LENGTH_BYTES)
			return -EINVAL;
		part_bytes = length_at(at);
		if (part_bytes > left - LENGTH_BYTES)
			return -EINVAL;
		parts[(*count)++] = (struct bus_part){at + LENGTH_BYTES, part_bytes};
		at += LENGTH_BYTES + part_bytes;
	}
	return bus_packed_bytes(parts, *count) ? 0 : -EINVAL;
}
