#include "common/work/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fsio.h"

#define FILE_MODE 0640

static int write_and_sync(int fd, const char *data, size_t len_bytes)
{
	int rc = fs_write_all(fd, data, len_bytes);

	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

int durable_write_tmp(const char *path, const char *data, size_t len_bytes)
{
	char *tmp = x_asprintf("%s" DURABLE_TMP, path);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	int rc = fd < 0 ? -errno : write_and_sync(fd, data, len_bytes);

	if (rc && fd >= 0)
		unlink(tmp);
	free(tmp);
	return rc;
}

int durable_rename(const char *path)
{
	char *tmp = x_asprintf("%s" DURABLE_TMP, path);
	int rc = rename(tmp, path) ? -errno : 0;

	if (rc)
		unlink(tmp);
	free(tmp);
	return rc;
}

int durable_sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? x_strndup(path, (size_t)(slash - path) + 1) : x_strdup(".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(folder);
	return rc;
}
