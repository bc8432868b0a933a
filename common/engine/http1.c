#include "common/engine/http1_parts.h"

#include <string.h>

#define CHUNK_DIGITS_MAX 16u

void http1_init(struct http1 *h)
{
	memset(h, 0, sizeof(*h));
	response_init(&h->response);
	http1_begin(h, false, 0);
}

void http1_release(struct http1 *h)
{
	response_release(&h->response);
}

void http1_begin(struct http1 *h, bool is_head_request, size_t body_max_bytes)
{
	response_begin_body(&h->response, body_max_bytes);
	h->is_head_old = true;
	h->is_keep_alive = false;
	h->why = NULL;
	h->phase = PHASE_HEAD;
	h->is_head_request = is_head_request;
	h->left_bytes = 0;
	h->line_start = h->scan_at = h->interim_bytes = h->framing_bytes = 0;
}

void http1_refuse(struct http1 *h, const char *why)
{
	h->phase = PHASE_BAD;
	h->why = why;
	h->is_keep_alive = false;
}

static size_t take_counted(struct http1 *h, const char *data, size_t len_bytes,
			   enum http1_phase next)
{
	size_t n = (size_t)MIN_OF((uint64_t)len_bytes, h->left_bytes);

	response_add_body(&h->response, data, n);
	h->left_bytes -= n;
	if (!h->left_bytes)
		h->phase = next;
	return n;
}

static size_t step_length(struct http1 *h, const char *data, size_t len_bytes)
{
	return take_counted(h, data, len_bytes, PHASE_DONE);
}

static size_t step_until_close(struct http1 *h, const char *data, size_t len_bytes)
{
	response_add_body(&h->response, data, len_bytes);
	return len_bytes;
}

static void end_chunk_size(struct http1 *h)
{
	h->chunk_digits = 0;
	h->phase = h->left_bytes ? PHASE_CHUNK_DATA : PHASE_TRAILER;
}

static int hex_value(char c)
{
	if (http1_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* left_bytes is zero whenever a chunk's size begins. */
static size_t step_chunk_size(struct http1 *h, const char *data, size_t len_bytes)
{
	const int digit = hex_value(*data);

	(void)len_bytes;
	if (digit >= 0) {
		if (++h->chunk_digits > CHUNK_DIGITS_MAX || h->left_bytes > INT64_MAX / 16 - 1)
			http1_refuse(h, "the chunk size is too large");
		else
			h->left_bytes = h->left_bytes * 16 + (uint64_t)digit;
	} else if (!h->chunk_digits) {
		http1_refuse(h, "a chunk without a size");
	} else if (*data == '\n') {
		end_chunk_size(h);
	} else if (*data == '\r') {
		h->phase = PHASE_CHUNK_LF;
	} else if (*data == ';' || *data == ' ' || *data == '\t') {
		h->phase = PHASE_CHUNK_EXTENSION;
	} else {
		http1_refuse(h, "malformed chunk size");
	}
	return 1;
}

static bool is_framing_over(struct http1 *h, size_t len_bytes)
{
	h->framing_bytes += len_bytes;
	if (h->framing_bytes <= HTTP1_FRAMING_MAX_BYTES)
		return false;
	http1_refuse(h, "chunk extensions or trailers are too long");
	return true;
}

static size_t step_chunk_extension(struct http1 *h, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (is_framing_over(h, 1))
		return 1;
	if (*data == '\r')
		h->phase = PHASE_CHUNK_LF;
	else if (*data == '\n')
		end_chunk_size(h);
	return 1;
}

static size_t step_chunk_lf(struct http1 *h, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (*data == '\n')
		end_chunk_size(h);
	else
		http1_refuse(h, "malformed chunk line");
	return 1;
}

static size_t step_chunk_data(struct http1 *h, const char *data, size_t len_bytes)
{
	return take_counted(h, data, len_bytes, PHASE_CHUNK_END);
}

static size_t step_chunk_end(struct http1 *h, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (*data == '\n')
		h->phase = PHASE_CHUNK_SIZE;
	else if (*data == '\r' && h->phase == PHASE_CHUNK_END)
		h->phase = PHASE_CHUNK_END_LF;
	else
		http1_refuse(h, "a chunk is longer than it said");
	return 1;
}

static size_t step_trailer(struct http1 *h, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (is_framing_over(h, 1))
		return 1;
	if (*data == '\n')
		h->phase = PHASE_DONE;
	else
		h->phase = *data == '\r' ? PHASE_TRAILER_LF : PHASE_TRAILER_LINE;
	return 1;
}

/* Trailers are read over: none is of use to a client that measures. */
static size_t step_trailer_line(struct http1 *h, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (!is_framing_over(h, 1) && *data == '\n')
		h->phase = PHASE_TRAILER;
	return 1;
}

static size_t step_trailer_lf(struct http1 *h, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (*data == '\n')
		h->phase = PHASE_DONE;
	else
		http1_refuse(h, "malformed trailer");
	return 1;
}

/* Each takes at least one of the bytes, or ends the answer. */
static size_t (*const steps[])(struct http1 *h, const char *data, size_t len_bytes) = {
	[PHASE_HEAD] = http1_step_head,
	[PHASE_LENGTH] = step_length,
	[PHASE_UNTIL_CLOSE] = step_until_close,
	[PHASE_CHUNK_SIZE] = step_chunk_size,
	[PHASE_CHUNK_EXTENSION] = step_chunk_extension,
	[PHASE_CHUNK_LF] = step_chunk_lf,
	[PHASE_CHUNK_DATA] = step_chunk_data,
	[PHASE_CHUNK_END] = step_chunk_end,
	[PHASE_CHUNK_END_LF] = step_chunk_end,
	[PHASE_TRAILER] = step_trailer,
	[PHASE_TRAILER_LINE] = step_trailer_line,
	[PHASE_TRAILER_LF] = step_trailer_lf,
};

static enum http1_state state_of(const struct http1 *h)
{
	if (h->phase == PHASE_DONE)
		return HTTP1_DONE;
	return h->phase == PHASE_BAD ? HTTP1_BAD : HTTP1_MORE;
}

enum http1_state http1_feed(struct http1 *h, const char *data, size_t len_bytes, size_t *used_bytes)
{
	size_t at = http1_take_same_head(h, data, len_bytes);

	while (at < len_bytes && h->phase < PHASE_DONE)
		at += steps[h->phase](h, data + at, len_bytes - at);
	*used_bytes = at;
	return state_of(h);
}

enum http1_state http1_eof(struct http1 *h)
{
	if (h->phase == PHASE_UNTIL_CLOSE)
		h->phase = PHASE_DONE;
	else if (h->phase == PHASE_HEAD && (h->is_head_old || !h->response.head.len_bytes))
		http1_refuse(h, "closed without an answer");
	else if (h->phase == PHASE_HEAD)
		http1_refuse(h, "closed within the head");
	else if (h->phase < PHASE_DONE)
		http1_refuse(h, "closed before the body was whole");
	return state_of(h);
}
