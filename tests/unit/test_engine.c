/* The load engine against servers that misbehave: each call ends once, in the right class. */
#include "tests/unit/engine_fixture.h"

static char many_headers[600 * 1000], long_header[1000 * 1000];

static void fill(char *out, size_t size, const char *start, const char *again)
{
	const size_t start_bytes = strlen(start), again_bytes = strlen(again);

	memcpy(out, start, start_bytes);
	for (size_t at = start_bytes; at + again_bytes < size; at += again_bytes)
		memcpy(out + at, again, again_bytes);
}

/* ---- one server behaviour, two calls one after the other ---- */

struct server_case {
	const char *name;
	struct fake_script script;
	enum engine_end end;
	int status;
	uint32_t connects; /* for the two calls */
	bool is_tls;
	const char *why; /* NULL = any */
};

#define WANT(class, code, connections)                                                             \
	.end = ENGINE_##class, .status = (code), .connects = (connections)

static const struct server_case server_cases[] = {
	{"keeps the connection", {.answer = HELLO}, WANT(ANSWERED, 200, 1)},
	{"byte by byte", {.answer = HELLO, .piece_bytes = 1}, WANT(ANSWERED, 200, 1)},
	{"says close, stays",
	 {.answer = OK11 "Connection: close\r\nContent-Length: 0\r\n\r\n"},
	 WANT(ANSWERED, 200, 2)},
	{"says nothing, closes", {.answer = HELLO, .then = FAKE_CLOSES}, WANT(ANSWERED, 200, 2)},
	{"half closes after the answer",
	 {.answer = HELLO, .then = FAKE_HALF_CLOSES},
	 WANT(ANSWERED, 200, 2)},
	{"resets after the answer",
	 {.answer = HELLO, .then = FAKE_RESETS, .piece_bytes = 0},
	 WANT(ANSWERED, 200, 2)},
	{"until close", {.answer = OK11 "\r\nhello", .then = FAKE_CLOSES}, WANT(ANSWERED, 200, 2)},
	{"until half close",
	 {.answer = OK11 "\r\nhello", .then = FAKE_HALF_CLOSES},
	 WANT(ANSWERED, 200, 2)},
	{"garbage after the answer", {.answer = HELLO "garbage"}, WANT(ANSWERED, 200, 2)},
	{"a second answer", {.answer = HELLO HELLO}, WANT(ANSWERED, 200, 2)},
	{"interim answers",
	 {.answer = "HTTP/1.1 100 Continue\r\n\r\n" HELLO, .piece_bytes = 7},
	 WANT(ANSWERED, 200, 1)},
	{"chunked",
	 {.answer = OK11 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"},
	 WANT(ANSWERED, 200, 1)},
	{"429",
	 {.answer = "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"},
	 WANT(ANSWERED, 429, 1)},
	{"a redirect is an answer",
	 {.answer = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"},
	 WANT(ANSWERED, 302, 1)},
	{"silence", {.answer = NULL}, WANT(TIMEOUT, 0, 2), .why = "no whole answer in time"},
	{"half an answer", {.answer = OK11 "Content-Length: 5\r\n\r\nhel"}, WANT(TIMEOUT, 0, 2)},
	{"drips a status line",
	 {.answer = "HTTP/1.1 200 OK", .is_endless = true, .piece_bytes = 1},
	 WANT(TIMEOUT, 0, 2)},
	{"an endless body",
	 {.answer = OK11 "\r\nhello", .piece_bytes = 1, .is_endless = true},
	 WANT(TIMEOUT, 0, 2)},
	{"closes unanswered",
	 {.answer = NULL, .then = FAKE_CLOSES},
	 WANT(CONNECT, 0, 2),
	 .why = "closed without an answer"},
	{"half closes unanswered", {.answer = NULL, .then = FAKE_HALF_CLOSES}, WANT(CONNECT, 0, 2)},
	{"resets unanswered", {.answer = NULL, .then = FAKE_RESETS}, WANT(CONNECT, 0, 2)},
	{"closes in the head",
	 {.answer = OK11, .then = FAKE_CLOSES},
	 WANT(CONNECT, 0, 2),
	 .why = "closed within the head"},
	{"closes in the body",
	 {.answer = OK11 "Content-Length: 5\r\n\r\nhel", .then = FAKE_CLOSES},
	 WANT(CONNECT, 0, 2),
	 .why = "closed before the body was whole"},
	{"half closes in the body",
	 {.answer = OK11 "Content-Length: 5\r\n\r\nhel", .then = FAKE_HALF_CLOSES},
	 WANT(CONNECT, 0, 2)},
	{"resets in the body",
	 {.answer = OK11 "Content-Length: 5\r\n\r\nhel", .then = FAKE_RESETS},
	 WANT(CONNECT, 0, 2)},
	{"resets in the head", {.answer = "HTTP/1.1 ", .then = FAKE_RESETS}, WANT(CONNECT, 0, 2)},
	{"not HTTP",
	 {.answer = "SSH-2.0-OpenSSH_9.2p1\r\n"},
	 WANT(BAD_ANSWER, 0, 2),
	 .why = "the answer is not HTTP/1"},
	{"HTTP/0.9", {.answer = "<html>", .then = FAKE_CLOSES}, WANT(BAD_ANSWER, 0, 2)},
	{"two lengths",
	 {.answer = OK11 "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
	 WANT(BAD_ANSWER, 0, 2)},
	{"100,000 headers",
	 {.answer = many_headers},
	 WANT(BAD_ANSWER, 0, 2),
	 .why = "too many headers"},
	{"a header of 1 MB",
	 {.answer = long_header},
	 WANT(BAD_ANSWER, 0, 2),
	 .why = "the head is too long"},
	{"speaks plain on a TLS port",
	 {.answer = HELLO, .is_greeting = true},
	 WANT(TLS, 0, 2),
	 .is_tls = true},
	{"stalls the handshake",
	 {.answer = NULL},
	 WANT(TLS, 0, 2),
	 .is_tls = true,
	 .why = "the handshake did not finish in time"},
	{"closes in the handshake",
	 {.answer = "", .is_early = true, .then = FAKE_CLOSES},
	 WANT(TLS, 0, 2),
	 .is_tls = true},
	{"resets in the handshake",
	 {.answer = "", .is_early = true, .then = FAKE_RESETS},
	 WANT(TLS, 0, 2),
	 .is_tls = true},
};

static void hold_server_case(struct loop *l, const struct server_case *c)
{
	const size_t files = open_files();
	struct fake f;
	struct bench b;

	fake_start(&f, l, &c->script);
	set_up_at(&b, l, "127.0.0.1", f.port, LIMITS, c->is_tls);
	for (uint32_t i = 0; i < 2; i++) {
		submit(&b, mono_now());
		run_until(&b, i + 1);
		run_for(l, 2 * NS_PER_MS);
		if (b.calls[i].end != c->end || b.status[i] != c->status)
			print_error("%s: end %d, %s\n", c->name, (int)b.calls[i].end,
				    b.calls[i].why ? b.calls[i].why : "no reason");
		assert_int_equal(b.calls[i].end, c->end);
		assert_int_equal(b.status[i], c->status);
		if (c->why)
			assert_string_equal(b.calls[i].why, c->why);
	}
	if (stats(&b).connects != c->connects)
		print_error("%s: %u connections\n", c->name, (unsigned)stats(&b).connects);
	assert_int_equal(stats(&b).connects, c->connects);
	tear_down(&b);
	fake_stop(&f);
	assert_int_equal(open_files(), files);
}

static void every_behaviour_has_its_class(void **state)
{
	fill(many_headers, sizeof(many_headers), OK11, "a: b\r\n");
	fill(long_header, sizeof(long_header), OK11 "a: ", "x");
	for (size_t i = 0; i < ARRAY_LEN(server_cases); i++)
		hold_server_case(*state, &server_cases[i]);
}

/* ---- connecting ---- */

static void a_refused_connection(void **state)
{
	struct bench b;
	uint16_t port;

	close(fake_listen(&port));
	set_up(&b, *state, port);
	for (int i = 0; i < 10; i++)
		submit(&b, mono_now());
	run_until(&b, 10);
	assert_int_equal(b.by_end[ENGINE_CONNECT], 10);
	assert_string_equal(b.calls[0].why, "Connection refused");
	assert_int_equal(b.calls[0].sent.ns, 0);
	tear_down(&b);
}

/* The accept queue is full: further connection requests get no reply. */
static void a_connection_that_is_not_accepted(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fillers[8];
	struct bench b;
	uint16_t port;
	int fd = fake_listen(&port);

	assert_int_equal(listen(fd, 0), 0);
	to.sin_port = htons(port);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fillers[i], (struct sockaddr *)&to, sizeof(to)))
			assert_int_equal(errno, EINPROGRESS);
	}
	set_up(&b, *state, port);
	submit(&b, mono_now());
	submit(&b, mono_now());
	run_until(&b, 2);
	assert_int_equal(b.by_end[ENGINE_CONNECT], 2);
	assert_string_equal(b.calls[0].why, "no connection was made in time");
	tear_down(&b);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
		close(fillers[i]);
	close(fd);
}

