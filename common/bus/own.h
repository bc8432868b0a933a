/*
 * own.h - what the units of common/bus share (private).
 */
#ifndef PLIMSOLL_BUS_OWN_H
#define PLIMSOLL_BUS_OWN_H

#include <sys/stat.h>
#include <zmq.h>

#include "common/base/log.h"
#include "common/bus/allow.h"
#include "common/bus/bus.h"

#define BUS_ZAP_DOMAIN "plimsoll"
/* Of ZeroMQ: 7 of a ZAP request; ours are one, behind a ROUTER's routing id. */
#define BUS_FRAMES_MAX 8

struct bus_frames { /* one message as it came */
	zmq_msg_t frame[BUS_FRAMES_MAX];
	size_t count;
};

struct bus_socket {
	struct bus *bus;
	struct bus_socket *next; /* in bus->sockets */
	void *zmq;
	struct loop_watch watch;
	struct loop_timer again; /* more is waiting than one turn may take */
	void (*take)(struct bus_socket *s, struct bus_frames *m);
	bus_heard_fn *heard;
	void *ctx;
	bool is_router, is_draining, is_closed;
	bool is_skipping; /* in the rest of a message with too many frames */
	/* of a DEALER, to make it anew */
	struct loop_timer renew;
	bool was_cut;
	char *endpoint;
	char secret_key[BUS_KEY_SIZE], server_key[BUS_KEY_SIZE];
	int linger_ms;
};

struct bus {
	struct loop *loop;
	void *zmq;
	struct bus_socket *sockets;
	struct bus_socket *zap;
	char *allow_path; /* NULL: nobody */
	struct bus_list allowed;
	struct stat seen; /* of the file when it was read */
	struct loop_timer look;
	struct log_limit refused, malformed, versions, trouble;
};

/* A socket that is in the bus' list and not watched yet. NULL with errno. */
struct bus_socket *bus_socket_new(struct bus *b, int type);
/* Watches its descriptor, and looks at once whether something is there already. */
void bus_socket_watch(struct bus_socket *s);
/* Whether something can be received; asking also makes libzmq do what it was told meanwhile. */
int bus_socket_events(struct bus_socket *s);
void bus_set_int(void *zmq, int option, int value);

/* The handler of ZAP requests; before any other socket. */
void bus_zap_open(struct bus *b);

#endif
