/*
 * fake_server.h - a server in the test's own loop that misbehaves as a script says.
 *
 *	struct fake f;
 *	fake_start(&f, loop, &(struct fake_script){.answer = "HTTP/1.1 200 OK\r\n...", .then =
 *FAKE_RESET});
 *	... f.port, f.accepted, f.requests ...
 *	fake_stop(&f);
 */
#ifndef TESTS_UNIT_FAKE_SERVER_H
#define TESTS_UNIT_FAKE_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/loop.h"

#define FAKE_CONNS 64

enum fake_then { FAKE_KEEPS, FAKE_CLOSES, FAKE_RESETS, FAKE_HALF_CLOSES };

struct fake_script {
	const char *answer;
	size_t piece_bytes; /* 0 = the answer in one piece, else one piece a turn */
	enum fake_then then;
	bool is_endless;  /* the answer again and again */
	bool is_greeting; /* answers before it was asked */
	bool is_early;	  /* answers at the first byte and reads no more */
};

struct fake;

struct fake_conn {
	struct loop_watch watch;
	struct loop_timer timer;
	struct fake *server;
	size_t answer_at, line_bytes;
	bool is_done;
};

struct fake {
	struct loop *loop;
	struct loop_watch listener;
	struct fake_script script;
	uint16_t port;
	uint32_t accepted, requests;
	uint64_t read_bytes;
	struct fake_conn conns[FAKE_CONNS];
};

static inline void fake_drop(struct fake_conn *c)
{
	if (c->watch.fd < 0)
		return;
	loop_timer_clear(c->server->loop, &c->timer);
	loop_unwatch(c->server->loop, &c->watch);
	close(c->watch.fd);
	c->watch.fd = -1;
}

static inline void fake_end(struct fake_conn *c)
{
	const struct linger reset = {.l_onoff = 1};

	c->is_done = true;
	switch (c->server->script.then) {
	case FAKE_KEEPS:
		break;
	case FAKE_HALF_CLOSES:
		shutdown(c->watch.fd, SHUT_WR);
		break;
	case FAKE_RESETS:
		setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		fake_drop(c);
		break;
	case FAKE_CLOSES:
		fake_drop(c);
		break;
	}
}

static inline void fake_answer(struct loop *l, struct loop_timer *t)
{
	struct fake_conn *c = CONTAINER_OF(t, struct fake_conn, timer);
	const struct fake_script *s = &c->server->script;
	size_t len = s->answer ? strlen(s->answer) : 0;
	size_t n = s->piece_bytes ? s->piece_bytes : len;

	if (c->answer_at < len) {
		n = MIN_OF(n, len - c->answer_at);
		if (send(c->watch.fd, s->answer + c->answer_at, n, MSG_NOSIGNAL) > 0)
			c->answer_at += n;
		if (s->is_endless && c->answer_at == len)
			c->answer_at = 0;
	}
	if (c->answer_at < len)
		loop_timer_set_in(l, t, s->piece_bytes ? NS_PER_MS / 20 : NS_PER_MS);
	else
		fake_end(c);
}

static inline void fake_begin(struct fake_conn *c)
{
	c->answer_at = 0;
	fake_answer(c->server->loop, &c->timer);
}

/* Empty lines end requests; the tests send none with a body to servers that read all. */
static inline void fake_read(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct fake_conn *c = CONTAINER_OF(w, struct fake_conn, watch);
	char data[16384];
	ssize_t n = recv(w->fd, data, c->server->script.is_early ? 1 : sizeof(data), 0);

	(void)what;
	if (n <= 0) {
		fake_drop(c);
		return;
	}
	c->server->read_bytes += (uint64_t)n;
	if (c->server->script.is_early) {
		loop_unwatch(l, w);
		c->server->requests++;
		fake_begin(c);
		return;
	}
	for (ssize_t i = 0; i < n && w->fd >= 0; i++) {
		c->line_bytes += data[i] != '\r';
		if (data[i] != '\n')
			continue;
		if (c->line_bytes == 1) {
			c->server->requests++;
			fake_begin(c);
		}
		c->line_bytes = 0;
	}
}

static inline void fake_accept(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct fake *f = CONTAINER_OF(w, struct fake, listener);
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct fake_conn *c;

	(void)what;
	BUG_ON(fd < 0);
	for (c = f->conns; c < f->conns + FAKE_CONNS && c->watch.fd >= 0;)
		c++;
	BUG_ON(c == f->conns + FAKE_CONNS);
	*c = (struct fake_conn){
		.watch = {.ready = fake_read, .fd = fd, .want = LOOP_READ},
		.timer = {.run = fake_answer},
		.server = f,
	};
	f->accepted++;
	BUG_ON(loop_watch(l, &c->watch));
	if (f->script.is_greeting)
		fake_begin(c);
}

/* A listening socket on a free port of 127.0.0.1. */
static inline int fake_listen(uint16_t *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	BUG_ON(fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) || listen(fd, 128));
	BUG_ON(getsockname(fd, (struct sockaddr *)&to, &len));
	*port = ntohs(to.sin_port);
	return fd;
}

static inline void fake_start(struct fake *f, struct loop *l, const struct fake_script *script)
{
	*f = (struct fake){.loop = l, .script = *script};
	for (size_t i = 0; i < FAKE_CONNS; i++)
		f->conns[i].watch.fd = -1;
	f->listener = (struct loop_watch){.ready = fake_accept, .want = LOOP_READ};
	f->listener.fd = fake_listen(&f->port);
	BUG_ON(loop_watch(l, &f->listener));
}

/* Closes every connection it holds, as a server does that has had enough of idle ones. */
static inline void fake_drop_all(struct fake *f)
{
	for (size_t i = 0; i < FAKE_CONNS; i++)
		fake_drop(&f->conns[i]);
}

static inline void fake_stop(struct fake *f)
{
	fake_drop_all(f);
	loop_unwatch(f->loop, &f->listener);
	close(f->listener.fd);
}

#endif
