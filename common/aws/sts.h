/*
 * sts.h - AssumeRole and AssumeRoleWithWebIdentity (rank 3). Query protocol: a form goes out, XML
 * comes back and is read by a small bounded scanner (xml.h).
 */
#ifndef PLIMSOLL_AWS_STS_H
#define PLIMSOLL_AWS_STS_H

#include "common/aws/creds.h"
#include "common/aws/error.h"
#include "common/http/http.h"

struct sts_role { /* all borrowed */
	const char *role_arn;
	const char *session_name;	/* [\w+=,.@-]{2,64}; other characters are replaced by - */
	const char *external_id;	/* the value itself; NULL = none */
	const char *policy;		/* inline session policy; NULL = none */
	const char *web_identity_token; /* not NULL: AssumeRoleWithWebIdentity, unsigned */
	int64_t duration_s;		/* 0 = left to the service */
};

/*
 * url: the endpoint ("https://sts.eu-central-1.amazonaws.com"). base may be NULL with a web
 * identity token. Blocks. *out is filled on success only; the caller releases it. Errors name what
 * is missing: the trust policy, the ExternalId, the identity policy, the clock.
 */
MUST_CHECK int sts_assume_role(struct http *http, const char *url, const char *region,
			       const struct aws_creds *base, const struct sts_role *role,
			       struct aws_creds *out, struct aws_error *err);

#endif
