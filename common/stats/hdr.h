/*
 * hdr.h - HdrHistogram: counts of values at a fixed relative precision (rank 2).
 *
 * Own code after the public description of Gil Tene's HdrHistogram, byte-compatible with its V2
 * compressed encoding ("HISTF..." in base64, zlib inside), so that other tools read ours and we
 * theirs. All histograms of Plimsoll use one range constant: 1 us to 1 h at 3 significant digits
 * (times in microseconds, memory in KiB); files of other programs may use any other range.
 *
 *	struct hdr *h = hdr_new();
 *	hdr_record(h, response_us);
 *	int64_t p99_us = hdr_percentile(h, 99.0);
 *	hdr_encode(h, &text);			// base64 for an event
 *	hdr_free(h);
 *
 * Recording neither allocates nor fails: a value below the range counts as 0, one above it as the
 * highest trackable value. Percentiles, minimum and maximum are bucket bounds, as the Python and C
 * implementations give them, so they survive encoding unchanged. One histogram of the range
 * constant takes 184 KiB.
 *
 * DIAGNOSTICS
 *	Data errors only, from hdr_decode*: -EINVAL (not base64, wrong cookie, damaged or cut short,
 *	a negative count), -ENOTSUP (another encoding version), -ERANGE (another range than
 *	Plimsoll's, hdr_decode only), -E2BIG (more counters than HDR_COUNTS_MAX), -EOVERFLOW.
 */
#ifndef PLIMSOLL_STATS_HDR_H
#define PLIMSOLL_STATS_HDR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bug.h"

#define HDR_LOWEST 1
#define HDR_HIGHEST INT64_C(3600000000)
#define HDR_DIGITS 3
/* No histogram, whoever wrote it, has more counters than this (16 MiB of them). */
#define HDR_COUNTS_MAX (2u * 1024u * 1024u)
/* The longest base64 text that is looked at. */
#define HDR_TEXT_MAX_BYTES (4u * 1024u * 1024u)

struct hdr {
	int64_t count;	  /* of all values */
	int64_t min, max; /* as recorded; ask hdr_min and hdr_max */
	int64_t lowest, highest;
	int digits;
	/* derived from the three above */
	int unit_magnitude, half_magnitude;
	int64_t sub_bucket_mask;
	size_t counts_len;
	int64_t counts[];
};

struct hdr *hdr_new(void); /* the range constant; never NULL; the caller frees it */
/* Any range, for files of others. -EINVAL (nonsense), -E2BIG. */
MUST_CHECK int hdr_new_range(int64_t lowest, int64_t highest, int digits, struct hdr **out);
void hdr_free(struct hdr *h); /* NULL is fine */
void hdr_clear(struct hdr *h);

void hdr_record(struct hdr *h, int64_t value);
void hdr_record_n(struct hdr *h, int64_t value, int64_t times); /* times >= 0 */
/* Adds all of from to into. Ranges may differ (values past into's are held at its highest).
 * -EOVERFLOW leaves into as it was. */
MUST_CHECK int hdr_add(struct hdr *into, const struct hdr *from);

int64_t hdr_count(const struct hdr *h);
int64_t hdr_min(const struct hdr *h); /* 0 when empty */
int64_t hdr_max(const struct hdr *h); /* 0 when empty */
double hdr_mean(const struct hdr *h); /* 0 when empty */
/* The value that percent (0 to 100) of the values do not exceed; 0 when empty. */
int64_t hdr_percentile(const struct hdr *h, double percent);
/* How many values count as at most this value (in steps of its bucket). */
int64_t hdr_count_at_most(const struct hdr *h, int64_t value);

/* Walks the counters that are not zero, from low to high: for (i = 0; hdr_next(h, &i, &b);) */
struct hdr_bucket {
	int64_t low, high; /* both inside */
	int64_t count;
};
struct hdr_bucket hdr_bucket_at(const struct hdr *h, size_t index);    /* index < counts_len */
int hdr_next(const struct hdr *h, size_t *at, struct hdr_bucket *out); /* 0 at the end */

/* Appends the base64 text of the V2 compressed encoding; look at buf_is_over(out). */
void hdr_encode(const struct hdr *h, struct buf *out);
/* A new histogram of the range constant. The text is whole and has no white space. */
MUST_CHECK int hdr_decode(const char *base64, size_t len_bytes, struct hdr **out);
/* The same for any range: files of others. */
MUST_CHECK int hdr_decode_any(const char *base64, size_t len_bytes, struct hdr **out);

#endif
