/*
 * listen.h - a listening socket from words, or from systemd (rank 2).
 */
#ifndef PLIMSOLL_HEALTH_LISTEN_H
#define PLIMSOLL_HEALTH_LISTEN_H

#include "common/base/bug.h"

/*
 * where: "127.0.0.1:9471", "[::1]:9471", "unix:/run/x.sock", or NULL: the descriptor that systemd
 * handed over under the name "metrics", or the first one when they have no names. *path is the
 * socket file to be removed at the end, the caller's, or NULL.
 *
 * Returns the descriptor, non-blocking and listening; -errno with what is wrong in why. -ENOENT:
 * systemd has handed over nothing.
 */
MUST_CHECK int listen_open(const char *where, char **path, char why[200]);

#endif
