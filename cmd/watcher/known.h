/*
 * known.h - what the watcher remembers of one function between two looks.
 *
 * A document under watcher/ACCOUNT/FUNCTION in the state. Environment values are in it as a hash
 * only. The remembered figures are those of the last state that was told downstream, so that
 * several edits of one deployment add up to one difference.
 *
 *	struct known k = {0};
 *	known_learn(&k, &function);
 *	struct json *doc = known_to_json(&k);
 *	known_release(&k);
 */
#ifndef PLIMSOLL_CMD_WATCHER_KNOWN_H
#define PLIMSOLL_CMD_WATCHER_KNOWN_H

#include <stdbool.h>

#include "common/aws/lambda.h"
#include "common/base/clock.h"
#include "common/json/json.h"

/* X(symbol, word in the state): an event that is still to be sent */
#define OWED(X)                                                                                    \
	X(OWED_NOTHING, "")                                                                        \
	X(OWED_FIRST_SEEN, "first-seen")                                                           \
	X(OWED_ADDED, "added")

enum owed {
#define X(symbol, word) symbol,
	OWED(X)
#undef X
		OWED_COUNT
};

/* The settings whose change has a cause of its own. Strings are owned; never NULL once learnt. */
struct settings {
	char *code_sha256, *runtime, *handler, *package_type, *arch, *snapstart;
	char *environment_sha256, *layers_sha256;
	int64_t memory_bytes, timeout_ms;
};

struct known {
	char *revision;	     /* RevisionId, else LastModified */
	char *last_modified; /* as the service gave it */
	char *edits_sha256;  /* see lambda.h */
	struct settings settings;
	char *alias_version, *alias_revision; /* NULL = no alias was looked at */
	enum owed owed;
	int64_t missing_since_ms; /* wall clock; 0 = it is there */
	bool was_missing;	  /* it came back after it had been missing */
	bool is_told_how_to_publish;
	uint32_t pass; /* the last list that held it; not kept in the state */
};

void known_release(struct known *k);
/* Takes over revision and settings as they are now. */
void known_learn(struct known *k, const struct lambda_function *now);
struct json *known_to_json(const struct known *k);
/* Absent members stay empty; never fails. */
void known_from_json(struct known *k, const struct json *doc);

/* RevisionId, else LastModified, else the code's hash. Borrowed. */
const char *known_revision_of(const struct lambda_function *f);
/* Our hash over the settings that change behaviour: target.config_sha256. */
void known_config_sha256(const struct lambda_function *f, char out[65]);

#endif
