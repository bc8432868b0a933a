/* socket.c - the ROUTER and the DEALER: options, binding, connecting, sending. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bus/own.h"
#include "common/bus/pack.h"

/* In the header only with ZMQ_BUILD_DRAFT_API; Debian's 4.3.4 knows it. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

#define IPC "ipc://"
/* What CURVE adds to a frame is counted too: 33 bytes. Above the limit libzmq cuts the connection.
 */
#define CURVE_BYTES 64
#define WAITING_MAX 100
#define RENEW_NS (30 * NS_PER_S)

struct option {
	int option, value;
};

static const struct option common_options[] = {
	{ZMQ_SNDHWM, WAITING_MAX},    {ZMQ_RCVHWM, WAITING_MAX},  {ZMQ_LINGER, 0},
	{ZMQ_HANDSHAKE_IVL, 5000},    {ZMQ_TCP_KEEPALIVE, 1},	  {ZMQ_TCP_KEEPALIVE_IDLE, 5},
	{ZMQ_TCP_KEEPALIVE_INTVL, 5}, {ZMQ_TCP_KEEPALIVE_CNT, 2}, {ZMQ_TCP_MAXRT, 10000},
};

/* Not by the ROUTER: libzmq 4.3.4 aborts (stream_engine_base.cpp, !_io_error) when its own ping is
 * due to a peer that went while messages of it wait. The DEALER's carry a time to live. */
static const struct option router_options[] = {
	{ZMQ_BACKLOG, 100},    {ZMQ_ROUTER_MANDATORY, 1},   {ZMQ_ROUTER_HANDOVER, 0},
	{ZMQ_CURVE_SERVER, 1}, {ZMQ_ZAP_ENFORCE_DOMAIN, 1},
};

static const struct option dealer_options[] = {
	{ZMQ_IMMEDIATE, 1},	   {ZMQ_HEARTBEAT_IVL, 1000}, {ZMQ_HEARTBEAT_TIMEOUT, 2000},
	{ZMQ_HEARTBEAT_TTL, 3000}, {ZMQ_RECONNECT_IVL, 200},  {ZMQ_RECONNECT_IVL_MAX, 10000},
};

static void set_options(void *zmq, const struct option *more, size_t count)
{
	int64_t max_bytes = BUS_PACKED_MAX_BYTES + CURVE_BYTES;

	for (size_t i = 0; i < ARRAY_LEN(common_options); i++)
		bus_set_int(zmq, common_options[i].option, common_options[i].value);
	for (size_t i = 0; i < count; i++)
		bus_set_int(zmq, more[i].option, more[i].value);
	BUG_ON(zmq_setsockopt(zmq, ZMQ_MAXMSGSIZE, &max_bytes, sizeof(max_bytes)) != 0);
}

static void set_text(void *zmq, int option, const char *text)
{
	BUG_ON(zmq_setsockopt(zmq, option, text, strlen(text)) != 0);
}

/* [::]:7070 needs it; it is off by default. */
static void allow_ipv6(void *zmq, const char *endpoint)
{
	if (strchr(endpoint, '['))
		bus_set_int(zmq, ZMQ_IPV6, 1);
}

/* ---- receiving ---- */

static bool is_known(const struct bus *b, const struct bus_peer *p)
{
	const char *key = strmap_get(&b->allowed.names, p->name);

	return key && !strcmp(key, p->key);
}

/* Who this is, by the User-Id that the ZAP handler gave: "NAME KEY". False: not, or not any more.
 */
static bool read_peer(struct bus_socket *s, struct bus_frames *m, struct bus_peer *p)
{
	/* Not of frame 0: a routing id that libzmq fetched while it was asked for events has none.
	 */
	const char *user = m->count > 1 ? zmq_msg_gets(&m->frame[1], "User-Id") : NULL, *blank;

	blank = user ? strchr(user, ' ') : NULL;
	if (!blank || blank - user >= BUS_NAME_SIZE || strlen(blank + 1) != BUS_KEY_SIZE - 1)
		return false;
	snprintf(p->name, sizeof(p->name), "%.*s", (int)(blank - user), user);
	snprintf(p->key, sizeof(p->key), "%s", blank + 1);
	p->id_bytes = MIN_OF(zmq_msg_size(&m->frame[0]), sizeof(p->id));
	memcpy(p->id, zmq_msg_data(&m->frame[0]), p->id_bytes);
	return is_known(s->bus, p);
}

