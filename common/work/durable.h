/*
 * durable.h - a file in three steps, so that a test can die between them (rank 4).
 *
 *	durable_write_tmp(path, ...)	// PATH.tmp, whole and on the disk
 *	durable_rename(path)		// now it is PATH, for whoever looks
 *	durable_sync_folder(path)	// and it stays PATH when the power fails
 *
 * A *.tmp that a crash left is worth nothing and may be removed.
 */
#ifndef PLIMSOLL_WORK_DURABLE_H
#define PLIMSOLL_WORK_DURABLE_H

#include <stddef.h>

#include "common/base/bug.h"

#define DURABLE_TMP ".tmp"

/* All return 0 or -errno; after a failure of the first two PATH.tmp is gone. */
MUST_CHECK int durable_write_tmp(const char *path, const char *data, size_t len_bytes);
MUST_CHECK int durable_rename(const char *path);
MUST_CHECK int durable_sync_folder(const char *path);

#endif
