/*
 * remember.h - what a person says that the stages go by: a document of their state, in Redis where
 * the settings have a bus, else under --state.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_REMEMBER_H
#define PLIMSOLL_CMD_PLIMSOLL_REMEMBER_H

#include "cmd/plimsoll/bus.h"
#include "cmd/plimsoll/command.h"
#include "common/json/json.h"

/* key such as "accepted/prod/hello". EXIT_FINE, or told. */
enum exit_code remember_put(const struct door *d, const struct bus_opts *o, const char *key,
			    struct json *doc_take);

#endif
