#include "cmd/plimsoll/events.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/event/event.h"

void events_read_fd(int fd, void (*see)(const struct line *line, void *ctx), void *ctx)
{
	enum line_kind kind;
	struct lines ln;
	struct line line;
	ssize_t got;

	lines_init(&ln, EVENT_LINE_MAX_BYTES);
	do {
		got = lines_fill(&ln, fd);
		while ((kind = lines_next(&ln, &line)) != LINE_NONE)
			if (kind != LINE_TOO_LONG)
				see(&line, ctx);
	} while (got > 0);
	lines_release(&ln);
}

void events_read(const char *path, void (*see)(const struct line *line, void *ctx), void *ctx)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	events_read_fd(fd, see, ctx);
	close(fd);
}
