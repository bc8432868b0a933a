/*
 * fsio.h - files read whole with a bound, and written so that a crash leaves old or new (rank 0).
 */
#ifndef PLIMSOLL_BASE_FSIO_H
#define PLIMSOLL_BASE_FSIO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/buf.h"

/* Appends the whole file to out. -errno; -EFBIG when it does not fit into out. */
MUST_CHECK int fs_read(const char *path, struct buf *out);
/* The same for a descriptor, until its end. Blocks. */
MUST_CHECK int fs_read_fd(int fd, struct buf *out);
/* Temporary file beside it, write, fsync, rename, fsync of the folder. -errno; old content stays.
 */
MUST_CHECK int fs_write_atomic(const char *path, const void *data, size_t len_bytes, mode_t mode);
/* Creates the folder and its parents with this mode. 0 when it is there already. */
MUST_CHECK int fs_mkdirs(const char *path, mode_t mode);
/* Writes all bytes to a blocking descriptor. -errno. */
MUST_CHECK int fs_write_all(int fd, const void *data, size_t len_bytes);

#endif
