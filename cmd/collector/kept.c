#include "cmd/collector/kept.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/collector/ask_cloud.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

#define FOLDER "kept"
#define EVENTS ".ndjson"
#define LOGS ".logs"

void kept_begin(struct buf *lines, const struct run *r)
{
	buf_addf(lines, "%s\n", r->plan_line);
	for (size_t i = 0; i < r->shard_count; i++) {
		if (!r->shards[i].line)
			continue;
		buf_add(lines, r->shards[i].line, r->shards[i].bytes);
		buf_addc(lines, '\n');
	}
}

/* The oldest file of the folder; its name is the caller's. Counts them all. */
static char *oldest_in(const char *folder, size_t *count)
{
	DIR *d = opendir(folder);
	struct timespec first = {0};
	char *name = NULL;
	struct dirent *e;
	struct stat st;

	*count = 0;
	while (d && (e = readdir(d)) != NULL) {
		if (!strstr(e->d_name, EVENTS) || fstatat(dirfd(d), e->d_name, &st, 0) != 0)
			continue;
		(*count)++;
		if (name &&
		    (st.st_mtim.tv_sec > first.tv_sec ||
		     (st.st_mtim.tv_sec == first.tv_sec && st.st_mtim.tv_nsec >= first.tv_nsec)))
			continue;
		first = st.st_mtim;
		free(name);
		name = x_strdup(e->d_name);
	}
	if (d)
		closedir(d);
	return name;
}

static void forget(const char *folder, const char *name)
{
	char *path = x_asprintf("%s/%s", folder, name);
	char *logs = x_asprintf("%.*s" LOGS, (int)(strlen(path) - strlen(EVENTS)), path);

	if (unlink(logs) != 0 && errno != ENOENT)
		log_warn("cannot remove %s: %s", logs, strerror(errno));
	if (unlink(path) != 0)
		log_warn("cannot remove %s; more than %d runs are kept", path, KEPT_RUNS_MAX);
	free(logs);
	free(path);
}

static void forget_oldest(const char *folder)
{
	size_t count;
	char *name = oldest_in(folder, &count);

	if (name && count > KEPT_RUNS_MAX)
		forget(folder, name);
	free(name);
}

static void write_file(const char *state_dir, const char *run, const char *kind,
		       const struct buf *lines)
{
	char *folder = x_asprintf("%s/" FOLDER, state_dir);
	char *path = x_asprintf("%s/%s%s", folder, run, kind);
	int rc = buf_is_over(lines) ? -E2BIG : fs_mkdirs(folder, 0700);

	if (rc == 0)
		rc = fs_write_atomic(path, buf_str(lines), lines->len_bytes, 0600);
	if (rc != 0)
		log_warn("cannot keep what run %s was judged by in %s: %s; plimsoll recompute "
			 "will not know it",
			 run, path, strerror(-rc));
	else
		forget_oldest(folder);
	free(path);
	free(folder);
}

void kept_write(const char *state_dir, const char *run, struct buf *lines, const char *finished,
		size_t finished_bytes)
{
	buf_add(lines, finished, finished_bytes);
	buf_addc(lines, '\n');
	write_file(state_dir, run, EVENTS, lines);
}

void kept_logs_write(const char *state_dir, const char *run, const struct json *answer,
		     const char *finished, size_t finished_bytes)
{
	struct buf lines = BUF_INIT(KEPT_MAX_BYTES);

	json_write(answer, &lines);
	buf_addf(&lines, "\n%.*s\n", (int)finished_bytes, finished);
	write_file(state_dir, run, LOGS, &lines);
	buf_release(&lines);
}

int kept_logs_read(const char *path, struct json **out)
{
	struct buf lines = BUF_INIT(KEPT_MAX_BYTES);
	int rc = fs_read(path, &lines);

	if (rc == 0)
		rc = json_parse(buf_str(&lines), strcspn(buf_str(&lines), "\n"),
				ASK_CLOUD_ANSWER_MAX_BYTES, out, NULL);
	buf_release(&lines);
	return rc;
}
