/* When bytes came, told after they have waited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/engine/stamp.h"

#define BEGIN_MAX_MS 3000
#define LATER_NS (20 * NS_PER_MS)

static void connect_pair(int fds[2])
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len_bytes = sizeof(to);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&to, len_bytes), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &len_bytes), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&to, len_bytes), 0);
	fds[1] = accept(listener, NULL, NULL);
	assert_true(fds[1] >= 0);
	close(listener);
}

/* Bytes that wait: at is when they came (TCP), or when they were read. */
static void check(int fds[2], bool is_noted)
{
	const struct timespec later = {.tv_nsec = LATER_NS};
	struct mono put, took, at = {0};
	char bytes[8];

	put = mono_now();
	assert_int_equal(send(fds[0], "answer", 6, 0), 6);
	nanosleep(&later, NULL);
	took = mono_now();
	assert_int_equal(stamp_recv(fds[1], bytes, sizeof(bytes), &at), 6);
	assert_false(mono_is_before(at, mono_add_ns(put, -NS_PER_MS)));
	assert_int_equal(mono_is_before(at, took), is_noted);
	close(fds[0]);
	close(fds[1]);
}

/*
 * Linux begins to note times a moment after the first socket asked (net_enable_timestamp() leaves
 * it to a worker), and ends when the last one is closed. Other kernels take the option and do
 * nothing.
 */
static bool kernel_notes_times(int fds[2])
{
	const struct timespec pause = {.tv_nsec = NS_PER_MS};
	const int on = 1;
	char byte, room[256];

	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), 0);
	for (int turn = 0; turn < BEGIN_MAX_MS; turn++) {
		struct iovec bytes = {&byte, 1};
		struct msghdr m = {.msg_iov = &bytes,
				   .msg_iovlen = 1,
				   .msg_control = room,
				   .msg_controllen = sizeof(room)};

		assert_int_equal(send(fds[0], "b", 1, 0), 1);
		assert_int_equal(recvmsg(fds[1], &m, 0), 1);
		if (CMSG_FIRSTHDR(&m))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void a_stamp_is_when_the_bytes_came(void **state)
{
	int fds[2], witness[2];

	(void)state;
	connect_pair(witness);
	connect_pair(fds);
	if (!kernel_notes_times(witness)) {
		print_message("this kernel notes no times of TCP\n");
		skip();
	}
	assert_true(stamp_ask(fds[1]));
	check(fds, true);
	close(witness[0]);
	close(witness[1]);
}

static void without_a_stamp_it_is_now(void **state)
{
	int fds[2];

	(void)state;
	connect_pair(fds);
	check(fds, false);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	(void)stamp_ask(fds[1]);
	check(fds, false);
}

static void nothing_there_leaves_it_alone(void **state)
{
	struct mono at = {7};
	int fds[2];
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(stamp_recv(fds[0], &byte, 1, &at), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(at.ns, 7);
	close(fds[1]);
	assert_int_equal(stamp_recv(fds[0], &byte, 1, &at), 0);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stamp_is_when_the_bytes_came),
		cmocka_unit_test(without_a_stamp_it_is_now),
		cmocka_unit_test(nothing_there_leaves_it_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
