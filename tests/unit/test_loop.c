/* The loop: timers in order, descriptors, plain files, removal from inside a callback; children. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/base/loop.h"
#include "common/base/opt.h"
#include "common/base/proc.h"

static int order[16], order_count;
static struct loop_timer timers[8];

static void note(struct loop *l, struct loop_timer *t)
{
	order[order_count++] = (int)(t - timers);
	if (order_count == 5)
		loop_stop(l);
}

static void timers_run_by_deadline(void **state)
{
	static const int64_t after_us[] = {300, 100, 200, 100, 50, 400};
	static const int want[] = {4, 1, 3, 2, 5};
	struct mono start = mono_now();
	struct loop *l = loop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(after_us); i++) {
		timers[i].run = note;
		loop_timer_set(l, &timers[i], mono_add_ns(start, after_us[i] * NS_PER_US));
	}
	loop_timer_clear(l, &timers[0]);
	loop_run(l);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(order[i], want[i]);
	assert_true(mono_diff_ns(mono_now(), start) >= 400 * NS_PER_US);
	loop_free(l);
}

static void stop_at(struct loop *l, struct loop_timer *t)
{
	(void)t;
	loop_stop(l);
}

/* How long a loop stayed awake before a timer. */
static int64_t spun_ns(int64_t spin_ns)
{
	struct loop_timer t = {.run = stop_at};
	struct mono due = mono_add_ns(mono_now(), 5 * NS_PER_MS);
	struct loop *l = loop_new();
	int64_t spun;

	loop_set_spin(l, spin_ns);
	loop_timer_set(l, &t, due);
	loop_run(l);
	assert_false(mono_is_before(mono_now(), due));
	spun = loop_spun_ns(l);
	loop_free(l);
	return spun;
}

static void a_spin_stays_awake(void **state)
{
	int64_t spun = 0;

	(void)state;
	assert_int_equal(spun_ns(0), 0);
	for (int i = 0; i < 50 && spun == 0; i++) /* a busy host may wake us too late */
		spun = spun_ns(2 * NS_PER_MS);
	assert_true(spun > 0 && spun <= 2 * NS_PER_MS);
}

static struct loop_watch both[2];
static int ready_count;

static void remove_both(struct loop *l, struct loop_watch *w, unsigned what)
{
	(void)w, (void)what;
	ready_count++;
	loop_unwatch(l, &both[0]);
	loop_unwatch(l, &both[1]);
	loop_stop(l);
}

#define REST_NS (2 * NS_PER_MS)

static struct {
	struct loop_timer timer;
	int events, turns;
} resting;

static void on_rested(struct loop *l, struct loop_watch *w, unsigned what)
{
	char byte;

	(void)l;
	(void)what;
	assert_int_equal(read(w->fd, &byte, 1), 1);
	resting.events++;
}

/* Due at once each time. */
static void on_turn(struct loop *l, struct loop_timer *t)
{
	assert_int_equal(resting.events, 1); /* though the timer was due */
	if (++resting.turns == 3)
		loop_stop(l);
	else
		loop_timer_set(l, t, mono_now());
}

