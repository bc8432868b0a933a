/*
 * hlog.h - the text of HdrHistogram logs (.hlog), line by line (rank 2).
 *
 *	#[StartTime: 1441812279.474 (seconds since epoch), ...]
 *	"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
 *	0.127,1.007,2.769,HISTFAAAAEV42pNp...
 *	Tag=A,1.134,0.999,2.769,HISTFAAAAEV42pNp...
 *
 * A reader cuts the file into lines (common/base/lines) and hands each to hlog_parse:
 *
 *	rc = hlog_parse(line.data, line.len_bytes, &entry);
 *	if (rc == 0 && entry.kind == HLOG_INTERVAL)
 *		rc = hdr_add(total, entry.hist);
 *	hlog_release(&entry);
 *
 * DIAGNOSTICS
 *	-EINVAL: not a line of such a log; otherwise what hdr_decode_any says of its histogram.
 */
#ifndef PLIMSOLL_STATS_HLOG_H
#define PLIMSOLL_STATS_HLOG_H

#include "common/stats/hdr.h"

#define HLOG_TAG_SIZE 64

enum hlog_kind { HLOG_COMMENT, HLOG_START_TIME, HLOG_BASE_TIME, HLOG_LEGEND, HLOG_INTERVAL };

struct hlog_entry {
	enum hlog_kind kind;
	char tag[HLOG_TAG_SIZE]; /* "" = none; longer ones are cut */
	double start_s;		 /* of the interval; of the log for START_TIME and BASE_TIME */
	double length_s, max;	 /* max in the log's own unit */
	struct hdr *hist;	 /* owned; NULL unless HLOG_INTERVAL */
};

/* An empty line is a comment; a carriage return at the end is dropped. */
MUST_CHECK int hlog_parse(const char *line, size_t len_bytes, struct hlog_entry *out);
void hlog_release(struct hlog_entry *e);

/* The three lines at the head of a log of ours, and one interval (max in milliseconds). */
void hlog_write_head(struct buf *out, double start_s);
void hlog_write_interval(struct buf *out, const char *tag, double start_s, double length_s,
			 const struct hdr *h);

#endif
