/*
 * sorting.h - holds a whole list of an account against what is known: new, touched, gone.
 */
#ifndef PLIMSOLL_CMD_WATCHER_SORTING_H
#define PLIMSOLL_CMD_WATCHER_SORTING_H

#include "cmd/watcher/account.h"

/* One listed function. */
void sorting_one(struct account *a, const struct lambda_function *f);
/* After the last one: what was not in the list. */
void sorting_end(struct account *a);

#endif
