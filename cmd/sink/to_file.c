/* The file sink: run.finished events, one a line, on the disk before anything else happens. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "cmd/sink/sinks.h"
#include "common/base/crash.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

struct to_file {
	int fd;
	bool can_sync; /* a pipe or a device cannot, and need not */
};

static enum exit_code file_open(struct sink *s)
{
	struct to_file *own;
	int fd = open(s->value, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0) {
		log_error("cannot open %s: %s; --to file=PATH names a file that can be written",
			  s->value, strerror(errno));
		return EXIT_USAGE;
	}
	own = x_calloc(1, sizeof(*own));
	own->fd = fd;
	own->can_sync = fsync(fd) == 0 || errno != EINVAL;
	s->own = own;
	return EXIT_FINE;
}

/* A line that a full disk or a death cut off: the next one must not be joined to it. */
static bool ends_in_mid_line(const char *path, int fd)
{
	struct stat st;
	char last = '\n';
	int in;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return false;
	if (pread(in, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	close(in);
	return last != '\n';
}

/* One write a line, so that several writers of one file do not mix their lines. */
static int append(struct to_file *own, const char *path, const struct event *ev)
{
	struct buf line = BUF_INIT(EVENT_LINE_MAX_BYTES + 3);
	int rc;

	if (ends_in_mid_line(path, own->fd))
		buf_addc(&line, '\n');
	buf_add(&line, ev->line, ev->line_bytes);
	buf_addc(&line, '\n');
	CRASH_POINT("file.pre-write");
	rc = fs_write_all(own->fd, buf_str(&line), line.len_bytes);
	if (rc == 0 && own->can_sync && fsync(own->fd) != 0)
		rc = -errno;
	CRASH_POINT("file.post-write");
	buf_release(&line);
	return rc;
}

static int file_deliver(struct sink *s, const struct event *ev)
{
	int rc = append(s->own, s->value, ev);

	if (rc != 0)
		log_error("run %s is not in %s: %s", ev->run ? ev->run : "?", s->value,
			  strerror(-rc));
	return rc;
}

static enum exit_code file_close(struct sink *s)
{
	struct to_file *own = s->own;
	enum exit_code code = EXIT_FINE;

	if (close(own->fd) != 0) {
		log_error("cannot close %s: %s", s->value, strerror(errno));
		code = EXIT_AGAIN;
	}
	free(own);
	return code;
}

const struct sink_kind sink_file = {
	.name = "file",
	.value_name = "PATH",
	.help = "run.finished events, appended line by line",
	.wants = EV_BIT(EV_RUN_FINISHED),
	.open = file_open,
	.deliver = file_deliver,
	.close = file_close,
};
