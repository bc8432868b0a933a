/*
 * outcome.h - the words a loader measures in (rank 2): outcome classes, temperatures, variants.
 *
 * Every due request ends in exactly one outcome class, and the classes add up to the requests due.
 */
#ifndef PLIMSOLL_MEASURE_OUTCOME_H
#define PLIMSOLL_MEASURE_OUTCOME_H

#include <stdint.h>

#include "common/base/bug.h"

/* X(symbol, name on the wire, what it means) */
#define OUTCOMES(X)                                                                                \
	X(OUT_OK, "ok", "answered as expected")                                                    \
	X(OUT_FUNCTION_ERROR, "function_error",                                                    \
	  "the function itself failed, or its answer failed a check")                              \
	X(OUT_THROTTLED, "throttled", "refused by the provider for concurrency or rate")           \
	X(OUT_HTTP_ERROR, "http_error", "an answer that is not the function's, or not HTTP")       \
	X(OUT_TIMEOUT, "timeout", "sent, no whole answer in time")                                 \
	X(OUT_CONNECT, "connect", "no connection, or it broke before the answer was whole")        \
	X(OUT_TLS, "tls", "the TLS handshake failed")                                              \
	X(OUT_DNS, "dns", "the name did not resolve")                                              \
	X(OUT_ABORTED, "aborted", "in flight when the run was cut short")                          \
	X(OUT_NOT_SENT, "not_sent", "due, but never sent")

#define REASON_SIZE 64 /* of the text that says why an outcome is not ok */

enum outcome {
#define X(symbol, name, text) symbol,
	OUTCOMES(X)
#undef X
		OUTCOME_COUNT
};

/* X(symbol, name) */
#define TEMPERATURES(X)                                                                            \
	X(TEMP_UNKNOWN, "unknown")                                                                 \
	X(TEMP_WARM, "warm")                                                                       \
	X(TEMP_COLD, "cold")                                                                       \
	X(TEMP_RESTORED, "restored")

enum temperature {
#define X(symbol, name) symbol,
	TEMPERATURES(X)
#undef X
		TEMPERATURE_COUNT
};

enum variant { VARIANT_OLD, VARIANT_NEW, VARIANT_COUNT };

const char *outcome_name(enum outcome o);
MUST_CHECK int outcome_parse(const char *name, enum outcome *out);
const char *temperature_name(enum temperature t);
MUST_CHECK int temperature_parse(const char *name, enum temperature *out);
const char *variant_name(enum variant v); /* "old", "new" */
MUST_CHECK int variant_parse(const char *name, enum variant *out);

#endif
