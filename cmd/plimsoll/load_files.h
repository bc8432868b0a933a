/*
 * load_files.h - data files of a load (traces, rows): loaders open them beneath one folder, by a
 *name and a SHA-256, so that an event never carries a path.
 *
 *	struct load_file f = {0};
 *	rc = load_file_read("--replay", path, TRACE_BYTES_MAX, &f, &text, &why);
 *	... f.folder for --files, f.name and f.sha256_hex for the event ...
 *	load_file_release(&f);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_FILES_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_FILES_H

#include "common/base/buf.h"
#include "common/digest/digest.h"

struct load_file {
	char *folder, *name; /* owned; NULL = none. A link is followed: its file's own folder */
	char sha256_hex[SHA256_HEX_SIZE];
};

/* text is initialised here and the caller's in any case. -EINVAL with why, which names option. */
MUST_CHECK int load_file_read(const char *option, const char *path, size_t max_bytes,
			      struct load_file *out, struct buf *text, struct buf *why);
void load_file_release(struct load_file *f);

#endif
