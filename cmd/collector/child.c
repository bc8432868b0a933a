/*
 * child.c - spawn, collect, reap.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "cmd/collector/child.h"
#include "common/base/fsio.h"

static void close_down(struct child *c)
{
	loop_unwatch(c->loop, &c->out);
	loop_unwatch(c->loop, &c->ended);
	loop_timer_clear(c->loop, &c->deadline);
	proc_release(&c->proc);
	c->is_running = false;
}

static void finish(struct child *c, int code)
{
	struct buf output = c->output;

	c->output = (struct buf)BUF_INIT(CHILD_OUTPUT_MAX_BYTES);
	close_down(c);
	c->done(c, code, &output); /* may start c again, or free it */
	buf_release(&output);
}

static void kill_and_finish(struct child *c, int code)
{
	proc_kill(&c->proc, SIGKILL);
	(void)proc_wait(&c->proc);
	finish(c, code);
}

/* False when there is more than may be. */
static bool drain(struct child *c)
{
	char piece[4096];
	ssize_t n = 1;

	/* One that writes without end may write as fast as we read. */
	while (!buf_is_over(&c->output) && (n = read(c->proc.out, piece, sizeof(piece))) > 0)
		buf_add(&c->output, piece, (size_t)n);
	if (n == 0)
		loop_unwatch(c->loop, &c->out); /* its end would be told again and again */
	return !buf_is_over(&c->output);
}

static void on_output(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct child *c = CONTAINER_OF(w, struct child, out);

	(void)l, (void)what;
	if (!drain(c))
		kill_and_finish(c, -E2BIG);
}

static void on_ended(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct child *c = CONTAINER_OF(w, struct child, ended);
	int code = proc_reap(&c->proc);

	(void)l, (void)what;
	if (code == -EAGAIN)
		return;
	finish(c, drain(c) ? code : -E2BIG);
}

static void on_deadline(struct loop *l, struct loop_timer *t)
{
	(void)l;
	kill_and_finish(CONTAINER_OF(t, struct child, deadline), -ETIMEDOUT);
}

/* A file in memory: no input is too long for a pipe, and nobody has to feed it. */
static int input_file(const char *input, size_t input_bytes)
{
	int fd = memfd_create("plimsoll-input", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fs_write_all(fd, input, input_bytes);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) != 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int child_start(struct loop *l, struct child *c, const struct proc_spec *spec, const char *input,
		size_t input_bytes, int64_t timeout_ms)
{
	struct proc_spec own = *spec;
	int fd = input_file(input, input_bytes), rc;

	if (fd < 0)
		return fd;
	own.in = fd;
	own.out = PROC_PIPE;
	own.dies_with_us = own.has_own_group = true;
	rc = proc_spawn(&own, &c->proc);
	close(fd);
	if (rc != 0)
		return rc;
	c->loop = l;
	c->is_running = true;
	buf_init(&c->output, c->output_max_bytes ? c->output_max_bytes : CHILD_OUTPUT_MAX_BYTES);
	c->out = (struct loop_watch){.ready = on_output, .fd = c->proc.out, .want = LOOP_READ};
	c->ended = (struct loop_watch){.ready = on_ended, .fd = c->proc.pidfd, .want = LOOP_READ};
	c->deadline = (struct loop_timer){.run = on_deadline};
	rc = loop_watch(l, &c->out);
	if (rc == 0)
		rc = loop_watch(l, &c->ended);
	if (rc != 0) {
		child_stop(c);
		return rc;
	}
	loop_timer_set_in(l, &c->deadline, timeout_ms * NS_PER_MS);
	return 0;
}

void child_stop(struct child *c)
{
	if (!c->is_running)
		return;
	proc_kill(&c->proc, SIGKILL);
	(void)proc_wait(&c->proc);
	close_down(c);
	buf_release(&c->output);
}
