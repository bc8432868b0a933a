/* The load engine against servers that misbehave: each call ends once, in the right class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>

#include "common/engine/engine.h"
#include "tests/unit/fake_server.h"

#define OK11 "HTTP/1.1 200 OK\r\n"
#define HELLO OK11 "Content-Length: 5\r\n\r\nhello"
#define CALLS_MAX 64
#define GIVE_UP_NS (20 * NS_PER_S)

static const char request[] = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/* A loop, a pool and the calls handed to it. */
struct bench {
	struct loop *loop;
	struct engine *engine;
	struct engine_pool *pool;
	struct engine_call calls[CALLS_MAX];
	unsigned done[CALLS_MAX]; /* how often each ended */
	int status[CALLS_MAX];
	uint32_t submitted, ended, by_end[ENGINE_NOT_SENT + 1];
	uint32_t again; /* calls that done() submits in turn */
	bool is_in_submit;
	uint32_t ramp_open, ramp_failed;
	bool is_ramp_done;
};

static void submit(struct bench *b, struct mono due)
{
	struct engine_call *call = &b->calls[b->submitted];

	assert_true(b->submitted < CALLS_MAX);
	b->submitted++;
	call->due = due;
	call->request = (struct iovec){(void *)(uintptr_t)request, sizeof(request) - 1};
	b->is_in_submit = true;
	engine_submit(b->pool, call);
	b->is_in_submit = false;
}

static void on_done(struct engine_pool *p, struct engine_call *call, void *ctx)
{
	struct bench *b = ctx;
	size_t i = (size_t)(call - b->calls);

	assert_false(b->is_in_submit);
	assert_ptr_equal(p, b->pool);
	b->done[i]++;
	b->ended++;
	b->by_end[call->end]++;
	assert_int_equal(!call->response, call->end != ENGINE_ANSWERED);
	assert_int_equal(!call->why, call->end == ENGINE_ANSWERED);
	assert_false(mono_is_before(call->done, call->sent));
	if (call->response)
		b->status[i] = call->response->status;
	if (b->again) {
		b->again--;
		submit(b, mono_now());
	}
}

static void set_up_at(struct bench *b, struct loop *l, const char *host, uint16_t port,
		      const struct engine_limits *limits, bool is_tls)
{
	const struct engine_endpoint ep = {
		.host = host, .port = port, .is_tls = is_tls, .allow_private = true};
	char why[ENGINE_WHY_SIZE];

	*b = (struct bench){.loop = l, .engine = engine_new(l)};
	assert_int_equal(engine_pool_new(b->engine, &ep, limits, on_done, b, &b->pool, why), 0);
}

#define LIMITS                                                                                     \
	&(struct engine_limits)                                                                    \
	{                                                                                          \
		.in_flight = 4, .timeout_ms = 200, .connect_timeout_ms = 150,                      \
		.body_max_bytes = 1000                                                             \
	}

static void set_up(struct bench *b, struct loop *l, uint16_t port)
{
	set_up_at(b, l, "127.0.0.1", port, LIMITS, false);
}

static void tear_down(struct bench *b)
{
	engine_pool_free(b->pool);
	engine_free(b->engine);
	for (uint32_t i = 0; i < b->submitted; i++)
		assert_int_equal(b->done[i], 1);
	assert_int_equal(b->ended, b->submitted);
}

static void run_until(struct bench *b, uint32_t ended)
{
	struct mono give_up = mono_add_ns(mono_now(), GIVE_UP_NS);

	while (b->ended < ended) {
		assert_true(mono_is_before(mono_now(), give_up));
		loop_turn(b->loop, 100 * NS_PER_MS);
	}
}

static void run_for(struct loop *l, int64_t ns)
{
	struct mono end = mono_add_ns(mono_now(), ns);

	while (mono_is_before(mono_now(), end))
		loop_turn(l, mono_diff_ns(end, mono_now()));
}

static struct engine_pool_stats stats(const struct bench *b)
{
	struct engine_pool_stats s;