/* Another attempt is under way: the call is not lost with the first that fails. */
static void one_of_two_attempts_fails(void **state)
{
	struct mono start = mono_now();
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = NULL});
	set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(4, 1000, 100, 0), true);
	engine_pool_connect(b.pool, 2, 50 * NS_PER_MS, on_ramp_done);
	run_for(*state, 60 * NS_PER_MS);
	submit(&b, mono_now());
	run_until(&b, 1);
	assert_int_equal(b.calls[0].end, ENGINE_TLS);
	assert_true(mono_diff_ns(b.calls[0].done, start) >= 145 * NS_PER_MS);
	assert_int_equal(b.ramp_failed, 2);
	tear_down(&b);
	fake_stop(&f);
}

/* A name with two addresses, one of which refuses: no call pays for it. */
static void one_of_two_addresses_refuses(void **state)
{
	uint16_t refused;
	struct fake f;
	struct bench b;

	close(fake_listen(&refused));
	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	set_up(&b, *state, f.port);
	b.pool->addresses.items[1] = b.pool->addresses.items[0];
	b.pool->addresses.items[0].to.v4.sin_port = htons(refused);
	b.pool->addresses.count = 2;
	for (int i = 0; i < 4; i++)
		submit(&b, mono_now());
	run_until(&b, 4);
	assert_int_equal(b.by_end[ENGINE_ANSWERED], 4);
	assert_int_equal(f.accepted, 4);
	tear_down(&b);
	fake_stop(&f);
}

