/* bus.c - the context, the list of who may speak, and receiving without losing an edge. */
#include "common/bus/own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/proc.h"

#define LOOK_NS NS_PER_S
/* Connections that only sit there cost descriptors; more than this no host of ours needs. */
#define DESCRIPTORS_WANTED 16384

/* ---- receiving ---- */

int bus_socket_events(struct bus_socket *s)
{
	int events = 0, rc;
	size_t size = sizeof(events);

	do
		rc = zmq_getsockopt(s->zmq, ZMQ_EVENTS, &events, &size);
	while (rc && errno == EINTR);
	BUG_ON(rc != 0);
	return events;
}

static int receive_frame(struct bus_socket *s, zmq_msg_t *frame)
{
	int rc;

	zmq_msg_init(frame);
	do
		rc = zmq_msg_recv(frame, s->zmq, ZMQ_DONTWAIT);
	while (rc < 0 && errno == EINTR);
	if (rc >= 0)
		return 0;
	BUG_ON(errno != EAGAIN);
	zmq_msg_close(frame);
	return -EAGAIN;
}

static void release_frames(struct bus_frames *m)
{
	for (size_t i = 0; i < m->count; i++)
		zmq_msg_close(&m->frame[i]);
	m->count = 0;
}

/* At most BUS_FRAMES_MAX frames; *is_more: the message goes on. -EAGAIN: nothing is there. */
static int receive(struct bus_socket *s, struct bus_frames *m, bool *is_more)
{
	*is_more = true;
	for (m->count = 0; *is_more && m->count < BUS_FRAMES_MAX; m->count++) {
		if (receive_frame(s, &m->frame[m->count])) {
			release_frames(m);
			return -EAGAIN;
		}
		*is_more = zmq_msg_more(&m->frame[m->count]);
	}
	return 0;
}

/* One message, or a piece of one with too many frames: its first one is refused by take for their
 * number, the others are dropped. No peer holds the loop for longer. */
static int receive_one(struct bus_socket *s)
{
	struct bus_frames m;
	bool is_more;
	int rc = receive(s, &m, &is_more);

	if (rc)
		return rc;
	if (!s->is_skipping)
		s->take(s, &m);
	s->is_skipping = is_more;
	release_frames(&m);
	return 0;
}

static void drain(struct bus_socket *s)
{
	int rc = 0;

	s->is_draining = true;
	for (int n = 0; n < BUS_BURST && !rc && !s->is_closed; n++)
		rc = receive_one(s);
	s->is_draining = false;
	if (s->is_closed)
		free(s);
	else if (!rc || (bus_socket_events(s) & ZMQ_POLLIN))
		loop_timer_set_in(s->bus->loop, &s->again, 0);
}

static void on_ready(struct loop *l, struct loop_watch *w, unsigned what)
{
	(void)l, (void)what;
	drain(CONTAINER_OF(w, struct bus_socket, watch));
}

static void on_again(struct loop *l, struct loop_timer *t)
{
	(void)l;
	drain(CONTAINER_OF(t, struct bus_socket, again));
}

/* ---- sockets ---- */

void bus_set_int(void *zmq, int option, int value)
{
	BUG_ON(zmq_setsockopt(zmq, option, &value, sizeof(value)) != 0);
}

struct bus_socket *bus_socket_new(struct bus *b, int type)
{
	void *zmq = zmq_socket(b->zmq, type);
	struct bus_socket *s;

	if (!zmq)
		return NULL;
	s = x_calloc(1, sizeof(*s));
	s->bus = b;
	s->zmq = zmq;
	s->is_router = type == ZMQ_ROUTER;
	s->next = b->sockets;
	b->sockets = s;
	return s;
}

void bus_socket_watch(struct bus_socket *s)
{
	size_t size = sizeof(s->watch.fd);

	s->watch = (struct loop_watch){.ready = on_ready, .want = LOOP_READ};
	s->again.run = on_again;
	BUG_ON(zmq_getsockopt(s->zmq, ZMQ_FD, &s->watch.fd, &size) != 0);
	BUG_ON(loop_watch(s->bus->loop, &s->watch) != 0);
	loop_timer_set_in(s->bus->loop, &s->again, 0);
}

void bus_socket_close(struct bus_socket *s)
{
	struct bus_socket **at;

	if (!s)
		return;
	for (at = &s->bus->sockets; *at != s; at = &(*at)->next)
		BUG_ON(!*at);
	*at = s->next;
	loop_unwatch(s->bus->loop, &s->watch);
	loop_timer_clear(s->bus->loop, &s->again);
	loop_timer_clear(s->bus->loop, &s->renew);
	BUG_ON(zmq_close(s->zmq) != 0);
	free(s->endpoint);
	explicit_bzero(s->secret_key, sizeof(s->secret_key));
	s->is_closed = true;
	if (!s->is_draining)
		free(s);
}

/* ---- who may speak ---- */

/* A want of descriptors or memory says nothing about the list: the last one stays. */
static bool is_passing(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -EINTR;
}

int bus_allow_reload(struct bus *b, char why[200])
{
	struct bus_list list = {0};
	struct stat seen = {0};
	int rc;

	if (!b->allow_path)
		return 0;
	(void)stat(b->allow_path, &seen); /* before reading: a change meanwhile is seen again */
	rc = bus_list_read(b->allow_path, &list, why);
	if (is_passing(rc))
		return rc;
	bus_list_release(&b->allowed);
	b->allowed = list;
	b->seen = seen;
	return rc;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void look(struct loop *l, struct loop_timer *t)
{
	struct bus *b = CONTAINER_OF(t, struct bus, look);
	struct stat now = {0};
	char why[200];

	(void)stat(b->allow_path, &now);
	if (!is_same_file(&now, &b->seen)) {
		if (bus_allow_reload(b, why))
			log_limited(&b->trouble, LOG_ERROR,
				    "%s; nobody is let in until it is mended", why);
		else
			log_info("%s: %zu may speak", b->allow_path, b->allowed.names.count);
	}
	loop_timer_set_in(l, t, LOOK_NS);
}

int bus_allow(struct bus *b, const char *path, char why[200])
{
	free(b->allow_path);
	b->allow_path = x_strdup(path);
	loop_timer_set_in(b->loop, &b->look, LOOK_NS);
	return bus_allow_reload(b, why);
}

bool bus_is_allowed(const struct bus *b, const char *name)
{
	return strmap_get(&b->allowed.names, name) != NULL;
}

/* ---- the context ---- */

struct bus *bus_new(struct loop *l)
{
	struct bus *b = x_calloc(1, sizeof(*b));

	/* libzmq can accept nobody when descriptors are out. */
	proc_want_descriptors(DESCRIPTORS_WANTED);
	b->loop = l;
	b->look.run = look;
	b->zmq = zmq_ctx_new();
	BUG_ON(!b->zmq);
	bus_zap_open(b);
	return b;
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	while (b->sockets)
		bus_socket_close(b->sockets);
	while (zmq_ctx_term(b->zmq) != 0)
		BUG_ON(errno != EINTR);
	loop_timer_clear(b->loop, &b->look);
	bus_list_release(&b->allowed);
	free(b->allow_path);
	free(b);
}
