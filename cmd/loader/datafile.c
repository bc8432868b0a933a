/*
 * datafile.c - see datafile.h.
 */
#include "cmd/loader/datafile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/fsio.h"
#include "common/digest/digest.h"

PRINTF_LIKE(3, 4)
static int refuse(char why[DATAFILE_WHY_SIZE], int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, DATAFILE_WHY_SIZE, fmt, ap);
	va_end(ap);
	return rc;
}

/* Neither .., nor an absolute path, nor a link leads out of the folder. */
static int open_beneath(const char *folder, const char *name)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, rc;

	if (dir < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	rc = fd < 0 ? -errno : fd;
	close(dir);
	return rc;
}

static int read_all(int fd, size_t max_bytes, struct buf *out)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((size_t)st.st_size > max_bytes)
		return -EFBIG;
	return fs_read_fd(fd, out);
}

int datafile_read(const char *folder, const char *name, const char *sha256_hex, size_t max_bytes,
		  struct buf *out, char why[DATAFILE_WHY_SIZE])
{
	char is_hex[SHA256_HEX_SIZE];
	int fd, rc;

	buf_init(out, max_bytes);
	if (!folder)
		return refuse(why, -ENOENT, "file %.100s: no folder of files; give --files DIR",
			      name);
	fd = open_beneath(folder, name);
	if (fd < 0)
		return refuse(why, fd, "file %.100s beneath %.100s: %s", name, folder,
			      strerror(-fd));
	rc = read_all(fd, max_bytes, out);
	close(fd);
	if (rc == -EFBIG)
		refuse(why, rc, "file %.100s: more than %zu MiB", name, max_bytes >> 20);
	else if (rc != 0)
		refuse(why, rc, "file %.100s: %s", name, strerror(-rc));
	digest_sha256_hex(buf_str(out), out->len_bytes, is_hex);
	if (rc == 0 && (!sha256_hex || strcmp(is_hex, sha256_hex) != 0))
		rc = refuse(
			why, -ESTALE,
			"file %.100s has other bytes than the plan was made with (sha256 %.16s...)",
			name, is_hex);
	if (rc != 0)
		buf_release(out);
	return rc;
}
