/* stage_notify.c - what systemd and whoever started us are told. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/stage/stage_private.h"

/* sd_notify(3) without its library: one datagram. */
void stage_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len_bytes = path ? strlen(path) : 0;
	int fd;

	if (!len_bytes || len_bytes >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len_bytes);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len_bytes));
	close(fd);
}

/* From the main loop and nowhere else: a loop that hangs must not look alive. */
static void feed_watchdog(struct loop *l, struct loop_timer *t)
{
	struct stage *st = CONTAINER_OF(t, struct stage, watchdog);

	stage_notify("WATCHDOG=1");
	loop_timer_set_in(l, t, st->watchdog_ns);
}

/* Half of what systemd gives us, as sd_watchdog_enabled(3) advises. */
static void begin_watchdog(struct stage *st)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long given_us = usec ? strtoll(usec, NULL, 10) : 0;

	if (given_us <= 0 || (pid && strtoll(pid, NULL, 10) != getpid()))
		return;
	st->watchdog_ns = given_us * NS_PER_US / 2;
	st->watchdog.run = feed_watchdog;
	loop_timer_set_in(st->loop, &st->watchdog, st->watchdog_ns);
}

void stage_ready(struct stage *st)
{
	stage_notify("READY=1");
	begin_watchdog(st);
	if (!st->opts.ready_fd)
		return;
	if (fs_write_all((int)st->opts.ready_fd, "\n", 1))
		log_warn("--ready-fd %llu is not open for writing",
			 (unsigned long long)st->opts.ready_fd);
	else
		close((int)st->opts.ready_fd);
}
