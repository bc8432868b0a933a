/*
 * secret_files.h - secrets for a child, as files that only we may read.
 *
 * A folder of mode 0700 holds one file of mode 0600 a secret, on a file system in memory where
 * there is one; env names them (NAME=/run/user/0/plimsoll-x/NAME). Values never stand in an
 * environment or an argument, where other processes could see them.
 *
 *	struct secret_files f = {0};
 *	rc = secret_files_write(&f, source->secrets, source->secret_count);
 *	spec.env = f.env;
 *	secret_files_remove(&f);
 */
#ifndef PLIMSOLL_COLLECTOR_SECRET_FILES_H
#define PLIMSOLL_COLLECTOR_SECRET_FILES_H

#include "common/config/config.h"

struct secret_files {
	char **env; /* NULL-terminated; NULL when there is no secret */
	char *folder;
};

/* -errno, after telling which secret and why; what was written is removed again. */
MUST_CHECK int secret_files_write(struct secret_files *f, const struct config_named_secret *secrets,
				  size_t count);
void secret_files_remove(struct secret_files *f); /* harmless when nothing was written */

#endif
