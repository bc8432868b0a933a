/*
 * hdr_tool.c - for tests/integration/test_hdr_python.py: the histogram as a filter.
 *
 *	hdr_tool encode		"value times" lines -> base64
 *	hdr_tool decode		base64 -> "count min max p50 p90 p99 p99.9 mean"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/exit_code.h"
#include "common/base/fsio.h"
#include "common/stats/hdr.h"

static int encode(char *at)
{
	struct buf text = BUF_INIT(HDR_TEXT_MAX_BYTES);
	struct hdr *h = hdr_new();

	for (char *next; *at; at = next) {
		int64_t value = strtoll(at, &next, 10), times = strtoll(next, &next, 10);

		next += *next == '\n';
		hdr_record_n(h, value, times);
	}
	hdr_encode(h, &text);
	puts(buf_str(&text));
	hdr_free(h);
	buf_release(&text);
	return EXIT_FINE;
}

static int decode(const struct buf *text)
{
	static const double percents[] = {50, 90, 99, 99.9};
	struct hdr *h = NULL;

	if (hdr_decode(buf_str(text), text->len_bytes, &h) != 0)
		return EXIT_USAGE;
	printf("%" PRId64 " %" PRId64 " %" PRId64, hdr_count(h), hdr_min(h), hdr_max(h));
	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		printf(" %" PRId64, hdr_percentile(h, percents[i]));
	printf(" %.6f\n", hdr_mean(h));
	hdr_free(h);
	return EXIT_FINE;
}

int main(int argc, char **argv)
{
	struct buf in = BUF_INIT(16u << 20);
	int rc = EXIT_AGAIN;

	if (argc == 2 && fs_read_fd(0, &in) == 0)
		rc = argv[1][0] == 'e' ? encode(buf_str(&in)[0] ? in.data : (char[]){""})
				       : decode(&in);
	buf_release(&in);
	return rc;
}
