/*
 * The exec sink: a program a run.finished, which finds the event on its standard input.
 *
 * One at a time and in order. A program that does not end with 0 (or ends by a signal, or takes
 * too long) is started again after a pause; after EXEC_TRIES it is told and given up.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "cmd/sink/sinks.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/base/proc.h"

#define EXEC_TRIES 3
#define EXEC_QUEUE_MAX 8
#define EXEC_TIMEOUT_MS 30000
#define EXEC_PAUSE_MS 1000 /* doubled after each try */

struct job {
	char *line, *run, *id; /* owned */
	size_t line_bytes;
};

struct to_exec {
	struct sink *sink;
	const char *program;
	struct loop *loop;
	struct loop_watch ended;
	struct loop_timer timer; /* a pause, or the time that the program has */
	struct job queue[EXEC_QUEUE_MAX];
	size_t count, tries;
	int64_t timeout_ms;
	struct proc child;
	bool is_running, is_overdue;
};

static void start(struct to_exec *own);

static void drop_first(struct to_exec *own)
{
	free(own->queue[0].line);
	free(own->queue[0].run);
	free(own->queue[0].id);
	memmove(&own->queue[0], &own->queue[1], (own->count - 1) * sizeof(own->queue[0]));
	own->count--;
	own->tries = 0;
}

/* It has the first, or never will. */
static void settle_first(struct to_exec *own)
{
	sink_done(own->sink, own->queue[0].id);
	drop_first(own);
}

static void on_timer(struct loop *l, struct loop_timer *t)
{
	struct to_exec *own = CONTAINER_OF(t, struct to_exec, timer);

	(void)l;
	if (!own->is_running) {
		start(own);
		return;
	}
	own->is_overdue = true;
	proc_kill(&own->child, SIGKILL);
}

static void failed(struct to_exec *own, const char *why)
{
	bool is_last = ++own->tries == EXEC_TRIES;

	log_warn("%s for run %s: %s%s", own->program, own->queue[0].run, why,
		 is_last ? "; given up" : "; trying again");
	if (is_last) {
		own->sink->lost++;
		settle_first(own);
	}
	loop_timer_set_in(own->loop, &own->timer,
			  is_last ? 0 : (EXEC_PAUSE_MS << (own->tries - 1)) * NS_PER_MS);
}

static void on_end(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct to_exec *own = CONTAINER_OF(w, struct to_exec, ended);
	int code = proc_reap(&own->child);
	char why[80];

	(void)what;
	if (code == -EAGAIN)
		return;
	loop_unwatch(l, w);
	loop_timer_clear(l, &own->timer);
	proc_release(&own->child);
	own->is_running = false;
	if (code == 0) {
		settle_first(own);
		start(own);
		return;
	}
	if (own->is_overdue)
		snprintf(why, sizeof(why), "not done after %lld ms, killed",
			 (long long)own->timeout_ms);
	else if (code > 128)
		snprintf(why, sizeof(why), "killed by signal %d", code - 128);
	else
		snprintf(why, sizeof(why), "exit code %d", code);
	failed(own, why);
}

/* The event in a file of its own in memory: any size, and no reader that could block us. */
static int open_event(const struct job *job)
{
	int fd = memfd_create("event", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fs_write_all(fd, job->line, job->line_bytes);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) != 0)
		rc = -errno;
	if (rc != 0)
		close(fd);
	return rc == 0 ? fd : rc;
}

static int spawn(struct to_exec *own)
{
	const char *argv[] = {own->program, NULL};
	struct proc_spec spec = {
		.argv = argv,
		.out = STDERR_FILENO,
		.err = PROC_INHERIT,
		.has_own_group = true, /* so that what it started ends with it */
		.dies_with_us = true,
	};
	int rc = open_event(&own->queue[0]);

	if (rc < 0)
		return rc;
	spec.in = rc;
	rc = proc_spawn(&spec, &own->child);
	close(spec.in);
	return rc;
}

static void start(struct to_exec *own)
{
	int rc;

	if (own->is_running || own->count == 0)
		return;
	rc = spawn(own);
	if (rc != 0) {
		failed(own, strerror(-rc));
		return;
	}
	own->is_running = true;
	own->is_overdue = false;
	own->ended =
		(struct loop_watch){.ready = on_end, .fd = own->child.pidfd, .want = LOOP_READ};
	rc = loop_watch(own->loop, &own->ended);
	BUG_ON(rc != 0);
	loop_timer_set_in(own->loop, &own->timer, own->timeout_ms * NS_PER_MS);
}

static bool exec_check(const struct sink *s)
{
	if (strchr(s->value, '/') == NULL || access(s->value, X_OK) == 0)
		return true;
	log_error("--to exec=%s: %s; expected a program that can be started", s->value,
		  strerror(errno));
	return false;
}

static enum exit_code exec_open(struct sink *s)
{
	struct to_exec *own = x_calloc(1, sizeof(*own));

	own->sink = s;
	own->program = s->value;
	own->loop = stage_loop(s->world->st);
	own->timer.run = on_timer;
	own->timeout_ms = s->settings != NULL && s->settings->timeout_ms > 0
				  ? s->settings->timeout_ms
				  : EXEC_TIMEOUT_MS;
	s->own = own;
	return EXIT_FINE;
}

static int exec_deliver(struct sink *s, const struct event *ev)
{
	struct to_exec *own = s->own;
	struct buf line = BUF_INIT(EVENT_LINE_MAX_BYTES + 2);
	struct job *job;

	/* has_room() keeps a place; what the end of the input brings may need one more. */
	if (own->count == EXEC_QUEUE_MAX) {
		log_error("%s is too slow; it will not hear of run %s", own->program, ev->run);
		return -ENOBUFS;
	}
	buf_add(&line, ev->line, ev->line_bytes);
	buf_addc(&line, '\n');
	job = &own->queue[own->count++];
	job->line_bytes = line.len_bytes;
	job->line = buf_steal(&line);
	job->run = x_strdup(ev->run ? ev->run : "?");
	job->id = x_strdup(ev->id);
	if (own->count == 1)
		start(own);
	return -EINPROGRESS;
}

static size_t exec_held(const struct sink *s)
{
	return ((const struct to_exec *)s->own)->count;
}

static bool exec_has_room(const struct sink *s)
{
	return ((const struct to_exec *)s->own)->count < EXEC_QUEUE_MAX;
}

static enum exit_code exec_close(struct sink *s)
{
	struct to_exec *own = s->own;
	bool has_lost = own->count > 0;

	if (own->is_running) {
		loop_unwatch(own->loop, &own->ended);
		proc_kill(&own->child, SIGKILL);
		proc_wait(&own->child);
		proc_release(&own->child);
	}
	loop_timer_clear(own->loop, &own->timer);
	while (own->count > 0)
		drop_first(own);
	free(own);
	return has_lost ? EXIT_AGAIN : EXIT_FINE;
}

const struct sink_kind sink_exec = {
	.name = "exec",
	.value_name = "PROGRAM",
	.help = "a program a run.finished, the event on its standard input",
	.wants = EV_BIT(EV_RUN_FINISHED),
	.check = exec_check,
	.open = exec_open,
	.deliver = exec_deliver,
	.held = exec_held,
	.has_room = exec_has_room,
	.close = exec_close,
};