	engine_pool_stats(b->pool, &s);
	return s;
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

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

static void on_ramp_done(struct engine_pool *p, uint32_t open, uint32_t failed, void *ctx)
{
	struct bench *b = ctx;

	assert_ptr_equal(p, b->pool);
	assert_false(b->is_ramp_done);
	b->is_ramp_done = true;
	b->ramp_open = open;
	b->ramp_failed = failed;
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

/* ---- keep-alive ---- */

/* The server has closed, and the loop has not had a turn in which to see it. */
static void a_stale_connection_costs_no_call(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	set_up(&b, *state, f.port);
	for (uint32_t i = 0; i < 5; i++) {
		submit(&b, mono_now());
		run_until(&b, i + 1);
		nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
		fake_drop_all(&f);
	}
	assert_int_equal(b.by_end[ENGINE_ANSWERED], 5);
	assert_int_equal(f.requests, 5);
	tear_down(&b);
	fake_stop(&f);
}

static void a_server_that_speaks_unasked_is_left(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state,
		   &(struct fake_script){.answer = "HTTP/1.1 408 Timeout\r\n\r\n",
					 .is_greeting = true});
	set_up(&b, *state, f.port);
	engine_pool_connect(b.pool, 3, 0, on_ramp_done);
	run_for(*state, 20 * NS_PER_MS);
	assert_int_equal(b.ramp_open, 3);
	assert_int_equal(stats(&b).open, 0);
	tear_down(&b);
	fake_stop(&f);
}

/* ---- big requests ---- */

static void send_big(struct bench *b, char *body, size_t size)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n";
	struct engine_call *call = &b->calls[b->submitted++];

	memset(body, 'x', size);
	memcpy(body, head, sizeof(head) - 1);
	memcpy(body + size - 4, "\r\n\r\n", 4);
	call->due = mono_now();
	call->request = (struct iovec){body, size};
	engine_submit(b->pool, call);
}

static void a_request_of_many_writes(void **state)
{
	const size_t size = 16 * 1024 * 1024;
	char *body = x_calloc(1, size);
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	set_up_at(&b, *state, "127.0.0.1", f.port, &(struct engine_limits){1, 10000, 1000, 100},
		  false);
	for (uint32_t i = 0; i < 2; i++) {
		send_big(&b, body, size);
		run_until(&b, i + 1);
		assert_int_equal(b.calls[i].end, ENGINE_ANSWERED);
	}
	assert_int_equal(f.read_bytes, 2 * size);
	assert_int_equal(stats(&b).sent_bytes, 2 * size);
	assert_int_equal(stats(&b).connects, 1);
	tear_down(&b);
	fake_stop(&f);
	free(body);
}

/* An answer before the request is out counts; the connection does not live on. */
static void an_early_answer(void **state)
{
	static const enum fake_then thens[] = {FAKE_KEEPS, FAKE_HALF_CLOSES, FAKE_CLOSES};
	const size_t size = 16 * 1024 * 1024;
	char *body = x_calloc(1, size);

	for (size_t i = 0; i < ARRAY_LEN(thens); i++) {
		struct fake f;
		struct bench b;

		fake_start(&f, *state,
			   &(struct fake_script){
				   .answer = "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n",
				   .is_early = true,
				   .then = thens[i]});
		set_up_at(&b, *state, "127.0.0.1", f.port,
			  &(struct engine_limits){1, 2000, 1000, 100}, false);
		send_big(&b, body, size);
		run_until(&b, 1);
		assert_int_equal(b.calls[0].end, ENGINE_ANSWERED);
		assert_int_equal(b.status[0], 413);
		assert_int_equal(stats(&b).open, 0);
		tear_down(&b);
		fake_stop(&f);
	}
	free(body);
}

/* ---- many calls ---- */

