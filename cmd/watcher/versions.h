/*
 * versions.h - published versions of one function: which can be called, which are ours, which of
 * ours may go.
 *
 * What we published ourselves is remembered under published/ACCOUNT/FUNCTION, apart from what
 * the poll remembers, since `plimsoll run` publishes beside a running watcher. Only those are ever
 * deleted.
 */
#ifndef PLIMSOLL_CMD_WATCHER_VERSIONS_H
#define PLIMSOLL_CMD_WATCHER_VERSIONS_H

#include "common/aws/lambda.h"
#include "common/json/json.h"
#include "common/stage/stage.h"

#define CANDIDATES_MAX 10

/* Newest first, "$LATEST" dropped. */
void versions_sort(struct lambda_list *versions);
/* The same code and settings. */
bool versions_is_equal(const struct lambda_function *a, const struct lambda_function *b);
/* The newest version with this code and these settings, or NULL. Borrowed. */
const struct lambda_function *versions_equal_to(const struct lambda_list *versions,
						const struct lambda_function *f);
/* data.candidates: those that can be called, newest first, at most CANDIDATES_MAX. unused: which of
 * them are told as such; NULL = none. */
struct json *versions_candidates(const struct lambda_list *versions, const struct json *unused);

/*
 * What we made, as the state holds it: versions[], newest first; copies[], those of them that
 * calibrate asked for; unused[], those that no event has told yet, so nobody calls them; edit and
 * edited_at, see copies.h. Never NULL; put takes it.
 */
struct json *versions_doc(struct stage *st, const char *subject);
void versions_put_doc(struct stage *st, const char *subject, struct json *doc_take);
void versions_add(struct json *doc, const char *version);
bool versions_has(const struct json *list, const char *version);
/* From now on they may be called. */
void versions_told(struct stage *st, const char *subject);
/* One of the unused has the code and settings of f. */
bool versions_has_unused(const struct json *doc, const struct lambda_list *versions,
			 const struct lambda_function *f);

/* Adds a version to what we made. The key is "ACCOUNT/FUNCTION". */
void versions_remember(struct stage *st, const char *subject, const char *version);
void versions_forget(struct stage *st, const char *subject, const char *version);
void versions_forget_all(struct stage *st, const char *subject);
/* What we made, as a JSON array of strings, newest first; never NULL, the caller frees it. */
struct json *versions_ours(struct stage *st, const char *subject);
/*
 * Those of ours, oldest last, that may go: not among the newest keep (at least 2: the version under
 * test and its baseline), not held by the alias. ours is newest first. The caller frees the array.
 */
struct json *versions_to_retire(const struct json *ours, uint32_t keep, const char *held);

#endif