/* The last frame is the message; with more of ours it is one of version 1. */
static int read_parts(struct bus_socket *s, struct bus_frames *m, struct bus_part *parts,
		      size_t *count)
{
	zmq_msg_t *last = &m->frame[m->count - 1];

	if (m->count != (s->is_router ? 2 : 1))
		return -EPROTONOSUPPORT;
	return bus_unpack(zmq_msg_data(last), zmq_msg_size(last), parts, count);
}

static void tell_dropped(struct bus_socket *s, const char *who, int rc)
{
	if (rc == -EPROTONOSUPPORT)
		log_limited(&s->bus->versions, LOG_ERROR,
			    "dropped a message of %s, which does not speak version %d of the bus: "
			    "bring both to the same release",
			    who, BUS_VERSION);
	else
		log_limited(&s->bus->malformed, LOG_WARN, "dropped a malformed message of %s", who);
}

static void take(struct bus_socket *s, struct bus_frames *m)
{
	struct bus_part parts[BUS_PARTS_MAX];
	struct bus_peer peer = {0};
	size_t count;
	int rc;

	if (s->is_router && !read_peer(s, m, &peer)) {
		log_limited(&s->bus->refused, LOG_WARN,
			    "dropped a message of %s, whose key is not in the list any more",
			    peer.name[0] ? peer.name : "a peer without a name");
		return;
	}
	rc = read_parts(s, m, parts, &count);
	if (rc)
		tell_dropped(s, s->is_router ? peer.name : "the server", rc);
	else
		s->heard(s, s->is_router ? &peer : NULL, parts, count, s->ctx);
}

/* ---- sending ---- */

static int send_frame(struct bus_socket *s, zmq_msg_t *frame, int flags)
{
	int rc;

	do
		rc = zmq_msg_send(frame, s->zmq, ZMQ_DONTWAIT | flags);
	while (rc < 0 && errno == EINTR);
	rc = rc < 0 ? -errno : 0;
	if (rc)
		zmq_msg_close(frame);
	return rc;
}

static int send_id(struct bus_socket *s, const struct bus_peer *peer)
{
	zmq_msg_t id;

	BUG_ON(zmq_msg_init_size(&id, peer->id_bytes) != 0);
	memcpy(zmq_msg_data(&id), peer->id, peer->id_bytes);
	return send_frame(s, &id, ZMQ_SNDMORE);
}

int bus_send(struct bus_socket *s, const struct bus_peer *peer, const struct bus_part *parts,
	     size_t count)
{
	size_t len_bytes = bus_packed_bytes(parts, count);
	zmq_msg_t frame;
	int rc = 0;

	BUG_ON(s->is_router != (peer != NULL));
	if (!len_bytes)
		return -EMSGSIZE;
	if (peer && !is_known(s->bus, peer))
		return -EHOSTUNREACH;
	if (peer)
		rc = send_id(s, peer);
	if (!rc) {
		BUG_ON(zmq_msg_init_size(&frame, len_bytes) != 0);
		bus_pack(parts, count, zmq_msg_data(&frame));
		rc = send_frame(s, &frame, 0);
	}
	/* Sending may have eaten the edge of something that came meanwhile. */
	if (!s->is_draining && (bus_socket_events(s) & ZMQ_POLLIN))
		loop_timer_set_in(s->bus->loop, &s->again, 0);
	return rc;
}

/* ---- the ROUTER ---- */

/* libzmq unlinks whatever lies there: not if it is no socket, or if somebody still listens. */
static int check_path(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc = 0;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&at, sizeof(at)) || errno == EAGAIN)
		rc = -EADDRINUSE;
	close(fd);
	return rc;
}

/* A unix socket is for our user and group. */
static int bind_one(void *zmq, const char *endpoint, char why[200])
{
	bool is_ipc = !strncmp(endpoint, IPC, strlen(IPC));
	int rc = is_ipc ? check_path(endpoint + strlen(IPC)) : 0;
	mode_t before;

	if (!rc) {
		before = umask(0117);
		rc = zmq_bind(zmq, endpoint) ? -errno : 0;
		umask(before);
	}
	if (rc)
		snprintf(why, 200, "cannot bind %.120s: %s", endpoint, zmq_strerror(-rc));
	return rc;
}

static int check_key(const char *key, const char *what, char why[200])
{
	if (key && bus_key_is_fine(key))
		return 0;
	snprintf(why, 200,
		 "the %s is no key of 40 characters (Z85); plimsoll admin key new makes one", what);
	return -EINVAL;
}

