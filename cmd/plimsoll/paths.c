#include "cmd/plimsoll/paths.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/config/config.h"

#define PATH_BYTES 4096

/* $name/plimsoll, else $HOME/otherwise/plimsoll, else NULL. */
static char *xdg(const char *name, const char *otherwise)
{
	const char *base = getenv(name), *home = getenv("HOME");

	if (base && *base == '/')
		return x_asprintf("%s/plimsoll", base);
	return home && *home == '/' ? x_asprintf("%s/%s/plimsoll", home, otherwise) : NULL;
}

char *paths_state_dir(const char *given)
{
	char *dir = given ? x_strdup(given) : xdg("XDG_STATE_HOME", ".local/state");
	int rc;

	if (!dir)
		dir = x_strdup("/var/lib/plimsoll");
	rc = fs_mkdirs(dir, 0700);
	if (rc)
		log_error("cannot make %s: %s; name another folder with --state", dir,
			  strerror(-rc));
	return dir;
}

char *paths_archive(const char *state_dir)
{
	return x_asprintf("%s/archive.sqlite", state_dir);
}

char *paths_pause(const char *state_dir)
{
	return x_asprintf("%s/pause", state_dir);
}

char *paths_pause_of(const char *given)
{
	char *dir = paths_state_dir(given), *path = paths_pause(dir);

	free(dir);
	return path;
}

char *paths_config(const char *given)
{
	return given ? x_strdup(given) : config_find();
}

char *paths_program(const char *name)
{
	char self[PATH_BYTES], *beside, *slash;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len <= 0)
		return x_strdup(name);
	self[len] = '\0';
	slash = strrchr(self, '/');
	beside = x_asprintf("%.*s/%s", (int)(slash - self), self, name);
	if (access(beside, X_OK) == 0)
		return beside;
	free(beside);
	return x_strdup(name);
}