/* All addresses of a name get their share of the connections. */
static void two_addresses_are_used_in_turn(void **state)
{
	struct fake f, other;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	fake_start(&other, *state, &(struct fake_script){.answer = HELLO});
	set_up(&b, *state, f.port);
	b.pool->addresses.items[1] = b.pool->addresses.items[0];
	b.pool->addresses.items[1].to.v4.sin_port = htons(other.port);
	b.pool->addresses.count = 2;
	for (int i = 0; i < 4; i++)
		submit(&b, mono_now());
	run_until(&b, 4);
	assert_int_equal(b.by_end[ENGINE_ANSWERED], 4);
	assert_int_equal(f.accepted, 2);
	assert_int_equal(other.accepted, 2);
	tear_down(&b);
	fake_stop(&f);
	fake_stop(&other);
}

static void connections_opened_ahead(void **state)
{
	static const struct {
		uint32_t asked, open, failed;
		bool is_refused;
	} ramps[] = {{3, 3, 0, false}, {9, 4, 0, false}, {0, 0, 0, false}, {3, 0, 3, true}};

	for (size_t i = 0; i < ARRAY_LEN(ramps); i++) {
		struct mono start = mono_now();
		struct fake f;
		struct bench b;

		fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
		if (ramps[i].is_refused)
			fake_stop(&f);
		set_up(&b, *state, f.port);
		engine_pool_connect(b.pool, ramps[i].asked, 5 * NS_PER_MS, on_ramp_done);
		assert_false(b.is_ramp_done);
		while (!b.is_ramp_done)
			loop_turn(*state, 100 * NS_PER_MS);
		assert_int_equal(b.ramp_open, ramps[i].open);
		assert_int_equal(b.ramp_failed, ramps[i].failed);
		assert_int_equal(stats(&b).open, ramps[i].open);
		if (ramps[i].asked > 1)
			assert_true(mono_diff_ns(mono_now(), start) >= 10 * NS_PER_MS);
		if (!ramps[i].is_refused) {
			submit(&b, mono_now());
			run_until(&b, 1);
			assert_int_equal(stats(&b).connects, MAX_OF(ramps[i].open, 1u));
			fake_stop(&f);
		}
		tear_down(&b);
	}
}

static void private_addresses_are_refused(void **state)
{
	static const char *const hosts[] = {"127.0.0.1",
					    "localhost",
					    "::1",
					    "::ffff:127.0.0.1",
					    "127.1",
					    "2130706433",
					    "0",
					    "169.254.169.254",
					    "10.1.2.3",
					    "224.0.0.1",
					    "64:ff9b::a00:1"};
	struct engine *e = engine_new(*state);
	struct engine_pool *p = NULL;
	char why[ENGINE_WHY_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct engine_endpoint ep = {.host = hosts[i], .port = 80};

		assert_int_equal(engine_pool_new(e, &ep, LIMITS, on_done, NULL, &p, why), -EACCES);
		assert_non_null(strstr(why, "may not be called"));
	}
	assert_null(p);
	engine_free(e);
}

static void a_pool_that_cannot_be(void **state)
{
	const struct {
		struct engine_endpoint ep;
		int want;
	} cases[] = {
		{{.host = "name.invalid", .port = 80}, -ENOENT},
		{{.host = "127.0.0.1",
		  .port = 1,
		  .is_tls = true,
		  .ca_file = "/nowhere",
		  .allow_private = true},
		 -EINVAL},
		{{.host = "224.0.0.1", .port = 80, .allow_private = true}, -EACCES},
	};
	struct engine *e = engine_new(*state);
	struct engine_pool *p;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char why[ENGINE_WHY_SIZE] = "";
		int rc = engine_pool_new(e, &cases[i].ep, LIMITS, on_done, NULL, &p, why);

		if (cases[i].want == -ENOENT && rc == -EAGAIN)
			rc = -ENOENT; /* a machine without a name server */
		assert_int_equal(rc, cases[i].want);
		assert_true(strlen(why) > 0);
	}
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_behaviour_has_its_class),
		cmocka_unit_test(a_refused_connection),
		cmocka_unit_test(a_connection_that_is_not_accepted),
		cmocka_unit_test(connections_opened_ahead),
		cmocka_unit_test(private_addresses_are_refused),
		cmocka_unit_test(a_pool_that_cannot_be),
		cmocka_unit_test(one_of_two_attempts_fails),
		cmocka_unit_test(one_of_two_addresses_refuses),
		cmocka_unit_test(two_addresses_are_used_in_turn),
	};

	return cmocka_run_group_tests(tests, make_loop, free_loop);
}
