/*
 * http2.h - the client's side of an HTTP/2 connection without a socket (rank 3). Pure; bounded.
 *
 * RFC 9113 over nghttp2, whose only door this is. Requests and received bytes go in, bytes to send
 * and ended streams come out; how the bytes are cut into pieces never changes the result. Nothing
 * is called back but begun(), and nothing here is freed under the caller's feet: what ended waits
 * in a list until it is taken.
 *
 *	struct http2_spare spare = {0};			// shared by many connections
 *	rc = http2_new(&config, &spare, &h);
 *	rc = http2_submit(h, &request, owner, &stream);	// while http2_room(h) > 0
 *	n = http2_pull(h, out, sizeof(out));		// send these
 *	http2_feed(h, data, len);			// these came
 *	while ((s = http2_next_ended(h))) {
 *		look at s->end, s->response, s->owner;
 *		http2_spare_put(&spare, s);
 *	}
 *
 * Before the peer's SETTINGS have come only one stream fits, so that a low limit of the peer costs
 * no call. Windows are so large that none has to be opened again for each answer. Pushes are
 * refused, 1xx answers and trailers are read over, each within the bounds of response.h.
 *
 * No allocation once the spare list has grown, nghttp2's own included.
 *
 * DIAGNOSTICS
 *	Every submitted stream that is not cancelled ends exactly once, with s->end and a static
 *	text in s->why; HTTP2_UNSENT when none of its bytes had been pulled. A peer that breaks the
 *rules (or floods us with frames that carry nothing) ends all of them and the connection:
 *http2_is_over. After GOAWAY no stream fits any more and the connection is over with its last one.
 */
#ifndef PLIMSOLL_ENGINE_HTTP2_H
#define PLIMSOLL_ENGINE_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/engine/request.h"
#include "common/engine/response.h"

enum http2_end {
	HTTP2_OPEN,	/* not yet */
	HTTP2_ANSWERED, /* a whole answer */
	HTTP2_RESET,	/* the peer gave it up: RST_STREAM */
	HTTP2_REFUSED,	/* the peer says that it was not processed: GOAWAY or REFUSED_STREAM */
	HTTP2_LOST,	/* the connection ended first */
	HTTP2_BAD,	/* an answer that is not HTTP/2, or past a bound */
	HTTP2_UNSENT,	/* no byte of it was given out; it may be submitted elsewhere */
};

struct http2;

struct http2_stream {
	struct http2_stream *next, *prev; /* the session's or the spare list's */
	void *owner;			  /* the caller's */
	const struct engine_request *request;
	enum http2_end end;
	const char *why; /* static text unless answered */
	/* the session's own */
	int32_t id;
	bool is_begun; /* given out: the peer may have seen it */
	bool is_in_trailers;
	size_t body_at;		   /* of the request: sent so far */
	size_t framing_bytes;	   /* 1xx heads and trailers */
	struct response *response; /* NULL until the head of an answer begins */
};

/* What ended streams and connections leave for the next: so a request allocates nothing. */
#define HTTP2_BLOCK_SIZES 32
struct http2_block;
struct http2_spare {
	struct http2_stream *first;
	struct http2_answer *answers;
	struct http2_block *blocks[HTTP2_BLOCK_SIZES]; /* nghttp2's, by size */
};

struct http2_config {
	uint32_t streams_max;  /* at once; 0 = what the peer allows */
	size_t body_max_bytes; /* kept of an answer's body */
	/* The first bytes of this stream are among those that are being pulled. Must not call the
	 * session. NULL = not wanted. */
	void (*begun)(void *owner, void *ctx);
	void *ctx;
};

/* The spare list is borrowed and must outlive the session. -ENOMEM. */
MUST_CHECK int http2_new(const struct http2_config *config, struct http2_spare *spare,
			 struct http2 **out);
/* Streams that have not ended are forgotten. NULL is fine. */
void http2_free(struct http2 *h);

/* How many streams fit now. */
uint32_t http2_room(const struct http2 *h);
/*
 * The request must have its fields (engine_request_add_fields) and is borrowed until the stream
 * has ended or was cancelled. -EAGAIN: no room; -ENOMEM.
 */
MUST_CHECK int http2_submit(struct http2 *h, const struct engine_request *request, void *owner,
			    struct http2_stream **out);
/* Gives it up (RST_STREAM goes out with the next pull); it is forgotten and back in the spare list.
 */
void http2_cancel(struct http2 *h, struct http2_stream *s);

/* All bytes are taken. -EPROTO: the peer broke the rules; what it is told is still to be pulled. */
int http2_feed(struct http2 *h, const char *data, size_t len_bytes);
/* The peer closed: what is open is lost. */
void http2_eof(struct http2 *h);
/* Bytes to send, at most size_bytes; 0 when there are none now. */
size_t http2_pull(struct http2 *h, char *out, size_t size_bytes);
bool http2_wants_pull(const struct http2 *h);

/* In the order in which they ended; NULL when there is none. The caller puts it among the spare. */
struct http2_stream *http2_next_ended(struct http2 *h);
bool http2_has_ended(const struct http2 *h);
void http2_spare_put(struct http2_spare *spare, struct http2_stream *s);
void http2_spare_release(struct http2_spare *spare);

/* The peer's SETTINGS have come. */
bool http2_is_settled(const struct http2 *h);
/* Nothing can be sent or will come any more: close the connection. */
bool http2_is_over(const struct http2 *h);
/* Why it is over, static text; NULL when all is well. */
const char *http2_why(const struct http2 *h);

#endif