int bus_listen_on(struct bus *b, const struct bus_listen *how, struct bus_socket **out,
		  char why[200])
{
	struct bus_socket *s;
	int rc = check_key(how->secret_key, "secret key", why);

	if (rc)
		return rc;
	s = bus_socket_new(b, ZMQ_ROUTER);
	if (!s) {
		snprintf(why, 200, "cannot make a socket: %s", zmq_strerror(errno));
		return -errno;
	}
	s->take = take;
	s->heard = how->heard;
	s->ctx = how->ctx;
	set_options(s->zmq, router_options, ARRAY_LEN(router_options));
	bus_set_int(s->zmq, ZMQ_RCVHWM, how->waiting_max ? how->waiting_max : WAITING_MAX);
	set_text(s->zmq, ZMQ_CURVE_SECRETKEY, how->secret_key);
	set_text(s->zmq, ZMQ_ZAP_DOMAIN, BUS_ZAP_DOMAIN);
	for (size_t i = 0; i < how->endpoint_count && !rc; i++) {
		allow_ipv6(s->zmq, how->endpoints[i]);
		rc = bind_one(s->zmq, how->endpoints[i], why);
	}
	bus_socket_watch(s);
	if (rc)
		bus_socket_close(s);
	else
		*out = s;
	return rc;
}

/* ---- the DEALER ---- */

static int connect_dealer(struct bus_socket *s, char why[200])
{
	char public_key[BUS_KEY_SIZE];

	BUG_ON(bus_key_public(s->secret_key, public_key) != 0);
	set_options(s->zmq, dealer_options, ARRAY_LEN(dealer_options));
	bus_set_int(s->zmq, ZMQ_LINGER, s->linger_ms);
	set_text(s->zmq, ZMQ_CURVE_SERVERKEY, s->server_key);
	set_text(s->zmq, ZMQ_CURVE_PUBLICKEY, public_key);
	set_text(s->zmq, ZMQ_CURVE_SECRETKEY, s->secret_key);
	allow_ipv6(s->zmq, s->endpoint);
	if (!zmq_connect(s->zmq, s->endpoint))
		return 0;
	snprintf(why, 200, "cannot connect to %.120s: %s", s->endpoint, zmq_strerror(errno));
	return -errno;
}

/* libzmq gives a connection up for ever after some mistakes of the other side (a "no", a broken
 * handshake). A socket that could not send for a while is made anew; what lay in it is lost, as
 * any message may be. */
static void renew(struct loop *l, struct loop_timer *t)
{
	struct bus_socket *s = CONTAINER_OF(t, struct bus_socket, renew);
	bool is_cut = !(bus_socket_events(s) & ZMQ_POLLOUT);
	void *fresh = is_cut && s->was_cut ? zmq_socket(s->bus->zmq, ZMQ_DEALER) : NULL;
	char why[200];

	s->was_cut = is_cut;
	if (fresh) {
		loop_unwatch(l, &s->watch);
		BUG_ON(zmq_close(s->zmq) != 0);
		s->zmq = fresh;
		s->is_skipping = s->was_cut = false;
		if (connect_dealer(s, why))
			log_limited(&s->bus->trouble, LOG_WARN, "%s", why);
		bus_socket_watch(s);
	}
	loop_timer_set_in(l, t, RENEW_NS);
}

static void fill_dealer(struct bus_socket *s, const struct bus_connect *how)
{
	s->take = take;
	s->heard = how->heard;
	s->ctx = how->ctx;
	s->linger_ms = how->linger_ms;
	s->endpoint = x_strdup(how->endpoint);
	memcpy(s->secret_key, how->secret_key, BUS_KEY_SIZE);
	memcpy(s->server_key, how->server_key, BUS_KEY_SIZE);
	s->renew.run = renew;
}

int bus_connect_to(struct bus *b, const struct bus_connect *how, struct bus_socket **out,
		   char why[200])
{
	struct bus_socket *s;
	int rc = check_key(how->secret_key, "secret key", why);

	if (!rc)
		rc = check_key(how->server_key, "server's public key", why);
	if (rc)
		return rc;
	s = bus_socket_new(b, ZMQ_DEALER);
	if (!s) {
		snprintf(why, 200, "cannot make a socket: %s", zmq_strerror(errno));
		return -errno;
	}
	fill_dealer(s, how);
	rc = connect_dealer(s, why);
	bus_socket_watch(s);
	loop_timer_set_in(b->loop, &s->renew, RENEW_NS);
	if (rc)
		bus_socket_close(s);
	else
		*out = s;
	return rc;
}
