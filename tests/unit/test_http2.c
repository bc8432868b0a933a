/* HTTP/2 without a socket: a table of what servers send, each fed whole, cut and bytewise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "common/base/rng.h"
#include "common/engine/http2.h"
#include "tests/unit/http2_cases.h"

#define CAP 16
#define RESULT_SIZE 800
#define STREAMS 2 /* 1 and 3 are open when the table's bytes come */

static const char head_bytes[] = "GET /x HTTP/1.1\r\nHost: test\r\nX-Ask: 1\r\n\r\n";

struct bench {
	struct http2 *h;
	struct http2_spare spare;
	struct engine_request get, post;
	struct http2_stream *streams[128];
	size_t begun;
	char became[STREAMS][RESULT_SIZE / 4]; /* of each */
	char result[RESULT_SIZE];
};

static void on_begun(void *owner, void *ctx)
{
	struct bench *b = ctx;

	assert_non_null(owner);
	b->begun++;
}

static size_t pull(struct bench *b)
{
	static char out[1024 * 1024];
	size_t n = http2_pull(b->h, out, sizeof(out));

	assert_false(http2_wants_pull(b->h) && n < sizeof(out));
	return n;
}

static void feed(struct bench *b, struct buf *bytes)
{
	http2_feed(b->h, buf_str(bytes), bytes->len_bytes);
	buf_clear(bytes);
}

static void make_requests(struct bench *b)
{
	static char post_bytes[200 * 1024] = "POST /x HTTP/1.1\r\nHost: test\r\n"
					     "Content-Length: 200000\r\n\r\n";

	assert_int_equal(engine_request_set(&b->get, head_bytes, sizeof(head_bytes) - 1), 0);
	assert_int_equal(engine_request_add_fields(&b->get, false), 0);
	assert_int_equal(engine_request_set(&b->post, post_bytes, strlen(post_bytes) + 200000), 0);
	assert_int_equal(engine_request_add_fields(&b->post, false), 0);
}

static void set_up(struct bench *b, uint32_t streams_max)
{
	const struct http2_config config = {
		.streams_max = streams_max, .body_max_bytes = CAP, .begun = on_begun, .ctx = b};

	*b = (struct bench){0};
	make_requests(b);
	assert_int_equal(http2_new(&config, &b->spare, &b->h), 0);
}

static void submit(struct bench *b, size_t i, const struct engine_request *request)
{
	assert_int_equal(http2_submit(b->h, request, &b->streams[i], &b->streams[i]), 0);
}

static void tear_down(struct bench *b)
{
	http2_free(b->h);
	http2_spare_release(&b->spare);
	engine_request_release(&b->get);
	engine_request_release(&b->post);
}

/* ---- what became of it, in words ---- */

static const char *const ends[] = {
	[HTTP2_ANSWERED] = "answered", [HTTP2_RESET] = "reset", [HTTP2_REFUSED] = "refused",
	[HTTP2_LOST] = "lost",	       [HTTP2_BAD] = "bad",	[HTTP2_UNSENT] = "unsent",
};

static void describe(const struct http2_stream *s, char out[RESULT_SIZE / 4])
{
	const struct response *r = s->response;
	size_t n = 0;
	const char *server = r ? response_header(r, "Server", &n) : NULL;

	if (s->end == HTTP2_ANSWERED)
		snprintf(out, RESULT_SIZE / 4, "%d %s%s%.*s%.*s (%llu); ", r->status,
			 r->is_body_truncated ? "cut " : "", server ? "server=" : "", (int)n,
			 server ? server : "", (int)r->body.len_bytes, buf_str(&r->body),
			 (unsigned long long)r->body_total_bytes);
	else
		snprintf(out, RESULT_SIZE / 4, "%s: %s; ", ends[s->end], s->why);
}

static void take_ended(struct bench *b)
{
	struct http2_stream *s;

	while ((s = http2_next_ended(b->h))) {
		size_t i = s == b->streams[0] ? 0 : 1;

		assert_ptr_equal(s, b->streams[i]);
		assert_ptr_equal(s->owner, &b->streams[i]);
		assert_string_equal(b->became[i], "");
		describe(s, b->became[i]);
		http2_spare_put(&b->spare, s);
	}
	snprintf(b->result, RESULT_SIZE, "%s%s%s", b->became[0], b->became[1],
		 http2_is_over(b->h) ? "over" : "");
}

static void begin_case(struct bench *b, bool is_acked)
{
	struct buf out = BUF_INIT(100);

	set_up(b, 0);
	assert_true(pull(b) > 24);
	put_settings(&out);
	if (is_acked)
		put_frame(&out, SETTINGS, ACK, 0, "", 0);
	feed(b, &out);
	for (size_t i = 0; i < STREAMS; i++)
		submit(b, i, &b->get);
	pull(b);
	assert_int_equal(b->begun, STREAMS);
	buf_release(&out);
}

