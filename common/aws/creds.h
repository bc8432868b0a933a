/*
 * creds.h - where AWS credentials come from, and their renewal (rank 3).
 *
 * The chain, first that answers: environment; shared config and credentials files (profiles, with
 * role_arn + source_profile or credential_source); web identity; container endpoint; instance
 * metadata v2. With a profile named, the environment's keys are not looked at.
 * Then, when a role is given, AssumeRole on top with ExternalId, session name and session policy.
 *
 *	struct aws_chain *ch = aws_chain_new(&(struct aws_chain_options){.http = h, ...});
 *	const struct aws_creds *c;
 *	rc = aws_chain_get(ch, &c, &err);	// renews before a third of the life is left
 *	aws_chain_free(ch);
 *
 * Secrets are wiped before their memory is given back, and are in no message.
 *
 * DIAGNOSTICS
 *	AWS_NO_CREDENTIALS names every place that was looked at and why it gave none. When a renewal
 *	fails while the old credentials still hold, the old ones are returned and a warning is
 * logged.
 */
#ifndef PLIMSOLL_AWS_CREDS_H
#define PLIMSOLL_AWS_CREDS_H

#include "common/aws/error.h"
#include "common/aws/limiter.h"
#include "common/aws/sigv4.h"
#include "common/base/clock.h"
#include "common/http/http.h"

struct aws_creds {
	char *access_key_id, *secret_access_key, *session_token; /* owned; token may be NULL */
	bool has_expiry;
	struct wall obtained, expires;
	char origin[200]; /* "environment", "profile dev in /root/.aws/credentials", "role arn:..."
			   */
};

void aws_creds_release(struct aws_creds *c);			   /* wipes and frees the members */
void aws_creds_move(struct aws_creds *to, struct aws_creds *from); /* to is released first */
/* Borrowed view for the signer. */
struct sigv4_creds aws_creds_view(const struct aws_creds *c);
/* True when less than a third of the life is left (never for keys without an expiry). */
bool aws_creds_want_renewal(const struct aws_creds *c, struct wall now);

/*
 * The credential_process form, Version 1 (what `plimsoll credential` prints and the loader reads).
 * Reading: -EINVAL with why for anything else; the text is the caller's to wipe.
 */
void aws_creds_write_process(const struct aws_creds *c, struct buf *out);
MUST_CHECK int aws_creds_parse_process(const char *text, size_t len_bytes, struct aws_creds *out,
				       char why[160]);

struct aws_chain_options { /* strings are copied; http is borrowed for the chain's life */
	struct http *http;
	const char *region;	  /* of STS; NULL = as aws_default_region finds it */
	const char *profile;	  /* NULL = $AWS_PROFILE, else the chain */
	const char *endpoint;	  /* the account's, used for STS too; NULL = none */
	const char *role;	  /* role to assume on top; NULL = none */
	const char *external_id;  /* a secret reference as config_secret reads it; NULL = none */
	const char *session_name; /* the run id; NULL = "plimsoll" */
	const char *policy;	  /* inline session policy (JSON); NULL = none */
	int64_t duration_s;	  /* of assumed sessions; 0 = 3600 */
	struct limiter *limiter;  /* calls to STS wait for it; borrowed; NULL = none */
	bool (*is_stopped)(void *ctx); /* ends such a wait; may be NULL */
	void *stop_ctx;
};

struct aws_chain;
struct aws_chain *aws_chain_new(const struct aws_chain_options *o); /* never NULL */
void aws_chain_free(struct aws_chain *ch);
/* Borrowed until the next call. Blocks when it has to fetch. -errno as aws_fault_errno. */
MUST_CHECK int aws_chain_get(struct aws_chain *ch, const struct aws_creds **out,
			     struct aws_error *err);
/* The service said that they are expired or unknown: fetch anew at the next get. */
void aws_chain_expire(struct aws_chain *ch);

/*
 * The session policy that allows lambda:InvokeFunction on these functions (names or ARNs, any
 * qualifier) and nothing else. -E2BIG when it would be longer than the 2,048 characters AWS takes.
 */
MUST_CHECK int aws_session_policy(const char *region, const char *const *functions, size_t count,
				  struct buf *out);

#endif
