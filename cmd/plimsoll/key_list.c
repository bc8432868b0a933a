#include "cmd/plimsoll/key_list.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fsio.h"

#define BLANKS " \t\r"

static int lock_folder(struct key_list *l, char why[200])
{
	char *copy = x_strdup(l->path), *folder = dirname(copy);
	int rc = 0;

	l->lock_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (l->lock_fd >= 0 && flock(l->lock_fd, LOCK_EX) && errno == EINTR)
		;
	if (l->lock_fd < 0) {
		rc = -errno;
		snprintf(why, 200, "cannot open the folder %.100s: %s", folder, strerror(-rc));
	}
	free(copy);
	return rc;
}

int key_list_open(struct key_list *l, const char *path, char why[200])
{
	int rc;

	*l = (struct key_list){.path = x_strdup(path), .lock_fd = -1};
	rc = lock_folder(l, why);
	if (!rc)
		rc = bus_list_read(path, &l->list, why);
	return rc == -ENOENT && l->lock_fd >= 0 ? 0 : rc;
}

void key_list_close(struct key_list *l)
{
	bus_list_release(&l->list);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	free(l->path);
}

/* The whole text; a mode and an owner that somebody chose stay. */
static int write_text(const struct key_list *l, const struct buf *text, char why[200])
{
	struct stat st = {.st_mode = 0644};
	bool is_there = !stat(l->path, &st);
	int rc = fs_write_atomic(l->path, buf_str(text), text->len_bytes, st.st_mode & 0777);

	if (!rc && is_there && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    chown(l->path, st.st_uid, st.st_gid))
		rc = -errno;
	if (rc)
		snprintf(why, 200, "cannot write %.100s: %s", l->path, strerror(-rc));
	return rc;
}

static int read_text(const struct key_list *l, struct buf *text, char why[200])
{
	int rc = fs_read(l->path, text);

	if (rc == -ENOENT)
		rc = 0;
	if (rc)
		snprintf(why, 200, "cannot read %.100s: %s", l->path, strerror(-rc));
	return rc;
}

int key_list_add(struct key_list *l, const char *name, const char *key, char why[200])
{
	struct buf text = BUF_INIT(BUS_LIST_MAX_BYTES);
	const char *other = strmap_get(&l->list.keys, key);
	int rc;

	if (strmap_get(&l->list.names, name) || other) {
		snprintf(why, 200, "%s is in %.100s already; revoke it first", other ? other : name,
			 l->path);
		return -EEXIST;
	}
	rc = read_text(l, &text, why);
	if (!rc && text.len_bytes && text.data[text.len_bytes - 1] != '\n')
		buf_addc(&text, '\n');
	buf_addf(&text, "%s %s\n", name, key);
	if (!rc && (buf_is_over(&text) || l->list.names.count >= BUS_LIST_MAX)) {
		snprintf(why, 200, "%.100s is full", l->path);
		rc = -EFBIG;
	}
	if (!rc)
		rc = write_text(l, &text, why);
	buf_release(&text);
	return rc;
}

/* Whether the first word of this line is that name. */
static bool is_line_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	line += strspn(line, BLANKS);
	return !strncmp(line, name, len) && line[len] && strchr(BLANKS, line[len]);
}

static void copy_without(struct buf *out, const char *text, const char *name)
{
	for (size_t len; *text; text += len) {
		len = strcspn(text, "\n");
		len += text[len] == '\n';
		if (!is_line_of(text, name))
			buf_add(out, text, len);
	}
}

int key_list_remove(struct key_list *l, const char *name, char why[200])
{
	struct buf text = BUF_INIT(BUS_LIST_MAX_BYTES), rest = BUF_INIT(BUS_LIST_MAX_BYTES);
	int rc;

	if (!strmap_get(&l->list.names, name)) {
		snprintf(why, 200, "%.64s is not in %.100s", name, l->path);
		return -ENOENT;
	}
	rc = read_text(l, &text, why);
	copy_without(&rest, buf_str(&text), name);
	if (!rc)
		rc = write_text(l, &rest, why);
	buf_release(&text);
	buf_release(&rest);
	return rc;
}