/* In pieces of at most so many bytes. */
static void run_case(const struct server_case *c, const struct buf *bytes, size_t piece_bytes)
{
	struct bench b;

	begin_case(&b, c->say != early_push);
	for (size_t at = 0; at < bytes->len_bytes; at += piece_bytes) {
		http2_feed(b.h, bytes->data + at, MIN_OF(piece_bytes, bytes->len_bytes - at));
		pull(&b);
	}
	take_ended(&b);
	if (strcmp(b.result, c->want) != 0)
		fail_msg("%s, %zu bytes at once: %s\n\twanted %s\n", c->name, piece_bytes, b.result,
			 c->want);
	assert_int_equal(http2_room(b.h) == 0, http2_is_over(b.h));
	tear_down(&b);
}

static void test_servers(void **state)
{
	static const size_t pieces[] = {FRAMES_MAX_BYTES, 1, 2, 3, 7, 10, 100, 1000, 16384};
	struct buf bytes = BUF_INIT(FRAMES_MAX_BYTES);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&bytes);
		cases[i].say(&bytes);
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
			run_case(&cases[i], &bytes, pieces[k]);
	}
	buf_release(&bytes);
}

/* ---- one by one ---- */

static const struct response *take(struct bench *b, enum http2_end end, const char *why)
{
	struct http2_stream *s = http2_next_ended(b->h);
	const struct response *r; /* read by the test before another takes it */

	assert_non_null(s);
	assert_int_equal(s->end, end);
	if (why)
		assert_string_equal(s->why, why);
	else
		assert_null(s->why);
	r = s->response;
	http2_spare_put(&b->spare, s);
	return r;
}

static void test_room(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct bench b;
	struct http2_stream *s;

	(void)state;
	set_up(&b, 5);
	pull(&b);
	assert_int_equal(http2_room(b.h), 1); /* before its SETTINGS */
	assert_false(http2_is_settled(b.h));
	submit(&b, 0, &b.get);
	assert_int_equal(http2_submit(b.h, &b.get, &b, &s), -EAGAIN);
	put_settings(&out);
	feed(&b, &out);
	assert_true(http2_is_settled(b.h));
	assert_int_equal(http2_room(b.h), 4);
	put_setting(&out, 3, 3);
	feed(&b, &out);
	assert_int_equal(http2_room(b.h), 2);
	submit(&b, 1, &b.get);
	submit(&b, 2, &b.get);
	put_setting(&out, 3, 2); /* lowered below what is open */
	feed(&b, &out);
	assert_int_equal(http2_room(b.h), 0);
	http2_cancel(b.h, b.streams[0]);
	assert_int_equal(http2_room(b.h), 0);
	http2_cancel(b.h, b.streams[1]);
	assert_int_equal(http2_room(b.h), 1);
	assert_true(pull(&b) > 0);
	assert_int_equal(b.begun, 1); /* the others were never sent */
	buf_release(&out);
	tear_down(&b);
}

static void settle(struct bench *b, struct buf *out)
{
	set_up(b, 0);
	pull(b);
	put_settings(out);
	feed(b, out);
	pull(b);
}

static void test_cancel(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct bench b;

	(void)state;
	settle(&b, &out);
	submit(&b, 0, &b.get);
	pull(&b);
	http2_cancel(b.h, b.streams[0]);
	assert_int_equal(pull(&b), 9 + 4); /* RST_STREAM */
	/* Its slot is another's now; what still comes for it hurts nobody. */
	submit(&b, 1, &b.get);
	assert_ptr_equal(b.streams[0], b.streams[1]);
	pull(&b);
	put_headers(&out, 1, END_HEADERS, "500", NULL);
	put_frame(&out, DATA, END_STREAM, 1, "late", 4);
	put_headers(&out, 3, END_HEADERS | END_STREAM, "200", NULL);
	feed(&b, &out);
	assert_int_equal(take(&b, HTTP2_ANSWERED, NULL)->status, 200);
	assert_null(http2_next_ended(b.h));
	assert_false(http2_is_over(b.h));
	buf_release(&out);
	tear_down(&b);
}

static void test_unsent_at_goaway(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct bench b;

	(void)state;
	settle(&b, &out);
	submit(&b, 0, &b.get);
	pull(&b);
	submit(&b, 1, &b.get); /* the GOAWAY is on its way meanwhile */
	put_goaway(&out, 1, 0);
	feed(&b, &out);
	assert_int_equal(http2_room(b.h), 0);
	pull(&b);
	assert_int_equal(b.begun, 1);
	take(&b, HTTP2_UNSENT, "the connection takes no more requests");
	assert_false(http2_is_over(b.h));
	put_headers(&out, 1, END_HEADERS | END_STREAM, "200", NULL);
	feed(&b, &out);
	take(&b, HTTP2_ANSWERED, NULL);
	assert_true(http2_is_over(b.h));
	buf_release(&out);
	tear_down(&b);
}

