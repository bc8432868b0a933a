/* The load engine: kept connections, big requests, queues, time limits, aborts. */
#include "tests/unit/engine_fixture.h"

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
	assert_int_equal(engine_request_set(&b->big, body, size), 0);
	call->request = &b->big;
	engine_submit(b->pool, call);
}

static void a_request_of_many_writes(void **state)
{
	const size_t size = 16 * 1024 * 1024;
	char *body = x_calloc(1, size);
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(1, 10000, 1000, 100), false);
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

/* A socket that can be written again must not wake us while only an answer is awaited. */
static void waiting_for_an_answer_takes_no_turns(void **state)
{
	const size_t size = 16 * 1024 * 1024;
	char *body = x_calloc(1, size);
	struct fake f;
	struct bench b;
	int turns = 0;

	fake_start(&f, *state, &(struct fake_script){.answer = NULL});
	set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(1, 2000, 1000, 9), false);
	send_big(&b, body, size);
	while (f.read_bytes < size)
		loop_turn(*state, 100 * NS_PER_MS);
	for (; !b.ended; turns++)
		loop_turn(*state, 500 * NS_PER_MS);
	assert_int_equal(b.calls[0].end, ENGINE_TIMEOUT);
	assert_true(turns < 10);
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
		set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(1, 2000, 1000, 100), false);
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
	set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(2, 5000, 1000, 100), false);
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

/* Reset between two turns of the loop: the kernel takes no byte, so another connection does. */
static void a_reset_just_before_the_call(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO});
	set_up(&b, *state, f.port);
	for (uint32_t i = 0; i < 20; i++) {
		submit(&b, mono_now());
		run_until(&b, i + 1);
		f.script.then = FAKE_RESETS;
		for (size_t k = 0; k < FAKE_CONNS; k++)
			if (f.conns[k].watch.fd >= 0)
				fake_end(&f.conns[k]);
		f.script.then = FAKE_KEEPS;
	}
	assert_int_equal(b.by_end[ENGINE_ANSWERED], 20);
	assert_int_equal(f.requests, 20);
	tear_down(&b);
	fake_stop(&f);
}

/* Each that waited is sent as soon as the one before it has failed. */
static void a_queue_behind_failures(void **state)
{
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = NULL, .then = FAKE_RESETS});
	set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(1, 2000, 1000, 9), false);
	for (int i = 0; i < 20; i++)
		submit(&b, mono_now());
	run_until(&b, 20);
	assert_int_equal(b.by_end[ENGINE_CONNECT], 20);
	assert_int_equal(f.requests, 20);
	tear_down(&b);
	fake_stop(&f);
}

/* It says nothing of closing, and the next call is submitted by the answer's own done(). */
static void a_close_right_behind_the_answer_costs_no_call(void **state)
{
	static const enum fake_then thens[] = {FAKE_CLOSES, FAKE_HALF_CLOSES, FAKE_RESETS};

	for (size_t i = 0; i < ARRAY_LEN(thens); i++) {
		struct fake f;
		struct bench b;

		fake_start(&f, *state, &(struct fake_script){.answer = HELLO, .then = thens[i]});
		set_up(&b, *state, f.port);
		b.again = 30;
		submit(&b, mono_now());
		run_until(&b, 31);
		assert_int_equal(b.by_end[ENGINE_ANSWERED], 31);
		assert_int_equal(f.requests, 31);
		tear_down(&b);
		fake_stop(&f);
	}
}

/* The connection of a call that was given up carries no other one; who waits gets a new one. */
static void a_call_that_waited_for_another_s_timeout(void **state)
{
	struct mono start = mono_now();
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = NULL});
	set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(1, 200, 100, 0), false);
	submit(&b, start);
	submit(&b, mono_add_ns(start, 100 * NS_PER_MS));
	run_until(&b, 2);
	assert_int_equal(b.by_end[ENGINE_TIMEOUT], 2);
	assert_true(mono_diff_ns(b.calls[1].sent, start) >= 200 * NS_PER_MS);
	assert_int_equal(stats(&b).connects, 2);
	tear_down(&b);
	fake_stop(&f);
}

static void calls_go_out_in_the_order_they_are_due(void **state)
{
	static const int64_t due_ms[] = {0, 30, 10, 20, 10};
	static const size_t order[] = {0, 2, 4, 3, 1};
	struct mono start = mono_add_ns(mono_now(), -50 * NS_PER_MS);
	struct fake f;
	struct bench b;

	fake_start(&f, *state, &(struct fake_script){.answer = HELLO, .piece_bytes = 8});
	set_up_at(&b, *state, "127.0.0.1", f.port, IN_FLIGHT(1, 5000, 1000, 9), false);
	for (size_t i = 0; i < ARRAY_LEN(due_ms); i++)
		submit(&b, mono_add_ns(start, due_ms[i] * NS_PER_MS));
	run_until(&b, ARRAY_LEN(due_ms));
	for (size_t i = 1; i < ARRAY_LEN(order); i++)
		assert_true(mono_is_before(b.calls[order[i - 1]].sent, b.calls[order[i]].sent));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stale_connection_costs_no_call),
		cmocka_unit_test(a_server_that_speaks_unasked_is_left),
		cmocka_unit_test(a_request_of_many_writes),
		cmocka_unit_test(an_early_answer),
		cmocka_unit_test(a_stall),
		cmocka_unit_test(a_queue_drains_in_order),
		cmocka_unit_test(calls_submitted_by_done),
		cmocka_unit_test(a_reset_just_before_the_call),
		cmocka_unit_test(a_queue_behind_failures),
		cmocka_unit_test(a_close_right_behind_the_answer_costs_no_call),
		cmocka_unit_test(a_call_that_waited_for_another_s_timeout),
		cmocka_unit_test(calls_go_out_in_the_order_they_are_due),
		cmocka_unit_test(waiting_for_an_answer_takes_no_turns),
		cmocka_unit_test(a_call_due_too_long_ago),
		cmocka_unit_test(an_abort),
	};

	return cmocka_run_group_tests(tests, make_loop, free_loop);
}
