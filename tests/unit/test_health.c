/* /metrics and /healthz: what is answered, and what clients that mean no good can do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/health/health.h"

#define PATIENCE_S 20

struct site {
	struct loop *loop;
	struct health *health;
	char folder[64], file[96], where[108];
	bool is_well;
	size_t renders;
	size_t page_bytes; /* of padding */
};

static void metrics(struct buf *out, void *ctx)
{
	struct site *s = ctx;

	s->renders++;
	buf_adds(out, "# TYPE plimsoll_lag_seconds gauge\nplimsoll_lag_seconds 0.5\n");
	for (size_t i = 0; i < s->page_bytes; i++)
		buf_addc(out, '#');
}

static bool is_well(char why[200], void *ctx)
{
	struct site *s = ctx;

	if (!s->is_well)
		snprintf(why, 200, "Redis does not answer");
	return s->is_well;
}

static int setup(void **state)
{
	struct site *s = calloc(1, sizeof(*s));
	const struct health_owner owner = {metrics, is_well, s};
	char why[200] = "";

	snprintf(s->folder, sizeof(s->folder), "/tmp/plimsoll-health-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->file, sizeof(s->file), "%s/m.sock", s->folder);
	snprintf(s->where, sizeof(s->where), "unix:%s", s->file);
	s->loop = loop_new();
	s->is_well = true;
	assert_int_equal(health_open(s->loop, s->where, &owner, &s->health, why), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct site *s = *state;

	health_free(s->health);
	assert_int_not_equal(access(s->file, F_OK), 0);
	rmdir(s->folder);
	loop_free(s->loop);
	free(s);
	return 0;
}

static int dial(const struct site *s)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->file);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL);

	(void)sent; /* a server that has hung up is the test's to notice */
}

/* Turns the loop until the server has hung up; what it said is in out. */
static void hear(struct site *s, int fd, struct buf *out)
{
	struct mono end = mono_add_ns(mono_now(), PATIENCE_S * NS_PER_S);
	char bytes[4096];
	ssize_t got;

	for (;;) {
		loop_turn(s->loop, 10 * NS_PER_MS);
		while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
			buf_add(out, bytes, (size_t)got);
		if (got == 0 || errno != EAGAIN)
			break;
		assert_true(mono_is_before(mono_now(), end));
	}
	close(fd);
}

static void ask(struct site *s, const char *request, struct buf *out)
{
	int fd = dial(s);

	say(fd, request);
	hear(s, fd, out);
}

