/*
 * http2.c - the HTTP/2 response path under broken input.
 *
 * The first byte: bit 0 the first request is a HEAD, bit 1 the second has a body larger than the
 * windows, bits 2 and 3 the cap of the bodies, bit 4 the peer's SETTINGS have come before, bit 5
 * the bytes go in as they are. The second byte seeds the cuts. The rest is what the peer sends
 * before it closes: without bit 5 records of type, flags, stream and length (a byte each; the first
 * bit of the type: again and again) become frames, so that lengths fit. Spare streams live on from
 * input to input, as those of the engine do.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/rng.h"
#include "common/engine/http2.h"
#include "tests/fuzz/target.h"

#define OPTION_BYTES 2
#define IS_HEAD 0x01
#define HAS_BODY 0x02
#define IS_SETTLED 0x10
#define IS_RAW 0x20
#define WIRE_MAX_BYTES (48u * 1024u)
#define FRAME_HEAD_BYTES 9
#define AGAIN 1100 /* more frames than may carry nothing */
#define BODY_BYTES 70000

#define CALLS 3	      /* that are there from the start */
#define CALLS_MAX 100 /* of one connection */

struct call {
	struct http2_stream *stream; /* while it is open */
	unsigned begun, ended;
	bool is_cancelled;
	enum http2_end end;
	const char *why;
	uint64_t hash; /* of all that came */
};

struct peer {
	struct http2 *h;
	uint8_t options;
	struct call calls[CALLS_MAX];
	size_t call_count;
};

static const size_t caps[] = {16, 0, 1000, 64 * 1024};
static struct http2_spare spare;
static struct engine_request get, head, post;

static void prepare(struct engine_request *r, const char *text, size_t len_bytes)
{
	BUG_ON(engine_request_set(r, text, len_bytes) || engine_request_add_fields(r, false));
}

static void prepare_all(void)
{
	static const char get_text[] = "GET /x HTTP/1.1\r\nHost: test\r\n\r\n";
	static const char head_text[] = "HEAD /x HTTP/1.1\r\nHost: test\r\n\r\n";
	static char post_text[BODY_BYTES + 100] =
		"POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 70000\r\n\r\n";

	if (get.fields)
		return;
	prepare(&get, get_text, sizeof(get_text) - 1);
	prepare(&head, head_text, sizeof(head_text) - 1);
	prepare(&post, post_text, strlen(post_text) + BODY_BYTES);
}

/* ---- the wire ---- */

static void add_frame(struct buf *out, const uint8_t record[4], const uint8_t *payload, size_t n)
{
	const uint8_t frame_head[FRAME_HEAD_BYTES] = {
		[2] = (uint8_t)n,
		[3] = record[0] & 0x7f,
		[4] = record[1],
		[8] = record[2],
	};
	size_t times = record[0] & 0x80 ? AGAIN : 1;

	for (; times > 0 && out->len_bytes + sizeof(frame_head) + n <= WIRE_MAX_BYTES; times--) {
		buf_add(out, frame_head, sizeof(frame_head));
		buf_add(out, payload, n);
	}
}

static void make_wire(struct buf *out, uint8_t options, const uint8_t *data, size_t len_bytes)
{
	if (options & IS_RAW) {
		buf_add(out, data, MIN_OF(len_bytes, (size_t)WIRE_MAX_BYTES));
		return;
	}
	for (size_t at = 0; at + 4 <= len_bytes;) {
		const uint8_t *record = data + at;
		size_t n = MIN_OF((size_t)record[3], len_bytes - at - 4);

		add_frame(out, record, record + 4, n);
		at += 4 + n;
	}
}

/* ---- calls ---- */

