/*
 * merge.h - the pages of many functions as one: for a group that holds them all. Pure.
 *
 * In a group of its own a function is told by the group's labels; in a shared one each sample has
 * to say whose it is. The samples of one metric stay together, as the format wants it.
 *
 *	struct merge m = {0};
 *	merge_add(&m, "prod", "hello", buf_str(&page));	// as prom_write wrote it
 *	merge_write(&m, &body);
 *	merge_release(&m);
 */
#ifndef PLIMSOLL_SINK_MERGE_H
#define PLIMSOLL_SINK_MERGE_H

#include "common/base/buf.h"
#include "common/base/strmap.h"

struct merge {
	struct strmap metrics; /* name -> struct buf *: HELP, TYPE and the samples */
};

void merge_add(struct merge *m, const char *account, const char *function, const char *page);
void merge_write(const struct merge *m, struct buf *out);
void merge_release(struct merge *m);

#endif
