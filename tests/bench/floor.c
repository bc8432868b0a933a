/*
 * floor - what HTTP/1.1 costs at least: bare send(2) and recv(2) on epoll, and nothing else.
 *
 *	floor --connections 64 --requests 500000 PORT [PATH]	# closed: the next when answered
 *	floor --connections 64 --seconds 5 PORT [PATH]
 *	floor --rate 1000 --seconds 5 PORT [PATH]		# open: clock_nanosleep, then send
 *
 * It parses one answer, its first, for its length; all others must be as long. It measures no
 * times, keeps no histogram, knows no errors but to give up. What a load generator takes beyond
 * this is what its measuring costs. One connection's answer is read by one recv: epoll is edge
 * triggered, so it is not asked again, and an answer of known length needs no read that says
 *EAGAIN.
 *
 * Prints one JSON line: requests, seconds. Exit 111 when the server is not there or goes away.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/exit_code.h"
#include "common/base/opt.h"

#define EVENTS_AT_ONCE 256
#define ANSWER_MAX_BYTES 65536

struct options {
	uint64_t connections, requests, seconds, rate;
};

static const struct opt rows[] = {
	{"connections", 'c', OPT_U64, offsetof(struct options, connections), "N", "64",
	 "connections"},
	{"requests", 'n', OPT_U64, offsetof(struct options, requests), "N", "0",
	 "how many; 0: until the time is over"},
	{"seconds", 's', OPT_U64, offsetof(struct options, seconds), "N", "5", "for how long"},
	{"rate", 'r', OPT_U64, offsetof(struct options, rate), "N", "0",
	 "requests a second; 0: closed"},
};

struct connection {
	int fd;
	uint32_t got_bytes; /* of the answer that is awaited */
};

static struct options o;
static struct connection *connections;
static char request[1024], answer[ANSWER_MAX_BYTES];
static size_t request_bytes, answer_bytes;
static uint64_t begun, answered;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(EXIT_AGAIN);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("floor: connect");
	return fd;
}

/* How long an answer is, from one that is asked for before the clock runs. */
static void learn_length(int fd)
{
	const char *head_end, *length;
	size_t got = 0;
	ssize_t n;

	if (send(fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
		die("floor: send");
	do {
		n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0);
		if (n <= 0)
			die("floor: no answer");
		got += (size_t)n;
		answer[got] = '\0';
		head_end = strstr(answer, "\r\n\r\n");
	} while (!head_end);
	length = strcasestr(answer, "\r\nContent-Length:");
	if (!length || length > head_end)
		die("floor: the answer has no Content-Length");
	answer_bytes = (size_t)(head_end - answer) + 4 + strtoul(length + 17, NULL, 10);
	while (got < answer_bytes && (n = recv(fd, answer, sizeof(answer), 0)) > 0)
		got += (size_t)n;
	if (got != answer_bytes)
		die("floor: an answer of another length");
}

static void begin(struct connection *c)
{
	if (send(c->fd, request, request_bytes, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)request_bytes)
		die("floor: send");
	begun++;
}

/* True when the answer is whole. */
static bool hear(struct connection *c)
{
	ssize_t n = recv(c->fd, answer, sizeof(answer), o.rate ? 0 : MSG_DONTWAIT);

	if (n <= 0)
		die("floor: recv");
	c->got_bytes += (uint32_t)n;
	if (c->got_bytes < answer_bytes)
		return false;
	c->got_bytes = 0;
	answered++;
	return true;
}

static bool is_over(struct mono end)
{
	return o.requests ? begun >= o.requests : !mono_is_before(mono_now(), end);
}

static void run_closed(int epoll_fd, struct mono end)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	bool is_last = false;

	for (size_t i = 0; i < o.connections; i++)
		begin(&connections[i]);
	while (answered < begun) {
		int n = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, 5000);

		if (n <= 0)
			die("floor: no answer for five seconds");
		is_last = is_last || is_over(end);
		for (int i = 0; i < n; i++)
			if (hear(events[i].data.ptr) && !is_last)
				begin(events[i].data.ptr);
	}
}

/* Sleeps to each point of the grid; a connection's last answer is read before its next request. */
static void run_open(uint64_t total)
{
	int64_t start_ns = mono_now().ns + NS_PER_MS;

	while (begun < total) {
		int64_t at_ns = start_ns + (int64_t)(begun * (uint64_t)NS_PER_S / o.rate);
		struct timespec at = {at_ns / NS_PER_S, at_ns % NS_PER_S};
		struct connection *c = &connections[begun % o.connections];

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		begin(c);
		c = &connections[begun % o.connections];
		while (begun >= o.connections && !hear(c))
			;
	}
}

static void open_connections(int epoll_fd, uint16_t port)
{
	connections = x_calloc(o.connections, sizeof(*connections));
	for (size_t i = 0; i < o.connections; i++) {
		struct epoll_event ev = {EPOLLIN | EPOLLET, {.ptr = &connections[i]}};

		connections[i].fd = connect_to(port);
		if (i == 0)
			learn_length(connections[i].fd);
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connections[i].fd, &ev) != 0)
			die("floor: epoll_ctl");
	}
}

static void run(uint16_t port, const char *path)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct mono start;

	request_bytes =
		(size_t)snprintf(request, sizeof(request),
				 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", path, port);
	if (request_bytes >= sizeof(request))
		die("floor: the path is too long");
	open_connections(epoll_fd, port);
	start = mono_now();
	if (o.rate)
		run_open(o.requests ? o.requests : o.rate * o.seconds);
	else
		run_closed(epoll_fd, mono_add_ns(start, (int64_t)o.seconds * NS_PER_S));
	printf("{\"requests\":%" PRIu64 ",\"seconds\":%.6f}\n", begun,
	       (double)mono_diff_ns(mono_now(), start) / 1e9);
}

int main(int argc, char **argv)
{
	const struct opt_usage usage = {"floor", "[options] PORT [PATH]", "", NULL};
	struct opt_table table = {rows, ARRAY_LEN(rows), &o};
	struct buf why = BUF_INIT(1000);
	const char *rest[64];
	size_t count = 0;
	unsigned long port = 0;

	if (argc < 64 && opt_parse(&table, 1, argc, argv, rest, &count, &why) == 0 && count > 0)
		port = strtoul(rest[0], NULL, 10);
	if (port == 0 || port > UINT16_MAX || !o.connections) {
		fprintf(stderr, "floor: %s\n", buf_str(&why));
		opt_help(stderr, &usage, &table, 1);
		return EXIT_USAGE;
	}
	run((uint16_t)port, count > 1 ? rest[1] : "/");
	return EXIT_FINE;
}
