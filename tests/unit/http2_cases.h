/*
 * http2_cases.h - what servers say on streams 1 and 3, and what is to become of those.
 *
 *	cases[i].say(&bytes);
 *	... feed them, and compare with cases[i].want ...
 */
#ifndef TESTS_UNIT_HTTP2_CASES_H
#define TESTS_UNIT_HTTP2_CASES_H

#include "tests/unit/http2_frames.h"

struct server_case {
	const char *name;
	void (*say)(struct buf *out); /* on streams 1 and 3 */
	const char *want;	      /* of the first, of the second, of the connection */
};

#define HELLO(id)                                                                                  \
	do {                                                                                       \
		put_headers(out, id, END_HEADERS, "200", "server", "x", NULL);                     \
		put_frame(out, DATA, END_STREAM, id, "hello", 5);                                  \
	} while (0)

#define SAYS(name) static void name(struct buf *out)

SAYS(both)
{
	HELLO(1);
	HELLO(3);
}
SAYS(other_order)
{
	HELLO(3);
	HELLO(1);
}
SAYS(mixed)
{
	put_headers(out, 3, END_HEADERS, "404", NULL);
	put_headers(out, 1, END_HEADERS, "200", NULL);
	put_frame(out, DATA, 0, 3, "ab", 2);
	put_frame(out, DATA, END_STREAM, 1, "one", 3);
	put_frame(out, DATA, END_STREAM, 3, "cd", 2);
}
SAYS(head_only)
{
	put_headers(out, 1, END_HEADERS | END_STREAM, "204", NULL);
}
SAYS(past_the_cap)
{
	put_headers(out, 1, END_HEADERS, "200", NULL);
	put_frame(out, DATA, 0, 1, "0123456789", 10);
	put_frame(out, DATA, END_STREAM, 1, "0123456789", 10);
}
SAYS(padded)
{
	put_headers(out, 1, END_HEADERS, "200", NULL);
	put_frame(out, DATA, END_STREAM | PADDED, 1, "\3hello\0\0\0", 9);
}
SAYS(interim)
{
	put_headers(out, 1, END_HEADERS, "103", "server", "early", NULL);
	put_headers(out, 1, END_HEADERS, "100", NULL);
	HELLO(1);
}
SAYS(interim_for_ever)
{
	for (int i = 0; i < 3000; i++)
		put_headers(out, 1, END_HEADERS, "100", NULL);
	HELLO(3);
}
SAYS(interim_as_the_end)
{
	put_headers(out, 1, END_HEADERS | END_STREAM, "100", NULL);
}
SAYS(upgrade)
{
	put_headers(out, 1, END_HEADERS, "101", NULL);
}
SAYS(trailers)
{
	put_headers(out, 1, END_HEADERS, "200", NULL);
	put_frame(out, DATA, 0, 1, "hello", 5);
	put_headers(out, 1, END_HEADERS | END_STREAM, "", "server", "late", NULL);
}
SAYS(trailers_open)
{
	put_headers(out, 1, END_HEADERS, "200", NULL);
	put_headers(out, 1, END_HEADERS, "", "a", "b", NULL);
}
SAYS(continued)
{
	struct buf block = BUF_INIT(1000);

	put_field(&block, ":status", "200");
	put_field(&block, "server", "x");
	put_frame(out, HEADERS, END_STREAM, 1, block.data, 5);
	put_frame(out, CONTINUATION, 0, 1, block.data + 5, 3);
	put_frame(out, CONTINUATION, END_HEADERS, 1, block.data + 8, block.len_bytes - 8);
	buf_release(&block);
}
SAYS(continued_by_another)
{
	put_frame(out, HEADERS, 0, 1, "\x88", 1);
	put_frame(out, DATA, 0, 1, "x", 1);
}
SAYS(continued_for_ever)
{
	put_frame(out, HEADERS, 0, 1, "\x88", 1);
	for (int i = 0; i < 2000; i++)
		put_frame(out, CONTINUATION, 0, 1, "", 0);
}
SAYS(many_headers)
{
	struct buf block = BUF_INIT(FRAMES_MAX_BYTES);

	put_field(&block, ":status", "200");
	for (int i = 0; i < 101; i++)
		put_field(&block, "a", "b");
	put_frame(out, HEADERS, END_HEADERS | END_STREAM, 1, block.data, block.len_bytes);
	HELLO(3);
	buf_release(&block);
}
/* One entry of the table, named again and again: a few bytes become many. */
SAYS(header_bomb)
{
	struct buf block = BUF_INIT(FRAMES_MAX_BYTES);
	static char value[3000];

	memset(value, 'v', sizeof(value));
	put_field(&block, ":status", "200");
	buf_addc(&block, 0x40);
	put_text(&block, "a", 1);
	put_text(&block, value, sizeof(value));
	for (int i = 0; i < 10000; i++)
		buf_addc(&block, (char)0xbe);
	put_frame(out, HEADERS, END_HEADERS | END_STREAM, 1, block.data, block.len_bytes);
	HELLO(3);
	buf_release(&block);
}
SAYS(bad_compression)
{
	put_frame(out, HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff", 5);
}
SAYS(no_status)
{
	put_headers(out, 1, END_HEADERS | END_STREAM, "", "a", "b", NULL);
	HELLO(3);
}
SAYS(status_twice)
{
	put_headers(out, 1, END_HEADERS | END_STREAM, "200", ":status", "200", NULL);
	HELLO(3);
}
SAYS(status_in_words)
{
	put_headers(out, 1, END_HEADERS | END_STREAM, "2xx", NULL);
	HELLO(3);
}
SAYS(connection_header)
{
	put_headers(out, 1, END_HEADERS | END_STREAM, "200", "connection", "close", NULL);
	HELLO(3);
}
SAYS(upper_case)
{
	put_headers(out, 1, END_HEADERS | END_STREAM, "200", "Server", "x", NULL);
	HELLO(3);
}
SAYS(data_first)
{
	put_frame(out, DATA, END_STREAM, 1, "hello", 5);
	HELLO(3);
}
SAYS(longer_than_said)
{
	put_headers(out, 1, END_HEADERS, "200", "content-length", "3", NULL);
	put_frame(out, DATA, END_STREAM, 1, "hello", 5);
	HELLO(3);
}
SAYS(shorter_than_said)
{
	put_headers(out, 1, END_HEADERS, "200", "content-length", "7", NULL);
	put_frame(out, DATA, END_STREAM, 1, "hello", 5);
	HELLO(3);
}
SAYS(reset_cancel)
{
	put_reset(out, 1, 8);
	HELLO(3);
}
SAYS(reset_internal)
{
	put_headers(out, 1, END_HEADERS, "200", NULL);
	put_reset(out, 1, 2);
}
SAYS(reset_refused)
{
	put_reset(out, 1, 7);
}
SAYS(reset_unknown)
{
	put_reset(out, 1, 99);
}
SAYS(reset_after_answer)
{
	HELLO(1);
	put_reset(out, 1, 0);
	HELLO(3);
}
SAYS(reset_flood)
{
	put_reset(out, 1, 8);
	for (int i = 0; i < 2000; i++)
		put_reset(out, 1, 8);
}
SAYS(goaway_all)
{
	put_goaway(out, 0, 0);
}
SAYS(goaway_above_1)
{
	put_goaway(out, 1, 11);
	HELLO(1);
}
SAYS(goaway_graceful)
{
	put_goaway(out, INT32_MAX, 0);
	HELLO(1);
	put_goaway(out, 3, 0);
	HELLO(3);
}
SAYS(push)
{
	struct buf block = BUF_INIT(100);

	put_u32(&block, 2);
	put_field(&block, ":method", "GET");
	put_frame(out, PUSH_PROMISE, END_HEADERS, 1, block.data, block.len_bytes);
	buf_release(&block);
}
SAYS(early_push)
{
	push(out);
	both(out);
}
SAYS(pings)
{
	for (int i = 0; i < 200; i++)
		put_frame(out, PING, 0, 0, "12345678", 8);
	both(out);
}
SAYS(ping_flood)
{
	for (int i = 0; i < 2000; i++)
		put_frame(out, PING, 0, 0, "12345678", 8);
}
SAYS(settings_flood)
{
	for (int i = 0; i < 2000; i++)
		put_settings(out);
}
SAYS(empty_data_flood)
{
	put_headers(out, 1, END_HEADERS, "200", NULL);
	for (int i = 0; i < 2000; i++)
		put_frame(out, DATA, 0, 1, "", 0);
}
SAYS(window_flood)
{
	for (int i = 0; i < 2000; i++)
		put_frame(out, WINDOW, 0, 0, "\0\0\0\1", 4);
}
SAYS(window_overflow)
{
	put_frame(out, WINDOW, 0, 1, "\x7f\xff\xff\xff", 4);
	HELLO(3);
}
SAYS(window_overflow_all)
{
	put_frame(out, WINDOW, 0, 0, "\x7f\xff\xff\xff", 4);
}
SAYS(frame_too_large)
{
	static char payload[17000];

	put_headers(out, 1, END_HEADERS, "200", NULL);
	put_frame(out, DATA, 0, 1, payload, sizeof(payload));
}
SAYS(unknown_frame)
{
	put_frame(out, 0x77, 0xff, 1, "whatever", 8);
	both(out);
}
SAYS(stream_never_opened)
{
	HELLO(5);
}
SAYS(priority)
{
	put_frame(out, PRIORITY, 0, 1, "\0\0\0\0\x10", 5);
	both(out);
}

#define CONN_BAD(why) "bad: " why "; bad: " why "; "
#define RULES "the server broke the rules of HTTP/2"
#define MALFORMED "malformed headers, or a body of another length than said"
#define OVER "over"
#define OK "200 server=xhello (5); "

static const struct server_case cases[] = {
	{"two answers", both, OK OK},
	{"in another order", other_order, OK OK},
	{"mixed", mixed, "200 one (3); 404 abcd (4); "},
	{"without a body", head_only, "204  (0); "},
	{"past the cap", past_the_cap, "200 cut 0123456789012345 (20); "},
	{"padded", padded, "200 hello (5); "},
	{"1xx first", interim, OK},
	{"1xx for ever", interim_for_ever, "bad: the head is too long; " OK},
	{"1xx as the end", interim_as_the_end, "bad: " MALFORMED "; "},
	{"101", upgrade, "bad: malformed headers; "},
	{"trailers", trailers, "200 hello (5); "},
	{"trailers that do not end it", trailers_open, "bad: " MALFORMED "; "},
	{"continuation", continued, "200 server=x (0); "},
	{"continuation interrupted", continued_by_another, CONN_BAD(RULES) OVER},
	{"continuation flood", continued_for_ever,
	 CONN_BAD("a flood of frames that carry nothing") OVER},
	{"101 headers", many_headers, "bad: too many headers; " OK},
	{"header bomb", header_bomb, "bad: the head is too long; " OK},
	{"bad compression", bad_compression, CONN_BAD(RULES) OVER},
	{"no status", no_status, "bad: " MALFORMED "; " OK},
	{"two statuses", status_twice, "bad: malformed headers; " OK},
	{"status in words", status_in_words, "bad: malformed headers; " OK},
	{"connection header", connection_header, "bad: malformed headers; " OK},
	{"upper case", upper_case, "bad: malformed headers; " OK},
	{"data first", data_first, CONN_BAD(RULES) OVER},
	{"longer than said", longer_than_said, "bad: " MALFORMED "; " OK},
	{"shorter than said", shorter_than_said, "bad: " MALFORMED "; " OK},
	{"reset: cancel", reset_cancel, "reset: the stream was reset by the server: CANCEL; " OK},
	{"reset within", reset_internal,
	 "reset: the stream was reset by the server: INTERNAL_ERROR; "},
	{"reset: refused", reset_refused,
	 "refused: the stream was reset by the server: REFUSED_STREAM; "},
	{"reset: unknown code", reset_unknown, "reset: the stream was reset by the server; "},
	{"reset after the answer", reset_after_answer, OK OK},
	{"reset flood", reset_flood,
	 "reset: the stream was reset by the server: CANCEL; bad: a flood of frames that carry "
	 "nothing; " OVER},
	{"goaway, none processed", goaway_all,
	 "refused: refused by GOAWAY: NO_ERROR; refused: refused by GOAWAY: NO_ERROR; " OVER},
	{"goaway, the first goes on", goaway_above_1,
	 OK "refused: refused by GOAWAY: ENHANCE_YOUR_CALM; " OVER},
	{"goaway, graceful", goaway_graceful, OK OK OVER},
	{"push", push, CONN_BAD(RULES) OVER},
	{"push, before it may know", early_push, OK OK},
	{"pings", pings, OK OK},
	{"ping flood", ping_flood, CONN_BAD("a flood of frames that carry nothing") OVER},
	{"settings flood", settings_flood, CONN_BAD("a flood of frames that carry nothing") OVER},
	{"empty data flood", empty_data_flood,
	 CONN_BAD("a flood of frames that carry nothing") OVER},
	{"window flood", window_flood, CONN_BAD("a flood of frames that carry nothing") OVER},
	{"window overflow", window_overflow, "bad: flow control was broken; " OK},
	{"window overflow of all", window_overflow_all, CONN_BAD("flow control was broken") OVER},
	{"frame too large", frame_too_large, CONN_BAD(RULES) OVER},
	{"unknown frame", unknown_frame, OK OK},
	{"stream never opened", stream_never_opened, CONN_BAD(RULES) OVER},
	{"priority", priority, OK OK},
};

#endif
