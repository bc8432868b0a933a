/*
 * load_private.h - a folder that only this user can read, for as long as loaders start: settings
 * whose allow list is the one host that was typed, and the values of headers as credentials.
 *
 *	rc = load_private_open(&p, &target, &why);
 *	... loaders are started with --config p.config and p.credentials in their environment ...
 *	load_private_close(&p);		// as soon as they have begun, or have ended
 *
 * It is made under XDG_RUNTIME_DIR (memory, as a rule), else TMPDIR, else /tmp, and locked: what a
 * process left that was killed has no lock any more, and the next one to open takes it away.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_PRIVATE_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_PRIVATE_H

#include "cmd/plimsoll/load_target.h"

struct load_private {
	char *folder;	   /* NULL = closed, or never opened */
	int fd;		   /* of the folder; holds its lock */
	char *config;	   /* the settings' path */
	char *credentials; /* "CREDENTIALS_DIRECTORY=..." */
};

/* -errno with why; nothing is left behind then. */
MUST_CHECK int load_private_open(struct load_private *p, const struct load_target *t,
				 struct buf *why);
void load_private_close(struct load_private *p); /* zeroed or closed: fine */

#endif
