#include "common/engine/http2_parts.h"

#include <errno.h>

#define WINDOW_BYTES ((1u << 30) - 1) /* of a stream, and of the connection */
#define HEADER_LIST_MAX_BYTES RESPONSE_HEAD_MAX_BYTES

/* ---- lists ---- */

void http2_list_append(struct http2_list *l, struct http2_stream *s)
{
	s->next = NULL;
	s->prev = l->last;
	if (l->last)
		l->last->next = s;
	else
		l->first = s;
	l->last = s;
}

void http2_list_remove(struct http2_list *l, struct http2_stream *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		l->first = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		l->last = s->prev;
}

static struct http2_stream *spare_get(struct http2_spare *spare)
{
	struct http2_stream *s = spare->first;

	if (s) {
		spare->first = s->next;
		return s;
	}
	return x_calloc(1, sizeof(*s));
}

struct response *http2_response_get(struct http2_spare *spare, size_t body_max_bytes)
{
	struct http2_answer *a = spare->answers;

	if (a) {
		spare->answers = a->next;
	} else {
		a = x_calloc(1, sizeof(*a));
		response_init(&a->response);
	}
	response_begin(&a->response, body_max_bytes);
	return &a->response;
}

static void put_response(struct http2_spare *spare, struct response *r)
{
	struct http2_answer *a = CONTAINER_OF(r, struct http2_answer, response);

	a->next = spare->answers;
	spare->answers = a;
}

void http2_spare_put(struct http2_spare *spare, struct http2_stream *s)
{
	if (s->response)
		put_response(spare, s->response);
	s->response = NULL;
	s->next = spare->first;
	spare->first = s;
}

void http2_spare_release(struct http2_spare *spare)
{
	while (spare->first) {
		struct http2_stream *s = spare->first;

		spare->first = s->next;
		free(s);
	}
	while (spare->answers) {
		struct http2_answer *a = spare->answers;

		spare->answers = a->next;
		response_release(&a->response);
		free(a);
	}
	http2_memory_release(spare);
}

/* ---- birth and end ---- */

/* CONTINUATION frames are counted with all others that carry nothing. Where nghttp2 counts them too
 * (not in all 1.52s), it counts pieces of them as well, and would take a slow network for a flood.
 */
extern __attribute__((weak)) void nghttp2_option_set_max_continuations(nghttp2_option *, size_t);

static int set_options(nghttp2_option **out)
{
	if (nghttp2_option_new(out))
		return -ENOMEM;
	nghttp2_option_set_no_closed_streams(*out, 1);
	if (nghttp2_option_set_max_continuations)
		nghttp2_option_set_max_continuations(*out, SIZE_MAX);
	return 0;
}

/* The preface: our SETTINGS, and a window for the connection as large as a stream's. */
static int introduce(nghttp2_session *session)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX_BYTES},
	};

	if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) ||
	    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES))
		return -ENOMEM;
	return 0;
}

static int open_session(struct http2 *h)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *options = NULL;
	nghttp2_mem memory = http2_memory(h->spare);
	int rc = http2_set_callbacks(&callbacks);

	if (rc == 0)
		rc = set_options(&options);
	if (rc == 0 && nghttp2_session_client_new3(&h->session, callbacks, h, options, &memory))
		rc = -ENOMEM;
	if (rc == 0)
		rc = introduce(h->session);
	nghttp2_option_del(options);
	nghttp2_session_callbacks_del(callbacks);
	return rc;
}

int http2_new(const struct http2_config *config, struct http2_spare *spare, struct http2 **out)
{
	struct http2 *h = x_calloc(1, sizeof(*h));
	int rc;

	h->config = *config;
	h->spare = spare;
	h->peer_streams = 1;
	rc = open_session(h);
	if (rc)
		http2_free(h);
	else
		*out = h;
	return rc;
}

static void forget(struct http2 *h, struct http2_list *l)
{
	while (l->first) {
		struct http2_stream *s = l->first;

		http2_list_remove(l, s);
		http2_spare_put(h->spare, s);
	}
}

void http2_free(struct http2 *h)
{
	if (!h)
		return;
	nghttp2_session_del(h->session);
	forget(h, &h->open);
	forget(h, &h->ended);
	free(h);
}

/* ---- streams ---- */

void http2_end(struct http2 *h, struct http2_stream *s, enum http2_end end, const char *why)
{
	nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
	if (h->block == s)
		h->block = NULL;
	http2_list_remove(&h->open, s);
	h->open_count--;
	s->end = end;
	s->why = why;
	http2_list_append(&h->ended, s);
}

void http2_refuse(struct http2 *h, struct http2_stream *s, const char *why)
{
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
	http2_end(h, s, HTTP2_BAD, why);
}

struct http2_stream *http2_next_ended(struct http2 *h)
{
	struct http2_stream *s = h->ended.first;

	if (s)
		http2_list_remove(&h->ended, s);
	return s;
}

bool http2_has_ended(const struct http2 *h)
{
	return h->ended.first;
}

