/*
 * pages.h - the groups that a Pushgateway holds of us: their names here, their paths there, and
 * what stands in them, rendered from the ledger.
 *
 * A group is one function ("prod/hello"), or with mode: batch a part of all functions
 * ("_/batch-07"), or the sink's own ("_/_service"). A group that nothing is known of renders to
 * nothing: it is to go.
 */
#ifndef PLIMSOLL_SINK_PAGES_H
#define PLIMSOLL_SINK_PAGES_H

#include "cmd/sink/sinks.h"

#define PAGES_SERVICE "_/_service"
#define PAGES_FOLDER "sink" /* of the ledger in the state */
#define PAGES_KEY_SIZE 200
#define PAGES_GROUP_SIZE (2 * NAME_MAX_BYTES + 2)
#define PAGES_MAX_BYTES (64u * 1024u * 1024u)

/* "sink/prod/hello"; false for a subject that is none of ours. */
MUST_CHECK bool pages_key(const char *subject, char key[PAGES_KEY_SIZE]);
/* The group that tells of this function. */
void pages_group_of(const char *subject, bool is_batch, char group[PAGES_GROUP_SIZE]);
/* The group behind labels that the gateway told; false when it is none of ours. */
MUST_CHECK bool pages_group_from(const struct json *labels, char group[PAGES_GROUP_SIZE]);
/* Whether it is the name of one; NULL is not. */
bool pages_is_group(const char *name);
/* Whether the mode has groups such as this one. */
bool pages_has(const char *group, bool is_batch);
void pages_path(const char *group, struct buf *path);
void pages_render(const struct sink_world *w, const char *group, bool is_batch, size_t refused,
		  struct buf *body);

#endif
