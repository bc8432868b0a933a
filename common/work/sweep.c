#include "common/work/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/crash.h"
#include "common/base/log.h"
#include "common/work/durable.h"
#include "common/work/intake.h"
#include "common/work/wire.h"

#define EVERY_NS (3600 * NS_PER_S)
#define FIRST_NS (2 * NS_PER_S)
#define NEXT_NS (20 * NS_PER_MS) /* between two files: no burst */
#define KEEP_S (INT64_C(3) * 24 * 3600)

struct sweep {
	struct loop *loop;
	struct jobs *jobs;
	char *dir;
	DIR *folder; /* a sweep is under way */
	char name[RESULTS_NAME_SIZE];
	struct loop_timer timer;
	size_t removed;
};

static bool is_old(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) &&
	       wall_s(wall_now()) - st.st_mtim.tv_sec > KEEP_S;
}

static void remove_file(struct sweep *s)
{
	char *path = results_path(s->dir, s->name);

	CRASH_POINT("sweep.pre-remove");
	if (unlink(path) && errno != ENOENT)
		log_warn("cannot remove %s: %s", path, strerror(errno));
	else
		s->removed++;
	free(path);
}

static void go_on(struct sweep *s, int64_t in_ns)
{
	loop_timer_set_in(s->loop, &s->timer, in_ns);
}

static void on_known(const struct redis_reply *reply, void *ctx)
{
	struct sweep *s = ctx;

	if (jobs_said(reply, "NONE"))
		remove_file(s);
	go_on(s, NEXT_NS);
}

/* A shard of this run with a token that nobody has: STALE when the run is known, NONE else. */
static void ask(struct sweep *s)
{
	struct redis_args a = jobs_args("pl_shard");
	char run[WIRE_WORD_SIZE];

	(void)snprintf(run, sizeof(run), "%.*s",
		       (int)MIN_OF(strcspn(s->name, "."), sizeof(run) - 1), s->name);
	redis_arg(&a, run);
	redis_arg_int(&a, 0);
	redis_arg(&a, "0.sweep");
	redis_arg(&a, "sweep");
	redis_arg(&a, "");
	redis_arg_int(&a, 0);
	jobs_try(s->jobs, &a, on_known, s);
}

/* The next file that is worth a question; false: that was all. */
static bool find_next(struct sweep *s)
{
	struct dirent *entry;
	bool is_found = false;

	while (!is_found && (entry = readdir(s->folder))) {
		char *path = results_path(s->dir, entry->d_name);
		size_t len = strlen(entry->d_name);

		is_found = len < sizeof(s->name) && *entry->d_name != '.' && is_old(path);
		if (is_found)
			memcpy(s->name, entry->d_name, len + 1);
		free(path);
	}
	return is_found;
}

static void on_timer(struct loop *l, struct loop_timer *t)
{
	struct sweep *s = CONTAINER_OF(t, struct sweep, timer);
	char *path = results_path(s->dir, "");

	(void)l;
	if (!s->folder)
		s->folder = opendir(path);
	free(path);
	if (s->folder && find_next(s)) {
		ask(s);
		return;
	}
	if (s->folder)
		closedir(s->folder);
	s->folder = NULL;
	if (s->removed)
		log_info("%zu old files of results were removed", s->removed);
	s->removed = 0;
	go_on(s, EVERY_NS);
}

struct sweep *sweep_new(struct loop *l, struct jobs *j, const char *dir)
{
	struct sweep *s = x_calloc(1, sizeof(*s));

	s->loop = l;
	s->jobs = j;
	s->dir = x_strdup(dir);
	s->timer.run = on_timer;
	go_on(s, FIRST_NS);
	return s;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	loop_timer_clear(s->loop, &s->timer);
	if (s->folder)
		closedir(s->folder);
	free(s->dir);
	free(s);
}
