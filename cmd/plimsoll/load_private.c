/* load_private.c - see load_private.h. */
#include "cmd/plimsoll/load_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fsio.h"

static char *make_folder(void)
{
	static const char *const names[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
	const char *base = "/tmp";
	char *path;

	for (size_t i = ARRAY_LEN(names); i-- > 0;) {
		const char *value = getenv(names[i]);

		if (value && *value == '/' && access(value, W_OK) == 0)
			base = value;
	}
	path = x_asprintf("%s/plimsoll-load-XXXXXX", base);
	if (mkdtemp(path))
		return path;
	free(path);
	return NULL;
}

static int write_file(const struct load_private *p, const char *name, const char *text)
{
	char *path = x_asprintf("%s/%s", p->folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : fs_write_all(fd, text, strlen(text));

	if (fd >= 0 && close(fd) && !rc)
		rc = -errno;
	free(path);
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
	rc = write_file(p, "plimsoll.yaml", buf_str(&text));
	buf_release(&text);
	free(socket);
	return rc;
}

int load_private_open(struct load_private *p, const struct load_target *t, struct buf *why)
{
	char name[32];
	int rc;

	*p = (struct load_private){.folder = make_folder()};
	if (!p->folder) {
		buf_addf(why, "cannot make a folder for the settings of the loader: %s",
			 strerror(errno));
		return -EIO;
	}
	p->config = x_asprintf("%s/plimsoll.yaml", p->folder);
	p->credentials = x_asprintf("CREDENTIALS_DIRECTORY=%s", p->folder);
	rc = write_config(p, t);
	for (size_t i = 0; i < t->header_count && !rc; i++) {
		snprintf(name, sizeof(name), "header-%zu", i);
		rc = write_file(p, name, t->headers[i].value);
	}
	if (rc) {
		buf_addf(why, "cannot write into %s: %s", p->folder, strerror(-rc));
		load_private_close(p);
	}
	return rc;
}

void load_private_close(struct load_private *p)
{
	char *path;

	if (!p->folder)
		return;
	unlink(p->config);
	for (size_t i = 0; i < LOAD_HEADERS_MAX; i++) {
		path = x_asprintf("%s/header-%zu", p->folder, i);
		unlink(path);
		free(path);
	}
	rmdir(p->folder);
	free(p->folder);
	free(p->config);
	free(p->credentials);
	*p = (struct load_private){0};
}
