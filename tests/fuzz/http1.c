/*
 * http1.c - the HTTP/1 response path under broken input.
 *
 * The first byte: bit 0 the answer to HEAD, bits 1 and 2 the cap of the body, bits 3 to 5 all set:
 * the second half comes again and again, so that bounds are met. The second byte seeds the cuts.
 * The rest is what the peer sends before it closes. Parsers and their buffers live on from input to
 * input, as those of the engine do: what one answer leaves behind must not change the next.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/rng.h"
#include "common/engine/http1.h"
#include "tests/fuzz/target.h"

#define OPTION_BYTES 2
#define AGAIN 0x38
#define LONG_BYTES (70u * 1024u) /* more than any bound of a head */

struct outcome {
	enum http1_state before_end, state;
	size_t used_bytes;
};

static const size_t caps[] = {16, 0, 1000, 64 * 1024};

/* A piece of its exact size, so that a read past it is seen. */
static enum http1_state feed_copy(struct http1 *r, const uint8_t *data, size_t len_bytes,
				  size_t *used_bytes)
{
	char *piece = malloc(len_bytes);
	enum http1_state state;

	BUG_ON(!piece);
	memcpy(piece, data, len_bytes);
	state = http1_feed(r, piece, len_bytes, used_bytes);
	free(piece);
	return state;
}

/* Step 0 = cut at random. */
static struct outcome feed(struct http1 *r, const uint8_t *data, size_t len_bytes, size_t step,
			   struct rng *rng)
{
	struct outcome o = {.before_end = HTTP1_MORE};
	size_t used;

	while (o.used_bytes < len_bytes && o.before_end == HTTP1_MORE) {
		const uint8_t *at = data + o.used_bytes;
		size_t n = step ? step : 1 + (size_t)rng_below(rng, 1u << rng_below(rng, 14));

		n = MIN_OF(n, len_bytes - o.used_bytes);
		o.before_end = step ? http1_feed(r, (const char *)at, n, &used)
				    : feed_copy(r, at, n, &used);
		BUG_ON(used > n);
		BUG_ON(used < n && o.before_end == HTTP1_MORE);
		o.used_bytes += used;
	}
	o.state = o.before_end == HTTP1_MORE ? http1_eof(r) : o.before_end;
	return o;
}

static void hold_promises(const struct http1 *h, const struct outcome *o)
{
	const struct response *r = &h->response;
	size_t len_bytes;

	BUG_ON(o->state == HTTP1_MORE);
	BUG_ON((o->state == HTTP1_BAD) != (h->why != NULL));
	BUG_ON(o->state == HTTP1_DONE && (r->status < 200 || r->status > 999));
	BUG_ON(o->state == HTTP1_BAD && h->is_keep_alive);
	BUG_ON(r->body.len_bytes != MIN_OF(r->body_total_bytes, (uint64_t)r->body.max_bytes));
	BUG_ON(r->is_body_truncated != (r->body_total_bytes > r->body.max_bytes));
	BUG_ON(r->head.len_bytes > RESPONSE_HEAD_MAX_BYTES);
	BUG_ON(r->header_count > RESPONSE_HEADERS_MAX);
	for (size_t i = 0; o->state == HTTP1_DONE && i < r->header_count; i++) {
		const struct response_header *f = &r->headers[i];

		BUG_ON(!f->name_bytes);
		BUG_ON((size_t)f->name_at + f->name_bytes > r->head.len_bytes);
		BUG_ON((size_t)f->value_at + f->value_bytes > r->head.len_bytes);
	}
	BUG_ON(response_header(r, "content-length", &len_bytes) && len_bytes > r->head.len_bytes);
}

static bool is_same_buf(const struct buf *a, const struct buf *b)
{
	return a->len_bytes == b->len_bytes &&
	       (!a->len_bytes || memcmp(a->data, b->data, a->len_bytes) == 0);
}

static void hold_same_response(const struct response *a, const struct response *b)
{
	BUG_ON(a->status != b->status || a->is_body_truncated != b->is_body_truncated);
	BUG_ON(a->body_total_bytes != b->body_total_bytes || !is_same_buf(&a->body, &b->body));
}

static void hold_same(const struct http1 *a, const struct outcome *x, const struct http1 *b,
		      const struct outcome *y)
{
	BUG_ON(x->before_end != y->before_end || x->state != y->state);
	BUG_ON(a->is_keep_alive != b->is_keep_alive || a->why != b->why);
	hold_same_response(&a->response, &b->response);
	if (x->state != HTTP1_DONE)
		return;
	BUG_ON(x->used_bytes != y->used_bytes);
	BUG_ON(!is_same_buf(&a->response.head, &b->response.head));
	BUG_ON(a->response.header_count != b->response.header_count);
	BUG_ON(memcmp(a->response.headers, b->response.headers,
		      a->response.header_count * sizeof(a->response.headers[0])) != 0);
}

/* The first parser is new for each answer; the others remember the heads of those before. */
static void hold_answer(uint8_t options, uint8_t seed, const uint8_t *data, size_t len_bytes)
{
	static struct http1 all[4];
	static const size_t steps[ARRAY_LEN(all)] = {SIZE_MAX, SIZE_MAX, 1, 0};
	struct outcome outcomes[ARRAY_LEN(all)];
	struct rng rng = {seed};

	if (all[0].response.head.max_bytes)
		http1_release(&all[0]);
	http1_init(&all[0]);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (!all[i].response.head.max_bytes)
			http1_init(&all[i]);
		http1_begin(&all[i], options & 1, caps[options >> 1 & 3]);
		outcomes[i] = feed(&all[i], data, len_bytes, steps[i], &rng);
		hold_promises(&all[i], &outcomes[i]);
		hold_same(&all[0], &outcomes[0], &all[i], &outcomes[i]);
	}
}

/* The same twice, then almost the same, and once more the first. */
static void hold_answers(uint8_t options, uint8_t seed, const uint8_t *data, size_t len_bytes)
{
	uint8_t *other = malloc(len_bytes + 1);
	struct rng rng = {seed};

	BUG_ON(!other);
	memcpy(other, data, len_bytes);
	if (len_bytes)
		other[rng_below(&rng, len_bytes)] ^= (uint8_t)(1u << rng_below(&rng, 8));
	hold_answer(options, seed, data, len_bytes);
	hold_answer(options, seed, data, len_bytes);
	hold_answer(options, seed, other, len_bytes);
	hold_answer(options, seed, data, len_bytes);
	free(other);
}

void fuzz_http1(const uint8_t *data, size_t len_bytes)
{
	struct buf long_one = BUF_INIT(LONG_BYTES + (1u << 20));

	if (len_bytes < OPTION_BYTES)
		return;
	if ((data[0] & AGAIN) != AGAIN || len_bytes == OPTION_BYTES) {
		hold_answers(data[0], data[1], data + OPTION_BYTES, len_bytes - OPTION_BYTES);
		return;
	}
	buf_add(&long_one, data + OPTION_BYTES, len_bytes - OPTION_BYTES);
	while (long_one.len_bytes < LONG_BYTES)
		buf_add(&long_one, data + len_bytes - (len_bytes - 1) / 2, (len_bytes - 1) / 2);
	hold_answer(data[0], data[1], (const uint8_t *)long_one.data, long_one.len_bytes);
	buf_release(&long_one);
}
