/*
 * key_list.h - changes the list of who may speak on the bus: locked, whole or not at all.
 *
 *	struct key_list l;
 *	rc = key_list_open(&l, path, why);
 *	rc = key_list_add(&l, "loader-1", public_key, why);
 *	key_list_close(&l);
 *
 * Comments and order stay. The file keeps its owner and mode; a new one is 0644: it holds nothing
 * secret, and planner and collector are different users.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_KEY_LIST_H
#define PLIMSOLL_CMD_PLIMSOLL_KEY_LIST_H

#include "common/bus/allow.h"

struct key_list {
	char *path;
	int lock_fd; /* its folder, flock(2)ed: the file itself is replaced */
	struct bus_list list;
};

/* Waits for whoever has it. A file that is not there is an empty list. -errno, -EINVAL. */
MUST_CHECK int key_list_open(struct key_list *l, const char *path, char why[200]);
void key_list_close(struct key_list *l);
/* -EEXIST: the name or the key is there. */
MUST_CHECK int key_list_add(struct key_list *l, const char *name, const char *key, char why[200]);
/* -ENOENT: no such name. */
MUST_CHECK int key_list_remove(struct key_list *l, const char *name, char why[200]);

#endif
