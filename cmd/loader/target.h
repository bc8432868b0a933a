/*
 * target.h - how one kind of target is called and how its answers are read: a table of plug-ins.
 *
 * A plug-in writes the bytes of a request and names the outcome of an answer; both are pure (no
 * socket, no clock). A new kind of target is a file with one struct target_kind and one row in
 * target.c.
 *
 *	const struct target_kind *kind = target_kind("lambda-invoke");
 *	rc = kind->prepare(&rq, &scratch, &bytes, why);
 *	target_read(kind, target, response, &scratch, &answer);	// outcome, temperature, instance
 */
#ifndef PLIMSOLL_LOADER_TARGET_H
#define PLIMSOLL_LOADER_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/aws/sigv4.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/engine/response.h"
#include "common/measure/outcome.h"

#include "cmd/loader/shard.h"

#define LOG_TAIL_MAX_BYTES (16u * 1024u)

struct answer {
	enum outcome outcome;
	char reason[REASON_SIZE]; /* why it is not ok; "" otherwise */
	enum temperature temperature;
	uint32_t billed_us, init_us, memory_kib; /* 0 = not known */
	const char *instance;			 /* borrowed from the response; NULL = not known */
	size_t instance_bytes;
	const char *request_id; /* borrowed from the response; NULL = none */
	size_t id_bytes;
	/* The provider's own limits refused it: other functions of the account suffer too. */
	bool is_account_throttle;
};

/* Buffers that are kept from call to call. */
struct target_scratch {
	struct buf log_tail, head;
	struct buf context; /* of Lambda: the same for all calls of a run */
	struct sigv4_result signature;
};
void target_scratch_init(struct target_scratch *s);
void target_scratch_release(struct target_scratch *s);

struct target_request {
	const struct shard *shard;
	const struct shard_target *target;
	const struct shard_payload *payload;
	const char *path, *query;	  /* the target's, or filled in for this call */
	struct sigv4_signer *signer;	  /* NULL when the kind needs no credentials */
	const char *const *header_values; /* of target->headers */
	struct wall at;			  /* the second it is due in */
};

struct target_kind {
	const char *method; /* as targets[].method */
	bool needs_credentials;
	bool has_report; /* answers may carry billed duration, init and memory */
	/* Appends head and body to out. -errno with why. */
	int (*prepare)(const struct target_request *rq, struct target_scratch *s, struct buf *out,
		       char why[SHARD_WHY_SIZE]);
	/* Sets outcome, reason, request id and what the provider says; the rest is zeroed. An
	 * answer that is ok is then held against expect. */
	void (*classify)(const struct shard_target *t, const struct response *r,
			 struct target_scratch *s, struct answer *a);
};

extern const struct target_kind target_lambda, target_http;

const struct target_kind *target_kind(const char *method); /* NULL when not known */
/* classify, then what is configured: expect, instance, cold. No allocation once s is warm. */
void target_read(const struct target_kind *kind, const struct shard_target *t,
		 const struct response *r, struct target_scratch *s, struct answer *a);

/* For plug-ins: a reason cut to its size, with anything but plain characters replaced. */
void answer_reason(struct answer *a, enum outcome outcome, const char *text, size_t len_bytes);
PRINTF_LIKE(3, 4)
void answer_reasonf(struct answer *a, enum outcome outcome, const char *fmt, ...);
/* Appends "Name: value\r\n" of every configured header. */
void target_add_headers(const struct target_request *rq, struct buf *out);

#endif