static uint64_t add_hash(uint64_t hash, const void *data, size_t len_bytes)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len_bytes; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_of(const struct response *r)
{
	const uint64_t numbers[] = {(uint64_t)r->status, r->is_body_truncated, r->body_total_bytes,
				    r->header_count};
	uint64_t hash = add_hash(1, numbers, sizeof(numbers));

	hash = add_hash(hash, buf_str(&r->head), r->head.len_bytes);
	hash = add_hash(hash, buf_str(&r->body), r->body.len_bytes);
	return add_hash(hash, r->headers, r->header_count * sizeof(r->headers[0]));
}

static void hold_promises(const struct http2_stream *s)
{
	const struct response *r = s->response;

	BUG_ON(s->end == HTTP2_OPEN);
	BUG_ON((s->end == HTTP2_ANSWERED) != (s->why == NULL));
	BUG_ON(s->end == HTTP2_ANSWERED && !r);
	if (!r)
		return;
	BUG_ON(s->end == HTTP2_ANSWERED && (r->status < 200 || r->status > 999));
	BUG_ON(r->body.len_bytes != MIN_OF(r->body_total_bytes, (uint64_t)r->body.max_bytes));
	BUG_ON(r->is_body_truncated != (r->body_total_bytes > r->body.max_bytes));
	BUG_ON(r->head.len_bytes > RESPONSE_HEAD_MAX_BYTES || buf_is_over(&r->head));
	BUG_ON(r->header_count > RESPONSE_HEADERS_MAX);
	for (size_t i = 0; i < r->header_count; i++) {
		const struct response_header *f = &r->headers[i];

		BUG_ON((size_t)f->name_at + f->name_bytes > r->head.len_bytes);
		BUG_ON((size_t)f->value_at + f->value_bytes > r->head.len_bytes);
	}
}

static void take_ended(struct peer *p)
{
	struct http2_stream *s;

	while ((s = http2_next_ended(p->h))) {
		struct call *c = s->owner;

		BUG_ON(c->stream != s || c->is_cancelled || c->ended++);
		BUG_ON(s->end == HTTP2_ANSWERED && !c->begun);
		BUG_ON(s->end == HTTP2_UNSENT && c->begun);
		hold_promises(s);
		c->stream = NULL;
		c->end = s->end;
		c->why = s->why;
		c->hash = s->end == HTTP2_ANSWERED ? hash_of(s->response) : 0;
		http2_spare_put(&spare, s);
	}
}

static void on_begun(void *owner, void *ctx)
{
	struct call *c = owner;

	(void)ctx;
	BUG_ON(c->begun++ || c->ended || c->is_cancelled);
}

static void submit(struct peer *p)
{
	const struct engine_request *requests[CALLS] = {p->options & IS_HEAD ? &head : &get,
							p->options & HAS_BODY ? &post : &get, &get};
	struct call *c = &p->calls[p->call_count];
	int rc;

	if (p->call_count == CALLS_MAX || !http2_room(p->h))
		return;
	*c = (struct call){0};
	rc = http2_submit(p->h, requests[p->call_count % CALLS], c, &c->stream);
	BUG_ON(rc);
	p->call_count++;
}

static void cancel(struct peer *p, size_t i)
{
	struct call *c = &p->calls[i];

	if (!c->stream || c->stream->end != HTTP2_OPEN)
		return;
	http2_cancel(p->h, c->stream);
	c->stream = NULL;
	c->is_cancelled = true;
}

static void pull(struct peer *p, size_t most_bytes)
{
	static char out[64 * 1024];

	for (int i = 0; i < 100 && http2_pull(p->h, out, MIN_OF(most_bytes, sizeof(out))) > 0; i++)
		;
}

static void open_peer(struct peer *p, uint8_t options)
{
	static const char settings[FRAME_HEAD_BYTES] = {[3] = 4};
	const struct http2_config config = {.streams_max = options >> 6,
					    .body_max_bytes = caps[options >> 2 & 3],
					    .begun = on_begun};

	*p = (struct peer){.options = options};
	BUG_ON(http2_new(&config, &spare, &p->h));
	pull(p, SIZE_MAX);
	if (options & IS_SETTLED)
		BUG_ON(http2_feed(p->h, settings, sizeof(settings)));
	for (size_t i = 0; i < CALLS; i++)
		submit(p);
	pull(p, SIZE_MAX);
}

