/*
 * bookkeeping.h - do our counts and the provider's agree? (docs/MEASURING.md)
 *
 * Pure. For each variant, where the provider counts that version alone:
 *	sent - unknown <= invocations + throttles <= sent
 * unknown are the calls that may or may not have reached the function (timeout, connect, aborted).
 */
#ifndef PLIMSOLL_COLLECTOR_BOOKKEEPING_H
#define PLIMSOLL_COLLECTOR_BOOKKEEPING_H

#include "common/json/json.h"

/*
 * finished: data of run.finished (requests, warmup_requests). cloud: the answer of --ask-cloud;
 * cloud.versions{old, new}{invocations, throttles} where the dimension isolates them.
 * "closed", "open" or "unchecked".
 */
const char *bookkeeping_of(const struct json *finished, const struct json *cloud);

#endif