static void test_pages(void **state)
{
	static const struct {
		const char *request, *status, *holds;
		bool is_ill;
	} rows[] = {
		{"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "200",
		 "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", false},
		{"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "200", "\nplimsoll_lag_seconds 0.5\n",
		 false},
		{"GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\n\r\n", "200", "Connection: close\r\n",
		 false},
		{"HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "200", "Content-Length: 59\r\n",
		 false},
		{"GET /metrics HTTP/1.0\r\n\r\n", "200", "lag", false},
		{"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "200", "\r\n\r\nok\n", false},
		{"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "503",
		 "\r\n\r\nRedis does not answer\n", true},
		{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "404", "/healthz", false},
		{"GET /metrics/ HTTP/1.1\r\nHost: h\r\n\r\n", "404", "", false},
		{"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "405",
		 "Allow: GET, HEAD\r\n", false},
		{"DELETE /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "405", "", false},
		{"GET /metrics HTTP/1.1\r\n\r\n", "400", "", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct site *s = *state;
		struct buf out = BUF_INIT(1 << 20);

		s->is_well = !rows[i].is_ill;
		ask(s, rows[i].request, &out);
		if (strncmp(buf_str(&out) + 9, rows[i].status, 3) != 0 ||
		    !strstr(buf_str(&out), rows[i].holds))
			fail_msg("%s: wants %s with \"%s\", got: %s", rows[i].request,
				 rows[i].status, rows[i].holds, buf_str(&out));
		if (strncmp(rows[i].request, "HEAD", 4) == 0)
			assert_null(strstr(buf_str(&out), "lag_seconds"));
		buf_release(&out);
	}
}

/* A request that is no HTTP, or far too long, ends without having been answered with a page. */
static void test_nonsense(void **state)
{
	struct site *s = *state;
	char *longer = malloc(200001);
	const char *rows[] = {"\r\n\r\n\r\n\r\n\x01\x02\r\n\r\n", "GET\r\n\r\n", longer};

	snprintf(longer, 200001, "GET /metrics HTTP/1.1\r\nHost: %0*d\r\n\r\n", 199000, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1 << 20);

		ask(s, rows[i], &out);
		assert_null(strstr(buf_str(&out), "200 OK"));
		buf_release(&out);
	}
	assert_int_equal(s->renders, 0);
	free(longer);
}

/* A page larger than all socket buffers reaches a client that reads. */
static void test_long_page(void **state)
{
	struct site *s = *state;
	struct buf out = BUF_INIT(1 << 23);

	s->page_bytes = 3u << 20;
	ask(s, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &out);
	assert_true(out.len_bytes > s->page_bytes);
	buf_clear(&out);
	s->page_bytes = 5u << 20;
	ask(s, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &out);
	assert_int_equal(strncmp(buf_str(&out) + 9, "500", 3), 0);
	buf_release(&out);
}

/* 300 connections that say nothing do not keep the scraper out. */
static void test_crowd(void **state)
{
	struct site *s = *state;
	struct buf out = BUF_INIT(1 << 20);
	struct mono began = mono_now();
	int fds[300];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial(s);
		say(fds[i], "GET /met");
		loop_turn(s->loop, 0);
		loop_turn(s->loop, 0);
	}
	ask(s, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &out);
	assert_int_equal(strncmp(buf_str(&out) + 9, "200", 3), 0);
	assert_true(mono_diff_ns(mono_now(), began) < 2 * NS_PER_S);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	buf_release(&out);
}

/* One byte now and then, and a page that nobody reads: both end, and the loop sleeps meanwhile. */
static void test_drip(void **state)
{
	struct site *s = *state;
	struct mono began = mono_now(), next = began;
	int drip = dial(s), deaf = dial(s);
	size_t turns = 0;
	char byte;

	s->page_bytes = 3u << 20;
	say(deaf, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
	while (recv(drip, &byte, 1, 0) < 0 && errno == EAGAIN) {
		if (!mono_is_before(mono_now(), next)) {
			say(drip, "G");
			next = mono_add_ns(next, 500 * NS_PER_MS);
		}
		loop_turn(s->loop, 100 * NS_PER_MS);
		turns++;
		assert_true(mono_diff_ns(mono_now(), began) < PATIENCE_S * NS_PER_S);
	}
	assert_true(mono_diff_ns(mono_now(), began) > 4 * NS_PER_S);
	assert_true(mono_diff_ns(mono_now(), began) < 8 * NS_PER_S);
	assert_true(turns < 1000);
	close(drip);
	s->page_bytes = 0;
	struct buf out = BUF_INIT(1 << 23);
	hear(s, deaf, &out); /* is hung up on with a part of the page */
	assert_true(out.len_bytes < (3u << 20));
	buf_release(&out);
}

static void test_places(void **state)
{
	static const struct {
		const char *where;
		int rc;
		const char *why;
	} bad[] = {
		{"9471", -EINVAL, "expected HOST:PORT or unix:PATH"},
		{":9471", -EINVAL, "expected HOST:PORT"},
		{"::1:9471", -EINVAL, "expected HOST:PORT"},
		{"127.0.0.1:", -EINVAL, "expected HOST:PORT"},
		{"127.0.0.1:70000", -EINVAL, "expected HOST:PORT"},
		{"192.0.2.1:0", -EADDRNOTAVAIL, "cannot listen on 192.0.2.1:0"},
		{"unix:/nonexistent/x", -ENOENT, "cannot listen on /nonexistent/x"},
		{"unix:", -ENAMETOOLONG, "cannot listen"},
	};
	const struct health_owner owner = {metrics, is_well, *state};
	struct site *s = *state;
	struct health *h = NULL;
	char why[200];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(health_open(s->loop, bad[i].where, &owner, &h, why), bad[i].rc);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].where, why);
	}
	/* a socket file that somebody listens on is not taken away from them */
	assert_int_equal(health_open(s->loop, s->where, &owner, &h, why), -EADDRINUSE);
	assert_int_equal(health_open(s->loop, "127.0.0.1:0", &owner, &h, why), 0);
	health_free(h);
}

/* A socket file left by a process that was killed is taken over. */
static void test_stale_socket(void **state)
{
	struct site *s = *state;
	const struct health_owner owner = {metrics, is_well, s};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct buf out = BUF_INIT(1 << 20);
	char why[200], where[256];
	struct health *h;
	struct stat st;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/old.sock", s->folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	snprintf(where, sizeof(where), "unix:%s", at.sun_path);
	assert_int_equal(health_open(s->loop, where, &owner, &h, why), 0);
	assert_int_equal(stat(at.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	health_free(h);
	buf_release(&out);
}

static void hand_over(const char *pid, const char *count, const char *names)
{
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", count, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
}

/* In a child, where descriptors 3 and 4 are ours to give. */
static int try_activation(void)
{
	static const struct {
		const char *pid, *count, *names;
		int rc;
	} rows[] = {
		{"", "1", NULL, -ENOENT},	   {"1", "1", NULL, -ENOENT},
		{NULL, "0", NULL, -ENOENT},	   {NULL, "x", NULL, -ENOENT},
		{NULL, "99", NULL, -ENOENT},	   {NULL, "2", "a:b", -ENOENT},
		{NULL, "1", "a:metrics", -ENOENT}, {NULL, "2", "metrics:a", -EINVAL},
		{NULL, "2", NULL, -EINVAL},	   {NULL, "2", "a:metrics", 0},
	};
	const struct health_owner owner = {metrics, is_well, NULL};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char why[200], pid[24];
	struct health *h = NULL;
	struct loop *l;
	int fd = socket(AF_INET, SOCK_STREAM, 0), file = open("/dev/null", O_RDONLY);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1))
		return 100;
	if (dup2(fd, 104) < 0 || dup2(file, 103) < 0 || dup2(104, 4) < 0 || dup2(103, 3) < 0)
		return 101;
	l = loop_new();
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		hand_over(rows[i].pid ? rows[i].pid : pid, rows[i].count, rows[i].names);
		if (health_open(l, NULL, &owner, &h, why) != rows[i].rc)
			return (int)i + 1;
	}
	return (fcntl(4, F_GETFD) & FD_CLOEXEC) && (fcntl(4, F_GETFL) & O_NONBLOCK) ? 0 : 102;
}

static void test_activation(void **state)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(try_activation());
	(void)state;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_socket, setup, teardown),
		cmocka_unit_test(test_activation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
