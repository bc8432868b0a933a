#include "common/health/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/unit.h"

#define WHY_SIZE 200
#define BACKLOG 64
#define FIRST_FD 3
#define FDS_MAX 64
#define OUR_NAME "metrics"

static int fail(char *why, int error, const char *what, const char *where)
{
	snprintf(why, WHY_SIZE, "%s %s: %s", what, where, strerror(error));
	return -error;
}

static int begin(int fd, const struct sockaddr *at, socklen_t at_bytes)
{
	int yes = 1;

	if (at->sa_family != AF_UNIX &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0)
		return errno;
	if (bind(fd, at, at_bytes) != 0 || listen(fd, BACKLOG) != 0)
		return errno;
	return 0;
}

static int listen_on(const struct sockaddr *at, socklen_t at_bytes, const char *where, char *why)
{
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = fd < 0 ? errno : begin(fd, at, at_bytes);

	if (error == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return fail(why, error, "cannot listen on", where);
}

/* Removes the socket of a process that is gone; one that answers stays, and bind will say so. */
static void clear_stale(const struct sockaddr_un *at)
{
	struct stat st;
	int fd;

	if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED)
		unlink(at->sun_path);
	close(fd);
}

static int listen_unix(const char *file, char **path, char *why)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	mode_t before;
	int fd;

	if (*file == '\0' || strlen(file) >= sizeof(at.sun_path))
		return fail(why, ENAMETOOLONG, "cannot listen on", file);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", file);
	clear_stale(&at);
	before = umask(0117); /* 0660: the group may ask */
	fd = listen_on((const struct sockaddr *)&at, sizeof(at), file, why);
	umask(before);
	if (fd >= 0)
		*path = x_strdup(file);
	return fd;
}

/* "[::1]:9471" -> "::1" and "9471". */
static int split(const char *where, char host[256], char port[8])
{
	const char *colon = strrchr(where, ':');
	const char *from = where, *to = colon;
	uint64_t number;

	if (colon == NULL || unit_parse_u64(colon + 1, &number) || number > 65535)
		return -EINVAL;
	if (*from == '[' && to > from + 1 && to[-1] == ']') {
		from++;
		to--;
	} else if (memchr(from, ':', (size_t)(to - from)) != NULL) {
		return -EINVAL;
	}
	if (to == from || to - from > 255)
		return -EINVAL;
	snprintf(host, 256, "%.*s", (int)(to - from), from);
	snprintf(port, 8, "%u", (unsigned)number);
	return 0;
}

static int listen_tcp(const char *where, char *why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *found = NULL;
	char host[256], port[8];
	int rc;

	if (split(where, host, port)) {
		snprintf(why, WHY_SIZE, "%s is no place to listen, expected HOST:PORT or unix:PATH",
			 where);
		return -EINVAL;
	}
	rc = getaddrinfo(host, port, &hints, &found);
	if (rc != 0) {
		snprintf(why, WHY_SIZE, "cannot listen on %s: %s", where, gai_strerror(rc));
		return -EINVAL;
	}
	rc = listen_on(found->ai_addr, found->ai_addrlen, where, why);
	freeaddrinfo(found);
	return rc;
}

/* Which of the descriptors is ours, by LISTEN_FDNAMES ("webhook:metrics"); -1 = none. */
static int index_of_ours(const char *names)
{
	int i = 0;

	if (names == NULL || *names == '\0')
		return 0;
	for (const char *at = names;; i++) {
		size_t len = strcspn(at, ":");

		if (len == strlen(OUR_NAME) && strncmp(at, OUR_NAME, len) == 0)
			return i;
		if (at[len] == '\0')
			return -1;
		at += len + 1;
	}
}

/* sd_listen_fds(3) without its library. -1 = nothing for us. */
static int handed_over(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t want, count;
	int i;

	if (pid == NULL || fds == NULL || unit_parse_u64(pid, &want) ||
	    unit_parse_u64(fds, &count) || want != (uint64_t)getpid() || count > FDS_MAX)
		return -1;
	i = index_of_ours(getenv("LISTEN_FDNAMES"));
	return i < 0 || (uint64_t)i >= count ? -1 : FIRST_FD + i;
}

static int listen_handed(char *why)
{
	int fd = handed_over(), is_listening = 0;
	socklen_t len = sizeof(is_listening);

	if (fd < 0) {
		snprintf(why, WHY_SIZE, "systemd has handed over no socket");
		return -ENOENT;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 || !is_listening) {
		snprintf(why, WHY_SIZE, "what systemd handed over is no listening socket");
		return -EINVAL;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return fail(why, errno, "cannot use", "the socket of systemd");
	return fd;
}

int listen_open(const char *where, char **path, char why[200])
{
	*path = NULL;
	if (where == NULL)
		return listen_handed(why);
	if (strncmp(where, "unix:", 5) == 0)
		return listen_unix(where + 5, path, why);
	return listen_tcp(where, why);
}
