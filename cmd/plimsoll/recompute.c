/* plimsoll recompute: draws the verdict of a run again from what it was drawn from. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "cmd/plimsoll/paths.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/event/event.h"

#define COLLECTOR_TIMEOUT_MS 60000
#define KEPT_MAX_BYTES (64u * 1024u * 1024u) /* as the collector keeps it */

#define EVENTS ".ndjson"
#define LOGS ".logs"

/* Of one run; the second only where the logs amended it. */
struct verdicts {
	struct event first, amended;
};

static void release(struct verdicts *v)
{
	event_release(&v->first);
	event_release(&v->amended);
}

/* The one file of the folder that begins so; the caller's. NULL when there is none, or several. */
static char *kept_file(const char *folder, const char *prefix)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char *path = NULL;
	size_t count = 0;

	while (d && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 || e->d_name[0] == '.' ||
		    !strstr(e->d_name, EVENTS))
			continue;
		free(path);
		path = x_asprintf("%s/%s", folder, e->d_name);
		count++;
	}
	if (d)
		closedir(d);
	if (count != 1) {
		log_error("%s runs in %s begin with %s; the last 100 are kept there",
			  count ? "several" : "no", folder, prefix);
		free(path);
		path = NULL;
	}
	return path;
}

static char *path_of(const struct door *d)
{
	char *state, *folder, *path;

	if (strchr(d->rest[0], '/'))
		return x_strdup(d->rest[0]);
	state = paths_state_dir(d->state);
	folder = x_asprintf("%s/kept", state);
	path = kept_file(folder, d->rest[0]);
	free(folder);
	free(state);
	return path;
}

/* Cuts the last line off: the run.finished that was told. */
static int cut_told(struct buf *lines, struct event *told)
{
	const char *text = buf_str(lines);
	size_t len = lines->len_bytes, begin;
	char why[EVENT_WHY_SIZE];

	while (len > 0 && text[len - 1] == '\n')
		len--;
	begin = len;
	while (begin > 0 && text[begin - 1] != '\n')
		begin--;
	if (event_parse(text + begin, len - begin, told, why) != 0)
		return -1;
	buf_truncate(lines, begin);
	return 0;
}

/* What the logs said of the run, kept beside it; the caller's. NULL: nothing. */
static char *logs_beside(const char *path)
{
	const char *end = strstr(path, EVENTS);
	char *logs = end ? x_asprintf("%.*s" LOGS, (int)(end - path), path) : NULL;

	if (logs && access(logs, F_OK) == 0)
		return logs;
	free(logs);
	return NULL;
}

/*
 * Nothing but the collector and these lines: no settings, no state. It passes the plan on and tells
 * the verdict, and by the logs, if there are any, an amendment of it.
 */
static int judge_again(const struct buf *lines, const char *logs, struct verdicts *again)
{
	char *program = paths_program("plimsoll-collector");
	const char *argv[] = {program, "--log-level", "error", logs ? "--environments" : NULL,
			      logs,    NULL};
	struct proc_spec spec = {.argv = argv, .dies_with_us = true};
	struct buf out = BUF_INIT(KEPT_MAX_BYTES);
	int rc = proc_run(&spec, lines, COLLECTOR_TIMEOUT_MS, &out, NULL);

	if (rc == 0 && logs)
		rc = cut_told(&out, &again->amended);
	if (rc == 0)
		rc = cut_told(&out, &again->first);
	if (rc != 0)
		log_error("%s does not judge it again; feed it the lines to see why", program);
	buf_release(&out);
	free(program);
	return rc;
}

/* Who told it names a host, and this may be another. */
static void write_without_source(const struct event *ev, struct buf *out)
{
	json_del(ev->body, "source");
	json_write(ev->body, out);
}

static void say_differences(const struct json *told, const struct json *again)
{
	const char *key;
	struct json *value;
	void *it = NULL;

	while (json_next(told, &it, &key, &value))
		if (!json_is_equal(value, json_get(again, key)))
			look_printf("  %s differs\n", key);
	it = NULL;
	while (json_next(again, &it, &key, &value))
		if (!json_get(told, key))
			look_printf("  %s is new\n", key);
}

static enum exit_code compare(const struct event *told, const struct event *again)
{
	struct buf a = BUF_INIT(LOOK_EVENT_MAX_BYTES), b = BUF_INIT(LOOK_EVENT_MAX_BYTES);
	const char *verdict = look_or_dash(json_get_str(again->data, "verdict"));
	const char *which = json_get_int(told->data, "rev", 0) ? ", by the logs" : "";
	enum exit_code code = EXIT_FINE;

	write_without_source(told, &a);
	write_without_source(again, &b);
	if (strcmp(buf_str(&a), buf_str(&b)) == 0) {
		look_printf("%s%s  the same %zu bytes again: %s\n", look_or_dash(told->run), which,
			    a.len_bytes, verdict);
	} else {
		look_printf("%s%s  came out otherwise: it was %s, and is %s\n",
			    look_or_dash(told->run), which,
			    look_or_dash(json_get_str(told->data, "verdict")), verdict);
		say_differences(told->data, again->data);
		code = EXIT_GATE_NO;
	}
	buf_release(&a);
	buf_release(&b);
	return code;
}

/* The last line of a file, and in lines what stands before it. */
static int read_kept(const char *path, struct buf *lines, struct event *told)
{
	int rc = fs_read(path, lines);

	if (rc != 0) {
		log_error("cannot read %s: %s", path, strerror(-rc));
	} else if (cut_told(lines, told) != 0) {
		log_error("%s does not end with a verdict", path);
		rc = -1;
	}
	return rc;
}

static enum exit_code recompute_file(const char *path, const char *logs)
{
	struct buf lines = BUF_INIT(KEPT_MAX_BYTES), said = BUF_INIT(KEPT_MAX_BYTES);
	struct verdicts told = {0}, again = {0};
	enum exit_code code = EXIT_USAGE;

	if (read_kept(path, &lines, &told.first) != 0 ||
	    (logs && read_kept(logs, &said, &told.amended) != 0))
		goto out;
	code = EXIT_AGAIN;
	if (judge_again(&lines, logs, &again) != 0)
		goto out;
	code = compare(&told.first, &again.first);
	if (logs)
		code = exit_code_worse(code, compare(&told.amended, &again.amended));
out:
	release(&told);
	release(&again);
	buf_release(&lines);
	buf_release(&said);
	return code;
}

static enum exit_code recompute(const struct door *d)
{
	char *path = path_of(d), *logs = path ? logs_beside(path) : NULL;
	enum exit_code code = path ? recompute_file(path, logs) : EXIT_USAGE;

	free(logs);
	free(path);
	return code;
}

const struct command command_recompute = {
	.name = "recompute",
	.group = "look",
	.help = "draws a run's verdict again from its results",
	.synopsis = "RUN|FILE",
	.about =
		"Feeds the collector what a run was judged by and holds what it says against what "
		"was\n"
		"told then, byte for byte. The last 100 runs are kept in STATE/kept (of the "
		"services:\n"
		"the collector's --state); a FILE from there, named with its folder, can be judged "
		"on\n"
		"any host. Where the logs named the environments (RUN.logs beside it), the "
		"amendment is\n"
		"drawn again too; figures of the cloud and of sources are no part of it.",
	.exits = "  0 the same bytes   1 it came out otherwise   100 no such run\n"
		 "  111 the collector could not be run",
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one run, or a file",
	.needs = TAKES_STATE,
	.run = recompute,
};
