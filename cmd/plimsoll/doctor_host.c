/* doctor_host.c - settings, programs, secrets, folders and disk of this host. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cmd/plimsoll/doctor.h"
#include "cmd/plimsoll/paths.h"
#include "common/base/proc.h"

#define PAGE_MAX_BYTES 4096
#define FREE_WARNING 0.10 /* of the disk */
#define FREE_WRONG 0.02
#define FREE_WRONG_BYTES (64.0 * 1024 * 1024)

char *doctor_secret_path(const struct doctor *d, const char *name)
{
	return x_asprintf("%s/%s", d->secrets, name);
}

char *doctor_secret(const struct doctor *d, const char *name)
{
	char *ref = x_asprintf("file:%s/%s", d->secrets, name), *text = NULL, why[200];

	if (config_secret(ref, &text, why))
		text = NULL;
	free(ref);
	return text;
}

/* ---- settings ---- */

static void tell_mistakes(struct doctor *d, const char *path, const struct config_errors *errs)
{
	const struct config_error *e = errs->count ? &errs->items[0] : NULL;

	doctor_say(d, DOCTOR_WRONG, "plimsoll check lists all mistakes; mend them",
		   "%s has %zu mistakes, the first at line %d: %s", path, errs->count,
		   e ? e->line : 0, e ? e->text : "it cannot be read");
}

void doctor_settings(struct doctor *d)
{
	struct config_errors errs = {0};
	char *path = paths_config(d->config_path);
	struct config *c = NULL;

	if (!path) {
		doctor_say(d, DOCTOR_WRONG, "write one: plimsoll init, and the section bus:",
			   "there is no /etc/plimsoll/plimsoll.yaml");
		return;
	}
	if (config_load(path, &c, &errs)) {
		tell_mistakes(d, path, &errs);
	} else if (!c->bus.is_set) {
		doctor_say(d, DOCTOR_WRONG, "add it (docs/SERVICES.md): without it there is no bus",
			   "%s has no section bus:", path);
	} else {
		doctor_say(d, DOCTOR_OK, NULL, "%s", path);
		d->config = c;
		c = NULL;
	}
	config_free(c);
	config_errors_release(&errs);
	free(path);
}

/* ---- programs ---- */

static void check_program(struct doctor *d, const char *name)
{
	char *path = paths_program(name);
	const char *const argv[] = {path, "--version", NULL};
	const struct proc_spec spec = {.argv = argv};
	struct buf out = BUF_INIT(PAGE_MAX_BYTES), err = BUF_INIT(PAGE_MAX_BYTES);
	char *want = x_asprintf("%s " PLIMSOLL_VERSION "\n", name);
	int rc = proc_run(&spec, NULL, d->wait_ms, &out, &err);

	if (rc != 0)
		doctor_say(d, DOCTOR_WRONG, "make install, on this host", "%s does not start",
			   path);
	else if (strcmp(buf_str(&out), want) != 0)
		doctor_say(d, DOCTOR_WRONG, "install all programs of one version together",
			   "%s is not of version " PLIMSOLL_VERSION, path);
	else
		doctor_say(d, DOCTOR_OK, NULL, "%s " PLIMSOLL_VERSION, path);
	buf_release(&out);
	buf_release(&err);
	free(want);
	free(path);
}

void doctor_programs(struct doctor *d)
{
	static const char *const main_programs[] = {"plimsoll-watcher", "plimsoll-planner",
						    "plimsoll-collector", "plimsoll-sink"};

	for (size_t i = 0; i < ARRAY_LEN(main_programs) && !d->is_loader; i++)
		check_program(d, main_programs[i]);
	check_program(d, "plimsoll-loader");
}

/* ---- secrets ---- */

/* True when others cannot get at it. */
static bool check_mode(struct doctor *d, const char *path, mode_t forbidden)
{
	struct stat st;
	char *todo;

	if (stat(path, &st) != 0) {
		doctor_say(d, DOCTOR_WRONG, "docs/SERVICES.md says how it is made", "%s: %s", path,
			   strerror(errno));
		return false;
	}
	if (!(st.st_mode & forbidden) && (st.st_uid == 0 || st.st_uid == geteuid()))
		return true;
	todo = x_asprintf("chown root %s; chmod %s %s", path, S_ISDIR(st.st_mode) ? "700" : "600",
			  path);
	doctor_say(d, DOCTOR_WRONG, todo,
		   "%s can be read or written by others (mode %03o, user %u)", path,
		   st.st_mode & 0777u, (unsigned)st.st_uid);
	free(todo);
	return false;
}

