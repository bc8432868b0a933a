#include "common/stage/stage_private.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"

/*
 * Standard output may be shared with other processes, so its flags are left alone. A pipe that
 * poll() calls writable takes PIPE_BUF bytes without blocking; a socket is asked not to block.
 */
#define PIECE_BYTES ((size_t)PIPE_BUF)

static void writable(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct stage *st = CONTAINER_OF(w, struct stage, out.watch);

	(void)l;
	if (what & LOOP_HANGUP)
		st->out.is_gone = true;
	else
		stage_out_flush(st);
}

void stage_out_open(struct stage *st)
{
	struct stat info;

	buf_init(&st->out.waiting, OUT_MAX_BYTES);
	if (st->def->is_end || fstat(STDOUT_FILENO, &info))
		return;
	st->out.is_fifo = S_ISFIFO(info.st_mode);
	st->out.is_socket = S_ISSOCK(info.st_mode);
	if (!st->out.is_fifo && !st->out.is_socket)
		return;
	st->out.watch = (struct loop_watch){.ready = writable, .fd = STDOUT_FILENO};
	st->out.is_watched = loop_watch(st->loop, &st->out.watch) == 0;
}

void stage_out_line(struct stage *st, const char *line, size_t len_bytes)
{
	buf_add(&st->out.waiting, line, len_bytes);
	buf_addc(&st->out.waiting, '\n');
	if (buf_is_over(&st->out.waiting)) {
		log_error("more than %u bytes wait for the next stage; giving up", OUT_MAX_BYTES);
		stage_fail(st, EXIT_AGAIN);
	}
}

bool stage_out_is_empty(const struct stage *st)
{
	return st->out.waiting.len_bytes == 0;
}

static void write_failed(struct stage *st, int error)
{
	if (error == EPIPE) {
		st->out.is_gone = true;
		return;
	}
	log_error("cannot write to standard output: %s; make room and start again",
		  strerror(error));
	/* What waits stays: state that belongs to it must not become durable. */
	st->out.is_gone = true;
	stage_fail(st, EXIT_AGAIN);
}

/* Bytes written, 0 when it would block, -1 when it is over (told). */
static ssize_t write_piece(struct stage *st, const char *at, size_t len_bytes)
{
	struct pollfd fd = {STDOUT_FILENO, POLLOUT, 0};
	size_t piece_bytes = len_bytes;
	ssize_t n;

	if (st->out.is_fifo) {
		if (poll(&fd, 1, 0) <= 0)
			return 0;
		piece_bytes = MIN_OF(len_bytes, PIECE_BYTES);
	}
	if (st->out.is_socket)
		n = send(STDOUT_FILENO, at, piece_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(STDOUT_FILENO, at, piece_bytes);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	write_failed(st, errno);
	return -1;
}

void stage_out_flush(struct stage *st)
{
	struct buf *b = &st->out.waiting;
	size_t done_bytes = 0;

	while (done_bytes < b->len_bytes && !st->out.is_gone) {
		ssize_t n = write_piece(st, buf_str(b) + done_bytes, b->len_bytes - done_bytes);

		if (n <= 0)
			break;
		done_bytes += (size_t)n;
	}
	buf_consume(b, MIN_OF(done_bytes, b->len_bytes));
	if (st->out.is_watched)
		loop_want(st->loop, &st->out.watch, b->len_bytes ? LOOP_WRITE : 0);
}

/* The loop has ended, so nobody reads its signalfd: what comes now is taken from the kernel. */
static void take_signals(struct stage *st)
{
	static const struct timespec at_once = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	while (sigtimedwait(&set, NULL, &at_once) > 0)
		stage_note_stop(st);
}

void stage_out_finish(struct stage *st)
{
	stage_out_flush(st);
	while (!stage_out_is_empty(st) && !st->out.is_gone) {
		struct pollfd fd = {STDOUT_FILENO, POLLOUT, 0};

		take_signals(st);
		if (st->is_stopping && !mono_is_before(mono_now(), st->drain_until))
			break;
		if (poll(&fd, 1, 100) > 0)
			stage_out_flush(st);
	}
	if (!stage_out_is_empty(st) && !st->out.is_gone) {
		log_error("%zu bytes could not be written before the end",
			  st->out.waiting.len_bytes);
		st->code = exit_code_worse(st->code, EXIT_AGAIN);
	}
}
