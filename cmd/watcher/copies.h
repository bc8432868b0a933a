/*
 * copies.h - another published version of the code that $LATEST has now.
 *
 * The provider publishes nothing while nothing has changed. So the description is edited, a version
 * is published, and the description is put back: three steps with a wait between them, one a turn
 * of the loop, since what stands in the state (versions.h: edit) is durable at the end of a turn. A
 * description never stays as we left it, whoever of us dies; and when our last edit was is kept
 * (edited_at), so that it is no change to anyone who polls.
 *
 *	rc = copies_go_on(a, name, &now, &err);		// each time that $LATEST was read
 *	if (rc == 0 && is_wanted)
 *		copies_begin(a, name, &now, false);	// read it again in a moment, go on
 *
 * DIAGNOSTICS
 *	-EAGAIN: not done; read $LATEST again in half a second. AWS_DENIED: the role may not edit;
 *	nothing is under way then.
 */
#ifndef PLIMSOLL_CMD_WATCHER_COPIES_H
#define PLIMSOLL_CMD_WATCHER_COPIES_H

#include "cmd/watcher/account.h"

/* The pure core: what comes next. */
enum copy_step {
	COPY_NONE,    /* nothing was begun */
	COPY_EDIT,    /* the edit is remembered, and not made */
	COPY_WAIT,    /* an update of ours is under way */
	COPY_PUBLISH, /* edited */
	COPY_GIVE_UP, /* edited, but there is other code by now */
	COPY_RESTORE, /* published or given up: put it back */
	COPY_DONE,    /* as it was, or edited by somebody else */
};
/* edit: that of the document, NULL = none. */
enum copy_step copies_next(const struct json *edit, const struct lambda_function *now);

/* Takes what was begun one step further. 0 when nothing is (any more) under way. */
MUST_CHECK int copies_go_on(struct account *a, const char *name, const struct lambda_function *now,
			    struct aws_error *err);
/* Remembers that a copy of now is wanted: each copies_go_on from the next turn on is a step.
 * is_for_calibrate: it goes with copies_drop. */
void copies_begin(struct account *a, const char *name, const struct lambda_function *now,
		  bool is_for_calibrate);
/* $LATEST was last touched by us, to put a description back. */
bool copies_were_ours(struct account *a, const char *name, const struct lambda_function *now);
/* How many versions have the code and settings of f. */
size_t copies_count(const struct lambda_list *versions, const struct lambda_function *f);
/* Deletes the copies that calibrate asked for; those that cannot be deleted are told and stay. */
MUST_CHECK int copies_drop(struct account *a, const char *name, struct aws_error *err);

#endif
