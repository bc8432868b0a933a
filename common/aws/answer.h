/*
 * answer.h - the service's refusal, read and explained (rank 3).
 *
 * Understands JSON bodies (__type, code, message), XML ones (<Code>, <Message>) and the header
 * x-amzn-errortype; falls back on the HTTP status.
 */
#ifndef PLIMSOLL_AWS_ANSWER_H
#define PLIMSOLL_AWS_ANSWER_H

#include "common/aws/error.h"
#include "common/http/http.h"

struct answer_context {		/* what the message names; all borrowed, any may be NULL */
	const char *what;	/* "list the functions of account prod" */
	const char *permission; /* "lambda:ListFunctions" */
	const char *origin;	/* of the credentials */
	const char *host;	/* the endpoint */
};

/* For a status that is not 2xx. Fills err and returns aws_fault_errno. */
int answer_refused(const struct http_response *r, const struct answer_context *c,
		   struct aws_error *err);
/* For a negative http_do. */
int answer_failed(int rc, const struct http_response *r, const struct answer_context *c,
		  struct aws_error *err);

#endif
