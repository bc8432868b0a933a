/* http2_events.c - what nghttp2 tells while bytes are fed or pulled; see http2_parts.h. */
#include "common/engine/http2_parts.h"

#include <errno.h>

/* Frames in a row that carry neither answer nor request (SETTINGS, PING, RST_STREAM of what is
 * gone, empty DATA, CONTINUATION): a peer that sends so many only wants to keep us busy. */
#define IDLE_FRAMES_MAX 1000
#define INTERIM_BYTES 32 /* that a 1xx answer counts at least */

static struct http2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *ctx)
{
	struct http2 *h = ctx;

	(void)session;
	(void)hd;
	h->error = 0; /* not at a feed: reasons must not depend on how the bytes are cut */
	if (++h->idle_frames <= IDLE_FRAMES_MAX)
		return 0;
	h->error = NGHTTP2_ERR_FLOODED;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- header blocks ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct http2_stream *s = stream_of(session, frame->hd.stream_id);
	struct http2 *h = ctx;

	h->block = s;
	if (!s)
		return 0;
	if (!s->response) {
		s->response = http2_response_get(h->spare, h->config.body_max_bytes);
		return 0;
	}
	s->is_in_trailers = s->response->status >= 200;
	if (!s->is_in_trailers) { /* behind a 1xx */
		s->framing_bytes += INTERIM_BYTES + s->response->head.len_bytes;
		response_begin(s->response, h->config.body_max_bytes);
	}
	return 0;
}

static void keep_header(struct response *r, const uint8_t *name, size_t name_bytes,
			const uint8_t *value, size_t value_bytes)
{
	const size_t at = r->head.len_bytes;
	char *out = buf_reserve(&r->head, name_bytes + value_bytes);

	memcpy(out, name, name_bytes);
	memcpy(out + name_bytes, value, value_bytes);
	buf_commit(&r->head, name_bytes + value_bytes);
	r->headers[r->header_count++] = (struct response_header){
		.name_at = (uint32_t)at,
		.name_bytes = (uint32_t)name_bytes,
		.value_at = (uint32_t)(at + name_bytes),
		.value_bytes = (uint32_t)value_bytes,
	};
}

/* Of three digits: nghttp2 has looked, but it lets 020 pass. */
static void take_status(struct http2 *h, struct http2_stream *s, const uint8_t *value)
{
	s->response->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
	if (s->response->status < 100)
		http2_refuse(h, s, "the status is below 100");
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
		     void *ctx)
{
	struct http2 *h = ctx;
	struct http2_stream *s = h->block;
	struct response *r;

	(void)session;
	(void)frame;
	(void)flags;
	if (!s)
		return 0;
	r = s->response;
	if (s->framing_bytes + r->head.len_bytes + name_bytes + value_bytes >
	    RESPONSE_HEAD_MAX_BYTES)
		http2_refuse(h, s, "the head is too long");
	else if (s->is_in_trailers)
		s->framing_bytes += name_bytes + value_bytes;
	else if (*name == ':')
		take_status(h, s, value);
	else if (r->header_count == RESPONSE_HEADERS_MAX)
		http2_refuse(h, s, "too many headers");
	else
		keep_header(r, name, name_bytes, value, value_bytes);
	return 0;
}

/* ---- whole frames ---- */

/* An answer before the whole request was sent: the rest of that is wanted no more. */
static void stop_sending(struct http2 *h, const struct http2_stream *s)
{
	if (s->body_at < s->request->len_bytes)
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
}

static void see_answer(struct http2 *h, const nghttp2_frame *frame)
{
	struct http2_stream *s = stream_of(h->session, frame->hd.stream_id);

	if (!s)
		return;
	if (frame->hd.type == NGHTTP2_HEADERS)
		h->idle_frames = 0;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return;
	stop_sending(h, s);
	http2_end(h, s, HTTP2_ANSWERED, NULL);
}

static void see_reset(struct http2 *h, const nghttp2_frame *frame)
{
	const uint32_t code = frame->rst_stream.error_code;
	struct http2_stream *s = stream_of(h->session, frame->hd.stream_id);

	if (s)
		http2_end(h, s, code == NGHTTP2_REFUSED_STREAM ? HTTP2_REFUSED : HTTP2_RESET,
			  http2_why_reset(code));
}

