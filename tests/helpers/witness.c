/*
 * witness - an HTTP target that answers at once and writes down who called.
 *
 *	witness LOG [PORT [ADDRESS]]
 *
 * Listens on 127.0.0.1, or ADDRESS, and prints its port. LOG gets a line a request, when its head
 *is there:
 *
 *	<wall clock, ns> <path> <Plimsoll-Run or -> <Plimsoll-Attempt or -> <port of the caller>
 *
 * A path /_after/MS/... is answered so much later. GET /_health answers without a line. GET
 * /_stall/MS: no request that comes within that time is answered before it is over (it stands in
 *LOG when it came). SIGSTOP stalls it too, but then what comes is written down when it goes on.
 *
 * One epoll loop, keep-alive, pipelining; bodies are skipped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"

#define HEAD_MAX_BYTES 16384
#define EVENTS_AT_ONCE 256
#define LOG_BUFFER_BYTES ((size_t)256 * 1024)

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			     "Content-Length: 12\r\n\r\n{\"ok\": true}";

struct caller {
	int fd;
	unsigned port, owed;	      /* owed: answers that a stall or a wait holds back */
	struct mono answer_at;	      /* ns 0 = at once */
	size_t len_bytes, skip_bytes; /* of data; of a body that is still to come */
	struct caller *prev, *next;
	char data[HEAD_MAX_BYTES + 1];
};

struct text {
	const char *start;
	int len;
};

static struct caller callers = {.prev = &callers, .next = &callers};
static struct mono stall_until;
static unsigned waiting; /* callers with an answer_at */
static FILE *journal;

static void die(const char *what)
{
	perror(what);
	exit(111);
}

/* The value of a header of a NUL-terminated head; "-" when it is not there. */
static struct text header(const char *head, const char *name)
{
	size_t name_len = strlen(name);

	for (const char *p = strstr(head, "\r\n"); p; p = strstr(p, "\r\n")) {
		p += 2;
		if (strncasecmp(p, name, name_len) != 0 || p[name_len] != ':')
			continue;
		p += name_len + 1;
		p += strspn(p, " ");
		return (struct text){p, (int)strcspn(p, " \t\r\n")};
	}
	return (struct text){"-", 1};
}

static bool is_stalled(void)
{
	return mono_diff_ns(stall_until, mono_now()) > 0;
}

