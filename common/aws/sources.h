/*
 * sources.h - the places where credentials come from, one row each (rank 3).
 *
 * Adding a place is one function and one row in sources.c.
 */
#ifndef PLIMSOLL_AWS_SOURCES_H
#define PLIMSOLL_AWS_SOURCES_H

#include "common/aws/creds.h"
#include "common/json/json.h"

#define CREDS_JSON_MAX_BYTES (64u * 1024u)
#define SKIPPED_MAX_BYTES 1024

/*
 * 0 with *out filled; -ENOENT: not set up here, a few words added to skipped ("AWS_ACCESS_KEY_ID
 * is not set"); anything else: set up but broken, err says how, and nobody else is asked.
 */
typedef int source_fn(const struct aws_chain_options *o, struct aws_creds *out, struct buf *skipped,
		      struct aws_error *err);

source_fn source_environment, source_profile, source_web_identity, source_container,
	source_instance;

/* Asks all in their order. */
MUST_CHECK int sources_ask(const struct aws_chain_options *o, struct aws_creds *out,
			   struct aws_error *err);

struct sts_role;
/* AssumeRole at the endpoint that holds for these options, behind the limiter. */
MUST_CHECK int source_assume(const struct aws_chain_options *o, const struct aws_creds *base,
			     const struct sts_role *role, struct aws_creds *out,
			     struct aws_error *err);
/* Reads a small file that holds a token; the last newline is dropped. -errno. */
MUST_CHECK int source_read_token(const char *path, struct buf *out);
void source_wipe(struct buf *b);

/* Members of the documents that credential_process, containers and instances answer with. */
MUST_CHECK int creds_from_json(const struct json *v, const char *token_name, struct aws_creds *out,
			       char why[160]);
void creds_wipe_json(struct json *o);
void creds_set(struct aws_creds *out, const char *key, const char *secret, const char *token,
	       const struct wall *expires);

#endif
