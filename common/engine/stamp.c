#include "common/engine/stamp.h"

#include <string.h>
#include <sys/socket.h>

#include "common/base/bug.h"

/* More is a wall clock that was set meanwhile. */
#define AGE_MAX_NS NS_PER_S

bool stamp_ask(int fd)
{
	const int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0;
}

/* How long ago, by the clock of the stamp; 0 when there is none. */
static int64_t age_ns(struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct timespec ts;
	int64_t age;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
		return 0;
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	age = wall_diff_ns(wall_now(), (struct wall){ts.tv_sec * NS_PER_S + ts.tv_nsec});
	return age < 0 || age > AGE_MAX_NS ? 0 : age;
}

ssize_t stamp_recv(int fd, void *out, size_t size_bytes, struct mono *at)
{
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
	} room;
	struct iovec bytes = {.iov_base = out, .iov_len = size_bytes};
	struct msghdr m = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &room,
		.msg_controllen = sizeof(room),
	};
	ssize_t n;

	if (!at)
		return recv(fd, out, size_bytes, 0);
	n = recvmsg(fd, &m, 0);
	if (n > 0)
		*at = mono_add_ns(mono_now(), -age_ns(&m));
	return n;
}