/* Whatever happened, every call that was not cancelled has ended once. */
static void close_peer(struct peer *p)
{
	take_ended(p);
	http2_eof(p->h);
	BUG_ON(!http2_is_over(p->h) || http2_room(p->h));
	take_ended(p);
	for (size_t i = 0; i < p->call_count; i++)
		BUG_ON(p->calls[i].ended + p->calls[i].is_cancelled != 1);
	pull(p, SIZE_MAX);
	take_ended(p);
	http2_free(p->h);
}

/* ---- feeding ---- */

/* A piece of its exact size, so that a read past it is seen. */
static void feed_copy(struct peer *p, const char *data, size_t len_bytes)
{
	char *piece = malloc(len_bytes);

	BUG_ON(!piece);
	memcpy(piece, data, len_bytes);
	http2_feed(p->h, piece, len_bytes);
	free(piece);
}

/* Step 0 = cut at random. What is sent meanwhile is not pulled: only the cuts differ. */
static void feed_cut(struct peer *p, const struct buf *wire, size_t step, struct rng *rng)
{
	for (size_t at = 0, n; at < wire->len_bytes; at += n) {
		n = step ? step : 1 + (size_t)rng_below(rng, 1u << rng_below(rng, 14));
		n = MIN_OF(n, wire->len_bytes - at);
		if (step)
			http2_feed(p->h, wire->data + at, n);
		else
			feed_copy(p, wire->data + at, n);
	}
}

static void hold_same(const struct peer *a, const struct peer *b)
{
	BUG_ON(a->call_count != b->call_count);
	for (size_t i = 0; i < a->call_count; i++) {
		const struct call *x = &a->calls[i], *y = &b->calls[i];

		BUG_ON(x->end != y->end || x->why != y->why || x->hash != y->hash);
	}
}

static void hold_cuts(uint8_t options, uint8_t seed, const struct buf *wire)
{
	static const size_t steps[] = {SIZE_MAX, 1, 0};
	static struct peer peers[ARRAY_LEN(steps)];
	struct rng rng = {seed};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		open_peer(&peers[i], options);
		feed_cut(&peers[i], wire, steps[i], &rng);
		close_peer(&peers[i]);
		hold_same(&peers[0], &peers[i]);
	}
}

/* As a pool does it: calls come, are given up and end while bytes go in and out. */
static void hold_use(uint8_t options, uint8_t seed, const struct buf *wire)
{
	static struct peer p;
	struct rng rng = {seed};

	open_peer(&p, options);
	for (size_t at = 0; at < wire->len_bytes && !http2_is_over(p.h);) {
		size_t n = 1 + (size_t)rng_below(&rng, 1u << rng_below(&rng, 10));

		n = MIN_OF(n, wire->len_bytes - at);
		feed_copy(&p, wire->data + at, n);
		at += n;
		if (rng_below(&rng, 2))
			take_ended(&p);
		if (!rng_below(&rng, 8))
			cancel(&p, (size_t)rng_below(&rng, p.call_count));
		if (!rng_below(&rng, 4))
			submit(&p);
		if (rng_below(&rng, 2))
			pull(&p, 1 + (size_t)rng_below(&rng, 5000));
	}
	if (rng_below(&rng, 4))
		close_peer(&p);
	else
		http2_free(p.h); /* in the middle of it all */
}

void fuzz_http2(const uint8_t *data, size_t len_bytes)
{
	struct buf wire = BUF_INIT(WIRE_MAX_BYTES + 1);

	if (len_bytes < OPTION_BYTES)
		return;
	prepare_all();
	make_wire(&wire, data[0], data + OPTION_BYTES, len_bytes - OPTION_BYTES);
	hold_cuts(data[0], data[1], &wire);
	hold_use(data[0], data[1], &wire);
	buf_release(&wire);
}
