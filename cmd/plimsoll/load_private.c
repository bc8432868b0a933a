/* load_private.c - see load_private.h. */
#include "cmd/plimsoll/load_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fsio.h"

#define PREFIX "plimsoll-load-"
#define CONFIG_NAME "plimsoll.yaml"
#define HEADER_NAME "header-%zu"
#define OLD_S 60 /* between mkdtemp and flock a folder of somebody who lives has no lock */

static const char *base_folder(void)
{
	static const char *const names[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
	const char *base = "/tmp";

	for (size_t i = ARRAY_LEN(names); i-- > 0;) {
		const char *value = getenv(names[i]);

		if (value && *value == '/' && access(value, W_OK) == 0)
			base = value;
	}
	return base;
}

/* By what we put there and nothing else: with anything more in it the folder stays. */
static void empty(int fd)
{
	char name[32];

	unlinkat(fd, CONFIG_NAME, 0);
	for (size_t i = 0; i < LOAD_HEADERS_MAX; i++) {
		snprintf(name, sizeof(name), HEADER_NAME, i);
		unlinkat(fd, name, 0);
	}
}

/* Ours, for us alone, old enough, and of no process that lives (its lock went with it). */
static bool is_left(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0 &&
	       wall_now().ns / NS_PER_S - st.st_mtime > OLD_S && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* A name that is a link, or no folder, is none of ours. */
static void take_away_if_left(int base, const char *name)
{
	int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (is_left(fd)) {
		empty(fd);
		unlinkat(base, name, AT_REMOVEDIR);
	}
	close(fd);
}

static void sweep(const char *base)
{
	DIR *dir = opendir(base);

	for (struct dirent *e; dir && (e = readdir(dir));)
		if (!strncmp(e->d_name, PREFIX, strlen(PREFIX)))
			take_away_if_left(dirfd(dir), e->d_name);
	if (dir)
		closedir(dir);
}

static int make_folder(struct load_private *p, const char *base)
{
	char *path = x_asprintf("%s/" PREFIX "XXXXXX", base);

	if (!mkdtemp(path)) {
		int rc = -errno;

		free(path);
		return rc;
	}
	p->folder = path;
	p->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd < 0)
		return -errno;
	(void)flock(p->fd, LOCK_EX | LOCK_NB); /* where it cannot be, nothing is swept either */
	return 0;
}

static int write_file(const struct load_private *p, const char *name, const char *text)
{
	int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : fs_write_all(fd, text, strlen(text));

	if (fd >= 0 && close(fd) && !rc)
		rc = -errno;
	return rc;
}

static void add_quoted(struct buf *out, const char *text)
{
	struct json *j = json_new_str(text);

	json_write(j, out); /* a string of JSON is one of YAML */
	json_free(j);
}

static void add_setting(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(out, ", %s: ", name);
	add_quoted(out, value);
}

static int write_config(const struct load_private *p, const struct load_target *t)
{
	char *socket = t->unix_socket ? x_asprintf("unix:%s", t->unix_socket) : NULL;
	struct buf text = BUF_INIT(64 * 1024);
	int rc;

	buf_adds(&text, "accounts: {load: {provider: http, allow: [");
	add_quoted(&text, socket ? socket : t->authority);
	buf_addc(&text, ']');
	add_setting(&text, "cert_file", t->cert_file);
	add_setting(&text, "key_file", t->key_file);
	buf_adds(&text, "}}\nlimits: {rate: 1000000/s}\n");
	rc = write_file(p, CONFIG_NAME, buf_str(&text));
	buf_release(&text);
	free(socket);
	return rc;
}

int load_private_open(struct load_private *p, const struct load_target *t, struct buf *why)
{
	const char *base = base_folder();
	char name[32];
	int rc;

	*p = (struct load_private){.fd = -1};
	sweep(base);
	rc = make_folder(p, base);
	if (!rc) {
		p->config = x_asprintf("%s/" CONFIG_NAME, p->folder);
		p->credentials = x_asprintf("CREDENTIALS_DIRECTORY=%s", p->folder);
		rc = write_config(p, t);
	}
	for (size_t i = 0; i < t->header_count && !rc; i++) {
		snprintf(name, sizeof(name), HEADER_NAME, i);
		rc = write_file(p, name, t->headers[i].value);
	}
	if (rc) {
		buf_addf(why, "cannot make a folder in %s for the settings of the loader: %s", base,
			 strerror(-rc));
		load_private_close(p);
	}
	return rc;
}

void load_private_close(struct load_private *p)
{
	if (!p->folder)
		return;
	if (p->fd >= 0) {
		empty(p->fd);
		close(p->fd);
	}
	rmdir(p->folder);
	free(p->folder);
	free(p->config);
	free(p->credentials);
	*p = (struct load_private){0};
}
