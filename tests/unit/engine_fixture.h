/*
 * engine_fixture.h - a loop, a pool and the calls handed to it, for the tests of the load engine.
 *
 *	set_up(&b, loop, f.port);
 *	submit(&b, mono_now());
 *	run_until(&b, 1);
 *	... b.calls[0].end, b.by_end[ENGINE_TIMEOUT] ...
 *	tear_down(&b);		// and every call has ended exactly once
 */
#ifndef TESTS_UNIT_ENGINE_FIXTURE_H
#define TESTS_UNIT_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>

#include "common/engine/engine_parts.h"
#include "tests/unit/fake_server.h"

#define OK11 "HTTP/1.1 200 OK\r\n"
#define HELLO OK11 "Content-Length: 5\r\n\r\nhello"
#define CALLS_MAX 64
#define GIVE_UP_NS (20 * NS_PER_S)

static const char request_bytes[] = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
static const struct engine_request get_request = {
	.bytes = request_bytes,
	.len_bytes = sizeof(request_bytes) - 1,
	.head_bytes = sizeof(request_bytes) - 1,
};

#define IN_FLIGHT(n, timeout, connect_timeout, body)                                               \
	&(struct engine_limits)                                                                    \
	{                                                                                          \
		.in_flight = (n), .timeout_ms = (timeout),                                         \
		.connect_timeout_ms = (connect_timeout), .body_max_bytes = (body)                  \
	}

/* A loop, a pool and the calls handed to it. */
struct bench {
	struct loop *loop;
	struct engine *engine;
	struct engine_pool *pool;
	struct engine_call calls[CALLS_MAX];
	struct engine_request big; /* another than the usual one */
	unsigned done[CALLS_MAX];  /* how often each ended */
	int status[CALLS_MAX];
	uint32_t submitted, ended, by_end[ENGINE_NOT_SENT + 1];
	uint32_t again; /* calls that done() submits in turn */
	bool is_in_submit;
	uint32_t ramp_open, ramp_failed;
	bool is_ramp_done;
};

static inline void submit(struct bench *b, struct mono due)
{
	struct engine_call *call = &b->calls[b->submitted];

	assert_true(b->submitted < CALLS_MAX);
	b->submitted++;
	call->due = due;
	call->request = &get_request;
	b->is_in_submit = true;
	engine_submit(b->pool, call);
	b->is_in_submit = false;
}

static inline void on_done(struct engine_pool *p, struct engine_call *call, void *ctx)
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

static inline void set_up_at(struct bench *b, struct loop *l, const char *host, uint16_t port,
			     const struct engine_limits *limits, bool is_tls)
{
	const struct engine_endpoint ep = {
		.host = host, .port = port, .is_tls = is_tls, .allow_private = true};
	char why[ENGINE_WHY_SIZE];

	*b = (struct bench){.loop = l, .engine = engine_new(l)};
	assert_int_equal(engine_pool_new(b->engine, &ep, limits, on_done, b, &b->pool, why), 0);
}

#define LIMITS IN_FLIGHT(4, 200, 150, 1000)

static inline void set_up(struct bench *b, struct loop *l, uint16_t port)
{
	set_up_at(b, l, "127.0.0.1", port, LIMITS, false);
}

static inline void tear_down(struct bench *b)
{
	engine_pool_free(b->pool);
	engine_free(b->engine);
	for (uint32_t i = 0; i < b->submitted; i++)
		assert_int_equal(b->done[i], 1);
	assert_int_equal(b->ended, b->submitted);
}

static inline void run_until(struct bench *b, uint32_t ended)
{
	struct mono give_up = mono_add_ns(mono_now(), GIVE_UP_NS);

	while (b->ended < ended) {
		assert_true(mono_is_before(mono_now(), give_up));
		loop_turn(b->loop, 100 * NS_PER_MS);
	}
}

static inline void run_for(struct loop *l, int64_t ns)
{
	struct mono end = mono_add_ns(mono_now(), ns);

	while (mono_is_before(mono_now(), end))
		loop_turn(l, mono_diff_ns(end, mono_now()));
}

static inline struct engine_pool_stats stats(const struct bench *b)
{
	struct engine_pool_stats s;

	engine_pool_stats(b->pool, &s);
	return s;
}

static inline size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline void on_ramp_done(struct engine_pool *p, uint32_t open, uint32_t failed, void *ctx)
{
	struct bench *b = ctx;

	assert_ptr_equal(p, b->pool);
	assert_false(b->is_ramp_done);
	b->is_ramp_done = true;
	b->ramp_open = open;
	b->ramp_failed = failed;
}

static inline int make_loop(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	*state = loop_new();
	return 0;
}

static inline int free_loop(void **state)
{
	loop_free(*state);
	return 0;
}

#endif
