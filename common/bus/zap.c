/*
 * zap.c - says who may connect (ZeroMQ RFC 27): a REP socket in our loop that libzmq asks.
 *
 * The answer to a stranger is 300, not 400: after 400 libzmq's client gives up for ever, so that a
 * loader whose line is added a moment later would never come back. 300 makes it try again.
 */
#include <string.h>

#include "common/bus/own.h"

enum { VERSION, REQUEST, DOMAIN_NAME, ADDRESS, ROUTING_ID, MECHANISM, CREDENTIALS, REQUEST_FRAMES };

static bool is_text(zmq_msg_t *m, const char *want)
{
	size_t len = strlen(want);

	return zmq_msg_size(m) == len && !memcmp(zmq_msg_data(m), want, len);
}

/* The peer's public key in Z85, or false when this is no CURVE request of our domain. */
static bool read_key(struct bus_frames *m, char key[BUS_KEY_SIZE])
{
	if (m->count != REQUEST_FRAMES || !is_text(&m->frame[VERSION], "1.0") ||
	    !is_text(&m->frame[DOMAIN_NAME], BUS_ZAP_DOMAIN) ||
	    !is_text(&m->frame[MECHANISM], "CURVE") || zmq_msg_size(&m->frame[CREDENTIALS]) != 32)
		return false;
	return zmq_z85_encode(key, zmq_msg_data(&m->frame[CREDENTIALS]), 32) != NULL;
}

/* Both name and key, so that a name that was revoked and given to a new key is another peer. */
static void answer(struct bus_socket *s, zmq_msg_t *request, const char *name, const char *key)
{
	char *user = name ? x_asprintf("%s %s", name, key) : x_strdup("");
	const struct bus_part frames[] = {
		{"1.0", 3},
		{request ? zmq_msg_data(request) : "", request ? zmq_msg_size(request) : 0},
		{name ? "200" : "300", 3},
		{name ? "OK" : "no", 2},
		{user, strlen(user)},
		{"", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		(void)zmq_send(s->zmq, frames[i].data, frames[i].len_bytes,
			       ZMQ_DONTWAIT | (i + 1 < ARRAY_LEN(frames) ? ZMQ_SNDMORE : 0));
	free(user);
}

static void take(struct bus_socket *s, struct bus_frames *m)
{
	char key[BUS_KEY_SIZE] = "";
	const char *name = read_key(m, key) ? strmap_get(&s->bus->allowed.keys, key) : NULL;

	if (!name)
		log_limited(&s->bus->refused, LOG_WARN,
			    "refused a connection from %.*s: %s%s is not in %s",
			    m->count > ADDRESS ? (int)zmq_msg_size(&m->frame[ADDRESS]) : 1,
			    m->count > ADDRESS ? (char *)zmq_msg_data(&m->frame[ADDRESS]) : "?",
			    key[0] ? "the public key " : "no CURVE key, or it", key,
			    s->bus->allow_path ? s->bus->allow_path : "any list");
	answer(s, m->count > REQUEST ? &m->frame[REQUEST] : NULL, name, key);
}

void bus_zap_open(struct bus *b)
{
	struct bus_socket *s = bus_socket_new(b, ZMQ_REP);

	BUG_ON(!s);
	s->take = take;
	bus_set_int(s->zmq, ZMQ_LINGER, 0);
	BUG_ON(zmq_bind(s->zmq, "inproc://zeromq.zap.01") != 0);
	bus_socket_watch(s);
	b->zap = s;
}
