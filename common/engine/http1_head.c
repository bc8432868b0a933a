#include "common/engine/http1_parts.h"

#include <string.h>
#include <strings.h>

/* Bytes taken into head at a time: so much of a body is copied in vain at most. */
#define HEAD_STEP_BYTES 1024u

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

static void take_status_line(struct http1_response *r, const char *s, size_t len_bytes)
{
	const size_t at = sizeof(VERSION_PREFIX) - 1;

	if (len_bytes < at + 5 || !http1_is_digit(s[at]) || s[at + 1] != ' ' ||
	    !http1_is_digit(s[at + 2]) || !http1_is_digit(s[at + 3]) ||
	    !http1_is_digit(s[at + 4]) || (len_bytes > at + 5 && s[at + 5] != ' '))
		return http1_refuse(r, "malformed status line");
	r->minor_version = (uint8_t)(s[at] - '0');
	r->status = (s[at + 2] - '0') * 100 + (s[at + 3] - '0') * 10 + (s[at + 4] - '0');
	if (r->status < 100)
		http1_refuse(r, "the status is below 100");
}

/* obs-fold: the line goes on with the header before it; what lies between becomes spaces. */
static void take_folded_line(struct http1_response *r, size_t end)
{
	struct http1_header *h;
	size_t from;

	if (!r->header_count)
		return http1_refuse(r, "white space before the first header");
	h = &r->headers[r->header_count - 1];
	from = h->value_at + h->value_bytes;
	memset(r->head.data + from, ' ', r->line_start - from);
	while (end > from && is_blank(r->head.data[end - 1]))
		end--;
	h->value_bytes = (uint32_t)(end - h->value_at);
}

static void take_header_line(struct http1_response *r, size_t end)
{
	const char *head = r->head.data;
	size_t colon = r->line_start, value;

	if (is_blank(head[colon]))
		return take_folded_line(r, end);
	while (colon < end && token_chars[(unsigned char)head[colon]])
		colon++;
	if (colon == end || head[colon] != ':' || colon == r->line_start)
		return http1_refuse(r, "malformed header line");
	if (r->header_count == HTTP1_HEADERS_MAX)
		return http1_refuse(r, "too many headers");
	for (value = colon + 1; value < end && is_blank(head[value]);)
		value++;
	while (end > value && is_blank(head[end - 1]))
		end--;
	r->headers[r->header_count++] = (struct http1_header){
		.name_at = (uint32_t)r->line_start,
		.name_bytes = (uint32_t)(colon - r->line_start),
		.value_at = (uint32_t)value,
		.value_bytes = (uint32_t)(end - value),
	};
}

static bool is_named(const struct http1_response *r, const struct http1_header *h, const char *name,
		     size_t len_bytes)
{
	return h->name_bytes == len_bytes &&
	       strncasecmp(r->head.data + h->name_at, name, len_bytes) == 0;
}

