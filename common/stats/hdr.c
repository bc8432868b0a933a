/*
 * hdr.c - the counters: which bucket a value counts in, and what the counters say.
 *
 * After the description at hdrhistogram.org: buckets of equal count of sub-buckets, each bucket
 * twice as wide as the one before; the lower half of every bucket but the first overlaps and is
 * not stored.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats/hdr.h"

static size_t index_of(const struct hdr *h, int64_t value)
{
	int ceiling = 64 - __builtin_clzll((uint64_t)(value | h->sub_bucket_mask));
	int bucket = ceiling - h->unit_magnitude - (h->half_magnitude + 1);
	int64_t sub_bucket = value >> (bucket + h->unit_magnitude);
	int64_t half = INT64_C(1) << h->half_magnitude;

	return (size_t)(((int64_t)(bucket + 1) << h->half_magnitude) + sub_bucket - half);
}

struct hdr_bucket hdr_bucket_at(const struct hdr *h, size_t index)
{
	int64_t half = INT64_C(1) << h->half_magnitude;
	int bucket = (int)(index >> h->half_magnitude) - 1;
	int64_t sub_bucket = (int64_t)(index & (size_t)(half - 1)) + half;

	if (bucket < 0) {
		sub_bucket -= half;
		bucket = 0;
	}
	int shift = bucket + h->unit_magnitude;
	int64_t low = sub_bucket << shift;

	return (struct hdr_bucket){low, low + ((INT64_C(1) << shift) - 1), h->counts[index]};
}

static int digits_to_half_magnitude(int digits)
{
	int64_t needed = 2;
	int magnitude = 0;

	for (int i = 0; i < digits; i++)
		needed *= 10;
	while ((INT64_C(1) << magnitude) < needed)
		magnitude++;
	return magnitude > 1 ? magnitude - 1 : 0;
}

static size_t bucket_count_for(int64_t highest, int full_magnitude, int unit_magnitude)
{
	int64_t smallest_untracked = INT64_C(1) << (full_magnitude + unit_magnitude);
	size_t count = 1;

	while (smallest_untracked <= highest) {
		count++;
		if (smallest_untracked > INT64_MAX / 2)
			break;
		smallest_untracked <<= 1;
	}
	return count;
}

int hdr_new_range(int64_t lowest, int64_t highest, int digits, struct hdr **out)
{
	if (lowest < 1 || digits < 0 || digits > 5 || highest / 2 < lowest)
		return -EINVAL;
	int unit_magnitude = 63 - __builtin_clzll((uint64_t)lowest);
	int half_magnitude = digits_to_half_magnitude(digits);
	if (unit_magnitude + half_magnitude + 1 > 61)
		return -EINVAL;
	size_t buckets = bucket_count_for(highest, half_magnitude + 1, unit_magnitude);
	size_t counts_len = (buckets + 1) << half_magnitude;
	if (counts_len > HDR_COUNTS_MAX)
		return -E2BIG;

	struct hdr *h = x_calloc(1, sizeof(*h) + counts_len * sizeof(h->counts[0]));

	h->lowest = lowest;
	h->highest = highest;
	h->digits = digits;
	h->unit_magnitude = unit_magnitude;
	h->half_magnitude = half_magnitude;
	h->sub_bucket_mask = ((INT64_C(2) << half_magnitude) - 1) << unit_magnitude;
	h->counts_len = counts_len;
	h->min = INT64_MAX; /* the counters are zero, and their pages untouched until recorded in */
	*out = h;
	return 0;
}

struct hdr *hdr_new(void)
{
	struct hdr *h = NULL;
	int rc = hdr_new_range(HDR_LOWEST, HDR_HIGHEST, HDR_DIGITS, &h);

	BUG_ON(rc != 0);
	return h;
}

void hdr_free(struct hdr *h)
{
	free(h);
}

void hdr_clear(struct hdr *h)
{
	h->count = 0;
	h->min = INT64_MAX;
	h->max = 0;
	memset(h->counts, 0, h->counts_len * sizeof(h->counts[0]));
}

void hdr_record(struct hdr *h, int64_t value)
{
	hdr_record_n(h, value, 1);
}

void hdr_record_n(struct hdr *h, int64_t value, int64_t times)
{
	BUG_ON(times < 0);
	if (times == 0)
		return;
	value = value < 0 ? 0 : MIN_OF(value, h->highest);
	h->counts[index_of(h, value)] += times;
	h->count += times;
	h->min = MIN_OF(h->min, value);
	h->max = MAX_OF(h->max, value);
}

int hdr_add(struct hdr *into, const struct hdr *from)
{
	int64_t total;

	/* The sum of all counters is count, so no single counter can overflow when it does not. */
	if (__builtin_add_overflow(into->count, from->count, &total))
		return -EOVERFLOW;
	if (into->lowest != from->lowest || into->highest != from->highest ||
	    into->digits != from->digits) {
		struct hdr_bucket b;

		for (size_t at = 0; hdr_next(from, &at, &b);)
			hdr_record_n(into, b.low, b.count);
		return 0;
	}
	for (size_t i = 0; i < from->counts_len; i++)
		into->counts[i] += from->counts[i];
	into->count = total;
	into->min = MIN_OF(into->min, from->min);
	into->max = MAX_OF(into->max, from->max);
	return 0;
}

int64_t hdr_count(const struct hdr *h)
{
	return h->count;
}

int64_t hdr_min(const struct hdr *h)
{
	return h->count == 0 ? 0 : hdr_bucket_at(h, index_of(h, h->min)).low;
}

int64_t hdr_max(const struct hdr *h)
{
	return h->max == 0 ? 0 : hdr_bucket_at(h, index_of(h, h->max)).high;
}

double hdr_mean(const struct hdr *h)
{
	struct hdr_bucket b;
	double total = 0;

	if (h->count == 0)
		return 0;
	for (size_t at = 0; hdr_next(h, &at, &b);)
		total += (double)b.count * (double)(b.low + ((b.high - b.low + 1) >> 1));
	return total / (double)h->count;
}

int64_t hdr_percentile(const struct hdr *h, double percent)
{
	struct hdr_bucket b = {0, 0, 0};
	double p = percent > 100 ? 100 : percent;
	int64_t wanted = (int64_t)(p / 100.0 * (double)h->count + 0.5);
	int64_t seen = 0;

	if (wanted < 1)
		wanted = 1;
	for (size_t at = 0; seen < wanted && hdr_next(h, &at, &b);)
		seen += b.count;
	if (h->count == 0)
		return 0;
	return percent > 0 ? b.high : b.low;
}

int64_t hdr_count_at_most(const struct hdr *h, int64_t value)
{
	struct hdr_bucket b;
	int64_t seen = 0;

	for (size_t at = 0; hdr_next(h, &at, &b) && b.low <= value;)
		seen += b.count;
	return seen;
}

int hdr_next(const struct hdr *h, size_t *at, struct hdr_bucket *out)
{
	size_t end = h->count == 0 ? 0 : index_of(h, h->max) + 1;

	for (; *at < end; (*at)++) {
		if (h->counts[*at] == 0)
			continue;
		*out = hdr_bucket_at(h, (*at)++);
		return 1;
	}
	return 0;
}
