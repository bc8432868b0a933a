/*
 * bus_tool - one end of the bus, for tests.
 *
 *	bus_tool serve LIST SECRET-FILE ENDPOINT...	a ROUTER; answers each message with itself
 *	bus_tool say SECRET-FILE SERVER-KEY ENDPOINT	a DEALER; sends each line of standard input
 *
 * Prints a line for each thing: "heard NAME FRAMES BYTES TEXT", "answer TEXT", "sent RC" when an
 * answer could not be sent. A line "ping" to serve sends to the peer heard last and prints "ping
 * RC"; a line "hold" makes it deaf for 2.5 s.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fsio.h"
#include "common/base/lines.h"
#include "common/base/log.h"
#include "common/bus/bus.h"

#define HOLD_MS 2500
#define RETRY_NS (5 * NS_PER_MS)

struct tool {
	struct loop *loop;
	struct bus *bus;
	struct bus_socket *socket;
	struct bus_peer last;
	struct loop_watch input;
	struct loop_timer retry;
	struct lines lines;
	char line[256]; /* waits until it can be sent */
	bool is_server, has_line;
};

static void on_heard(struct bus_socket *s, const struct bus_peer *peer,
		     const struct bus_part *parts, size_t count, void *ctx)
{
	struct tool *t = ctx;
	int len = (int)MIN_OF(parts[0].len_bytes, (size_t)200), rc;

	if (!peer) {
		printf("answer %.*s\n", len, (const char *)parts[0].data);
		return;
	}
	printf("heard %s %zu %zu %.*s\n", peer->name, count, parts[0].len_bytes, len,
	       (const char *)parts[0].data);
	t->last = *peer;
	rc = bus_send(s, peer, parts, count);
	if (rc)
		printf("sent %s\n", strerror(-rc));
}

static void take_line(struct tool *t)
{
	struct bus_part f = {t->line, strlen(t->line)};
	int rc;

	if (t->is_server && !strcmp(t->line, "hold")) {
		printf("held\n");
		poll(NULL, 0, HOLD_MS);
		return;
	}
	rc = bus_send(t->socket, t->is_server ? &t->last : NULL, &f, 1);

	t->has_line = rc == -EAGAIN && !t->is_server;
	if (t->is_server)
		printf("ping %s\n", rc ? strerror(-rc) : "OK");
}

static void take_lines(struct tool *t)
{
	struct line line;

	while (!t->has_line && lines_next(&t->lines, &line) == LINE_OK) {
		snprintf(t->line, sizeof(t->line), "%s", line.data);
		take_line(t);
	}
	if (t->has_line)
		loop_timer_set_in(t->loop, &t->retry, RETRY_NS);
}

static void on_retry(struct loop *l, struct loop_timer *timer)
{
	struct tool *t = CONTAINER_OF(timer, struct tool, retry);

	(void)l;
	take_line(t);
	take_lines(t);
}

static void on_input(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct tool *t = CONTAINER_OF(w, struct tool, input);

	(void)what;
	if (lines_fill(&t->lines, w->fd) == 0)
		loop_stop(l);
	if (!t->has_line)
		take_lines(t);
}

static char *read_key(const char *path)
{
	struct buf text = BUF_INIT(4096);

	if (fs_read(path, &text) != 0)
		return NULL;
	buf_truncate(&text, strcspn(buf_str(&text), "\n"));
	return buf_steal(&text);
}

static int open_server(struct tool *t, int argc, char **argv, char why[200])
{
	char *secret = read_key(argv[3]);
	struct bus_listen how = {.endpoints = (const char *const *)argv + 4,
				 .endpoint_count = (size_t)argc - 4,
				 .secret_key = secret,
				 .heard = on_heard,
				 .ctx = t};
	int rc;

	if (bus_allow(t->bus, argv[2], why) != 0)
		log_warn("%s; nobody is let in", why);
	rc = bus_listen_on(t->bus, &how, &t->socket, why);
	free(secret);
	return rc;
}

static int open_dealer(struct tool *t, char **argv, char why[200])
{
	char *secret = read_key(argv[2]);
	struct bus_connect how = {.endpoint = argv[4],
				  .secret_key = secret,
				  .server_key = argv[3],
				  .linger_ms = 1000,
				  .heard = on_heard,
				  .ctx = t};
	int rc = bus_connect_to(t->bus, &how, &t->socket, why);

	free(secret);
	return rc;
}

static int run(struct tool *t)
{
	t->input = (struct loop_watch){.ready = on_input, .want = LOOP_READ};
	t->retry.run = on_retry;
	lines_init(&t->lines, sizeof(t->line));
	if (loop_watch(t->loop, &t->input) != 0)
		return 111;
	puts("ready");
	loop_run(t->loop);
	lines_release(&t->lines);
	return 0;
}

int main(int argc, char **argv)
{
	struct tool t = {.is_server = argc > 4 && !strcmp(argv[1], "serve")};
	char why[200] = "usage: bus_tool serve LIST SECRET-FILE ENDPOINT... | say SECRET-FILE "
			"SERVER-KEY ENDPOINT";
	int rc = -EINVAL, code = 100;

	log_init("bus_tool");
	setvbuf(stdout, NULL, _IOLBF, 0);
	t.loop = loop_new();
	t.bus = bus_new(t.loop);
	if (t.is_server)
		rc = open_server(&t, argc, argv, why);
	else if (argc == 5 && !strcmp(argv[1], "say"))
		rc = open_dealer(&t, argv, why);
	if (rc)
		log_error("%s", why);
	else
		code = run(&t);
	bus_free(t.bus);
	loop_free(t.loop);
	return code;
}