static void test_not_http2(void **state)
{
	static const struct {
		const char *said, *why;
	} cases_of_others[] = {
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "the server speaks HTTP/1.1, not HTTP/2"},
		{"HTTP/1.0 505 No\r\n\r\n", "the server speaks HTTP/1.1, not HTTP/2"},
		{"SSH-2.0-OpenSSH_9.2p1\r\n", "the server does not speak HTTP/2"},
		{"\0\0\10\6\0\0\0\0\0abcdefghijk", "the server does not speak HTTP/2"},
	};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases_of_others); i++)
		for (size_t piece_bytes = 1; piece_bytes <= 20; piece_bytes += 19) {
			set_up(&b, 0);
			submit(&b, 0, &b.get);
			pull(&b);
			for (size_t at = 0; at < 20; at += piece_bytes)
				http2_feed(b.h, cases_of_others[i].said + at, piece_bytes);
			assert_true(http2_is_over(b.h));
			take(&b, HTTP2_BAD, cases_of_others[i].why);
			tear_down(&b);
		}
}

static void test_eof(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct bench b;

	(void)state;
	settle(&b, &out);
	submit(&b, 0, &b.get);
	pull(&b);
	submit(&b, 1, &b.get); /* which nobody has seen yet */
	http2_eof(b.h);
	take(&b, HTTP2_LOST, "closed before the answer was whole");
	take(&b, HTTP2_UNSENT, "closed before the answer was whole");
	assert_true(http2_is_over(b.h));
	assert_int_equal(http2_feed(b.h, "x", 1), -EPROTO);
	tear_down(&b);
	set_up(&b, 0);
	submit(&b, 0, &b.get);
	pull(&b);
	http2_eof(b.h);
	take(&b, HTTP2_LOST, "closed without an answer");
	buf_release(&out);
	tear_down(&b);
}

/* A body goes out as far as the peer's windows allow. */
static void test_upload(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct bench b;
	size_t n;

	(void)state;
	settle(&b, &out);
	submit(&b, 0, &b.post);
	n = pull(&b);
	assert_in_range(n, 65535, 65535 + 300);
	assert_int_equal(pull(&b), 0); /* stalls: the call's timeout is what ends that */
	put_frame(&out, WINDOW, 0, 0, "\0\x04\0\0", 4);
	put_frame(&out, WINDOW, 0, 1, "\0\x04\0\0", 4);
	feed(&b, &out);
	n = pull(&b);
	assert_in_range(n, 200000 - 65535, 200000 - 65535 + 200);
	put_headers(&out, 1, END_HEADERS | END_STREAM, "200", NULL);
	feed(&b, &out);
	take(&b, HTTP2_ANSWERED, NULL);
	assert_int_equal(pull(&b), 0);
	/* An early answer is an answer; the rest of the body is given up. */
	submit(&b, 0, &b.post);
	pull(&b);
	put_headers(&out, 3, END_HEADERS | END_STREAM, "413", NULL);
	put_reset(&out, 3, 0);
	feed(&b, &out);
	assert_int_equal(take(&b, HTTP2_ANSWERED, NULL)->status, 413);
	assert_null(http2_next_ended(b.h));
	assert_int_equal(http2_room(b.h), UINT32_MAX);
	buf_release(&out);
	tear_down(&b);
}

/* Streams of the spare list, and nothing else, are used again and again. */
static void test_reuse(void **state)
{
	struct buf out = BUF_INIT(10000);
	struct bench b;

	(void)state;
	settle(&b, &out);
	for (uint32_t i = 0; i < 3000; i++) {
		submit(&b, 0, &b.get);
		assert_in_range(pull(&b), 10, 60);
		put_headers(&out, 1 + 2 * i, END_HEADERS, "200", "server", "x", NULL);
		put_frame(&out, DATA, END_STREAM, 1 + 2 * i, "hello", 5);
		feed(&b, &out);
		assert_int_equal(take(&b, HTTP2_ANSWERED, NULL)->body_total_bytes, 5);
	}
	assert_null(b.spare.first->next);
	buf_release(&out);
	tear_down(&b);
}

/* Whatever bytes come: it ends, and every stream ends at most once. */
static void test_random(void **state)
{
	struct rng rng = {.state = 7};
	struct buf bytes = BUF_INIT(FRAMES_MAX_BYTES);

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct bench b;

		begin_case(&b, true);
		buf_clear(&bytes);
		cases[rng_below(&rng, ARRAY_LEN(cases))].say(&bytes);
		buf_truncate(&bytes, MIN_OF(bytes.len_bytes, 2000u));
		for (int k = 0; k < 4; k++)
			bytes.data[rng_below(&rng, bytes.len_bytes)] = (char)rng_next(&rng);
		http2_feed(b.h, bytes.data, bytes.len_bytes);
		pull(&b);
		take_ended(&b);
		http2_eof(b.h);
		take_ended(&b);
		assert_true(*b.became[0] && *b.became[1]);
		tear_down(&b);
	}
	buf_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers),	  cmocka_unit_test(test_room),
		cmocka_unit_test(test_cancel),	  cmocka_unit_test(test_unsent_at_goaway),
		cmocka_unit_test(test_not_http2), cmocka_unit_test(test_eof),
		cmocka_unit_test(test_upload),	  cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
