/*
 * report.h - what the terminal says about an event. Pure: text in, text out.
 *
 *	struct buf out = BUF_INIT(64 * 1024);
 *	report_run(ev, &(struct look){.width = 80}, &out);
 */
#ifndef PLIMSOLL_SINK_REPORT_H
#define PLIMSOLL_SINK_REPORT_H

#include <stdbool.h>

#include "common/event/event.h"

struct look {
	bool has_colour;
	size_t width; /* columns of the terminal; 0 = no limit */
};

/* Everything about a run: some lines for one that was made, one or two for one that was not. */
void report_run(const struct event *ev, const struct look *look, struct buf *out);
/* A later revision: what it adds; before is the verdict that was told, or NULL. */
void report_amendment(const struct event *ev, const char *before, const struct look *look,
		      struct buf *out);
void report_removed(const struct event *ev, const struct look *look, struct buf *out);
/* How a run goes on, for a status line of at most width columns; no newline. others: how many
 * more are running. */
void report_progress(const struct event *ev, size_t others, size_t width, struct buf *out);
/* An inventory: skipped because it was seen for the first time. */
bool report_is_first_seen(const struct event *ev);
void report_inventory(size_t functions, size_t accounts, const char *account,
		      const struct look *look, struct buf *out);

#endif