uint32_t http2_room(const struct http2 *h)
{
	uint32_t most = h->peer_streams;

	if (h->config.streams_max)
		most = MIN_OF(most, h->config.streams_max);
	return h->is_goaway || h->is_broken || h->is_used_up || most < h->open_count
		       ? 0
		       : most - h->open_count;
}

static nghttp2_nv field_of(const struct request_field *f)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)f->name,
		.value = (uint8_t *)(uintptr_t)f->value,
		.namelen = f->name_bytes,
		.valuelen = f->value_bytes,
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
	};
}

static void begin_stream(struct http2_stream *s, const struct engine_request *request, void *owner)
{
	s->owner = owner;
	s->request = request;
	s->end = HTTP2_OPEN;
	s->why = NULL;
	s->is_begun = s->is_in_trailers = false;
	s->body_at = request->head_bytes;
	s->framing_bytes = 0;
}

int http2_submit(struct http2 *h, const struct engine_request *request, void *owner,
		 struct http2_stream **out)
{
	const nghttp2_data_provider body = {.read_callback = http2_read_body};
	nghttp2_nv fields[REQUEST_FIELDS_MAX];
	struct http2_stream *s;

	BUG_ON(!request->fields);
	if (!http2_room(h))
		return -EAGAIN;
	for (size_t i = 0; i < request->field_count; i++)
		fields[i] = field_of(&request->fields[i]);
	s = spare_get(h->spare);
	s->id = nghttp2_submit_request(h->session, NULL, fields, request->field_count,
				       request->len_bytes > request->head_bytes ? &body : NULL, s);
	if (s->id < 0) {
		http2_spare_put(h->spare, s);
		return -ENOMEM;
	}
	begin_stream(s, request, owner);
	http2_list_append(&h->open, s);
	h->open_count++;
	h->is_used_up |= s->id == INT32_MAX;
	*out = s;
	return 0;
}

void http2_cancel(struct http2 *h, struct http2_stream *s)
{
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
	http2_end(h, s, HTTP2_UNSENT, NULL);
	http2_list_remove(&h->ended, s);
	http2_spare_put(h->spare, s);
}

/* ---- bytes ---- */

static void end_all(struct http2 *h, enum http2_end end, const char *why)
{
	h->is_broken = true;
	h->why = why;
	while (h->open.first) {
		struct http2_stream *s = h->open.first;

		http2_end(h, s, s->is_begun ? end : HTTP2_UNSENT, why);
	}
}

static bool speaks_http1(const struct http2 *h)
{
	return h->http1_bytes == sizeof(HTTP1_PREFIX) - 1;
}

static void watch_first_bytes(struct http2 *h, const char *data, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes && !h->is_first_over; i++) {
		if (data[i] == HTTP1_PREFIX[h->http1_bytes])
			h->http1_bytes++;
		else
			h->is_first_over = true;
		h->is_first_over |= speaks_http1(h);
	}
}

static int fail(struct http2 *h, int error)
{
	if (error == NGHTTP2_ERR_CALLBACK_FAILURE || error == 0)
		error = h->error;
	end_all(h, HTTP2_BAD,
		speaks_http1(h) ? "the server speaks HTTP/1.1, not HTTP/2"
				: http2_why_error(error));
	return -EPROTO;
}

int http2_feed(struct http2 *h, const char *data, size_t len_bytes)
{
	ssize_t n;

	if (h->is_broken)
		return -EPROTO;
	if (!h->is_first_over)
		watch_first_bytes(h, data, len_bytes);
	n = nghttp2_session_mem_recv(h->session, (const uint8_t *)data, len_bytes);
	if (n >= 0 && (h->is_goaway || nghttp2_session_check_request_allowed(h->session)))
		return 0;
	return fail(h, (int)MIN_OF(n, 0));
}

void http2_eof(struct http2 *h)
{
	if (h->is_broken)
		return;
	end_all(h, HTTP2_LOST,
		h->is_settled ? "closed before the answer was whole" : "closed without an answer");
}

size_t http2_pull(struct http2 *h, char *out, size_t size_bytes)
{
	size_t at = 0;

	while (at < size_bytes) {
		size_t take;

		if (!h->chunk_bytes) {
			ssize_t n = nghttp2_session_mem_send(h->session, &h->chunk);

			if (n < 0 || (h->is_telling_off && !h->is_broken))
				fail(h, (int)MIN_OF(n, 0));
			if (n <= 0)
				break;
			h->chunk_bytes = (size_t)n;
		}
		take = MIN_OF(size_bytes - at, h->chunk_bytes);
		memcpy(out + at, h->chunk, take);
		h->chunk += take;
		h->chunk_bytes -= take;
		at += take;
	}
	return at;
}

bool http2_wants_pull(const struct http2 *h)
{
	return h->chunk_bytes || nghttp2_session_want_write(h->session);
}

bool http2_is_settled(const struct http2 *h)
{
	return h->is_settled;
}

bool http2_is_over(const struct http2 *h)
{
	return h->is_broken || ((h->is_goaway || h->is_used_up) && !h->open_count);
}

const char *http2_why(const struct http2 *h)
{
	return h->why;
}
