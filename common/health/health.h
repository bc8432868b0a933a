/*
 * health.h - /metrics and /healthz of one process, over HTTP in our loop (rank 2).
 *
 * libmicrohttpd's only door; no thread (its epoll descriptor is watched by the loop). Listens on
 * what systemd hands over, on a unix socket or on an address. GET only, small limits.
 *
 *	struct health *h;
 *	rc = health_open(loop, "127.0.0.1:9464", &(struct health_owner){...}, &h, why);
 */
#ifndef PLIMSOLL_HEALTH_HEALTH_H
#define PLIMSOLL_HEALTH_HEALTH_H

#include "common/base/buf.h"
#include "common/base/loop.h"

struct health;

struct health_owner {
	void (*metrics)(struct buf *out, void *ctx); /* Prometheus text, rendered at each GET */
	/* True = 200; else 503 with why. */
	bool (*is_well)(char why[200], void *ctx);
	void *ctx;
};

/* where: HOST:PORT, unix:PATH, or NULL = the first descriptor of socket activation (LISTEN_FDS);
 * -ENOENT when there is none. */
MUST_CHECK int health_open(struct loop *l, const char *where, const struct health_owner *owner,
			   struct health **out, char why[200]);
void health_free(struct health *h);

#endif