static void a_rest_keeps_turns_apart_and_takes_events_first(void **state)
{
	struct loop_watch w = {.ready = on_rested, .want = LOOP_READ};
	struct loop *l = loop_new();
	struct mono began = mono_now();
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	w.fd = fds[0];
	assert_int_equal(loop_watch(l, &w), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_set_rest(l, REST_NS);
	resting.timer.run = on_turn;
	loop_timer_set(l, &resting.timer, began);
	loop_run(l);
	assert_true(mono_diff_ns(mono_now(), began) >= 3 * REST_NS - NS_PER_MS);
	loop_free(l);
	close(fds[0]);
	close(fds[1]);
}

static void a_removed_watch_is_not_called(void **state)
{
	struct loop *l = loop_new();
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	both[0] = (struct loop_watch){.ready = remove_both, .fd = ends[0], .want = LOOP_READ};
	both[1] = (struct loop_watch){.ready = remove_both, .fd = ends[1], .want = LOOP_WRITE};
	assert_int_equal(loop_watch(l, &both[0]), 0);
	assert_int_equal(loop_watch(l, &both[1]), 0);
	loop_run(l);
	assert_int_equal(ready_count, 1);
	close(ends[0]);
	close(ends[1]);
	loop_free(l);
}

static void drop_first(struct loop *l, struct loop_timer *t)
{
	(void)t;
	loop_unwatch(l, &both[0]);
}

/* The timer and the event come in one turn, the timer's callback first. Found by the load engine.
 */
static void a_watch_removed_by_a_timer_is_not_called(void **state)
{
	struct loop_timer timer = {.run = drop_first};
	struct loop *l = loop_new();
	int ends[2];

	(void)state;
	ready_count = 0;
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		both[0] =
			(struct loop_watch){.ready = remove_both, .fd = ends[0], .want = LOOP_READ};
		both[1] = (struct loop_watch){.fd = -1};
		assert_int_equal(loop_watch(l, &both[0]), 0);
		assert_int_equal(write(ends[1], "x", 1), 1);
		if (turn == 1)
			loop_timer_set(l, &timer, mono_now());
		loop_turn(l, 0);
		assert_int_equal(ready_count, 1); /* in the first turn only */
		close(ends[0]);
		close(ends[1]);
	}
	loop_free(l);
}

static void a_plain_file_is_always_ready(void **state)
{
	struct loop *l = loop_new();

	(void)state;
	ready_count = 0;
	both[0] = (struct loop_watch){.ready = remove_both,
				      .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
				      .want = LOOP_READ};
	both[1] = (struct loop_watch){0};
	assert_int_equal(loop_watch(l, &both[0]), 0);
	loop_run(l);
	assert_int_equal(ready_count, 1);
	close(both[0].fd);
	loop_free(l);
}

static void children(void **state)
{
	static const struct {
		const char *argv[4], *input;
		int want;
		const char *out;
	} rows[] = {
		{{"cat"}, "hello", 0, "hello"},
		{{"sh", "-c", "exit 3"}, NULL, 3, ""},
		{{"sh", "-c", "kill -9 $$"}, NULL, 137, ""},
		{{"no-such-program-here"}, NULL, -ENOENT, ""},
		{{"sleep", "30"}, NULL, -ETIMEDOUT, ""},
		{{"sh", "-c", "echo \"[$SECRET_OF_OURS]\""}, NULL, 0, "[]\n"},
		{{"sh", "-c", "yes"}, NULL, -E2BIG, NULL},
		{{"sh", "-c", "test ! -e /proc/self/fd/57"}, NULL, 0, ""},
	};

	(void)state;
	setenv("SECRET_OF_OURS", "canary", 1);
	assert_int_equal(dup2(STDERR_FILENO, 57), 57); /* as a shell's 57>lock: not close-on-exec */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(4096), in = BUF_INIT(100);
		struct proc_spec spec = {.argv = rows[i].argv};

		if (rows[i].input)
			buf_adds(&in, rows[i].input);
		assert_int_equal(proc_run(&spec, rows[i].input ? &in : NULL, 1000, &out, NULL),
				 rows[i].want);
		if (rows[i].out)
			assert_string_equal(buf_str(&out), rows[i].out);
		buf_release(&out);
		buf_release(&in);
	}
	close(57);
}

static void a_child_that_does_not_read(void **state)
{
	struct buf in = BUF_INIT(1u << 20), out = BUF_INIT(10);
	const char *const argv[] = {"true", NULL};
	struct proc_spec spec = {.argv = argv};

	(void)state;
	while (in.len_bytes < 200000) /* more than a pipe holds */
		buf_adds(&in, "nobody reads this\n");
	assert_int_equal(proc_run(&spec, &in, 5000, &out, NULL), 0);
	buf_release(&in);
	buf_release(&out);
}

