/*
 * secret_files.c - write, name, remove.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/secret_files.h"
#include "common/base/bug.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/digest/digest.h"

static const char *base_folder(void)
{
	const char *const places[] = {getenv("RUNTIME_DIRECTORY"), getenv("XDG_RUNTIME_DIR"),
				      "/dev/shm", getenv("TMPDIR")};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (places[i] && access(places[i], W_OK | X_OK) == 0)
			return places[i];
	}
	return "/tmp";
}

static int write_one(struct secret_files *f, const struct config_named_secret *secret, size_t at)
{
	char why[200] = "", *value = NULL, *path;
	int rc = config_secret(secret->ref, &value, why);

	if (rc != 0) {
		log_warn("cannot read secret %s: %s", secret->name, why);
		return rc;
	}
	path = x_asprintf("%s/%s", f->folder, secret->name);
	rc = fs_write_atomic(path, value, strlen(value), 0600);
	digest_wipe(value, strlen(value));
	free(value);
	if (rc == 0)
		f->env[at] = x_asprintf("%s=%s", secret->name, path);
	free(path);
	return rc;
}

int secret_files_write(struct secret_files *f, const struct config_named_secret *secrets,
		       size_t count)
{
	int rc = 0;

	*f = (struct secret_files){0};
	if (count == 0)
		return 0;
	f->folder = x_asprintf("%s/plimsoll-secrets-XXXXXX", base_folder());
	if (!mkdtemp(f->folder)) {
		rc = -errno;
		free(f->folder);
		f->folder = NULL;
		return rc;
	}
	f->env = x_calloc(count + 1, sizeof(*f->env));
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = write_one(f, &secrets[i], i);
	if (rc != 0)
		secret_files_remove(f);
	return rc;
}

void secret_files_remove(struct secret_files *f)
{
	for (size_t i = 0; f->env && f->env[i]; i++) {
		unlink(strchr(f->env[i], '=') + 1);
		free(f->env[i]);
	}
	if (f->folder)
		rmdir(f->folder);
	free(f->env);
	free(f->folder);
	*f = (struct secret_files){0};
}