/* A target that stands still: calls go out up to the cap, the rest were never sent. */
static void a_stall(void **state)
{
	struct mono due = mono_now();
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = NULL});
	set_up(&b, *state, f.port);
	for (int i = 0; i < 10; i++)
		submit(&b, mono_add_ns(due, i));
	run_for(*state, 20 * NS_PER_MS);
	assert_int_equal(stats(&b).in_flight, 4);
	assert_int_equal(stats(&b).waiting, 6);
	run_until(&b, 10);
	assert_int_equal(b.by_end[ENGINE_TIMEOUT], 4);
	assert_int_equal(b.by_end[ENGINE_NOT_SENT], 6);
	for (int i = 0; i < 10; i++) {
		int64_t took_ns = mono_diff_ns(b.calls[i].done, b.calls[i].due);

		assert_true(took_ns >= 200 * NS_PER_MS && took_ns < 400 * NS_PER_MS);
		assert_int_equal(!b.calls[i].sent.ns, i >= 4);
	}
	tear_down(&b);
	fake_stop(&f);
}

/* Calls that waited go out first come first served when connections become free. */
static void a_queue_drains_in_order(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO, .piece_bytes = 8});
	set_up_at(&b, *state, "127.0.0.1", f.port, &(struct engine_limits){2, 5000, 1000, 100},
		  false);
	for (int i = 0; i < 40; i++)
		submit(&b, mono_now());
	run_until(&b, 40);
	assert_int_equal(b.by_end[ENGINE_ANSWERED], 40);
	assert_int_equal(stats(&b).connects, 2);
	for (int i = 1; i < 40; i++)
		assert_false(mono_is_before(b.calls[i].sent, b.calls[i - 1].sent));
	tear_down(&b);
	fake_stop(&f);
}

static void calls_submitted_by_done(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	set_up(&b, *state, f.port);
	b.again = CALLS_MAX - 2;
	submit(&b, mono_now());
	submit(&b, mono_now());
	run_until(&b, CALLS_MAX);
	assert_int_equal(b.by_end[ENGINE_ANSWERED], CALLS_MAX);
	assert_int_equal(stats(&b).connects, 2);
	tear_down(&b);
	fake_stop(&f);
}

static void a_call_due_too_long_ago(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	set_up(&b, *state, f.port);
	submit(&b, mono_now());
	run_until(&b, 1);
	submit(&b, mono_add_ns(mono_now(), -NS_PER_S));
	run_until(&b, 2);
	assert_int_equal(b.calls[1].end, ENGINE_NOT_SENT);
	assert_int_equal(b.calls[1].sent.ns, 0);
	assert_int_equal(f.requests, 1);
	tear_down(&b);
	fake_stop(&f);
}

static void an_abort(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = NULL});
	set_up(&b, *state, f.port);
	for (int i = 0; i < 9; i++)
		submit(&b, mono_now());
	run_for(*state, 20 * NS_PER_MS);
	b.again = 1; /* one done() submits a call while all are being ended */
	engine_pool_abort(b.pool, "the run was cut short");
	assert_int_equal(b.ended, 9);
	assert_int_equal(b.by_end[ENGINE_ABORTED], 4);
	assert_int_equal(b.by_end[ENGINE_NOT_SENT], 5);
	assert_string_equal(b.calls[0].why, "the run was cut short");
	run_until(&b, 10);
	assert_int_equal(b.by_end[ENGINE_NOT_SENT], 6);
	f.script.answer = HELLO; /* and the pool is of use again */
	submit(&b, mono_now());
	run_until(&b, 11);
	assert_int_equal(b.by_end[ENGINE_ANSWERED], 1);
	tear_down(&b);
	fake_stop(&f);
}

static int make_loop(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	*state = loop_new();
	return 0;
}

static int free_loop(void **state)
{
	loop_free(*state);
	return 0;
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
		cmocka_unit_test(a_stale_connection_costs_no_call),
		cmocka_unit_test(a_server_that_speaks_unasked_is_left),
		cmocka_unit_test(a_request_of_many_writes),
		cmocka_unit_test(an_early_answer),
		cmocka_unit_test(a_stall),
		cmocka_unit_test(a_queue_drains_in_order),
		cmocka_unit_test(calls_submitted_by_done),
		cmocka_unit_test(a_call_due_too_long_ago),
		cmocka_unit_test(an_abort),
	};

	return cmocka_run_group_tests(tests, make_loop, free_loop);
}
