/*
 * state.h - small JSON documents in files, shared by the processes of one pipe (rank 2).
 *
 * One file a key under a folder; a key is a path ("functions/prod/hello"), its first part the
 * namespace. A namespace is locked (flock on NAMESPACE.lock) from the first get until commit, so
 * that read-modify-write is atomic between processes. A put that no get went before replaces the
 * document whatever it holds, so it waits for nobody: a stage that cannot commit yet, because its
 * reader is slow, must not hold up the one behind that reader. Writes reach the disk in commit:
 * temporary file, fsync, rename, fsync of the folder.
 *
 *	struct state *s;
 *	rc = state_open("/var/lib/plimsoll", &s);
 *	struct json *v = state_get(s, "ledger/prod");
 *	state_put(s, "ledger/prod", changed);	// taken
 *	rc = state_commit(s);
 *
 * DIAGNOSTICS
 *	state_open and state_commit: -errno of the file system. A document that is not JSON (a disk
 *	fault: we write atomically) is reported, set aside as KEY.json.bad, and counts as absent.
 *	A malformed key is a bug.
 */
#ifndef PLIMSOLL_STATE_STATE_H
#define PLIMSOLL_STATE_STATE_H

#include "common/base/bug.h"
#include "common/json/json.h"

struct state;

/* Creates the folder (0700). dir NULL keeps everything in memory, for a pipe without state. */
MUST_CHECK int state_open(const char *dir, struct state **out);
void state_free(struct state *s); /* gives up what was not committed; unlocks */

/* What was put, committed or not. NULL when absent. The caller frees it. Blocks while another
 * process has got something of the namespace and not committed. */
struct json *state_get(struct state *s, const char *key);
void state_put(struct state *s, const char *key, struct json *value_take); /* NULL deletes */
/* Calls see for every key under the prefix (a folder such as "functions/prod"), sorted. */
void state_each(struct state *s, const char *prefix, void (*see)(const char *key, void *ctx),
		void *ctx);
/* Makes all puts durable and unlocks. -errno: nothing of what failed is forgotten, call again. */
MUST_CHECK int state_commit(struct state *s);

/*
 * In memory only (state_open(NULL)), where another store is the true one: what is known of it is
 * set, and what is put is drained into it.
 */
/* Known from elsewhere: no put. NULL forgets. A malformed key is -EINVAL. */
MUST_CHECK int state_set(struct state *s, const char *key, struct json *value_take);
size_t state_put_count(const struct state *s);
/* Hands every put since the last drain to see, in order, and forgets it. The value is see's;
 * NULL: deleted. */
void state_drain(struct state *s, void (*see)(const char *key, struct json *value_take, void *ctx),
		 void *ctx);

#endif
