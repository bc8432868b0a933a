/* The archive sink: every revision of every run in SQLite (common/archive, docs/ARCHIVE.md). */
#include <errno.h>

#include "cmd/sink/sinks.h"
#include "common/archive/archive.h"
#include "common/base/crash.h"
#include "common/base/log.h"

struct to_archive {
	struct archive *archive;
};

static enum exit_code archive_sink_open(struct sink *s)
{
	struct to_archive *own = x_calloc(1, sizeof(*own));
	char why[ARCHIVE_WHY_SIZE];

	int rc = archive_open(s->value, ARCHIVE_WRITE, &own->archive, why);

	if (rc != 0) {
		log_error("%s", why);
		free(own);
		return rc == -EBUSY || rc == -ENOSPC || rc == -EIO ? EXIT_AGAIN : EXIT_USAGE;
	}
	s->own = own;
	return EXIT_FINE;
}

static int archive_sink_deliver(struct sink *s, const struct event *ev)
{
	struct to_archive *own = s->own;
	char why[ARCHIVE_WHY_SIZE];
	struct archive_event row = {
		.data = ev->data, .time = ev->time, .line = ev->line, .line_bytes = ev->line_bytes};
	int rc;

	CRASH_POINT("archive.pre-put");
	rc = archive_put(own->archive, ev->subject ? ev->subject : "", &row, why);
	CRASH_POINT("archive.post-put");
	if (rc != 0)
		log_error("run %s is not in the archive: %s", ev->run ? ev->run : "?", why);
	return rc;
}

static enum exit_code archive_sink_close(struct sink *s)
{
	struct to_archive *own = s->own;

	archive_close(own->archive);
	free(own);
	return EXIT_FINE;
}

const struct sink_kind sink_archive = {
	.name = "archive",
	.value_name = "PATH",
	.help = "history in an SQLite file (docs/ARCHIVE.md)",
	.wants = EV_BIT(EV_RUN_FINISHED),
	.open = archive_sink_open,
	.deliver = archive_sink_deliver,
	.close = archive_sink_close,
};
