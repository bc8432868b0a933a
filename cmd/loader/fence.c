/*
 * fence.c - see fence.h.
 */
#include "cmd/loader/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/fsio.h"

int fences_open(struct fences *f, const char *state_dir)
{
	*f = (struct fences){0};
	if (!state_dir)
		return 0;
	f->folder = x_asprintf("%s/fence", state_dir);
	return fs_mkdirs(f->folder, 0700);
}

void fences_close(struct fences *f)
{
	BUG_ON(f->first);
	free(f->folder);
}

static struct fence *find(const struct fences *f, const char *subject)
{
	for (struct fence *at = f->first; at; at = at->next)
		if (strcmp(at->subject, subject) == 0)
			return at;
	return NULL;
}

/* The subject is account/function; neither may hold an at sign, so the name is unique. */
static char *path_of(const struct fences *f, const char *subject)
{
	char *path = x_asprintf("%s/%s.lock", f->folder, subject);
	char *slash = strchr(path + strlen(f->folder) + 1, '/');

	if (slash)
		*slash = '@';
	return path;
}

static int lock(const struct fences *f, const char *subject, int *fd)
{
	char *path;
	int rc = 0;

	*fd = -1;
	if (!f->folder)
		return 0;
	path = path_of(f, subject);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	if (*fd < 0)
		return -errno;
	if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
		rc = errno == EWOULDBLOCK ? -EAGAIN : -errno;
		close(*fd);
	}
	return rc;
}

int fence_take(struct fences *f, const char *subject, const char *run, struct fence **out)
{
	struct fence *held = find(f, subject);
	int fd, rc;

	if (held && strcmp(held->run, run) != 0)
		return -EAGAIN;
	if (!held) {
		rc = lock(f, subject, &fd);
		if (rc != 0)
			return rc;
		held = x_calloc(1, sizeof(*held));
		held->subject = x_strdup(subject);
		held->run = x_strdup(run);
		held->fd = fd;
		held->next = f->first;
		f->first = held;
	}
	held->users++;
	*out = held;
	return 0;
}

void fence_drop(struct fences *f, struct fence *held)
{
	struct fence **at = &f->first;

	if (!held || --held->users > 0)
		return;
	while (*at != held)
		at = &(*at)->next;
	*at = held->next;
	if (held->fd >= 0)
		close(held->fd);
	free(held->subject);
	free(held->run);
	free(held);
}