static size_t check_secret(struct doctor *d, const char *name, const char *todo)
{
	char *path = doctor_secret_path(d, name), *text;
	size_t good = 0;

	if (access(path, F_OK) != 0) {
		doctor_say(d, DOCTOR_WRONG, todo, "%s is missing", path);
	} else if (check_mode(d, path, 077)) {
		text = doctor_secret(d, name);
		good = text != NULL;
		if (!text)
			doctor_say(d, DOCTOR_WRONG,
				   "run this as root; make it again if it is empty",
				   "%s is empty or cannot be read", path);
		else
			explicit_bzero(text, strlen(text));
		free(text);
	}
	free(path);
	return good;
}

/* Keys of the loaders of this host: at least one on a host of loaders. */
static size_t check_loader_secrets(struct doctor *d)
{
	DIR *dir = opendir(d->secrets);
	size_t good = 0, seen = 0;

	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (strncmp(e->d_name, "loader-", 7) == 0) {
			seen++;
			good += check_secret(d, e->d_name, NULL);
		}
	}
	if (dir)
		closedir(dir);
	if (!seen && d->is_loader)
		doctor_say(d, DOCTOR_WRONG, "plimsoll admin key new NAME (docs/SERVICES.md)",
			   "%s has no key of a loader (loader-NAME)", d->secrets);
	return good;
}

void doctor_secrets(struct doctor *d)
{
	static const struct {
		const char *name, *todo;
	} secrets[] = {
		{"pl-watcher", "plimsoll admin acl --create"},
		{"pl-planner", "plimsoll admin acl --create"},
		{"pl-collector", "plimsoll admin acl --create"},
		{"pl-sink", "plimsoll admin acl --create"},
		{"pl-admin", "plimsoll admin acl --create"},
		{"curve", "plimsoll admin key new --server"},
	};
	size_t good = 0;

	if (!check_mode(d, d->secrets, 077))
		return;
	for (size_t i = 0; i < ARRAY_LEN(secrets) && !d->is_loader; i++)
		good += check_secret(d, secrets[i].name, secrets[i].todo);
	good += check_loader_secrets(d);
	doctor_say(d, DOCTOR_OK, NULL, "%zu secrets in %s are closed to others", good, d->secrets);
}

/* ---- folders and disk ---- */

void doctor_folders(struct doctor *d)
{
	struct stat st;

	if (stat(d->state, &st) != 0)
		doctor_say(d, DOCTOR_WRONG, "systemd-tmpfiles --create plimsoll.conf", "%s: %s",
			   d->state, strerror(errno));
	else if (!S_ISDIR(st.st_mode) || (st.st_mode & 002) != 0)
		doctor_say(d, DOCTOR_WRONG, "systemd-tmpfiles --create plimsoll.conf",
			   "%s must be a folder that nobody else may write (mode %03o)", d->state,
			   st.st_mode & 0777u);
	else
		doctor_say(d, DOCTOR_OK, NULL, "%s", d->state);
}

static void check_room(struct doctor *d, const char *path)
{
	struct statvfs fs;
	double free_bytes, ratio;
	enum doctor_level level;

	if (statvfs(path, &fs) != 0 || fs.f_blocks == 0)
		return; /* told by others */
	free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
	ratio = (double)fs.f_bavail / (double)fs.f_blocks;
	level = ratio < FREE_WRONG || free_bytes < FREE_WRONG_BYTES ? DOCTOR_WRONG
		: ratio < FREE_WARNING				    ? DOCTOR_WARNING
								    : DOCTOR_OK;
	doctor_say(d, level,
		   level == DOCTOR_OK ? NULL
				      : "make room: on a full disk Redis ends and nothing is taken",
		   "%s: %.1f GB (%.0f %%) free", path, free_bytes / 1e9, 100 * ratio);
}

void doctor_disk(struct doctor *d)
{
	check_room(d, d->state);
	if (d->redis_dir && strncmp(d->redis_dir, d->state, strlen(d->state)) != 0)
		check_room(d, d->redis_dir);
}
