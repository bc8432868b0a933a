/*
 * describe.h - makes function.changed and function.removed out of what was read.
 */
#ifndef PLIMSOLL_CMD_WATCHER_DESCRIBE_H
#define PLIMSOLL_CMD_WATCHER_DESCRIBE_H

#include "cmd/watcher/known.h"
#include "common/config/config.h"
#include "common/stage/stage.h"

struct description { /* borrowed, unless it says otherwise */
	const char *subject;
	const struct config_account *account;
	const char *region;
	const struct lambda_function *function; /* as it is under test */
	const char *kind;
	uint32_t causes; /* bits of enum cause */
	const char *revision;
	bool is_first_seen, is_manual, is_immutable;
	struct json *candidates_take, *limits_take; /* NULL = left out */
};

/* Takes the JSON members, also on failure. */
MUST_CHECK int describe_changed(struct stage *st, struct description *d);
/* A function of an http account that a person named: it has nothing but its URL. */
MUST_CHECK int describe_http(struct stage *st, const char *subject, const char *url);
MUST_CHECK int describe_removed(struct stage *st, const char *subject, const char *revision);

#endif
