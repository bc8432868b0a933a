#include "common/stage/stage_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fsio.h"
#include "common/base/log.h"

int stage_reject_open(struct stage *st)
{
	st->reject_fd = -1;
	if (!st->opts.reject)
		return 0;
	st->reject_fd = open(st->opts.reject, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return st->reject_fd < 0 ? -errno : 0;
}

static struct stage_count *count_of(struct stage *st, const char *what)
{
	struct stage_count *c = strmap_get(&st->counts, what);

	if (!c) {
		c = x_calloc(1, sizeof(*c));
		strmap_put(&st->counts, what, c);
	}
	return c;
}

void stage_count(struct stage *st, const char *what)
{
	count_of(st, what)->n++;
}

static void keep(struct stage *st, const char *line, size_t len_bytes)
{
	int rc = fs_write_all(st->reject_fd, line, len_bytes);

	if (!rc)
		rc = fs_write_all(st->reject_fd, "\n", 1);
	if (rc) {
		log_error("cannot keep a rejected line in %s: %s", st->opts.reject, strerror(-rc));
		stage_fail(st, EXIT_AGAIN);
	}
}

void stage_reject(struct stage *st, const char *kind, const char *why, const char *line,
		  size_t len_bytes)
{
	struct stage_count *c = count_of(st, kind);

	if (c->n++ == 0)
		log_warn("a line was put aside (%s): %s%s", kind, why,
			 st->opts.reject ? "" : "; --reject FILE keeps such lines");
	if (st->reject_fd >= 0)
		keep(st, line, len_bytes);
}

void stage_reject_close(struct stage *st)
{
	for (size_t i = 0; i < st->counts.count; i++) {
		struct stage_count *c = st->counts.items[i].value;

		if (c->n > 1)
			log_warn("%s: %llu in all", st->counts.items[i].key,
				 (unsigned long long)c->n);
	}
	if (st->reject_fd >= 0)
		close(st->reject_fd);
	strmap_release(&st->counts, free);
}
