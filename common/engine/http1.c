#include "common/engine/http1_parts.h"

#include <string.h>

#define CHUNK_DIGITS_MAX 16u
#define BODY_KEPT_MAX_BYTES (1024u * 1024u * 1024u)

void http1_init(struct http1_response *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->head, HTTP1_HEAD_MAX_BYTES);
	http1_begin(r, false, 0);
}

void http1_release(struct http1_response *r)
{
	buf_release(&r->head);
	buf_release(&r->body);
}

void http1_begin(struct http1_response *r, bool is_head_request, size_t body_max_bytes)
{
	buf_clear(&r->head);
	r->body_max_bytes = MIN_OF(body_max_bytes, (size_t)BODY_KEPT_MAX_BYTES);
	r->body.max_bytes = r->body_max_bytes;
	buf_clear(&r->body);
	r->status = 0;
	r->is_keep_alive = r->is_body_truncated = false;
	r->body_total_bytes = 0;
	r->header_count = 0;
	r->why = NULL;
	r->phase = PHASE_HEAD;
	r->is_head_request = is_head_request;
	r->left_bytes = 0;
	r->line_start = r->scan_at = r->interim_bytes = r->framing_bytes = 0;
}

void http1_refuse(struct http1_response *r, const char *why)
{
	r->phase = PHASE_BAD;
	r->why = why;
	r->is_keep_alive = false;
}

static void keep(struct http1_response *r, const char *data, size_t len_bytes)
{
	size_t room = r->body_max_bytes - r->body.len_bytes;

	r->body_total_bytes += len_bytes;
	r->is_body_truncated |= len_bytes > room;
	buf_add(&r->body, data, MIN_OF(len_bytes, room));
}

static size_t take_counted(struct http1_response *r, const char *data, size_t len_bytes,
			   enum http1_phase next)
{
	size_t n = (size_t)MIN_OF((uint64_t)len_bytes, r->left_bytes);

	keep(r, data, n);
	r->left_bytes -= n;
	if (!r->left_bytes)
		r->phase = next;
	return n;
}

static size_t step_length(struct http1_response *r, const char *data, size_t len_bytes)
{
	return take_counted(r, data, len_bytes, PHASE_DONE);
}

static size_t step_until_close(struct http1_response *r, const char *data, size_t len_bytes)
{
	keep(r, data, len_bytes);
	return len_bytes;
}

static void end_chunk_size(struct http1_response *r)
{
	r->chunk_digits = 0;
	r->phase = r->left_bytes ? PHASE_CHUNK_DATA : PHASE_TRAILER;
}

static int hex_value(char c)
{
	if (http1_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* left_bytes is zero whenever a chunk's size begins. */
static size_t step_chunk_size(struct http1_response *r, const char *data, size_t len_bytes)
{
	const int digit = hex_value(*data);

	(void)len_bytes;
	if (digit >= 0) {
		if (++r->chunk_digits > CHUNK_DIGITS_MAX || r->left_bytes > INT64_MAX / 16 - 1)
			http1_refuse(r, "the chunk size is too large");
		else
			r->left_bytes = r->left_bytes * 16 + (uint64_t)digit;
	} else if (!r->chunk_digits) {
		http1_refuse(r, "a chunk without a size");
	} else if (*data == '\n') {
		end_chunk_size(r);
	} else if (*data == '\r') {
		r->phase = PHASE_CHUNK_LF;
	} else if (*data == ';' || *data == ' ' || *data == '\t') {
		r->phase = PHASE_CHUNK_EXTENSION;
	} else {
		http1_refuse(r, "malformed chunk size");
	}
	return 1;
}

static bool is_framing_over(struct http1_response *r, size_t len_bytes)
{
	r->framing_bytes += len_bytes;
	if (r->framing_bytes <= HTTP1_HEAD_MAX_BYTES)
		return false;
	http1_refuse(r, "chunk extensions or trailers are too long");
	return true;
}

static size_t step_chunk_extension(struct http1_response *r, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (is_framing_over(r, 1))
		return 1;
	if (*data == '\r')
		r->phase = PHASE_CHUNK_LF;
	else if (*data == '\n')
		end_chunk_size(r);
	return 1;
}

static size_t step_chunk_lf(struct http1_response *r, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (*data == '\n')
		end_chunk_size(r);
	else
		http1_refuse(r, "malformed chunk line");
	return 1;
}

static size_t step_chunk_data(struct http1_response *r, const char *data, size_t len_bytes)
{
	return take_counted(r, data, len_bytes, PHASE_CHUNK_END);
}

static size_t step_chunk_end(struct http1_response *r, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (*data == '\n')
		r->phase = PHASE_CHUNK_SIZE;
	else if (*data == '\r' && r->phase == PHASE_CHUNK_END)
		r->phase = PHASE_CHUNK_END_LF;
	else
		http1_refuse(r, "a chunk is longer than it said");
	return 1;
}

static size_t step_trailer(struct http1_response *r, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (is_framing_over(r, 1))
		return 1;
	if (*data == '\n')
		r->phase = PHASE_DONE;
	else
		r->phase = *data == '\r' ? PHASE_TRAILER_LF : PHASE_TRAILER_LINE;
	return 1;
}

/* Trailers are read over: none is of use to a client that measures. */
static size_t step_trailer_line(struct http1_response *r, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (!is_framing_over(r, 1) && *data == '\n')
		r->phase = PHASE_TRAILER;
	return 1;
}

static size_t step_trailer_lf(struct http1_response *r, const char *data, size_t len_bytes)
{
	(void)len_bytes;
	if (*data == '\n')
		r->phase = PHASE_DONE;
	else
		http1_refuse(r, "malformed trailer");
	return 1;
}

/* Each takes at least one of the bytes, or ends the answer. */
static size_t (*const steps[])(struct http1_response *r, const char *data, size_t len_bytes) = {
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

static enum http1_state state_of(const struct http1_response *r)
{
	if (r->phase == PHASE_DONE)
		return HTTP1_DONE;
	return r->phase == PHASE_BAD ? HTTP1_BAD : HTTP1_MORE;
}

enum http1_state http1_feed(struct http1_response *r, const char *data, size_t len_bytes,
			    size_t *used_bytes)
{
	size_t at = 0;

	while (at < len_bytes && r->phase < PHASE_DONE)
		at += steps[r->phase](r, data + at, len_bytes - at);
	*used_bytes = at;
	return state_of(r);
}

enum http1_state http1_eof(struct http1_response *r)
{
	if (r->phase == PHASE_UNTIL_CLOSE)
		r->phase = PHASE_DONE;
	else if (r->phase == PHASE_HEAD && !r->head.len_bytes)
		http1_refuse(r, "closed without an answer");
	else if (r->phase == PHASE_HEAD)
		http1_refuse(r, "closed within the head");
	else if (r->phase < PHASE_DONE)
		http1_refuse(r, "closed before the body was whole");
	return state_of(r);
}
