/*
 * pipe.c - the port to a pipe: events from standard input, events to standard output, state in
 * files.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/stage/stage_private.h"

/* One event, from the input to the stage and, unless it eats it, onwards. */

static bool eats(const struct stage *st, enum event_kind kind)
{
	return st->def->is_end || (kind < EV_KIND_COUNT && (st->def->eats & EV_BIT(kind)));
}

/* True when the event is dealt with; false keeps it for another try. */
static bool offer(struct stage *st, const struct event *ev)
{
	/* Passed on first, so that whatever take() emits comes after its cause. */
	size_t before_bytes = st->out.waiting.len_bytes;

	if (!eats(st, ev->kind))
		stage_out_line(st, ev->line, ev->line_bytes);
	if (!stage_wants(st, ev->kind)) {
		stage_metrics_count(&st->metrics, ev->kind, STAGE_PASSED);
		return true;
	}
	if (stage_take(st, ev) != -EAGAIN)
		return true;
	buf_truncate(&st->out.waiting, before_bytes);
	return false;
}

static void handle_line(struct stage *st, enum line_kind kind, const struct line *line)
{
	char why[EVENT_WHY_SIZE] = "longer than an event may be";
	struct event ev;
	int rc =
		kind == LINE_TOO_LONG ? -E2BIG : event_parse(line->data, line->len_bytes, &ev, why);

	if (rc) {
		stage_reject(st,
			     kind == LINE_TRUNCATED ? "truncated"
			     : rc == -E2BIG	    ? "too-long"
						    : "not-an-event",
			     why, line->data, line->len_bytes);
		return;
	}
	if (offer(st, &ev)) {
		event_release(&ev);
		return;
	}
	st->in.deferred = ev;
	st->in.has_deferred = true;
}

static bool is_blocked(const struct stage *st)
{
	return st->out.waiting.len_bytes >= OUT_HIGH_WATER_BYTES;
}

static bool may_take(const struct stage *st)
{
	return !st->in.has_deferred && !st->is_stopping && !st->is_over && !is_blocked(st) &&
	       (!st->def->has_room || st->def->has_room(st->ctx));
}

static void take_lines(struct stage *st)
{
	enum line_kind kind;
	struct line line;

	while (may_take(st)) {
		kind = lines_next(&st->in.lines, &line);
		st->in.has_taken_all = kind == LINE_NONE;
		if (st->in.has_taken_all)
			return;
		handle_line(st, kind, &line);
		if (is_blocked(st))
			stage_out_flush(st);
	}
}

static void close_input(struct stage *st)
{
	loop_unwatch(st->loop, &st->in.watch);
	st->in.is_watched = false;
	st->is_input_done = true;
}

static void readable(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct stage *st = CONTAINER_OF(w, struct stage, in.watch);
	ssize_t got;

	(void)l, (void)what;
	if (!may_take(st))
		return;
	got = lines_fill(&st->in.lines, STDIN_FILENO);
	st->in.has_taken_all = false;
	if (got == -EAGAIN || got == -EINTR)
		return;
	if (got < 0) {
		log_error("cannot read standard input: %s", strerror((int)-got));
		stage_fail(st, EXIT_AGAIN);
	}
	if (got <= 0)
		close_input(st);
	take_lines(st);
}

/* State becomes durable only after the lines of the same take() have left. */
static void settle(struct stage *st)
{
	int rc;

	stage_out_flush(st);
	if (!stage_out_is_empty(st) || st->out.is_gone || !st->has_state_puts)
		return;
	rc = state_commit(st->state);
	if (rc) {
		log_error("cannot write state under %s: %s", st->opts.state, strerror(-rc));
		stage_fail(st, EXIT_AGAIN);
		return;
	}
	st->has_state_puts = false;
}

/* Not watched at all without room: a pipe whose writer has gone is reported whatever is wanted. */
static void watch_input_while_room(struct stage *st)
{
	if (!st->in.is_watched)
		return;
	if (!may_take(st))
		loop_unwatch(st->loop, &st->in.watch);
	else if (!st->in.watch.is_on)
		BUG_ON(loop_watch(st->loop, &st->in.watch) != 0);
}

/* take() had said -EAGAIN; the turn that follows every callback offers the event again. */
static void offer_deferred(struct stage *st)
{
	if (!st->in.has_deferred || st->is_stopping || !offer(st, &st->in.deferred))
		return;
	event_release(&st->in.deferred);
	st->in.has_deferred = false;
}

static void pipe_turn(struct stage *st)
{
	offer_deferred(st);
	do {
		take_lines(st);
		settle(st);
	} while (may_take(st) && !st->in.has_taken_all);
	watch_input_while_room(st);
}

/* Life. */

static int pipe_open(struct stage *st)
{
	int rc = state_open(st->opts.is_check ? NULL : st->opts.state, &st->state);

	if (rc) {
		log_error("cannot open --state %s: %s", st->opts.state, strerror(-rc));
		return EXIT_USAGE;
	}
	lines_init(&st->in.lines, EVENT_LINE_MAX_BYTES);
	stage_out_open(st);
	return EXIT_FINE;
}

static int pipe_start(struct stage *st)
{
	int rc;

	if (st->def->is_source)
		return EXIT_FINE;
	st->in.watch =
		(struct loop_watch){.ready = readable, .fd = STDIN_FILENO, .want = LOOP_READ};
	st->in.is_watched = true;
	rc = loop_watch(st->loop, &st->in.watch);
	if (rc)
		log_error("cannot read standard input: %s", strerror(-rc));
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

static void pipe_emit(struct stage *st, const struct event *ev)
{
	stage_out_line(st, ev->line, ev->line_bytes);
}

/* Every line has been taken. */
static bool is_input_over(const struct stage *st)
{
	return st->is_input_done &&
	       (st->def->is_source || (st->in.has_taken_all && !st->in.has_deferred));
}

static bool must_finish(const struct stage *st)
{
	(void)st;
	return true;
}

static bool is_cut(const struct stage *st)
{
	return st->out.is_gone;
}

static void pipe_close(struct stage *st)
{
	if (!st->def->is_end && !st->opts.is_check)
		stage_out_finish(st);
	if (stage_out_is_empty(st) && st->state && st->has_state_puts && state_commit(st->state))
		st->code = exit_code_worse(st->code, EXIT_AGAIN);
}

static void pipe_release(struct stage *st)
{
	if (st->in.has_deferred)
		event_release(&st->in.deferred);
	lines_release(&st->in.lines);
	buf_release(&st->out.waiting);
}

const struct stage_port stage_pipe = {
	.open = pipe_open,
	.start = pipe_start,
	.turn = pipe_turn,
	.emit = pipe_emit,
	.is_input_over = is_input_over,
	.is_blocked = is_blocked,
	.is_settled = stage_out_is_empty,
	.must_finish = must_finish,
	.close = pipe_close,
	.release = pipe_release,
	.is_cut = is_cut,
};
