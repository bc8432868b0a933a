/*
 * shard.h - one planned shard, read out of its event and checked: what to call, when, how hard.
 *
 *	struct shard *sh = shard_new(ev);
 *	if (shard_parse(sh, ev->data, why) == 0) ...
 *	shard_free(sh);
 *
 * Names of credentials stand in headers, never values. Everything is copied.
 */
#ifndef PLIMSOLL_LOADER_SHARD_H
#define PLIMSOLL_LOADER_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/digest/digest.h"
#include "common/engine/engine.h"
#include "common/event/event.h"

#include "cmd/loader/expect.h"
#include "cmd/loader/schedule.h"

#define SHARD_WHY_SIZE 800 /* holds what `plimsoll credential` says */
#define SHARD_HEADERS_MAX 16
#define TIMEOUT_MS_DEFAULT 30000
#define TIMEOUT_MS_MAX 900000
#define BODY_BYTES_DEFAULT (1024u * 1024u)
#define BODY_BYTES_MAX (8u * 1024u * 1024u)
#define IN_FLIGHT_DEFAULT 32

struct shard_header {
	char *name;
	char *credential; /* the name of a systemd credential; its value is sent */
};

struct shard_target {
	enum variant variant;
	char *method;	   /* "lambda-invoke", "http" */
	char *http_method; /* "GET"; NULL: GET, or POST with a payload */
	char *url;
	char *host, *authority; /* without brackets; host[:port] as written */
	char *path, *query;	/* query may be NULL */
	char *path_template;	/* path and query with placeholders; NULL = as they are */
	char *unix_socket;	/* NULL = TCP */
	enum engine_protocol protocol;
	uint16_t port;
	bool is_tls;
	char *region, *qualifier, *function;
	struct shard_header headers[SHARD_HEADERS_MAX];
	size_t header_count;
	struct expect expect;
	char *instance; /* JSON pointer or header:NAME; NULL = not known */
	char *cold;
	char *ca;
};

/* X(symbol, word on the wire): how values are filled into a payload */
#define FILLINGS(X)                                                                                \
	X(PAYLOAD_AS_IT_IS, "")                                                                    \
	X(PAYLOAD_JSON, "json")                                                                    \
	X(PAYLOAD_TEXT, "text")
enum filling {
#define X(symbol, name) symbol,
	FILLINGS(X)
#undef X
};

struct shard_payload {
	char *bytes;
	size_t len_bytes;
	char sha256_hex[SHA256_HEX_SIZE]; /* "" = not computed */
	enum filling filling;
	char *rows_file, *rows_sha256_hex; /* NULL = no rows */
	bool is_ndjson, is_random;	   /* of the rows */
};

struct shard_replay {
	char *file, *sha256_hex; /* NULL = no replay */
	struct trace trace;	 /* empty until replay_load */
};

struct shard {
	char *id, *subject, *run, *account;
	int64_t index, of, attempt; /* attempt 0 in a pipe */
	bool has_deadline, has_start_at;
	struct wall deadline, start_at;
	struct shard_target targets[VARIANT_COUNT]; /* in workload.variants' order */
	struct workload workload;
	struct shard_replay replay;
	struct shard_payload
		payloads[PAYLOADS_MAX]; /* payload_count is the workload's, at least 1 */
	size_t payload_count;
	uint32_t in_flight;   /* all variants together */
	uint32_t connections; /* all variants together; all are opened ahead. 0 = not given */
	uint32_t streams;     /* HTTP/2: of one connection; 0 = what the peer allows */
	int64_t timeout_ms;
	size_t body_max_bytes;
	double abort_error_ratio; /* 0 = never */
	struct json *plan;	  /* what it may end early by, or NULL; owned */
};

/* Id, run, index and so on: enough to report an error on. Never NULL; the caller frees it. */
struct shard *shard_new(const struct event *ev);
/* -EINVAL with why for what cannot be run as it stands. */
MUST_CHECK int shard_parse(struct shard *sh, const struct json *data, char why[SHARD_WHY_SIZE]);
/* Its part for the workload: shard_workload.c. */
MUST_CHECK int shard_parse_workload(struct shard *sh, const struct json *j,
				    char why[SHARD_WHY_SIZE]);
void shard_free(struct shard *sh);
/* The target of a variant, or NULL. */
const struct shard_target *shard_target(const struct shard *sh, enum variant v);

#endif
