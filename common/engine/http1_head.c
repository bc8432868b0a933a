#include "common/engine/http1_parts.h"

#include <string.h>
#include <strings.h>

/* Bytes taken into head at a time: so much of a body is copied in vain at most. */
#define HEAD_STEP_BYTES 1024u
#define STRAY "a stray CR or NUL in the head"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 9110 5.6.2 tchar. */
static const bool token_chars[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,	    ['&'] = 1,	       ['\''] = 1,
	['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,	    ['^'] = 1,	       ['_'] = 1,
	['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

#define VERSION_PREFIX "HTTP/1."

static bool is_like_http1(const char *data, size_t len_bytes)
{
	return memcmp(data, VERSION_PREFIX, MIN_OF(len_bytes, sizeof(VERSION_PREFIX) - 1)) == 0;
}

static void take_status_line(struct http1 *h, const char *s, size_t len_bytes)
{
	const size_t at = sizeof(VERSION_PREFIX) - 1;

	if (len_bytes < at + 5 || !http1_is_digit(s[at]) || s[at + 1] != ' ' ||
	    !http1_is_digit(s[at + 2]) || !http1_is_digit(s[at + 3]) ||
	    !http1_is_digit(s[at + 4]) || (len_bytes > at + 5 && s[at + 5] != ' '))
		return http1_refuse(h, "malformed status line");
	h->minor_version = (uint8_t)(s[at] - '0');
	h->response.status = (s[at + 2] - '0') * 100 + (s[at + 3] - '0') * 10 + (s[at + 4] - '0');
	if (h->response.status < 100)
		http1_refuse(h, "the status is below 100");
}

/*
 * obs-fold: the line goes on with the header before it. The end of line between them becomes
 * spaces; what stands before that is blank already, and is not looked at again: thirty thousand
 * blank lines would cost seconds.
 */
static void take_folded_line(struct http1 *h, size_t end)
{
	char *head = h->response.head.data;
	struct response_header *line;

	if (!h->response.header_count)
		return http1_refuse(h, "white space before the first header");
	line = &h->response.headers[h->response.header_count - 1];
	head[h->line_start - 1] = ' ';
	if (head[h->line_start - 2] == '\r')
		head[h->line_start - 2] = ' ';
	while (end > h->line_start && is_blank(head[end - 1]))
		end--;
	if (end > h->line_start)
		line->value_bytes = (uint32_t)(end - line->value_at);
}

static void take_header_line(struct http1 *h, size_t end)
{
	const char *head = h->response.head.data;
	size_t colon = h->line_start, value;

	if (is_blank(head[colon]))
		return take_folded_line(h, end);
	while (colon < end && token_chars[(unsigned char)head[colon]])
		colon++;
	if (colon == end || head[colon] != ':' || colon == h->line_start)
		return http1_refuse(h, "malformed header line");
	if (h->response.header_count == RESPONSE_HEADERS_MAX)
		return http1_refuse(h, "too many headers");
	for (value = colon + 1; value < end && is_blank(head[value]);)
		value++;
	while (end > value && is_blank(head[end - 1]))
		end--;
	h->response.headers[h->response.header_count++] = (struct response_header){
		.name_at = (uint32_t)h->line_start,
		.name_bytes = (uint32_t)(colon - h->line_start),
		.value_at = (uint32_t)value,
		.value_bytes = (uint32_t)(end - value),
	};
}

/* What the headers say about where the answer ends and whether the connection lives on. */
struct framing {
	bool has_close, has_keep_alive;
	bool has_coding, is_chunked, is_chunked_twice;
	bool has_length, is_length_bad;
	uint64_t length_bytes;
};

static bool is_word(const char *s, size_t len_bytes, const char *word)
{
	return len_bytes == strlen(word) && strncasecmp(s, word, len_bytes) == 0;
}

static void see_connection(struct framing *f, const char *s, size_t len_bytes)
{
	f->has_close |= is_word(s, len_bytes, "close");
	f->has_keep_alive |= is_word(s, len_bytes, "keep-alive");
}

static void see_coding(struct framing *f, const char *s, size_t len_bytes)
{
	bool is_chunked = is_word(s, len_bytes, "chunked");

	if (!len_bytes || is_word(s, len_bytes, "identity"))
		return;
	f->is_chunked_twice |= f->is_chunked && is_chunked;
	f->has_coding = true;
	f->is_chunked = is_chunked; /* only as the last coding does it end the body */
}

static void see_length(struct framing *f, const char *s, size_t len_bytes)
{
	const bool is_again = f->has_length;
	uint64_t n = 0;

	f->has_length = true;
	if (!len_bytes)
		f->is_length_bad = true;
	for (size_t i = 0; i < len_bytes; i++) {
		if (!http1_is_digit(s[i]) || n > (uint64_t)INT64_MAX / 10 - 1) {
			f->is_length_bad = true;
			return;
		}
		n = n * 10 + (uint64_t)(s[i] - '0');
	}
	if (is_again && f->length_bytes != n)
		f->is_length_bad = true;
	f->length_bytes = n;
}

#define FRAMING_NAME_MAX_BYTES 17
/* By the length of their names. */
static const struct framing_header {
	const char *name;
	void (*see)(struct framing *f, const char *item, size_t len_bytes);
} framing_headers[FRAMING_NAME_MAX_BYTES + 1] = {
	[10] = {"connection", see_connection},
	[14] = {"content-length", see_length},
	[17] = {"transfer-encoding", see_coding},
};

/* All three are lists: items between commas, white space around them. */
static void see_items(struct framing *f, const struct framing_header *fh, const char *s,
		      size_t len_bytes)
{
	const char *end = s + len_bytes, *comma;

	for (;; s = comma + 1) {
		const char *item_end;

		comma = memchr(s, ',', (size_t)(end - s));
		item_end = comma ? comma : end;
		while (s < item_end && is_blank(*s))
			s++;
		while (item_end > s && is_blank(item_end[-1]))
			item_end--;
		fh->see(f, s, (size_t)(item_end - s));
		if (!comma)
			return;
	}
}

static void find_framing(const struct http1 *h, struct framing *f)
{
	const char *head = h->response.head.data;

	for (size_t i = 0; i < h->response.header_count; i++) {
		const struct response_header *line = &h->response.headers[i];
		const struct framing_header *fh;

		if (line->name_bytes > FRAMING_NAME_MAX_BYTES)
			continue;
		fh = &framing_headers[line->name_bytes];
		if (fh->name && strncasecmp(head + line->name_at, fh->name, line->name_bytes) == 0)
			see_items(f, fh, head + line->value_at, line->value_bytes);
	}
}

/* RFC 9112 6.3, in its order. */
static void choose_body(struct http1 *h, const struct framing *f)
{
	if (h->is_head_request || h->response.status == 204 || h->response.status == 304) {
		h->phase = PHASE_DONE;
		if (h->response.status == 204 && (f->has_coding || f->length_bytes))
			h->is_keep_alive = false; /* it may send that body all the same */
	} else if (f->is_chunked_twice) {
		http1_refuse(h, "chunked twice");
	} else if (f->has_coding) {
		if (!f->is_chunked || f->has_length || h->minor_version == 0)
			h->is_keep_alive = false;
		h->phase = f->is_chunked ? PHASE_CHUNK_SIZE : PHASE_UNTIL_CLOSE;
		h->chunk_digits = 0;
	} else if (f->is_length_bad) {
		http1_refuse(h, "malformed or contradicting content-length");
	} else if (f->has_length) {
		h->left_bytes = f->length_bytes;
		h->phase = f->length_bytes ? PHASE_LENGTH : PHASE_DONE;
	} else {
		h->is_keep_alive = false;
		h->phase = PHASE_UNTIL_CLOSE;
	}
}

static void end_interim(struct http1 *h)
{
	h->interim_bytes += h->line_start;
	if (h->response.status == 101)
		return http1_refuse(h, "switches protocols, which was not asked for");
	if (h->interim_bytes > HTTP1_FRAMING_MAX_BYTES)
		return http1_refuse(h, "too many interim answers");
	h->response.status = 0;
	h->response.header_count = 0;
}

/* Of a whole head without interim ones before it. What it means follows from its bytes alone. */
static void remember(struct http1 *h)
{
	h->last = (struct http1_memory){
		.is_whole = !h->interim_bytes && h->phase != PHASE_BAD,
		.status = h->response.status,
		.is_keep_alive = h->is_keep_alive,
		.is_head_request = h->is_head_request,
		.header_count = h->response.header_count,
		.phase = h->phase,
		.left_bytes = h->left_bytes,
	};
}

size_t http1_take_same_head(struct http1 *h, const char *data, size_t len_bytes)
{
	const struct http1_memory *m = &h->last;
	const size_t head_bytes = h->response.head.len_bytes;

	if (!h->is_head_old || !m->is_whole || h->is_head_request != m->is_head_request ||
	    len_bytes < head_bytes || memcmp(data, h->response.head.data, head_bytes) != 0)
		return 0;
	h->is_head_old = false;
	h->response.status = m->status;
	h->response.header_count = m->header_count;
	h->is_keep_alive = m->is_keep_alive;
	h->phase = m->phase;
	h->left_bytes = m->left_bytes;
	h->chunk_digits = 0;
	return head_bytes;
}

/* The first bytes of another head. */
static void forget(struct http1 *h)
{
	h->is_head_old = h->last.is_whole = false;
	buf_clear(&h->response.head);
}

static void end_head(struct http1 *h)
{
	struct framing f = {0};

	if (memchr(h->response.head.data, '\0', h->line_start))
		return http1_refuse(h, STRAY);
	if (h->response.status < 200)
		return end_interim(h);
	find_framing(h, &f);
	h->is_keep_alive = !f.has_close && (h->minor_version > 0 || f.has_keep_alive);
	choose_body(h, &f);
	remember(h);
}

/* One line of the head, [line_start, newline). True when it was the empty one. */
static bool take_head_line(struct http1 *h, size_t newline)
{
	const char *line = h->response.head.data + h->line_start;
	size_t end = newline;

	if (end > h->line_start && h->response.head.data[end - 1] == '\r')
		end--;
	if (memchr(line, '\r', end - h->line_start))
		http1_refuse(h, STRAY);
	else if (!h->response.status)
		take_status_line(h, line, end - h->line_start);
	else if (end == h->line_start)
		return true;
	else
		take_header_line(h, end);
	return false;
}

size_t http1_step_head(struct http1 *h, const char *data, size_t len_bytes)
{
	size_t take = MIN_OF(len_bytes, HEAD_STEP_BYTES), unread;
	const char *newline;

	if (h->is_head_old)
		forget(h);
	take = MIN_OF(take, RESPONSE_HEAD_MAX_BYTES - h->response.head.len_bytes);
	if (!take) {
		http1_refuse(h, "the head is too long");
		return 0;
	}
	buf_add(&h->response.head, data, take);
	if (!h->response.status &&
	    !is_like_http1(h->response.head.data, h->response.head.len_bytes)) {
		http1_refuse(h, "the answer is not HTTP/1");
		return take;
	}
	while ((newline = memchr(h->response.head.data + h->scan_at, '\n',
				 h->response.head.len_bytes - h->scan_at))) {
		size_t at = (size_t)(newline - h->response.head.data);
		bool is_end = take_head_line(h, at);

		h->line_start = h->scan_at = at + 1;
		if (h->phase == PHASE_BAD)
			return take;
		if (!is_end)
			continue;
		unread = h->response.head.len_bytes - h->line_start;
		end_head(h);
		buf_truncate(&h->response.head, h->phase == PHASE_HEAD ? 0 : h->line_start);
		h->line_start = h->scan_at = 0;
		return take - unread;
	}
	h->scan_at = h->response.head.len_bytes;
	return take;
}