static void see_settings(struct http2 *h, const nghttp2_frame *frame)
{
	if (frame->hd.flags & NGHTTP2_FLAG_ACK)
		return;
	h->is_settled = true;
	h->peer_streams = nghttp2_session_get_remote_settings(
		h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* nghttp2 closes the streams above the last one next. */
static void see_goaway(struct http2 *h, const nghttp2_frame *frame)
{
	h->is_goaway = true;
	h->goaway_last_id = frame->goaway.last_stream_id;
	h->goaway_code = frame->goaway.error_code;
	h->why = http2_why_goaway(h->goaway_code);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	static void (*const by_type[])(struct http2 * h, const nghttp2_frame *frame) = {
		[NGHTTP2_DATA] = see_answer,	  [NGHTTP2_HEADERS] = see_answer,
		[NGHTTP2_RST_STREAM] = see_reset, [NGHTTP2_SETTINGS] = see_settings,
		[NGHTTP2_GOAWAY] = see_goaway,
	};
	const uint8_t type = frame->hd.type;

	(void)session;
	if (type < ARRAY_LEN(by_type) && by_type[type])
		by_type[type](ctx, frame);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t len_bytes, void *ctx)
{
	struct http2_stream *s = stream_of(session, id);
	struct http2 *h = ctx;

	(void)flags;
	if (!s || !s->response)
		return 0;
	h->idle_frames = 0;
	response_add_body(s->response, (const char *)data, len_bytes);
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
			    void *ctx)
{
	struct http2_stream *s = stream_of(session, frame->hd.stream_id);
	struct http2 *h = ctx;

	h->error = error;
	if (s) /* nghttp2 resets it, or ends the connection */
		http2_end(h, s, HTTP2_BAD, http2_why_error(error));
	return 0;
}

/* Whatever else ends a stream: nghttp2 resets it for a fault of the peer, or a GOAWAY does. */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct http2_stream *s = stream_of(session, id);
	struct http2 *h = ctx;

	if (!s)
		return 0;
	if (h->is_goaway && id > h->goaway_last_id)
		http2_end(h, s, HTTP2_REFUSED, http2_why_goaway(h->goaway_code));
	else
		http2_end(h, s, HTTP2_BAD, http2_why_ours(code));
	return 0;
}

static int on_error(nghttp2_session *session, int error, const char *text, size_t len_bytes,
		    void *ctx)
{
	struct http2 *h = ctx;

	(void)session;
	(void)text;
	(void)len_bytes;
	h->error = error;
	return 0;
}

/* ---- sending ---- */

static int before_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct http2 *h = ctx;
	struct http2_stream *s;

	h->is_telling_off |= frame->hd.type == NGHTTP2_GOAWAY;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	s = stream_of(session, frame->hd.stream_id);
	h->idle_frames = 0;
	if (!s)
		return 0;
	s->is_begun = true;
	if (h->config.begun)
		h->config.begun(s->owner, h->config.ctx);
	return 0;
}

/* A request that was overtaken by a GOAWAY, or that nghttp2 cannot write. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *ctx)
{
	struct http2_stream *s = stream_of(session, frame->hd.stream_id);
	struct http2 *h = ctx;

	if (!s || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED || error == NGHTTP2_ERR_SESSION_CLOSING)
		http2_end(h, s, HTTP2_UNSENT, "the connection takes no more requests");
	else
		http2_end(h, s, HTTP2_BAD, "the request cannot be sent by HTTP/2");
	return 0;
}

ssize_t http2_read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t size_bytes,
			uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct http2_stream *s = stream_of(session, id);
	struct http2 *h = ctx;
	size_t n;

	(void)source;
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = MIN_OF(size_bytes, s->request->len_bytes - s->body_at);
	memcpy(out, s->request->bytes + s->body_at, n);
	s->body_at += n;
	h->idle_frames = 0;
	if (s->body_at == s->request->len_bytes)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

int http2_set_callbacks(nghttp2_session_callbacks **out)
{
	nghttp2_session_callbacks *c;

	if (nghttp2_session_callbacks_new(&c))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_error_callback2(c, on_error);
	nghttp2_session_callbacks_set_before_frame_send_callback(c, before_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_not_sent);
	*out = c;
	return 0;
}
