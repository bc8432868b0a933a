/*
 * gateway.h - a Pushgateway over HTTP: put a group, delete it, list them, since when it runs.
 *
 * One call at a time, in the loop: it ends after GATEWAY_TIMEOUT_MS at the latest, and done() is
 * told. Connections are kept.
 *
 *	struct gateway *g = gateway_new(loop, "http://127.0.0.1:9091", NULL);
 *	gateway_put(g, path, body, done, ctx);
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
#include "common/json/json.h"

#define GATEWAY_TIMEOUT_MS 10000
#define GATEWAY_START_SIZE 64

struct gateway;

enum gateway_answer { GATEWAY_DONE, GATEWAY_REFUSED, GATEWAY_DOWN };

typedef void gateway_done_fn(enum gateway_answer answer, const char *why, void *ctx);

/* token: NULL, or what goes behind Authorization: Bearer, or user:password for Basic. Copied. */
/* timeout_ms 0 = GATEWAY_TIMEOUT_MS. */
struct gateway *gateway_new(struct loop *l, const char *url, const char *token, int64_t timeout_ms);
void gateway_free(struct gateway *g); /* done() is not called any more */
bool gateway_is_busy(const struct gateway *g);

/* path as prom_group_path makes it, copied; body is borrowed until done. */
void gateway_put(struct gateway *g, const char *path, const struct buf *body, gateway_done_fn *done,
		 void *ctx);
void gateway_delete(struct gateway *g, const char *path, gateway_done_fn *done, void *ctx);
/* When the gateway was started (gateway_start_of in done): another text than before means that it
 * may have lost all. */
void gateway_started(struct gateway *g, gateway_done_fn *done, void *ctx);
const char *gateway_start_of(const struct gateway *g);
/* Calls see() for each group of ours before done: its labels. */
void gateway_each(struct gateway *g, void (*see)(const struct json *labels, void *ctx),
		  gateway_done_fn *done, void *ctx);

#endif
