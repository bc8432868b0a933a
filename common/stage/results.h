/*
 * results.h - reads a file of results and holds it against what Redis says of it (rank 5). intake.h
 * writes them.
 */
#ifndef PLIMSOLL_STAGE_RESULTS_H
#define PLIMSOLL_STAGE_RESULTS_H

#include <stdbool.h>

#include "common/base/buf.h"

/* -EBADMSG when its sum is another one, -EINVAL for a name that is none, else -errno. */
MUST_CHECK int results_read(const char *dir, const char *name, const char *sha256_hex,
			    struct buf *out);
/* Whether what results_read said will not change: the file is damaged, or the folder is there
 * without it. Everything else may be over soon. */
bool results_is_lost(const char *dir, int rc);

#endif
