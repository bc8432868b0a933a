/*
 * aws.h - a client for one account: region, endpoints, credentials, limiter, errors (rank 3).
 *
 * All control-plane calls of Plimsoll go through one of these. It signs, waits for the account's
 * limiter, retries throttled calls and server errors with back-off and jitter (at most 6 times
 * and 60 s, and never past is_stopped), renews credentials once when the service calls them
 * expired, and turns answers into struct aws_error.
 *
 *	struct aws_options o;
 *	aws_options_from_account(config_account(cfg, "prod"), &o);
 *	o.limiter_dir = state_dir;
 *	o.is_stopped = http_signal_pending;
 *	struct aws_client *c;
 *	rc = aws_client_new(&o, &c, &err);
 *	rc = lambda_list_functions(c, &list, &err);	// lambda.h, cloudwatch.h
 *	aws_client_free(c);
 *
 * Endpoint of a service, first that is set: the account's endpoint:, AWS_ENDPOINT_URL_<SERVICE>
 * (LAMBDA, STS, CLOUDWATCH, CLOUDWATCH_LOGS), AWS_ENDPOINT_URL, endpoint_url of the profile's
 *services section, endpoint_url of the profile, else the public host.
 *AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true leaves out all but the first and the last.
 *
 * DIAGNOSTICS
 *	Functions return 0 or aws_fault_errno(err->fault), with err->text complete.
 */
#ifndef PLIMSOLL_AWS_AWS_H
#define PLIMSOLL_AWS_AWS_H

#include "common/aws/creds.h"
#include "common/aws/error.h"
#include "common/aws/limiter.h"
#include "common/config/config.h"
#include "common/http/http.h"

/* X(symbol, signing name, host prefix, suffix of AWS_ENDPOINT_URL_, key in a services section) */
#define AWS_SERVICES(X)                                                                            \
	X(AWS_LAMBDA, "lambda", "lambda", "LAMBDA", "lambda")                                      \
	X(AWS_STS, "sts", "sts", "STS", "sts")                                                     \
	X(AWS_CLOUDWATCH, "monitoring", "monitoring", "CLOUDWATCH", "cloudwatch")                  \
	X(AWS_LOGS, "logs", "logs", "CLOUDWATCH_LOGS", "cloudwatch_logs")

enum aws_service {
#define X(symbol, ...) symbol,
	AWS_SERVICES(X)
#undef X
		AWS_SERVICE_COUNT
};

struct aws_options {	     /* strings are copied by aws_client_new */
	const char *account; /* name in messages and of the limiter's file */
	const char *region;  /* NULL = aws_default_region() */
	const char *profile, *endpoint, *ca_file;
	const char *role, *external_id; /* external_id is a secret reference */
	const char *session_name;	/* the run id; NULL = "plimsoll" */
	const char *policy;		/* inline session policy; NULL = none */
	int64_t duration_s;		/* of sessions; 0 = 3600 */
	const char *limiter_dir;	/* NULL = this process only */
	double calls_per_s;		/* 0 = LIMITER_PER_S */
	bool (*is_stopped)(void *ctx);	/* http_signal_pending, as a rule; NULL = never */
	void *stop_ctx;
};

struct aws_client;

/* Zeroes o and fills what the account says; borrowed from a. a NULL: the SDKs' defaults. */
void aws_options_from_account(const struct config_account *a, struct aws_options *o);
/* AWS_NO_CREDENTIALS is not found here but at the first call. AWS_BAD_REQUEST: no region. */
MUST_CHECK int aws_client_new(const struct aws_options *o, struct aws_client **out,
			      struct aws_error *err);
void aws_client_free(struct aws_client *c);
const char *aws_client_region(const struct aws_client *c);
/* The session in force, renewed where due; borrowed until the next call. */
MUST_CHECK int aws_client_creds(struct aws_client *c, const struct aws_creds **out,
				struct aws_error *err);

struct aws_request { /* borrowed */
	enum aws_service service;
	const char *what;	  /* "list the functions", for messages: "cannot <what>: ..." */
	const char *permission;	  /* "lambda:ListFunctions": named when access is denied */
	const char *method;	  /* "GET" */
	const char *path;	  /* encoded, from the slash */
	const char *query;	  /* encoded, without "?"; NULL = none */
	const char *target;	  /* X-Amz-Target, NULL = none */
	const char *content_type; /* NULL = none */
	const void *body;
	size_t body_bytes;
	bool is_once; /* not retried after an answer got lost (PublishVersion is safe to repeat) */
};
/* Any 2xx gives 0 with the answer in out (released by the caller). Blocks. */
MUST_CHECK int aws_call(struct aws_client *c, const struct aws_request *req,
			struct http_response *out, struct aws_error *err);

/* The endpoint as the rules above find it; the caller frees it. profile may be NULL. */
char *aws_endpoint(enum aws_service s, const char *account_endpoint, const char *profile,
		   const char *region);
/* $AWS_REGION, $AWS_DEFAULT_REGION, region of the profile; NULL = none. The caller frees it. */
char *aws_default_region(const char *profile);

#endif
