/*
 * datafile.h - files that a shard names (rows, traces): beneath one folder, and only the same bytes
 * that the plan was made with.
 *
 * An event carries a relative name and a SHA-256, never a path of this host. The folder is --files,
 * else files: of the settings, else the folder of the settings. Read whole, before the first call.
 *
 *	struct buf text;
 *	rc = datafile_read(folder, "rows/users.csv", sha256_hex, 16 << 20, &text, why);
 *	... text.data, text.len_bytes; the caller releases it ...
 *
 * DIAGNOSTICS
 *	-errno with why: no folder, a name that leaves it (also by a link), no file, not a plain
 *	file, longer than allowed (-EFBIG), other bytes than planned (-ESTALE).
 */
#ifndef PLIMSOLL_LOADER_DATAFILE_H
#define PLIMSOLL_LOADER_DATAFILE_H

#include <stddef.h>

#include "common/base/buf.h"

#define DATAFILE_WHY_SIZE 300

/* out is initialised here; on failure it is empty. folder may be NULL: then there are no files. */
MUST_CHECK int datafile_read(const char *folder, const char *name, const char *sha256_hex,
			     size_t max_bytes, struct buf *out, char why[DATAFILE_WHY_SIZE]);

#endif
