/*
 * bus.h - ZeroMQ sockets in our loop: a ROUTER that binds, a DEALER that connects (rank 2).
 *
 * libzmq's only door. Always CURVE, over ipc:// too, so that there is one way to know who speaks:
 * the name that the allow-list gives to the peer's public key (ZAP User-Id). The routing id is an
 * address for answers and nothing else; hand-over is off. The ZAP handler is a socket in the same
 * loop, bound before anything else; without a list nobody is let in (ZAP_ENFORCE_DOMAIN).
 *
 * ZeroMQ's descriptor is edge-triggered: after each wake-up, and after each send, everything is
 * received until EAGAIN; at most BUS_BURST messages a turn go to the owner, the rest in the next.
 *
 *	struct bus *b = bus_new(loop);
 *	rc = bus_allow(b, "/etc/plimsoll/loaders", why);
 *	rc = bus_listen_on(b, &(struct bus_listen){.endpoints = ..., .heard = on_parts}, &s, why);
 *	bus_send(s, peer, parts, count);	// not 0: lost, as any message may be
 *
 * Options: docs/STATE.md names the figures; SNDHWM and RCVHWM 100, LINGER 0 (results 2000 ms),
 * HEARTBEAT 1 s/2 s/3 s (of the DEALER), HANDSHAKE 5 s, MAXMSGSIZE 1 MiB + 4 KiB, RECONNECT 200 ms
 *to 10 s.
 */
#ifndef PLIMSOLL_BUS_BUS_H
#define PLIMSOLL_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bug.h"
#include "common/base/loop.h"

/* Of what is said and how it is packed: another one's messages are dropped and told. */
#define BUS_VERSION 2
#define BUS_PARTS_MAX 16
#define BUS_MESSAGE_MAX_BYTES (1024u * 1024u + 4096u)
#define BUS_BURST 64
#define BUS_KEY_SIZE 41 /* Z85 text and its NUL */
#define BUS_NAME_SIZE 65

struct bus;
struct bus_socket;

struct bus_part { /* all parts of a message travel in one frame of ZeroMQ's */
	const void *data;
	size_t len_bytes;
};

struct bus_peer {		  /* of a ROUTER: who spoke, where to answer */
	char name[BUS_NAME_SIZE]; /* by its key */
	char key[BUS_KEY_SIZE];	  /* its public key: the bus' own */
	unsigned char id[256];	  /* routing id: an address, no identity */
	size_t id_bytes;
};

/* parts are borrowed for the time of the call. peer is NULL on a DEALER. */
typedef void bus_heard_fn(struct bus_socket *s, const struct bus_peer *peer,
			  const struct bus_part *parts, size_t count, void *ctx);

struct bus_listen {		      /* a ROUTER; all borrowed until bus_listen_on returns */
	const char *const *endpoints; /* ipc:///run/plimsoll/work, tcp://0.0.0.0:7070 */
	size_t endpoint_count;
	const char *secret_key; /* Z85 */
	int waiting_max;	/* messages of a peer before it has to wait; 0: 100 */
	bus_heard_fn *heard;
	void *ctx;
};

struct bus_connect { /* a DEALER */
	const char *endpoint;
	const char *secret_key, *server_key; /* Z85: ours, and the server's public one */
	int linger_ms;
	bus_heard_fn *heard;
	void *ctx;
};

/* Lifts the soft limit of descriptors too. Neither it nor its sockets may be used after fork(2). */
struct bus *bus_new(struct loop *l);
/* Closes its sockets; waits for their linger_ms at most. Not from heard(). */
void bus_free(struct bus *b);

/*
 * Who may speak: allow.h. Read at the start, again by bus_allow_reload, and by the bus itself
 * within a second of a change of the file. A key that is gone is not let in again; libzmq does not
 * cut its open connection, but nothing that comes from there is heard any more, and nothing is sent
 * there. A list that cannot be read or is broken lets nobody in until it is mended: the error tells
 * that, and the owner may go on. (Out of descriptors or memory: the last list stays.)
 */
MUST_CHECK int bus_allow(struct bus *b, const char *path, char why[200]);
MUST_CHECK int bus_allow_reload(struct bus *b, char why[200]);
bool bus_is_allowed(const struct bus *b, const char *name);

MUST_CHECK int bus_listen_on(struct bus *b, const struct bus_listen *how, struct bus_socket **out,
			     char why[200]);
MUST_CHECK int bus_connect_to(struct bus *b, const struct bus_connect *how, struct bus_socket **out,
			      char why[200]);
void bus_socket_close(struct bus_socket *s); /* NULL is fine; from heard() too */

/*
 * peer NULL on a DEALER. 0, -EHOSTUNREACH (gone, or not allowed any more), -EAGAIN (queue full, or
 * a DEALER without a connection), -EMSGSIZE (no part, too many, too large). Never blocks.
 */
MUST_CHECK int bus_send(struct bus_socket *s, const struct bus_peer *peer,
			const struct bus_part *parts, size_t count);

/* A new key pair in Z85. */
void bus_key_new(char public_key[BUS_KEY_SIZE], char secret_key[BUS_KEY_SIZE]);
/* The public key of a secret one; -EINVAL. */
MUST_CHECK int bus_key_public(const char *secret_key, char out[BUS_KEY_SIZE]);

#endif
