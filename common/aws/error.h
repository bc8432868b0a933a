/*
 * error.h - what went wrong with a call to AWS, told so that a person can mend it (rank 3).
 *
 *	struct aws_error err = {0};
 *	if (lambda_get_configuration(c, "f", NULL, &fn, &err) < 0) {
 *		if (err.fault == AWS_NOT_FOUND) ...
 *		log_warn("%s", err.text);	// what was tried, on what, why, and what to do
 *	}
 */
#ifndef PLIMSOLL_AWS_ERROR_H
#define PLIMSOLL_AWS_ERROR_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/bug.h"

/* X(symbol, name, errno, is it "you must change something") */
#define AWS_FAULTS(X)                                                                              \
	X(AWS_FINE, "fine", 0, false)                                                              \
	X(AWS_THROTTLED, "throttled", EAGAIN, false)                                               \
	X(AWS_NOT_FOUND, "not-found", ENOENT, false)                                               \
	X(AWS_DENIED, "access-denied", EACCES, true)                                               \
	X(AWS_EXPIRED, "expired", EKEYEXPIRED, false)                                              \
	X(AWS_BAD_SIGNATURE, "bad-signature", EKEYREJECTED, true)                                  \
	X(AWS_NO_CREDENTIALS, "no-credentials", ENOKEY, true)                                      \
	X(AWS_BAD_REQUEST, "bad-request", EINVAL, true)                                            \
	X(AWS_CONFLICT, "conflict", EBUSY, false)                                                  \
	X(AWS_SERVER, "server-error", EREMOTEIO, false)                                            \
	X(AWS_NETWORK, "network", ENETUNREACH, false)                                              \
	X(AWS_BAD_ANSWER, "bad-answer", EPROTO, false)                                             \
	X(AWS_STOPPED, "stopped", ECANCELED, false)                                                \
	X(AWS_OTHER, "other", EIO, false)

enum aws_fault {
#define X(symbol, name, code, is_yours) symbol,
	AWS_FAULTS(X)
#undef X
		AWS_FAULT_COUNT
};

struct aws_error {
	enum aws_fault fault;
	int status;		/* HTTP; 0 = no answer */
	char code[80];		/* the service's own word: "ExpiredTokenException" */
	char text[1000];	/* for people, complete */
	int64_t retry_after_ms; /* 0 = the service did not say */
};

const char *aws_fault_name(enum aws_fault f);
int aws_fault_errno(enum aws_fault f); /* negative; 0 for AWS_FINE */
/* True when a person must change something (exit 100), false when trying again may help (111). */
bool aws_fault_is_yours(enum aws_fault f);
/* Sets fault and text and returns aws_fault_errno(fault). err may be NULL. */
PRINTF_LIKE(3, 4)
int aws_error_set(struct aws_error *err, enum aws_fault fault, const char *fmt, ...);

#endif
