#include "cmd/plimsoll/insist.h"
#include "cmd/plimsoll/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/paths.h"
#include "common/base/log.h"

struct pipeline_stage *pipeline_add(struct pipeline *p, const char *name)
{
	struct pipeline_stage *s = &p->stages[p->count++];
	char *program = x_asprintf("plimsoll-%s", name);

	BUG_ON(p->count > PIPELINE_STAGES_MAX);
	*s = (struct pipeline_stage){.name = name, .pipeline = p, .code = -1};
	s->argv[s->argc++] = paths_program(program);
	free(program);
	return s;
}

void pipeline_arg(struct pipeline_stage *s, const char *text)
{
	BUG_ON(s->argc == PIPELINE_ARGS_MAX);
	s->argv[s->argc++] = x_strdup(text);
}

void pipeline_option(struct pipeline_stage *s, const char *name, const char *value)
{
	if (!value)
		return;
	pipeline_arg(s, name);
	pipeline_arg(s, value);
}

/* Time for what was measured to pass from the loader to the collector's book. */
#define HURRY_NS (2 * NS_PER_S)

/* Everything before the collector makes load or plans it; the rest tells what came of it. */
static bool stops_on_signal(const struct pipeline_stage *s)
{
	return strcmp(s->name, "collector") != 0 && strcmp(s->name, "sink") != 0;
}

static bool is_load_over(const struct pipeline *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->stages[i].code < 0 && stops_on_signal(&p->stages[i]))
			return false;
	return true;
}

static void hurry(struct loop *l, struct loop_timer *t)
{
	struct pipeline *p = CONTAINER_OF(t, struct pipeline, hurry);

	(void)l;
	for (size_t i = 0; i < p->count; i++)
		if (p->stages[i].code < 0 && !strcmp(p->stages[i].name, "collector"))
			proc_kill(&p->stages[i].proc, SIGTERM);
}

static void reaped(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct pipeline_stage *s = CONTAINER_OF(w, struct pipeline_stage, watch);
	int code = proc_reap(&s->proc);

	(void)what;
	if (code == -EAGAIN)
		return;
	s->code = code < 0 ? EXIT_AGAIN : code;
	loop_unwatch(l, w);
	if (--s->pipeline->running == 0)
		loop_stop(l);
	else if (s->pipeline->was_cancelled && is_load_over(s->pipeline))
		loop_timer_set_in(l, &s->pipeline->hurry, HURRY_NS);
}

static void on_signal(struct loop *l, int signo, void *ctx)
{
	struct pipeline *p = ctx;
	enum insist how = insist_on(&p->first_signal);
	bool is_first = how == INSIST_FIRST;

	(void)l, (void)signo;
	if (how == INSIST_ECHO)
		return;
	p->was_cancelled = true;
	if (is_first)
		log_info("stopping; what was measured so far is told (again: at once)");
	for (size_t i = 0; i < p->count; i++)
		if (p->stages[i].code < 0 && (!is_first || stops_on_signal(&p->stages[i])))
			proc_kill(&p->stages[i].proc, is_first ? SIGTERM : SIGKILL);
}

/* Starts stage i between the pipe before it and a new one; *before becomes the new one's end. */
static int start(struct pipeline *p, struct loop *l, size_t i, int *before)
{
	struct pipeline_stage *s = &p->stages[i];
	bool is_last = i + 1 == p->count;
	int ends[2] = {-1, p->out_fd}, rc = 0;
	struct proc_spec spec = {
		.argv = (const char *const *)s->argv,
		.has_whole_env = true,
		.has_own_group = true,
		.dies_with_us = true,
		.in = i ? *before : PROC_NULL,
	};

	if (!is_last && pipe2(ends, O_CLOEXEC))
		return -errno;
	spec.out = ends[1];
	rc = proc_spawn(&spec, &s->proc);
	if (*before >= 0)
		close(*before);
	if (!is_last)
		close(ends[1]);
	*before = ends[0];
	if (rc) {
		log_error("cannot start %s: %s; is it installed beside plimsoll?", s->argv[0],
			  strerror(-rc));
		return rc;
	}
	s->watch = (struct loop_watch){.ready = reaped, .fd = s->proc.pidfd, .want = LOOP_READ};
	p->running++;
	return loop_watch(l, &s->watch);
}

static enum exit_code code_of(const struct pipeline_stage *s)
{
	if (s->code == 128 + SIGABRT) {
		log_error("plimsoll-%s met a bug of ours and stopped", s->name);
		return EXIT_BUG;
	}
	if (s->code > 128 && s->code != EXIT_CANCELLED) {
		log_error("plimsoll-%s was killed by a signal (%s)", s->name,
			  strsignal(s->code - 128));
		return EXIT_AGAIN;
	}
	return (enum exit_code)s->code;
}

enum exit_code pipeline_run(struct pipeline *p)
{
	static const int signals[] = {SIGINT, SIGTERM};
	enum exit_code code = EXIT_FINE;
	struct loop *l = loop_new();
	int before = -1, rc;

	rc = loop_signals(l, signals, ARRAY_LEN(signals), on_signal, p);
	for (size_t i = 0; i < p->count && !rc; i++)
		rc = start(p, l, i, &before);
	if (before >= 0)
		close(before);
	p->hurry = (struct loop_timer){.run = hurry};
	if (p->running)
		loop_run(l);
	loop_timer_clear(l, &p->hurry);
	loop_free(l);
	for (size_t i = 0; i < p->count && !rc; i++)
		code = exit_code_worse(code, code_of(&p->stages[i]));
	return rc ? EXIT_USAGE : code;
}

void pipeline_release(struct pipeline *p)
{
	for (size_t i = 0; i < p->count; i++) {
		proc_release(&p->stages[i].proc);
		for (size_t j = 0; j < p->stages[i].argc; j++)
			free(p->stages[i].argv[j]);
	}
	*p = (struct pipeline){0};
}
