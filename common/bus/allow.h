/*
 * allow.h - the file that says who may speak on the bus (rank 2).
 *
 * Lines "NAME PUBLIC-KEY" (Z85), # begins a comment. A name and a key may each stand once. A file
 * with any other line is broken as a whole: half a list would shut people out in silence.
 *
 *	struct bus_list list = {0};
 *	rc = bus_list_read(path, &list, why);
 *	bus_list_release(&list);
 */
#ifndef PLIMSOLL_BUS_ALLOW_H
#define PLIMSOLL_BUS_ALLOW_H

#include <stdbool.h>

#include "common/base/strmap.h"
#include "common/bus/bus.h"

#define BUS_LIST_MAX 4096
#define BUS_LIST_MAX_BYTES (1024u * 1024u)

struct bus_list {
	struct strmap names; /* name -> its key (Z85, on the heap) */
	struct strmap keys;  /* key -> its name (borrowed from names) */
};

/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool bus_name_is_fine(const char *name);
/* 40 characters of Z85. */
bool bus_key_is_fine(const char *key);
/* out is empty before. -errno of the file, -EFBIG, -EINVAL (why names the line); out stays empty.
 */
MUST_CHECK int bus_list_read(const char *path, struct bus_list *out, char why[200]);
/* The same of a text, which is changed; path is for why only. */
MUST_CHECK int bus_list_parse(char *text, const char *path, struct bus_list *out, char why[200]);
void bus_list_release(struct bus_list *l);

#endif
