/* The response parser: a table of raw answers, each fed whole, cut at every place, and bytewise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/rng.h"
#include "common/engine/http1.h"

#define OK11 "HTTP/1.1 200 OK\r\n"
#define CL5 "Content-Length: 5\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CAP 16

/* What the peer does after the bytes. */
enum after { STAYS, CLOSES };

struct answer_case {
	const char *name, *raw;
	bool is_head_request;
	enum after after;
	enum http1_state want;
	int status;
	bool is_keep_alive;
	const char *body; /* as kept */
	const char *why;  /* HTTP1_BAD */
	size_t left;	  /* bytes not taken: garbage */
	bool is_truncated;
	uint64_t total_bytes; /* 0 = strlen(body) */
};

#define GOOD(...) .want = HTTP1_DONE, .status = 200, __VA_ARGS__
#define BAD(text) .want = HTTP1_BAD, .why = (text)
#define MORE .want = HTTP1_MORE

static const struct answer_case cases[] = {
	/* how the body ends */
	{"length", OK11 CL5 "\r\nhello", GOOD(.is_keep_alive = true, .body = "hello")},
	{"length zero", OK11 "Content-Length: 0\r\n\r\n", GOOD(.is_keep_alive = true)},
	{"length short", OK11 CL5 "\r\nhell", MORE, .status = 200, .is_keep_alive = true,
	 .body = "hell"},
	{"length short, closed", OK11 CL5 "\r\nhell", .after = CLOSES, .status = 200,
	 .body = "hell", BAD("closed before the body was whole")},
	{"length, garbage", OK11 CL5 "\r\nhelloHTTP", .left = 4,
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"length past the cap", OK11 "Content-Length: 20\r\n\r\n01234567890123456789",
	 GOOD(.is_keep_alive = true, .body = "0123456789012345", .is_truncated = true,
	      .total_bytes = 20)},
	{"length at the cap", OK11 "Content-Length: 16\r\n\r\n0123456789012345",
	 GOOD(.is_keep_alive = true, .body = "0123456789012345")},
	{"until close", OK11 "\r\nhello", .after = CLOSES, GOOD(.body = "hello")},
	{"until close, open yet", OK11 "\r\nhello", MORE, .status = 200, .body = "hello"},
	{"until close, empty", OK11 "\r\n", .after = CLOSES, GOOD(.body = "")},
	{"chunked", OK11 CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"chunked, several, hex", OK11 CHUNKED "\r\n00a\r\n0123456789\r\n2\r\nab\r\n0\r\n\r\n",
	 GOOD(.is_keep_alive = true, .body = "0123456789ab")},
	{"chunked past the cap", OK11 CHUNKED "\r\nF\r\n012345678901234\r\n3\r\nabc\r\n0\r\n\r\n",
	 GOOD(.is_keep_alive = true, .body = "012345678901234a", .is_truncated = true,
	      .total_bytes = 18)},
	{"chunked, extensions", OK11 CHUNKED "\r\n5 ;a=\"b;c\";d\r\nhello\r\n0;x\r\n\r\n",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"chunked, trailers", OK11 CHUNKED "\r\n1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n",
	 GOOD(.is_keep_alive = true, .body = "x")},
	{"chunked, bare LF", OK11 CHUNKED "\r\n1\nx\n0\nA: b\n\n",
	 GOOD(.is_keep_alive = true, .body = "x")},
	{"chunked, garbage", OK11 CHUNKED "\r\n1\r\nx\r\n0\r\n\r\nHTTP/1.1 200", .left = 12,
	 GOOD(.is_keep_alive = true, .body = "x")},
	{"chunked, open yet", OK11 CHUNKED "\r\n1\r\nx\r\n0\r\n", MORE, .status = 200,
	 .is_keep_alive = true, .body = "x"},
	{"chunked, closed in a chunk", OK11 CHUNKED "\r\n5\r\nhel", .after = CLOSES, .status = 200,
	 .body = "hel", BAD("closed before the body was whole")},
	{"chunked, closed before the last", OK11 CHUNKED "\r\n1\r\nx\r\n", .after = CLOSES,
	 .status = 200, .body = "x", BAD("closed before the body was whole")},
	{"chunk without a size", OK11 CHUNKED "\r\n;a\r\n", .status = 200,
	 BAD("a chunk without a size")},
	{"chunk size not hex", OK11 CHUNKED "\r\n5g\r\n", .status = 200,
	 BAD("malformed chunk size")},
	{"chunk size negative", OK11 CHUNKED "\r\n-5\r\n", .status = 200,
	 BAD("a chunk without a size")},
	{"chunk size over 63 bits", OK11 CHUNKED "\r\nFFFFFFFFFFFFFFFF\r\n", .status = 200,
	 BAD("the chunk size is too large")},
	{"chunk size of 17 digits", OK11 CHUNKED "\r\n00000000000000001\r\n", .status = 200,
	 BAD("the chunk size is too large")},
	{"chunk CR without LF", OK11 CHUNKED "\r\n5\rhello", .status = 200,
	 BAD("malformed chunk line")},
	{"chunk longer than said", OK11 CHUNKED "\r\n2\r\nabc\r\n", .status = 200, .body = "ab",
	 BAD("a chunk is longer than it said")},
	{"chunk end of two CR", OK11 CHUNKED "\r\n2\r\nab\r\r\n", .status = 200, .body = "ab",
	 BAD("a chunk is longer than it said")},
	{"trailer end of CR and more", OK11 CHUNKED "\r\n0\r\n\rx", .status = 200,
	 BAD("malformed trailer")},
	/* no body */
	{"HEAD", OK11 CL5 "\r\n", .is_head_request = true, GOOD(.is_keep_alive = true)},
	{"HEAD answered with a body", OK11 CL5 "\r\nhello", .is_head_request = true, .left = 5,
	 GOOD(.is_keep_alive = true)},
	{"HEAD, chunked", OK11 CHUNKED "\r\n", .is_head_request = true,
	 GOOD(.is_keep_alive = true)},
	{"204", "HTTP/1.1 204 No Content\r\n\r\n", .want = HTTP1_DONE, .status = 204,
	 .is_keep_alive = true},
	{"204 with a length", "HTTP/1.1 204 No Content\r\n" CL5 "\r\n", .want = HTTP1_DONE,
	 .status = 204},
	{"304 with a length", "HTTP/1.1 304 Not Modified\r\n" CL5 "\r\n", .want = HTTP1_DONE,
	 .status = 304, .is_keep_alive = true},
	/* interim answers */
	{"100 then 200", "HTTP/1.1 100 Continue\r\n\r\n" OK11 CL5 "\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"two 103 then 200",
	 "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 E\r\nContent-Length: 7\r\n"
	 "\r\n" OK11 CL5 "\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"100 then closed", "HTTP/1.1 100 Continue\r\n\r\n", .after = CLOSES,
	 BAD("closed without an answer")},
	{"101", "HTTP/1.1 101 Switching Protocols\r\n\r\n", .status = 101,
	 BAD("switches protocols, which was not asked for")},
	/* keep-alive */
	{"close", OK11 CL5 "Connection: close\r\n\r\nhello", GOOD(.body = "hello")},
	{"close among others", OK11 CL5 "Connection: a , CLOSE,b\r\n\r\nhello",
	 GOOD(.body = "hello")},
	{"close in a second header", OK11 CL5 "connection: x\r\nconnection: close\r\n\r\nhello",
	 GOOD(.body = "hello")},
	{"close wins", OK11 CL5 "Connection: close, keep-alive\r\n\r\nhello",
	 GOOD(.body = "hello")},
	{"1.0", "HTTP/1.0 200 OK\r\n" CL5 "\r\nhello", GOOD(.body = "hello")},
	{"1.0 keep-alive", "HTTP/1.0 200 OK\r\n" CL5 "Connection: Keep-Alive\r\n\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"1.0 chunked", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" CHUNKED "\r\n0\r\n\r\n",
	 GOOD(.body = "")},
	{"1.2", "HTTP/1.2 200 OK\r\n" CL5 "\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	/* both lengths, lists of lengths */
	{"coding wins over length", OK11 CL5 CHUNKED "\r\n1\r\nx\r\n0\r\n\r\n", GOOD(.body = "x")},
	{"coding wins over a bad length",
	 OK11 "Content-Length: x\r\n" CHUNKED "\r\n1\r\nx\r\n0\r\n\r\n", GOOD(.body = "x")},
	{"gzip, chunked", OK11 "Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	 GOOD(.is_keep_alive = true, .body = "x")},
	{"gzip and chunked in two headers",
	 OK11 "Transfer-Encoding: gzip\r\n" CHUNKED "\r\n1\r\nx\r\n0\r\n\r\n",
	 GOOD(.is_keep_alive = true, .body = "x")},
	{"chunked not last", OK11 "Transfer-Encoding: chunked, gzip\r\n\r\nxyz", .after = CLOSES,
	 GOOD(.body = "xyz")},
	{"chunked twice", OK11 "Transfer-Encoding: chunked, chunked\r\n\r\n", .status = 200,
	 BAD("chunked twice")},
	{"identity", OK11 "Transfer-Encoding: identity\r\n" CL5 "\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"equal lengths", OK11 CL5 CL5 "\r\nhello", GOOD(.is_keep_alive = true, .body = "hello")},
	{"equal lengths in a list", OK11 "Content-Length: 5 ,\t5\r\n\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
#define BAD_LENGTH .status = 200, BAD("malformed or contradicting content-length")
	{"different lengths", OK11 CL5 "Content-Length: 6\r\n\r\nhello", BAD_LENGTH},
	{"different lengths in a list", OK11 "Content-Length: 5, 6\r\n\r\nhello", BAD_LENGTH},
	{"length in a list with a gap", OK11 "Content-Length: 5,\r\n\r\nhello", BAD_LENGTH},
	{"length empty", OK11 "Content-Length:\r\n\r\n", BAD_LENGTH},
	{"length negative", OK11 "Content-Length: -5\r\n\r\n", BAD_LENGTH},
	{"length signed", OK11 "Content-Length: +5\r\n\r\n", BAD_LENGTH},
	{"length hex", OK11 "Content-Length: 0x5\r\n\r\n", BAD_LENGTH},
	{"length two words", OK11 "Content-Length: 5 5\r\n\r\n", BAD_LENGTH},
	{"length over 63 bits", OK11 "Content-Length: 9223372036854775808\r\n\r\n", BAD_LENGTH},
	{"length over 64 bits", OK11 "Content-Length: 18446744073709551621\r\n\r\n", BAD_LENGTH},
	/* the head's lines */
	{"no reason", "HTTP/1.1 200\r\n" CL5 "\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"empty reason", "HTTP/1.1 200 \r\n" CL5 "\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"bare LF",
	 "HTTP/1.1 200 OK\n"
	 "Content-Length: 5\n\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"status 599", "HTTP/1.1 599 Odd\r\n" CL5 "\r\nhello", .want = HTTP1_DONE, .status = 599,
	 .is_keep_alive = true, .body = "hello"},
	{"status 999", "HTTP/1.1 999 Odd\r\n" CL5 "\r\nhello", .want = HTTP1_DONE, .status = 999,
	 .is_keep_alive = true, .body = "hello"},
	{"folded length", OK11 "Content-Length:\r\n 5\r\n\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"folded connection", OK11 CL5 "Connection: x,\r\n\tclose \r\n \r\n\r\nhello",
	 GOOD(.body = "hello")},
	{"odd case", OK11 "cOnTeNt-LeNgTh:5\r\n\r\nhello",
	 GOOD(.is_keep_alive = true, .body = "hello")},
	{"status below 100", "HTTP/1.1 099 Odd\r\n\r\n", .status = 99,
	 BAD("the status is below 100")},
	{"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", BAD("malformed status line")},
	{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", BAD("malformed status line")},
	{"status missing", "HTTP/1.1\r\n\r\n", BAD("malformed status line")},
	{"version of two digits", "HTTP/1.10 200 OK\r\n\r\n", BAD("malformed status line")},
#define NOT_HTTP BAD("the answer is not HTTP/1")
	{"HTTP/2", "HTTP/2 200\r\n\r\n", NOT_HTTP},
	{"HTTP/0.9", "<html>hello</html>", NOT_HTTP},
	{"lower case", "http/1.1 200 OK\r\n\r\n", NOT_HTTP},
	{"empty line first", "\r\n" OK11 CL5 "\r\nhello", NOT_HTTP},
	{"CR within the version", "HT\rTP/1.1 200\r\n", NOT_HTTP},
	{"SSH", "SSH-2.0-OpenSSH_9.2p1\r\n", NOT_HTTP},
	{"TLS alert", "\x15\x03\x01", NOT_HTTP},
	{"space before the colon", OK11 "Content-Length : 5\r\n\r\nhello", .status = 200,
	 BAD("malformed header line")},
	{"no colon", OK11 "Content-Length\r\n\r\n", .status = 200, BAD("malformed header line")},
	{"no name", OK11 ": 5\r\n\r\n", .status = 200, BAD("malformed header line")},
	{"white space first", OK11 " a: b\r\n\r\n", .status = 200,
	 BAD("white space before the first header")},
	{"CR within a value", OK11 "a: b\rc\r\n\r\n", .status = 200,
	 BAD("a stray CR or NUL in the head")},
	{"head, open yet", OK11 CL5, MORE, .status = 200},
	{"closed at once", "", .after = CLOSES, BAD("closed without an answer")},
	{"closed within the status", "HTTP/1.1 2", .after = CLOSES, BAD("closed within the head")},
	{"closed within the head", OK11 CL5, .after = CLOSES, .status = 200,
	 BAD("closed within the head")},
};

/* Feeds raw in pieces [0,cut), [cut,len) or, when step is set, by that many bytes. */
static enum http1_state feed(struct http1 *r, const struct answer_case *c, size_t len, size_t cut,
			     size_t step, size_t *taken)
{
	enum http1_state state = HTTP1_MORE;

	http1_begin(r, c->is_head_request, CAP);
	for (size_t at = 0; at < len && state == HTTP1_MORE;) {
		size_t n = at < cut ? cut - at : len - at, used;
		char *piece;

		if (step)
			n = MIN_OF(step, len - at);
		piece = malloc(n); /* of its exact size, so that a read past it is seen */
		memcpy(piece, c->raw + at, n);
		state = http1_feed(r, piece, n, &used);
		free(piece);
		assert_true(used <= n);
		assert_true(used == n || state != HTTP1_MORE);
		at += used;
		*taken = at;
	}
	return state;
}

static void hold(struct http1 *r, const struct answer_case *c, size_t cut, size_t step)
{
	const char *body = c->body ? c->body : "";
	size_t taken = 0, len = strlen(c->raw);
	enum http1_state state = feed(r, c, len, cut, step, &taken);

	if (state == HTTP1_MORE && c->after == CLOSES)
		state = http1_eof(r);
	if (state != c->want || r->response.status != c->status ||
	    r->is_keep_alive != c->is_keep_alive)
		print_error("%s, cut %zu, step %zu: status %d, %s\n", c->name, cut, step,
			    r->response.status, r->why ? r->why : "no reason");
	assert_int_equal(state, c->want);
	assert_int_equal(r->response.status, c->status);
	assert_int_equal(r->is_keep_alive, c->is_keep_alive);
	assert_string_equal(buf_str(&r->response.body), body);
	assert_int_equal(r->response.is_body_truncated, c->is_truncated);
	assert_int_equal(r->response.body_total_bytes,
			 c->total_bytes ? c->total_bytes : strlen(body));
	if (c->why)
		assert_string_equal(r->why, c->why);
	else
		assert_null(r->why);
	if (state == HTTP1_DONE)
		assert_int_equal(len - taken, c->left);
}

static void every_answer_however_it_is_cut(void **state)
{
	struct http1 r;

	(void)state;
	http1_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t cut = 0; cut <= strlen(cases[i].raw); cut++)
			hold(&r, &cases[i], cut, 0);
		for (size_t step = 1; step < 8; step++)
			hold(&r, &cases[i], 0, step);
	}
	http1_release(&r);
}

static void headers_are_found(void **state)
{
	static const char raw[] = OK11 "X-Amz-Function-Error: Unhandled\r\nA:  b c \t\r\nE:\r\n"
				       "a: second\r\nFold: x\r\n  y\r\nContent-Length: 0\r\n\r\n";
	static const struct {
		const char *name, *value;
	} want[] = {
		{"x-amz-function-error", "Unhandled"},
		{"a", "b c"},
		{"e", ""},
		{"FOLD", "x    y"},
		{"content-length", "0"},
		{"b", NULL},
		{"", NULL},
	};
	struct http1 r;
	size_t used, len = 0;

	(void)state;
	http1_init(&r);
	http1_begin(&r, false, CAP);
	assert_int_equal(http1_feed(&r, raw, strlen(raw), &used), HTTP1_DONE);
	assert_int_equal(r.response.header_count, 6);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		const char *value = response_header(&r.response, want[i].name, &len);

		assert_int_equal(!value, !want[i].value);
		if (!value)
			continue;
		assert_int_equal(len, strlen(want[i].value));
		assert_memory_equal(value, want[i].value, len);
	}
	http1_release(&r);
}

/* A head, an interim answer, an extension or a trailer that never ends meets its bound. */
static void endless_answers_are_refused(void **state)
{
	static const struct {
		const char *first, *again, *why;
	} endless[] = {
		{OK11 "a: ", "x", "the head is too long"},
		{OK11, "a: b\r\n", "too many headers"},
		{OK11 "a: ", "b\r\n ", "the head is too long"},
		{OK11 "a: b\r\n", " \n", "the head is too long"}, /* once took seconds */
		{"", "HTTP/1.1 103 Early\r\n\r\n", "too many interim answers"},
		{OK11 CHUNKED "\r\n5;", "x", "chunk extensions or trailers are too long"},
		{OK11 CHUNKED "\r\n", "1;x\r\ny\r\n", "chunk extensions or trailers are too long"},
		{OK11 CHUNKED "\r\n0\r\n", "a: b\r\n", "chunk extensions or trailers are too long"},
		{OK11 CHUNKED "\r\n", "0", "the chunk size is too large"},
		{"HTTP/1.1 200 ", "x", "the head is too long"},
	};
	struct http1 r;
	size_t used;

	(void)state;
	http1_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
		enum http1_state got;
		size_t fed = 0;

		http1_begin(&r, false, CAP);
		got = http1_feed(&r, endless[i].first, strlen(endless[i].first), &used);
		for (; got == HTTP1_MORE && fed < 2 * RESPONSE_HEAD_MAX_BYTES; fed++)
			got = http1_feed(&r, endless[i].again, strlen(endless[i].again), &used);
		assert_int_equal(got, HTTP1_BAD);
		assert_string_equal(r.why, endless[i].why);
		assert_true(r.response.head.cap_bytes <= RESPONSE_HEAD_MAX_BYTES + 1);
	}
	http1_release(&r);
}

/* A response that was cut short leaves nothing behind for the next one; memory stays. */
static void a_response_is_used_again(void **state)
{
	static const char first[] = OK11 CHUNKED "Connection: close\r\n\r\n5\r\nhel";
	static const char second[] = OK11 CL5 "\r\nworld";
	struct http1 r;
	size_t used, len;
	char *memory;

	(void)state;
	http1_init(&r);
	http1_begin(&r, true, CAP);
	http1_begin(&r, false, CAP);
	assert_int_equal(http1_feed(&r, first, strlen(first), &used), HTTP1_MORE);
	memory = r.response.body.data;
	http1_begin(&r, false, CAP);
	assert_int_equal(http1_feed(&r, second, strlen(second), &used), HTTP1_DONE);
	assert_string_equal(buf_str(&r.response.body), "world");
	assert_null(response_header(&r.response, "connection", &len));
	assert_true(r.is_keep_alive);
	assert_ptr_equal(r.response.body.data, memory);
	assert_int_equal(http1_feed(&r, second, strlen(second), &used), HTTP1_DONE);
	assert_int_equal(used, 0);
	http1_release(&r);
}

/* A head that comes again, byte for byte, means the same, whatever came in between. */
static void the_same_head_again(void **state)
{
	static const char *const between[] = {
		OK11 CL5 "Other: x\r\n\r\nworld", "HTTP/1.1 404 No\r\nA: b\r\nbad\r\n",
		"HTTP/1.1 100 Go on\r\nI: j\r\n\r\n" OK11 "Content-Length: 0\r\n\r\n", OK11 "Le"};
	static const char raw[] = OK11 "Other: y\r\n" CL5 "\r\nhello";
	struct http1 r;
	size_t used, len;

	(void)state;
	http1_init(&r);
	for (size_t i = 0; i < 3 * ARRAY_LEN(between); i++) {
		const char *other = between[i % ARRAY_LEN(between)];
		const bool is_head = i >= ARRAY_LEN(between) && i < 2 * ARRAY_LEN(between);

		for (int again = 0; again < 3; again++) {
			http1_begin(&r, is_head && again < 2, CAP);
			assert_int_equal(http1_feed(&r, raw, strlen(raw), &used), HTTP1_DONE);
			assert_int_equal(used, strlen(raw) - (is_head && again < 2 ? 5 : 0));
			assert_int_equal(r.response.status, 200);
			assert_true(r.is_keep_alive);
			assert_memory_equal(response_header(&r.response, "other", &len), "y", 1);
			assert_int_equal(r.response.head.len_bytes, strlen(raw) - 5);
		}
		http1_begin(&r, false, CAP);
		(void)http1_feed(&r, other, strlen(other), &used);
	}
	http1_release(&r);
}

static void a_cap_of_zero_keeps_nothing(void **state)
{
	static const char raw[] = OK11 CL5 "\r\nhello";
	struct http1 r;
	size_t used;

	(void)state;
	http1_init(&r);
	http1_begin(&r, false, 0);
	assert_int_equal(http1_feed(&r, raw, strlen(raw), &used), HTTP1_DONE);
	assert_int_equal(r.response.body.len_bytes, 0);
	assert_int_equal(r.response.body_total_bytes, 5);
	assert_true(r.response.is_body_truncated);
	http1_release(&r);
}

/* What a parse came to, for comparison. */
struct outcome {
	enum http1_state state;
	int status;
	bool is_keep_alive;
	uint64_t total_bytes;
	size_t kept_bytes, header_count, taken_bytes;
	const char *why;
};

static struct outcome parse(struct http1 *r, const char *data, size_t len, struct rng *cuts)
{
	size_t at = 0, used = 0;
	struct outcome o = {.state = HTTP1_MORE};

	http1_begin(r, false, CAP);
	while (at < len && o.state == HTTP1_MORE) {
		size_t n =
			cuts ? 1 + (size_t)rng_below(cuts, MIN_OF(len - at, (size_t)9)) : len - at;
		char *piece = malloc(n);

		memcpy(piece, data + at, n);
		o.state = http1_feed(r, piece, n, &used);
		free(piece);
		at += used;
	}
	o.status = r->response.status;
	o.is_keep_alive = r->is_keep_alive;
	o.total_bytes = r->response.body_total_bytes;
	o.kept_bytes = r->response.body.len_bytes;
	o.header_count = r->response.header_count;
	o.taken_bytes = o.state == HTTP1_DONE ? at : 0;
	o.why = r->why;
	return o;
}

static size_t mutate(char *data, size_t len, size_t size, struct rng *g)
{
	static const char spice[] = "\r\n\0 :;,\t0159aFg-";
	size_t at = (size_t)rng_below(g, len), n;

	switch (rng_below(g, 4)) {
	case 0: /* another byte */
		data[at] = rng_below(g, 2) ? (char)rng_next(g)
					   : spice[rng_below(g, sizeof(spice) - 1)];
		return len;
	case 1: /* some bytes gone */
		n = (size_t)rng_below(g, MIN_OF(len - at, (size_t)8));
		memmove(data + at, data + at + n, len - at - n);
		return len - n;
	case 2: /* some bytes twice */
		n = MIN_OF((size_t)rng_below(g, 20), MIN_OF(len - at, size - len));
		memmove(data + at + n, data + at, len - at);
		return len + n;
	default: /* cut off */
		return rng_below(g, 8) ? len : at + 1;
	}
}

/* Whatever comes, the pieces it comes in do not matter. Short, but in every run of the tests. */
static void mutated_answers_are_read_alike_in_pieces(void **state)
{
	struct rng g = {.state = 20261122};
	struct http1 whole, pieces;
	char data[1024];

	(void)state;
	http1_init(&whole);
	http1_init(&pieces);
	for (size_t i = 0; i < 30000; i++) {
		const char *raw = cases[rng_below(&g, ARRAY_LEN(cases))].raw;
		size_t len = strlen(raw);
		struct outcome a, b;

		memcpy(data, raw, len);
		for (uint64_t k = rng_below(&g, 5); len && k; k--)
			len = mutate(data, len, sizeof(data), &g);
		a = parse(&whole, data, len, NULL);
		if (rng_below(&g, 2)) /* the same head again may take a shorter way */
			a = parse(&whole, data, len, NULL);
		b = parse(&pieces, data, len, &g);
		assert_int_equal(a.state, b.state);
		assert_int_equal(a.status, b.status);
		assert_int_equal(a.is_keep_alive, b.is_keep_alive);
		assert_int_equal(a.total_bytes, b.total_bytes);
		assert_int_equal(a.kept_bytes, b.kept_bytes);
		assert_int_equal(a.header_count, b.header_count);
		assert_int_equal(a.taken_bytes, b.taken_bytes);
		assert_ptr_equal(a.why, b.why);
		assert_memory_equal(buf_str(&whole.response.body), buf_str(&pieces.response.body),
				    a.kept_bytes);
		assert_memory_equal(whole.response.headers, pieces.response.headers,
				    a.header_count * sizeof(struct response_header));
		if (a.state == HTTP1_DONE)
			assert_string_equal(buf_str(&whole.response.head),
					    buf_str(&pieces.response.head));
	}
	http1_release(&whole);
	http1_release(&pieces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_however_it_is_cut),
		cmocka_unit_test(headers_are_found),
		cmocka_unit_test(endless_answers_are_refused),
		cmocka_unit_test(a_response_is_used_again),
		cmocka_unit_test(the_same_head_again),
		cmocka_unit_test(a_cap_of_zero_keeps_nothing),
		cmocka_unit_test(mutated_answers_are_read_alike_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
