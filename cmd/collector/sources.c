/*
 * sources.c - a queue of programs, a few at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/child.h"
#include "cmd/collector/secret_files.h"
#include "cmd/collector/sources.h"
#include "common/base/log.h"

#define MEASURE_MAX_BYTES 4096u

struct source_job {
	struct source_job *next;
	struct sources *owner;
	struct run *run;
	const struct config_source *source; /* the configuration outlives the jobs */
	struct child child;
	struct secret_files secrets;
	bool is_started;
};

static bool is_measure(const struct json *m)
{
	const char *name = json_get_str(m, "name");

	return name && *name && json_is_num(json_get(m, "value"));
}

static void add_line(struct json *metrics, const char *line, size_t len_bytes, size_t *bad_lines)
{
	struct json *m = NULL;

	if (len_bytes == 0)
		return;
	if (json_parse(line, len_bytes, MEASURE_MAX_BYTES, &m, NULL) == 0 && is_measure(m) &&
	    json_len(metrics) < SOURCE_METRICS_MAX) {
		json_push(metrics, m);
		return;
	}
	json_free(m);
	(*bad_lines)++;
}

struct json *sources_parse(const char *tool, const struct buf *output, size_t *bad_lines)
{
	struct json *o = json_obj(), *metrics = json_arr();

	for (const char *at = buf_str(output); *at;) {
		size_t len = strcspn(at, "\n");

		add_line(metrics, at, len, bad_lines);
		at += len + (at[len] == '\n');
	}
	json_put_str(o, "tool", tool);
	json_put(o, "metrics", metrics);
	return o;
}

static void start_more(struct sources *s);

static void remove_job(struct source_job *job)
{
	struct source_job **at = &job->owner->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job->owner->running -= job->is_started;
	secret_files_remove(&job->secrets);
	free(job);
}

static void end_job(struct source_job *job, struct json *figures_take)
{
	struct sources *s = job->owner;
	struct run *r = job->run;

	remove_job(job);
	r->sources_left--;
	s->figures(r, figures_take);
	start_more(s);
}

static void on_done(struct child *c, int code, const struct buf *output)
{
	struct source_job *job = CONTAINER_OF(c, struct source_job, child);
	const char *name = job->source->name;
	struct json *figures = NULL;
	size_t bad_lines = 0;

	if (code != 0) {
		log_warn("source %s failed for run %s (%s%d); the run goes on without it", name,
			 job->run->id, code < 0 ? strerror(-code) : "exit code ",
			 code < 0 ? -code : code);
	} else {
		figures = sources_parse(name, output, &bad_lines);
		if (bad_lines > 0)
			log_warn("source %s wrote %zu lines that are no measurement, expected "
				 "{\"name\": ..., \"value\": number, \"unit\": ...}",
				 name, bad_lines);
	}
	end_job(job, figures);
}

static int start(struct source_job *job)
{
	const char *const argv[] = {job->source->exec, NULL};
	struct proc_spec spec = {.argv = argv};
	int64_t timeout_ms =
		job->source->timeout_ms > 0 ? job->source->timeout_ms : SOURCE_TIMEOUT_MS;
	int rc = secret_files_write(&job->secrets, job->source->secrets, job->source->secret_count);

	if (rc != 0)
		return rc;
	spec.env = (const char *const *)job->secrets.env;
	job->child.done = on_done;
	return child_start(job->owner->loop, &job->child, &spec, job->run->plan_line,
			   strlen(job->run->plan_line), timeout_ms);
}

static void start_more(struct sources *s)
{
	struct source_job *job = s->first;

	while (job && s->running < SOURCES_AT_ONCE) {
		int rc;

		if (job->is_started) {
			job = job->next;
			continue;
		}
		job->is_started = true;
		s->running++;
		rc = start(job);
		if (rc == 0)
			continue;
		log_warn("cannot start source %s (%s): %s%s", job->source->name, job->source->exec,
			 strerror(-rc),
			 strchr(job->source->exec, '/')
				 ? ""
				 : "; a name without / is looked up in PATH");
		end_job(job, NULL); /* starts more itself */
		return;
	}
}

size_t sources_count(const struct config *cfg)
{
	size_t count = 0;

	for (size_t i = 0; i < cfg->source_count; i++)
		count += cfg->sources[i].exec != NULL;
	return count;
}

void sources_start(struct sources *s, struct run *r, const struct config *cfg)
{
	struct source_job **end = &s->first;

	while (*end)
		end = &(*end)->next;
	for (size_t i = 0; i < cfg->source_count; i++) {
		if (!cfg->sources[i].exec)
			continue;
		struct source_job *job = x_calloc(1, sizeof(*job));

		job->owner = s;
		job->run = r;
		job->source = &cfg->sources[i];
		*end = job;
		end = &job->next;
		r->sources_left++;
	}
	start_more(s);
}

void sources_stop(struct sources *s, struct run *r)
{
	struct source_job *next;

	for (struct source_job *job = s->first; job; job = next) {
		next = job->next;
		if (job->run != r)
			continue;
		child_stop(&job->child);
		remove_job(job);
	}
	r->sources_left = 0;
}
