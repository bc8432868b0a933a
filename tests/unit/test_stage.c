/* The skeleton, around small stages that run in a child between two pipes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/stage/stage.h"

#define CHANGED(id)                                                                                \
	"{\"specversion\":\"1.0\",\"type\":\"plimsoll.function.changed.v1\",\"id\":\"" id          \
	"\",\"source\":\"t\",\"subject\":\"prod/f\",\"time\":\"2026-11-22T15:00:00.000Z\","        \
	"\"data\":{\"change\":{\"id\":\"" id "\",\"kind\":\"code\",\"causes\":[\"code\"],"         \
	"\"revision\":\"1\",\"seen_by\":\"poll\"},\"target\":{\"provider\":\"aws\",\"region\":"    \
	"\"r\",\"qualifier\":\"2\",\"is_immutable\":true}}}\n"
#define OTHER                                                                                      \
	"{\"specversion\":\"1.0\",\"type\":\"other\",\"id\":\"x\",\"source\":\"t\","               \
	"\"time\":\"2026-11-22T15:00:00Z\",\"data\":{\"any\":[1,2]}}\n"
#define THREE CHANGED("caaaaaaaaaaaaaaaaaaaa") OTHER CHANGED("cbbbbbbbbbbbbbbbbbbbb")

static struct loop_timer timer;
static bool has_no_room;
static int takes;
static int *asked_for_room; /* shared with the child */

static void make_room(struct loop *l, struct loop_timer *t)
{
	(void)l, (void)t;
	has_no_room = false;
}

static void busy_for(struct stage *st, int64_t ns)
{
	has_no_room = true;
	timer.run = make_room;
	loop_timer_set_in(stage_loop(st), &timer, ns);
}

static bool room(void *ctx)
{
	(void)ctx;
	++*asked_for_room;
	return !has_no_room;
}

static size_t held(void *ctx)
{
	(void)ctx;
	return has_no_room;
}

static int take_slowly(struct stage *st, const struct event *ev, void *ctx)
{
	(void)ev, (void)ctx;
	busy_for(st, 300 * NS_PER_MS);
	return 0;
}

/* Not ready the first time; then says so with an event of its own behind the one it read. */
static int take_at_second_try(struct stage *st, const struct event *ev, void *ctx)
{
	struct json *o = json_obj(), *change = json_obj();

	(void)ctx;
	if (takes++ % 2 == 0) {
		json_free(o);
		json_free(change);
		busy_for(st, 10 * NS_PER_MS);
		return -EAGAIN;
	}
	json_put_str(change, "id", ev->id);
	json_put_str(change, "kind", "removed");
	json_put_str(change, "revision", "1");
	json_put_str(change, "seen_by", "poll");
	json_put(change, "causes", json_arr());
	json_put(o, "change", change);
	return stage_emit_new(st, EV_FUNCTION_REMOVED, ev->id, ev->subject, NULL, ev->time, o);
}

static int refuse(struct stage *st, const struct event *ev, void *ctx)
{
	(void)st, (void)ev, (void)ctx;
	return -EINVAL;
}

static const struct stage_def slow = {
	.name = "slow",
	.synopsis = "",
	.about = "",
	.reads = EV_BIT(EV_FUNCTION_CHANGED),
	.take = take_slowly,
	.has_room = room,
	.held = held,
};
static const struct stage_def again = {
	.name = "again",
	.synopsis = "",
	.about = "",
	.reads = EV_BIT(EV_FUNCTION_CHANGED),
	.take = take_at_second_try,
};
static const struct stage_def eater = {
	.name = "eater",
	.synopsis = "",
	.about = "",
	.eats = EV_BIT(EV_FUNCTION_CHANGED),
	.take = refuse,
};

/* Runs the stage over the input; its output is appended to out. Exit code. */
static int run(const struct stage_def *def, const char *input, struct buf *out)
{
	char name[] = "stage", *argv[] = {name, NULL};
	int in[2], from[2], status;
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(from[1], 1);
		close(in[1]);
		close(from[0]);
		_exit(stage_main(def, 1, argv));
	}
	close(in[0]);
	close(from[1]);
	assert_int_equal(fs_write_all(in[1], input, strlen(input)), 0);
	close(in[1]);
	assert_int_equal(fs_read_fd(from[0], out), 0);
	close(from[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Its writer is gone and it has no room: a pipe in that state is always "ready". */
static void waiting_for_room_costs_nothing(void **state)
{
	struct buf out = BUF_INIT(10000);

	(void)state;
	asked_for_room =
		mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(asked_for_room != MAP_FAILED);
	assert_int_equal(run(&slow, THREE, &out), 0);
	assert_string_equal(buf_str(&out), THREE);
	assert_true(*asked_for_room < 100);
	munmap(asked_for_room, sizeof(int));
	buf_release(&out);
}

static void an_event_that_was_not_ready_comes_again(void **state)
{
	struct buf out = BUF_INIT(10000);
	const char *first, *last;

	(void)state;
	assert_int_equal(run(&again, THREE, &out), 0);
	first = strstr(buf_str(&out), "function.removed");
	last = strstr(buf_str(&out), "\"type\":\"other\"");
	assert_non_null(first);
	assert_non_null(last);
	assert_true(first < last);
	assert_true(strncmp(buf_str(&out), CHANGED("caaaaaaaaaaaaaaaaaaaa"), 200) == 0);
	buf_release(&out);
}

static void what_it_eats_does_not_come_out(void **state)
{
	struct buf out = BUF_INIT(10000);

	(void)state;
	assert_int_equal(run(&eater, THREE "not json\n", &out), 0);
	assert_string_equal(buf_str(&out), OTHER);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_for_room_costs_nothing),
		cmocka_unit_test(an_event_that_was_not_ready_comes_again),
		cmocka_unit_test(what_it_eats_does_not_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
