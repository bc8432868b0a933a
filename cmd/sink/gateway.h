/*
 * gateway.h - a Pushgateway over HTTP: put a group, delete it, list them, since when it runs.
 *
 * Every call blocks, at most GATEWAY_TIMEOUT_MS, and ends early when a signal waits.
 *
 *	struct gateway *g = gateway_new("http://127.0.0.1:9091", NULL);
 *	switch (gateway_put(g, path, body, why)) { ... }
 *
 * The API: https://github.com/prometheus/pushgateway#api (PUT, DELETE, /api/v1/status).
 *
 * DIAGNOSTICS
 *	GATEWAY_REFUSED: it answered 400, the group is at fault and trying again does not help.
 *	GATEWAY_DOWN: anything else that is not 2xx, or no answer; try later. why says which.
 */
#ifndef PLIMSOLL_SINK_GATEWAY_H
#define PLIMSOLL_SINK_GATEWAY_H

#include "common/base/buf.h"
#include "common/http/http.h"

#define GATEWAY_TIMEOUT_MS 10000
#define GATEWAY_START_SIZE 64

struct gateway;

enum gateway_answer { GATEWAY_DONE, GATEWAY_REFUSED, GATEWAY_DOWN };

/* token: NULL, or what goes behind Authorization: Bearer, or user:password for Basic. Copied. */
struct gateway *gateway_new(const char *url, const char *token);
void gateway_free(struct gateway *g);

/* path as prom_group_path makes it. */
MUST_CHECK enum gateway_answer gateway_put(struct gateway *g, const char *path,
					   const struct buf *body, char why[HTTP_WHY_SIZE]);
MUST_CHECK enum gateway_answer gateway_delete(struct gateway *g, const char *path,
					      char why[HTTP_WHY_SIZE]);
/* When the gateway was started: another text than before means that it may have lost all. */
MUST_CHECK enum gateway_answer gateway_started(struct gateway *g, char out[GATEWAY_START_SIZE],
					       char why[HTTP_WHY_SIZE]);
/* Calls see("account/function") for each group of ours. */
MUST_CHECK enum gateway_answer gateway_each(struct gateway *g,
					    void (*see)(const char *subject, void *ctx), void *ctx,
					    char why[HTTP_WHY_SIZE]);

#endif
