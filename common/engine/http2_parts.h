/*
 * http2_parts.h - what http2.c (the session), http2_events.c (what nghttp2 tells) and http2_why.c
 * (reasons in words) share (rank 3). Nobody else includes it.
 */
#ifndef PLIMSOLL_ENGINE_HTTP2_PARTS_H
#define PLIMSOLL_ENGINE_HTTP2_PARTS_H

#include <nghttp2/nghttp2.h>

#include "common/engine/http2.h"

/* What a server that speaks HTTP/1 answers to our preface begins with. */
#define HTTP1_PREFIX "HTTP/1."

struct http2_list {
	struct http2_stream *first, *last;
};

struct http2 {
	nghttp2_session *session;
	struct http2_config config;
	struct http2_spare *spare;
	struct http2_list open, ended;
	uint32_t open_count;
	uint32_t peer_streams; /* the peer's MAX_CONCURRENT_STREAMS */
	uint32_t idle_frames;  /* since one carried something */
	bool is_settled;
	bool is_goaway;	     /* the peer takes no more streams */
	bool is_used_up;     /* no number of a stream is left */
	bool is_broken;	     /* no byte is read any more */
	bool is_telling_off; /* our own GOAWAY goes out: nghttp2 has given the peer up */
	int32_t goaway_last_id;
	uint32_t goaway_code;
	int error;	    /* nghttp2's newest word about the peer */
	size_t http1_bytes; /* of HTTP1_PREFIX, as the first bytes */
	bool is_first_over;
	const char *why;
	struct http2_stream *block; /* whose header block is being read; NULL = nobody's */
	const uint8_t *chunk;	    /* given out by nghttp2, not yet pulled */
	size_t chunk_bytes;
};

/* Taken when an answer begins and free again when it was read: few are in use, and those are warm.
 */
struct http2_answer {
	struct response response;
	struct http2_answer *next;
};
struct response *http2_response_get(struct http2_spare *spare, size_t body_max_bytes);

void http2_list_append(struct http2_list *l, struct http2_stream *s);
void http2_list_remove(struct http2_list *l, struct http2_stream *s);

/* The stream has ended: into the list of those; nghttp2 tells nothing more of it. */
void http2_end(struct http2 *h, struct http2_stream *s, enum http2_end end, const char *why);
/* We end it, and tell the peer with that error code. */
void http2_refuse(struct http2 *h, struct http2_stream *s, const char *why);

/* ---- http2_events.c ---- */

MUST_CHECK int http2_set_callbacks(nghttp2_session_callbacks **out);
ssize_t http2_read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t size_bytes,
			uint32_t *flags, nghttp2_data_source *source, void *ctx);

/* ---- http2_memory.c ---- */

nghttp2_mem http2_memory(struct http2_spare *spare);
void http2_memory_release(struct http2_spare *spare);

/* ---- http2_why.c ---- */

const char *http2_why_reset(uint32_t code);
const char *http2_why_goaway(uint32_t code);
const char *http2_why_error(int error);	   /* of nghttp2 */
const char *http2_why_ours(uint32_t code); /* that nghttp2 resets a stream with */

#endif
