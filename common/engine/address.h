/*
 * address.h - names become addresses, and only allowed ones are connected to (rank 3).
 *
 * A name is resolved once, every address is checked, and address_connect checks again before
 * connect(2): what a name means later cannot lead a load test elsewhere.
 *
 *	rc = address_resolve("api.example.com", 443, false, &set, why);
 *	struct address *a = address_next(&set, mono_now());
 *	rc = address_connect(a, false, &fd);	// 0 connected, -EINPROGRESS, -errno
 *
 * DIAGNOSTICS
 *	address_resolve: -EACCES an address is not allowed; -ENOENT the name does not exist;
 *	-EAGAIN the name server did not answer; the reason in words is in why.
 */
#ifndef PLIMSOLL_ENGINE_ADDRESS_H
#define PLIMSOLL_ENGINE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"

#define ADDRESS_MAX 16
#define ADDRESS_WHY_SIZE 200

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} to;
	socklen_t len_bytes;
	struct mono down_until; /* connecting failed: others are tried first until then */
};

struct address_set {
	struct address items[ADDRESS_MAX];
	size_t count, next;
};

/* Blocks, for 4 s a silent name server unless RES_OPTIONS (resolv.conf(5)) says else. Addresses
 * without a route from here are left out while others remain. */
MUST_CHECK int address_resolve(const char *host, uint16_t port, bool allow_private,
			       struct address_set *out, char why[ADDRESS_WHY_SIZE]);
/* One unix socket. -ENAMETOOLONG with why. */
MUST_CHECK int address_of_unix(const char *path, struct address_set *out,
			       char why[ADDRESS_WHY_SIZE]);
/* In turn, those that failed lately last. Never NULL for a resolved set. */
struct address *address_next(struct address_set *set, struct mono now);
/* Connecting to it failed: for a while it is not the first choice. */
void address_set_down(struct address *a, struct mono now);
/*
 * A non-blocking stream socket on its way there: 0 or -EINPROGRESS with *fd (the caller closes it),
 * -EACCES when the address is not allowed, else -errno of socket(2) or connect(2). A unix socket
 * whose queue is full says -EAGAIN.
 */
MUST_CHECK int address_connect(const struct address *a, bool allow_private, int *fd);

/* NULL when it may be called, else what it is: "a private address". */
const char *address_objection(const struct sockaddr *to, bool allow_private);
/* Is the text an IPv4 or IPv6 address, not a name. */
bool address_is_literal(const char *host);

#endif