/* A program that took too long may have started others: none of them stays behind. */
/* It sees the memory as it was, changes only its own, and has none of our descriptors. */
static int adds_and_looks(void *ctx)
{
	int *numbers = ctx;

	numbers[0] += 2;
	return fcntl(numbers[1], F_GETFD) < 0 && errno == EBADF ? numbers[0] : 99;
}

static void a_copy_of_ourselves(void **state)
{
	int ends[2], numbers[2] = {40};
	struct proc p;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	numbers[1] = ends[0];
	assert_int_equal(proc_fork(adds_and_looks, numbers, &p), 0);
	assert_int_equal(proc_wait(&p), 42);
	assert_int_equal(numbers[0], 40);
	proc_release(&p);
	close(ends[0]);
	close(ends[1]);
}

static void grandchildren_are_killed_too(void **state)
{
	const char *const argv[] = {"sh", "-c", "sleep 60 & echo $!; wait", NULL};
	struct proc_spec spec = {.argv = argv, .out = PROC_PIPE, .has_own_group = true};
	char text[32] = "";
	struct proc p;
	struct pollfd fd;

	(void)state;
	assert_int_equal(proc_spawn(&spec, &p), 0);
	fd = (struct pollfd){p.out, POLLIN, 0};
	assert_int_equal(poll(&fd, 1, 5000), 1);
	assert_true(read(p.out, text, sizeof(text) - 1) > 0);
	proc_kill(&p, SIGKILL);
	assert_int_equal(proc_wait(&p), 128 + SIGKILL);
	/* The last of the group closes the pipe. */
	assert_int_equal(poll(&fd, 1, 5000), 1);
	if (read(p.out, text, sizeof(text)) != 0) {
		kill((pid_t)strtol(text, NULL, 10), SIGKILL);
		fail_msg("the grandchild lives");
	}
	proc_release(&p);
}

struct some_opts {
	const char *config;
	bool is_once;
	int64_t drain_ms, span_ms, limit_ns;
	uint64_t count;
	struct opt_list to;
};

