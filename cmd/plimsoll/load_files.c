/* load_files.c - see load_files.h. */
#include "cmd/plimsoll/load_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fsio.h"

int load_file_read(const char *option, const char *path, size_t max_bytes, struct load_file *out,
		   struct buf *text, struct buf *why)
{
	char *whole = realpath(path, NULL), *slash;
	int rc = whole ? 0 : -errno;

	buf_init(text, max_bytes);
	if (!rc)
		rc = fs_read(whole, text);
	if (rc) {
		buf_addf(why, "%s %s: %s", option, path, strerror(-rc));
		free(whole);
		return -EINVAL;
	}
	slash = strrchr(whole, '/');
	out->name = x_strdup(slash + 1);
	out->folder = slash == whole ? x_strdup("/") : x_strndup(whole, (size_t)(slash - whole));
	digest_sha256_hex(buf_str(text), text->len_bytes, out->sha256_hex);
	free(whole);
	return 0;
}

void load_file_release(struct load_file *f)
{
	free(f->folder);
	free(f->name);
	*f = (struct load_file){0};
}