const char *http1_header(const struct http1_response *r, const char *name, size_t *len_bytes)
{
	const size_t name_bytes = strlen(name);

	for (size_t i = 0; i < r->header_count; i++) {
		if (!is_named(r, &r->headers[i], name, name_bytes))
			continue;
		*len_bytes = r->headers[i].value_bytes;
		return r->head.data + r->headers[i].value_at;
	}
	return NULL;
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

static const struct framing_header {
	const char *name;
	size_t name_bytes;
	void (*see)(struct framing *f, const char *item, size_t len_bytes);
} framing_headers[] = {
	{"connection", 10, see_connection},
	{"content-length", 14, see_length},
	{"transfer-encoding", 17, see_coding},
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

static void find_framing(const struct http1_response *r, struct framing *f)
{
	for (size_t i = 0; i < r->header_count; i++) {
		const struct http1_header *h = &r->headers[i];

		for (size_t k = 0; k < ARRAY_LEN(framing_headers); k++) {
			const struct framing_header *fh = &framing_headers[k];

			if (is_named(r, h, fh->name, fh->name_bytes))
				see_items(f, fh, r->head.data + h->value_at, h->value_bytes);
		}
	}
}

/* RFC 9112 6.3, in its order. */
static void choose_body(struct http1_response *r, const struct framing *f)
{
	if (r->is_head_request || r->status == 204 || r->status == 304) {
		r->phase = PHASE_DONE;
		if (r->status == 204 && (f->has_coding || f->length_bytes))
			r->is_keep_alive = false; /* it may send that body all the same */
	} else if (f->is_chunked_twice) {
		http1_refuse(r, "chunked twice");
	} else if (f->has_coding) {
		if (!f->is_chunked || f->has_length || r->minor_version == 0)
			r->is_keep_alive = false;
		r->phase = f->is_chunked ? PHASE_CHUNK_SIZE : PHASE_UNTIL_CLOSE;
		r->chunk_digits = 0;
	} else if (f->is_length_bad) {
		http1_refuse(r, "malformed or contradicting content-length");
	} else if (f->has_length) {
		r->left_bytes = f->length_bytes;
		r->phase = f->length_bytes ? PHASE_LENGTH : PHASE_DONE;
	} else {
		r->is_keep_alive = false;
		r->phase = PHASE_UNTIL_CLOSE;
	}
}

static void end_interim(struct http1_response *r)
{
	r->interim_bytes += r->line_start;
	if (r->status == 101)
		return http1_refuse(r, "switches protocols, which was not asked for");
	if (r->interim_bytes > HTTP1_HEAD_MAX_BYTES)
		return http1_refuse(r, "too many interim answers");
	r->status = 0;
	r->header_count = 0;
}

static void end_head(struct http1_response *r)
{
	struct framing f = {0};

	if (r->status < 200)
		return end_interim(r);
	find_framing(r, &f);
	r->is_keep_alive = !f.has_close && (r->minor_version > 0 || f.has_keep_alive);
	choose_body(r, &f);
}

/* One line of the head, [line_start, newline). True when it was the empty one. */
static bool take_head_line(struct http1_response *r, size_t newline)
{
	const char *line = r->head.data + r->line_start;
	size_t end = newline;

	if (end > r->line_start && r->head.data[end - 1] == '\r')
		end--;
	if (memchr(line, '\r', end - r->line_start) || memchr(line, '\0', end - r->line_start))
		http1_refuse(r, "a stray CR or NUL in the head");
	else if (!r->status)
		take_status_line(r, line, end - r->line_start);
	else if (end == r->line_start)
		return true;
	else
		take_header_line(r, end);
	return false;
}

size_t http1_step_head(struct http1_response *r, const char *data, size_t len_bytes)
{
	size_t take = MIN_OF(len_bytes, HEAD_STEP_BYTES), unread;
	const char *newline;

	take = MIN_OF(take, HTTP1_HEAD_MAX_BYTES - r->head.len_bytes);
	if (!take) {
		http1_refuse(r, "the head is too long");
		return 0;
	}
	buf_add(&r->head, data, take);
	if (!r->status && !is_like_http1(r->head.data, r->head.len_bytes)) {
		http1_refuse(r, "the answer is not HTTP/1");
		return take;
	}
	while ((newline =
			memchr(r->head.data + r->scan_at, '\n', r->head.len_bytes - r->scan_at))) {
		size_t at = (size_t)(newline - r->head.data);
		bool is_end = take_head_line(r, at);

		r->line_start = r->scan_at = at + 1;
		if (r->phase == PHASE_BAD)
			return take;
		if (!is_end)
			continue;
		unread = r->head.len_bytes - r->line_start;
		end_head(r);
		buf_truncate(&r->head, r->phase == PHASE_HEAD ? 0 : r->line_start);
		r->line_start = r->scan_at = 0;
		return take - unread;
	}
	r->scan_at = r->head.len_bytes;
	return take;
}
