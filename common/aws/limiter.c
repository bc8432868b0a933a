#include "common/aws/limiter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/base/unit.h"

#define SLOT_BYTES 64 /* of the file: one line, padded */
#define AHEAD_MAX_NS                                                                               \
	(600 * NS_PER_S) /* a slot further off than this is damage or another boot's               \
			  */
#define PENALTY_MAX_MS INT64_C(60000)
#define NAP_NS (100 * NS_PER_MS)

struct limiter {
	int fd; /* -1 = this process only */
	int64_t gap_ns;
	int64_t next_ns; /* without a file */
};

/* The clock that goes on in suspend and that all processes of this boot share. */
static int64_t boot_ns(void)
{
	struct timespec ts;

	BUG_ON(clock_gettime(CLOCK_BOOTTIME, &ts) != 0);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int open_file(const char *dir, const char *account)
{
	char *path = x_asprintf("%s/limit-%s", dir, account);
	int rc = fs_mkdirs(dir, 0700);

	if (rc == 0) {
		rc = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		rc = rc < 0 ? -errno : rc;
	}
	free(path);
	return rc;
}

int limiter_open(const char *dir, const char *account, double per_s, struct limiter **out)
{
	struct limiter *l;
	int fd = -1;

	BUG_ON(!(per_s > 0));
	if (dir) {
		fd = open_file(dir, account);
		if (fd < 0)
			return fd;
	}
	l = x_calloc(1, sizeof(*l));
	l->fd = fd;
	l->gap_ns = (int64_t)((double)NS_PER_S / per_s);
	*out = l;
	return 0;
}

void limiter_close(struct limiter *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

static int64_t read_next(const struct limiter *l)
{
	char text[SLOT_BYTES + 1] = "";
	int64_t next;
	ssize_t got;

	if (l->fd < 0)
		return l->next_ns;
	got = pread(l->fd, text, SLOT_BYTES, 0);
	text[got > 0 ? strcspn(text, " \n") : 0] = '\0';
	return unit_parse_i64(text, &next) == 0 ? next : 0;
}

static void write_next(struct limiter *l, int64_t next_ns)
{
	char text[SLOT_BYTES + 1];
	static struct log_limit limit;

	l->next_ns = next_ns;
	if (l->fd < 0)
		return;
	(void)snprintf(text, sizeof(text), "%-*" PRId64 "\n", SLOT_BYTES - 1, next_ns);
	if (pwrite(l->fd, text, SLOT_BYTES, 0) != SLOT_BYTES)
		log_limited(&limit, LOG_WARN,
			    "cannot write the limiter's file: %s; the limit holds for this process "
			    "only",
			    strerror(errno));
}

static void lock(struct limiter *l, int how)
{
	static struct log_limit limit;

	while (l->fd >= 0 && flock(l->fd, how) != 0) {
		if (errno == EINTR)
			continue;
		log_limited(&limit, LOG_WARN,
			    "cannot lock the limiter's file: %s; going on unlocked",
			    strerror(errno));
		return;
	}
}

/* Moves the next free slot; returns the wait until the one that was free. */
static int64_t advance(struct limiter *l, int64_t at_least_ns, int64_t by_ns)
{
	int64_t now = boot_ns();
	int64_t next;

	lock(l, LOCK_EX);
	next = read_next(l);
	if (next < now || next > now + AHEAD_MAX_NS)
		next = now;
	write_next(l, MAX_OF(next + by_ns, now + at_least_ns));
	lock(l, LOCK_UN);
	return next - now;
}

int64_t limiter_reserve(struct limiter *l)
{
	return advance(l, 0, l->gap_ns);
}

void limiter_penalise(struct limiter *l, int64_t for_ms)
{
	(void)advance(l, MIN_OF(for_ms, PENALTY_MAX_MS) * NS_PER_MS, 0);
}

int limiter_wait(struct limiter *l, bool (*is_stopped)(void *ctx), void *ctx)
{
	struct mono until = mono_add_ns(mono_now(), limiter_reserve(l));

	for (;;) {
		int64_t left_ns = mono_diff_ns(until, mono_now());
		struct timespec nap;

		if (is_stopped && is_stopped(ctx))
			return -ECANCELED;
		if (left_ns <= 0)
			return 0;
		left_ns = MIN_OF(left_ns, NAP_NS);
		nap = (struct timespec){.tv_nsec = (long)left_ns};
		(void)nanosleep(&nap, NULL);
	}
}
