/* secret.c - secrets are read here, at the moment that someone needs one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fsio.h"
#include "common/config/config.h"

#define SECRET_MAX_BYTES ((size_t)64 * 1024)

static int read_file(const char *path, char **out, char why[200])
{
	struct buf b = BUF_INIT(SECRET_MAX_BYTES);
	int rc = fs_read(path, &b);

	if (rc == 0 && memchr(buf_str(&b), '\0', b.len_bytes))
		rc = -EINVAL;
	if (rc == 0) {
		while (b.len_bytes && strchr("\r\n", b.data[b.len_bytes - 1]))
			buf_truncate(&b, b.len_bytes - 1);
		if (b.len_bytes == 0)
			rc = -ENODATA;
	}
	if (rc == 0)
		*out = buf_steal(&b);
	else
		snprintf(why, 200,
			 "cannot read the secret file %.100s: %s; make it readable for this "
			 "user and not empty",
			 path, strerror(-rc));
	if (b.data)
		explicit_bzero(b.data, b.cap_bytes);
	buf_release(&b);
	return rc;
}

static int read_credential(const char *name, char **out, char why[200])
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *path;
	int rc;

	if (!dir || !*dir) {
		snprintf(why, 200,
			 "credential:%.60s needs CREDENTIALS_DIRECTORY: start under systemd with "
			 "LoadCredential=, or use file:/path",
			 name);
		return -ENOENT;
	}
	path = x_asprintf("%s/%s", dir, name);
	rc = read_file(path, out, why);
	free(path);
	return rc;
}

static int read_variable(const char *ref, char **out, char why[200])
{
	char *name = x_strndup(ref + 2, strlen(ref) - 3);
	const char *value = getenv(name);
	int rc = 0;

	if (value && *value) {
		*out = x_strdup(value);
	} else {
		snprintf(why, 200, "the environment has no %.100s; set it, or use file:/path",
			 name);
		rc = -ENOENT;
	}
	free(name);
	return rc;
}

int config_secret(const char *ref, char **out, char why[200])
{
	size_t len = strlen(ref);

	if (strncmp(ref, "file:", 5) == 0)
		return read_file(ref + 5, out, why);
	if (strncmp(ref, "credential:", 11) == 0)
		return read_credential(ref + 11, out, why);
	if (len > 3 && strncmp(ref, "${", 2) == 0 && ref[len - 1] == '}')
		return read_variable(ref, out, why);
	*out = x_strdup(ref);
	return 0;
}
