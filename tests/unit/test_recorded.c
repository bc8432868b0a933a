/*
 * What real servers answered (tests/data/answers, by tests/helpers/record_answers.py): fed byte by
 * byte, and cut at each place, it gives the same as in one piece.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/engine/http1.h"
#include "common/engine/http2.h"

#define FOLDER "tests/data/answers"
#define FILE_MAX_BYTES (64u * 1024u)
#define BODY_KEPT_BYTES 1000
#define STREAMS 2

/* One cut, or by single bytes when cut is SIZE_MAX. Pieces of their exact size: a read past one is
 * seen. */
static char *piece_at(const struct buf *in, size_t at, size_t cut, size_t *len_bytes)
{
	char *piece;

	*len_bytes = cut == SIZE_MAX ? 1 : at < cut ? cut - at : in->len_bytes - at;
	piece = malloc(*len_bytes);
	assert_non_null(piece);
	memcpy(piece, in->data + at, *len_bytes);
	return piece;
}

static void describe(const struct response *r, struct buf *out)
{
	buf_addf(out, "%d %d %llu\n", r->status, r->is_body_truncated,
		 (unsigned long long)r->body_total_bytes);
	for (size_t i = 0; i < r->header_count; i++) {
		const struct response_header *f = &r->headers[i];

		buf_addf(out, "%.*s=%.*s\n", (int)f->name_bytes, r->head.data + f->name_at,
			 (int)f->value_bytes, r->head.data + f->value_at);
	}
	buf_add(out, buf_str(&r->body), r->body.len_bytes);
}

/* ---- HTTP/1 ---- */

static void read_answer(const struct buf *in, bool is_head, size_t cut, struct buf *out)
{
	static struct http1 h; /* one for all, as the engine uses them */
	enum http1_state state = HTTP1_MORE;

	if (!h.response.head.max_bytes)
		http1_init(&h);
	http1_begin(&h, is_head, BODY_KEPT_BYTES);
	for (size_t at = 0; at < in->len_bytes;) {
		size_t n, used;
		char *piece = piece_at(in, at, cut, &n);

		assert_int_equal(state, HTTP1_MORE);
		state = http1_feed(&h, piece, n, &used);
		free(piece);
		assert_int_equal(used, n);
		at += n;
	}
	if (state == HTTP1_MORE)
		state = http1_eof(&h);
	assert_int_equal(state, HTTP1_DONE);
	buf_clear(out);
	buf_addf(out, "%d ", h.is_keep_alive);
	describe(&h.response, out);
}

static void read_http1(const struct buf *in, size_t cut, struct buf *out)
{
	read_answer(in, false, cut, out);
}

static void read_head(const struct buf *in, size_t cut, struct buf *out)
{
	read_answer(in, true, cut, out);
}

/* ---- HTTP/2 ---- */

static void pull_all(struct http2 *h)
{
	static char out[16384];

	while (http2_pull(h, out, sizeof(out)) > 0)
		;
}

/* Streams 1 and 3, as the client asked whose server was recorded. */
static void ask(struct http2 *h, const struct engine_request *request,
		struct http2_stream *streams[STREAMS])
{
	static const char settings[9] = {[3] = 4};

	pull_all(h);
	assert_int_equal(http2_feed(h, settings, sizeof(settings)), 0);
	for (size_t i = 0; i < STREAMS; i++)
		assert_int_equal(http2_submit(h, request, NULL, &streams[i]), 0);
	pull_all(h);
}

static void describe_streams(struct http2 *h, struct http2_spare *spare,
			     struct http2_stream *const streams[STREAMS], struct buf *out)
{
	struct http2_stream *s;
	size_t ended = 0;

	while ((s = http2_next_ended(h))) {
		assert_int_equal(s->end, HTTP2_ANSWERED);
		ended++;
	}
	assert_int_equal(ended, STREAMS);
	buf_clear(out);
	for (size_t i = 0; i < STREAMS; i++) {
		describe(streams[i]->response, out);
		http2_spare_put(spare, streams[i]);
	}
}

static void read_http2(const struct buf *in, size_t cut, struct buf *out)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
	const struct http2_config config = {.body_max_bytes = BODY_KEPT_BYTES};
	struct http2_stream *streams[STREAMS];
	struct engine_request request = {0};
	struct http2_spare spare = {0};
	struct http2 *h;

	assert_int_equal(engine_request_set(&request, text, sizeof(text) - 1), 0);
	assert_int_equal(engine_request_add_fields(&request, false), 0);
	assert_int_equal(http2_new(&config, &spare, &h), 0);
	ask(h, &request, streams);
	for (size_t at = 0; at < in->len_bytes;) {
		size_t n;
		char *piece = piece_at(in, at, cut, &n);

		assert_int_equal(http2_feed(h, piece, n), 0);
		free(piece);
		pull_all(h);
		at += n;
	}
	describe_streams(h, &spare, streams, out);
	http2_free(h);
	http2_spare_release(&spare);
	engine_request_release(&request);
}

/* ---- all of them ---- */

static void hold_cuts(const char *name, const struct buf *in,
		      void (*read)(const struct buf *in, size_t cut, struct buf *out))
{
	struct buf whole = BUF_INIT(FILE_MAX_BYTES), cut_up = BUF_INIT(FILE_MAX_BYTES);

	read(in, in->len_bytes, &whole);
	for (size_t cut = 1; cut <= in->len_bytes; cut++) {
		read(in, cut == in->len_bytes ? SIZE_MAX : cut, &cut_up);
		if (whole.len_bytes != cut_up.len_bytes ||
		    memcmp(whole.data, cut_up.data, whole.len_bytes) != 0)
			fail_msg("%s cut at %zu: %s\n\tin one piece: %s", name, cut,
				 buf_str(&cut_up), buf_str(&whole));
	}
	buf_release(&whole);
	buf_release(&cut_up);
}

static size_t hold_all(const char *suffix,
		       void (*read)(const struct buf *in, size_t cut, struct buf *out))
{
	struct buf in = BUF_INIT(FILE_MAX_BYTES);
	DIR *d = opendir(FOLDER);
	size_t count = 0;

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		const char *dot = strrchr(e->d_name, '.');
		char path[sizeof(FOLDER) + sizeof(e->d_name) + 1];

		if (!dot || strcmp(dot, suffix) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", FOLDER, e->d_name);
		buf_clear(&in);
		assert_int_equal(fs_read(path, &in), 0);
		hold_cuts(e->d_name, &in, read);
		count++;
	}
	closedir(d);
	buf_release(&in);
	return count;
}

static void answers_of_http1(void **state)
{
	(void)state;
	assert_true(hold_all(".http1", read_http1) >= 20);
	assert_true(hold_all(".head", read_head) >= 4);
}

static void connections_of_http2(void **state)
{
	(void)state;
	assert_true(hold_all(".http2", read_http2) >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_of_http1),
		cmocka_unit_test(connections_of_http2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