/* Answers of 90 bytes on a socket with an empty buffer: what does not fit means a dead caller. */
static int reply(struct caller *c)
{
	for (; c->owed > 0; c->owed--) {
		if (send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			return -1;
	}
	return 0;
}

/* The request whose head is data, NUL-terminated. */
static void heard(struct caller *c)
{
	const char *path = strchr(c->data, ' ');
	struct text run = header(c->data, "Plimsoll-Run");
	struct text attempt = header(c->data, "Plimsoll-Attempt");
	int len;

	path = path ? path + 1 : "";
	len = (int)strcspn(path, " \r\n");
	c->owed++;
	if (strncmp(path, "/_health", 8) == 0)
		return;
	if (strncmp(path, "/_stall/", 8) == 0) {
		stall_until = mono_add_ns(mono_now(), strtoll(path + 8, NULL, 10) * 1000000);
		return;
	}
	if (strncmp(path, "/_after/", 8) == 0 && c->answer_at.ns == 0) {
		c->answer_at = mono_add_ns(mono_now(), strtoll(path + 8, NULL, 10) * 1000000);
		waiting++;
	}
	fprintf(journal, "%lld %.*s %.*s %.*s %u\n", (long long)wall_now().ns, len, path, run.len,
		run.start, attempt.len, attempt.start, c->port);
}

static void drop(struct caller *c, size_t len_bytes)
{
	c->len_bytes -= len_bytes;
	memmove(c->data, c->data + len_bytes, c->len_bytes);
}

/* Takes whole requests off the front of data. */
static void take_requests(struct caller *c)
{
	for (;;) {
		size_t skip = c->skip_bytes < c->len_bytes ? c->skip_bytes : c->len_bytes;
		char *end;

		c->skip_bytes -= skip;
		drop(c, skip);
		c->data[c->len_bytes] = '\0';
		end = strstr(c->data, "\r\n\r\n");
		if (c->skip_bytes > 0 || !end)
			return;
		end[2] = '\0';
		heard(c);
		c->skip_bytes = strtoul(header(c->data, "Content-Length").start, NULL, 10);
		drop(c, (size_t)(end + 4 - c->data));
	}
}

static void hang_up(struct caller *c)
{
	waiting -= c->answer_at.ns != 0;
	close(c->fd);
	c->prev->next = c->next;
	c->next->prev = c->prev;
	free(c);
}

static void on_caller(struct caller *c)
{
	ssize_t n = recv(c->fd, c->data + c->len_bytes, HEAD_MAX_BYTES - c->len_bytes, 0);
	bool was_stalled = is_stalled(); /* whoever tells us to stall is answered */

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->len_bytes += (size_t)n;
	take_requests(c);
	if (c->len_bytes == HEAD_MAX_BYTES ||
	    (!was_stalled && c->answer_at.ns == 0 && reply(c) < 0))
		hang_up(c);
}

static void on_listener(int epoll, int listener)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN};
	struct caller *c;
	int one = 1;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		die("witness");
	c->fd = fd;
	c->port = ntohs(peer.sin_port);
	c->next = callers.next;
	c->prev = &callers;
	c->next->prev = callers.next = c;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	e.data.ptr = c;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static int listen_on(const char *address, unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1) {
		fprintf(stderr, "witness: '%s' is no IPv4 address\n", address);
		exit(100);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		die("witness: cannot listen");
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

/* After a stall: everybody gets what is owed. */
static void pay_all(void)
{
	for (struct caller *c = callers.next, *next; c != &callers; c = next) {
		next = c->next;
		if (c->owed > 0 && reply(c) < 0)
			hang_up(c);
	}
}

/* Answers those whose time has come; how long until the next one's, or -1. */
static int pay_waiting(void)
{
	struct mono now = mono_now();
	int64_t next_ns = INT64_MAX;

	for (struct caller *c = callers.next, *next; waiting && c != &callers; c = next) {
		int64_t left_ns = mono_diff_ns(c->answer_at, now);

		next = c->next;
		if (c->answer_at.ns == 0)
			continue;
		if (left_ns > 0) {
			next_ns = left_ns < next_ns ? left_ns : next_ns;
			continue;
		}
		c->answer_at.ns = 0;
		waiting--;
		if (reply(c) < 0)
			hang_up(c);
	}
	return next_ns == INT64_MAX ? -1 : (int)(next_ns / 1000000 + 1);
}

static void serve(int listener)
{
	struct epoll_event e = {.events = EPOLLIN}, got[EVENTS_AT_ONCE];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) < 0)
		die("epoll");
	for (bool was_stalled = false;; was_stalled = is_stalled()) {
		int wait_ms = pay_waiting();
		int n = epoll_wait(epoll, got, EVENTS_AT_ONCE, was_stalled ? 5 : wait_ms);

		for (int i = 0; i < n; i++) {
			if (got[i].data.ptr)
				on_caller(got[i].data.ptr);
			else
				on_listener(epoll, listener);
		}
		if (was_stalled && !is_stalled())
			pay_all();
		fflush(journal);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: witness LOG [PORT [ADDRESS]]\n");
		return 100;
	}
	journal = fopen(argv[1], "ae");
	if (!journal || setvbuf(journal, NULL, _IOFBF, LOG_BUFFER_BYTES) != 0)
		die(argv[1]);
	serve(listen_on(argc > 3 ? argv[3] : "127.0.0.1",
			argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0));
	return 0;
}
