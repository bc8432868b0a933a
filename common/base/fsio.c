#include "common/base/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fs_read_fd(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t got;

	for (;;) {
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		buf_add(out, chunk, (size_t)got);
		if (buf_is_over(out))
			return -EFBIG;
	}
}

int fs_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fs_read_fd(fd, out);
	close(fd);
	return rc;
}

int fs_write_all(int fd, const void *data, size_t len_bytes)
{
	const char *at = data;

	while (len_bytes) {
		ssize_t wrote = write(fd, at, len_bytes);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		at += wrote;
		len_bytes -= (size_t)wrote;
	}
	return 0;
}

/* The folder of a path, "." when it has none. The caller frees it. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return x_strdup(".");
	return slash == path ? x_strdup("/") : x_strndup(path, (size_t)(slash - path));
}

static int sync_folder(const char *path)
{
	char *folder = folder_of(path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : 0;

	if (fd >= 0) {
		if (fsync(fd))
			rc = -errno;
		close(fd);
	}
	free(folder);
	return rc;
}

static int write_and_sync(int fd, const void *data, size_t len_bytes, mode_t mode)
{
	int rc = fs_write_all(fd, data, len_bytes);

	if (!rc && fchmod(fd, mode))
		rc = -errno;
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

int fs_write_atomic(const char *path, const void *data, size_t len_bytes, mode_t mode)
{
	char *tmp = x_asprintf("%s.XXXXXX", path);
	int fd = mkostemp(tmp, O_CLOEXEC);
	int rc;

	if (fd < 0) {
		rc = -errno;
		free(tmp);
		return rc;
	}
	rc = write_and_sync(fd, data, len_bytes, mode);
	if (!rc && rename(tmp, path))
		rc = -errno;
	if (rc)
		unlink(tmp);
	else
		rc = sync_folder(path);
	free(tmp);
	return rc;
}

int fs_mkdirs(const char *path, mode_t mode)
{
	char *copy = x_strdup(path);
	struct stat st;
	int rc = 0;

	for (char *p = copy + 1; !rc && *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) && errno != EEXIST)
			rc = -errno;
		*p = '/';
	}
	if (!rc && mkdir(copy, mode) && errno != EEXIST)
		rc = -errno;
	if (!rc && (stat(copy, &st) || !S_ISDIR(st.st_mode)))
		rc = -ENOTDIR;
	free(copy);
	return rc;
}