static void options(void **state)
{
	static const struct opt rows[] = {
		{"config", 'c', OPT_STRING, offsetof(struct some_opts, config), "FILE", NULL, "x"},
		{"once", 0, OPT_FLAG, offsetof(struct some_opts, is_once), NULL, NULL, "x"},
		{"drain", 0, OPT_DURATION_MS, offsetof(struct some_opts, drain_ms), "T", "30s",
		 "x"},
		{"count", 0, OPT_COUNT, offsetof(struct some_opts, count), "N", NULL, "x"},
		{"span", 0, OPT_SPAN_MS, offsetof(struct some_opts, span_ms), "T", NULL, "x"},
		{"limit", 0, OPT_SPAN_NS, offsetof(struct some_opts, limit_ns), "T", NULL, "x"},
		{"to", 0, OPT_LIST, offsetof(struct some_opts, to), "SINK", NULL, "x"},
	};
	static const struct {
		const char *argv[5];
		int rc;
		const char *why;
	} cases[] = {
		{{"p", "--config=a", "--once", "x"}, 0, ""},
		{{"p", "--confg", "a"},
		 -EINVAL,
		 "unknown option --confg (did you mean --config?); --help lists them"},
		{{"p", "--drain", "5"},
		 -EINVAL,
		 "--drain 5: expected a duration such as 30s, 5m or 1h30m"},
		{{"p", "--drain", "100us"},
		 -EINVAL,
		 "--drain 100us: expected a duration such as 30s, 5m or 1h30m"},
		{{"p", "--count", "0"}, -EINVAL, "--count 0: expected a whole number from 1"},
		{{"p", "--span", "0s"},
		 -EINVAL,
		 "--span 0s: expected a duration such as 250ms, 30s or 1h30m, 1ms at least"},
		{{"p", "--limit", "0s"},
		 -EINVAL,
		 "--limit 0s: expected a duration such as 500us, 30ms or 2s, more than 0"},
		{{"p", "--config=a", "--limit=1us", "--count=1", "x"}, 0, ""},
		{{"p", "--config"}, -EINVAL, "--config needs a value: text"},
		{{"p", "--once=1"}, -EINVAL, "--once takes no value"},
		{{"p", "-c", "a", "--", "--once"}, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct some_opts o = {0};
		struct opt_table t = {rows, ARRAY_LEN(rows), &o};
		struct buf why = BUF_INIT(500);
		const char *rest[8];
		char *argv[6];
		size_t n;
		int argc = 0;

		while (argc < 5 && cases[i].argv[argc]) {
			argv[argc] = (char *)(uintptr_t)cases[i].argv[argc];
			argc++;
		}
		assert_int_equal(opt_parse(&t, 1, argc, argv, rest, &n, &why), cases[i].rc);
		assert_string_equal(buf_str(&why), cases[i].why);
		if (!cases[i].rc) {
			assert_string_equal(o.config, "a");
			assert_int_equal(o.drain_ms, 30000);
			assert_int_equal(n, 1);
		}
		buf_release(&why);
	}
}

static struct loop_guard watchman;
static int looks, callbacks;

/* The second look is for the gap that the first callback made: what comes next is taken away. */
static void look(struct loop *l, struct loop_guard *g)
{
	(void)g;
	if (++looks == 2) {
		loop_timer_clear(l, &timers[1]);
		loop_unwatch(l, &both[0]);
	}
}

static void take_long(struct loop *l, struct loop_timer *t)
{
	struct mono end = mono_add_ns(mono_now(), LOOP_GAP_NS);

	(void)l, (void)t;
	callbacks++;
	while (mono_is_before(mono_now(), end))
		;
}

static void must_not_run(struct loop *l, struct loop_timer *t)
{
	(void)l, (void)t;
	fail_msg("a timer ran although the guard took it away");
}

static void must_not_be_ready(struct loop *l, struct loop_watch *w, unsigned what)
{
	(void)l, (void)w, (void)what;
	fail_msg("a watch was called although the guard took it away");
}

static void a_guard_runs_before_all_and_after_a_gap(void **state)
{
	struct loop *l = loop_new();
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	looks = callbacks = 0;
	watchman.run = look;
	loop_guard_add(l, &watchman);
	both[0] = (struct loop_watch){.ready = must_not_be_ready, .fd = fds[0], .want = LOOP_READ};
	assert_int_equal(loop_watch(l, &both[0]), 0);
	timers[0].run = take_long;
	timers[1].run = must_not_run;
	loop_timer_set_in(l, &timers[0], 0);
	loop_timer_set_in(l, &timers[1], 0);
	loop_turn(l, 0);
	assert_int_equal(callbacks, 1);
	assert_int_equal(looks, 2);
	loop_guard_remove(l, &watchman);
	loop_guard_remove(l, &watchman);
	loop_turn(l, 0);
	assert_int_equal(looks, 2);
	loop_free(l);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_run_by_deadline),
		cmocka_unit_test(a_spin_stays_awake),
		cmocka_unit_test(a_rest_keeps_turns_apart_and_takes_events_first),
		cmocka_unit_test(a_removed_watch_is_not_called),
		cmocka_unit_test(a_watch_removed_by_a_timer_is_not_called),
		cmocka_unit_test(a_plain_file_is_always_ready),
		cmocka_unit_test(a_guard_runs_before_all_and_after_a_gap),
		cmocka_unit_test(children),
		cmocka_unit_test(a_child_that_does_not_read),
		cmocka_unit_test(a_copy_of_ourselves),
		cmocka_unit_test(grandchildren_are_killed_too),
		cmocka_unit_test(options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
