/*
 * look.h - a close look at one function: wait until it is quiet and ready, publish, tell.
 */
#ifndef PLIMSOLL_CMD_WATCHER_LOOK_H
#define PLIMSOLL_CMD_WATCHER_LOOK_H

#include "cmd/watcher/account.h"

/* Does what the todo says. Milliseconds until it should be done again, or -1: it is done with. */
int64_t look_do(struct account *a, struct todo *t);

enum look_result { LOOK_TOLD, LOOK_LATER, LOOK_NO_SUCH, LOOK_FAILED };
/*
 * The manual look: tells the function as it is, with kind manual, whatever is known of it.
 * LOOK_LATER: not ready yet. LOOK_FAILED: told by account_failed(). wants_copy: where we may
 * publish there are two versions of the code under test before it is told.
 */
enum look_result look_by_hand(struct account *a, const char *name, bool wants_copy);

#endif
