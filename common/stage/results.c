#include "common/stage/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fsio.h"
#include "common/digest/digest.h"
#include "common/work/intake.h"

int results_read(const char *dir, const char *name, const char *sha256_hex, struct buf *out)
{
	char found[SHA256_HEX_SIZE], *path;
	int rc;

	if (!*name || *name == '.' || strchr(name, '/'))
		return -EINVAL;
	path = results_path(dir, name);
	rc = fs_read(path, out);
	free(path);
	if (rc)
		return rc;
	digest_sha256_hex(buf_str(out), out->len_bytes, found);
	return strcmp(found, sha256_hex) == 0 ? 0 : -EBADMSG;
}

bool results_is_lost(const char *dir, int rc)
{
	char *folder;
	bool is_there;

	if (rc != -ENOENT)
		return rc == -EBADMSG || rc == -EINVAL;
	folder = results_path(dir, "");
	is_there = access(folder, R_OK | X_OK) == 0;
	free(folder);
	return is_there;
}
