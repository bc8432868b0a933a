#include "common/stage/stage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/stage/stage_private.h"

/* One event, from the input to the stage and, unless it eats it, onwards. */

static bool wants(const struct stage *st, enum event_kind kind)
{
	return kind < EV_KIND_COUNT && ((st->def->eats | st->def->reads) & EV_BIT(kind));
}

static bool eats(const struct stage *st, enum event_kind kind)
{
	return st->def->is_end || (kind < EV_KIND_COUNT && (st->def->eats & EV_BIT(kind)));
}

/* True when the event is dealt with; false keeps it for another try. */
static bool offer(struct stage *st, const struct event *ev)
{
	int rc = 0;

	if (wants(st, ev->kind)) {
		/* Passed on first, so that whatever take() emits comes after its cause. */
		size_t before_bytes = st->out.waiting.len_bytes;

		if (!eats(st, ev->kind))
			stage_out_line(st, ev->line, ev->line_bytes);
		rc = st->def->take(st, ev, st->ctx);
		if (rc == -EAGAIN) {
			buf_truncate(&st->out.waiting, before_bytes);
			return false;
		}
		if (rc)
			stage_reject(st, "not-handled", strerror(-rc), ev->line, ev->line_bytes);
	} else if (!eats(st, ev->kind)) {
		stage_out_line(st, ev->line, ev->line_bytes);
	}
	return true;
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
	st->deferred = ev;
	st->has_deferred = true;
}

static bool may_take(const struct stage *st)
{
	return !st->has_deferred && !st->is_stopping && !st->is_over &&
	       st->out.waiting.len_bytes < OUT_HIGH_WATER_BYTES &&
	       (!st->def->has_room || st->def->has_room(st->ctx));
}

static void take_lines(struct stage *st)
{
	enum line_kind kind;
	struct line line;

	while (may_take(st)) {
		kind = lines_next(&st->lines, &line);
		st->has_taken_all = kind == LINE_NONE;
		if (st->has_taken_all)
			return;
		handle_line(st, kind, &line);
		if (st->out.waiting.len_bytes >= OUT_HIGH_WATER_BYTES)
			stage_out_flush(st);
	}
}

static void close_input(struct stage *st)
{
	loop_unwatch(st->loop, &st->in);
	st->is_input_watched = false;
	st->is_input_done = true;
}

static void readable(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct stage *st = CONTAINER_OF(w, struct stage, in);
	ssize_t got;

	(void)l, (void)what;
	if (!may_take(st))
		return;
	got = lines_fill(&st->lines, STDIN_FILENO);
	st->has_taken_all = false;
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

static size_t held(const struct stage *st)
{
	return st->def->held ? st->def->held(st->ctx) : 0;
}

/* Every line has been taken, or will not be: a signal came. */
static bool input_is_over(const struct stage *st)
{
	if (st->is_stopping)
		return true;
	return st->is_input_done && st->has_taken_all && !st->has_deferred;
}

static void look_for_end(struct stage *st)
{
	if (st->out.is_gone) {
		if (held(st)) {
			log_error("the next stage is gone and %zu runs are unfinished", held(st));
			st->code = exit_code_worse(st->code, EXIT_AGAIN);
		}
		st->is_over = true;
		return;
	}
	if (st->def->is_source ? !st->is_stopping && !st->is_input_done : !input_is_over(st))
		return;
	if (!st->is_end_told && st->def->end) {
		st->is_end_told = true;
		st->def->end(st, st->ctx);
		settle(st); /* nothing else would wake the loop for what end() sent */
	}
	if (held(st) == 0 && stage_out_is_empty(st))
		st->is_over = true;
}

/* Not watched at all without room: a pipe whose writer has gone is reported whatever is wanted. */
static void watch_input_while_room(struct stage *st)
{
	if (!st->is_input_watched)
		return;
	if (!may_take(st))
		loop_unwatch(st->loop, &st->in);
	else if (!st->in.is_on)
		BUG_ON(loop_watch(st->loop, &st->in) != 0);
}

/* take() had said -EAGAIN; the turn that follows every callback offers the event again. */
static void offer_deferred(struct stage *st)
{
	if (!st->has_deferred || st->is_stopping || !offer(st, &st->deferred))
		return;
	event_release(&st->deferred);
	st->has_deferred = false;
}

static void turn(struct stage *st)
{
	offer_deferred(st);
	do {
		take_lines(st);
		settle(st);
	} while (may_take(st) && !st->has_taken_all);
	look_for_end(st);
	watch_input_while_room(st);
}

static void drain_is_over(struct loop *l, struct loop_timer *t)
{
	struct stage *st = CONTAINER_OF(t, struct stage, drain_timer);

	(void)l;
	log_error("still unfinished after --drain: %zu; the rest is given up", held(st));
	stage_fail(st, EXIT_AGAIN);
}

void stage_note_stop(struct stage *st)
{
	if (st->signals_seen++) {
		log_error("a second signal; ending at once");
		_exit(EXIT_AGAIN);
	}
	st->is_stopping = true;
	st->drain_until = mono_add_ns(mono_now(), st->opts.drain_ms * NS_PER_MS);
}

static void on_signal(struct loop *l, int signo, void *ctx)
{
	struct stage *st = ctx;

	if (signo == SIGHUP) {
		if (st->def->reload)
			st->def->reload(st, st->ctx);
		return;
	}
	stage_note_stop(st);
	log_info("%s: finishing what is held", strsignal(signo));
	loop_timer_set(l, &st->drain_timer, st->drain_until);
	if (st->def->stop)
		st->def->stop(st, st->ctx);
}

static int open_input(struct stage *st)
{
	lines_init(&st->lines, EVENT_LINE_MAX_BYTES);
	if (st->def->is_source)
		return 0;
	st->in = (struct loop_watch){.ready = readable, .fd = STDIN_FILENO, .want = LOOP_READ};
	st->is_input_watched = true;
	return loop_watch(st->loop, &st->in);
}

/* Everything that READY promises. An exit code. */
static int open_all(struct stage *st)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	event_set_source(st->def->name);
	st->loop = loop_new();
	st->drain_timer.run = drain_is_over;
	rc = loop_signals(st->loop, signals, ARRAY_LEN(signals), on_signal, st);
	BUG_ON(rc);
	rc = stage_reject_open(st);
	if (rc) {
		log_error("cannot open --reject %s: %s", st->opts.reject, strerror(-rc));
		return EXIT_USAGE;
	}
	rc = state_open(st->opts.is_check ? NULL : st->opts.state, &st->state);
	if (rc) {
		log_error("cannot open --state %s: %s", st->opts.state, strerror(-rc));
		return EXIT_USAGE;
	}
	stage_out_open(st);
	if (st->def->open) {
		rc = st->def->open(st, st->stage_opts, &st->ctx);
		if (rc)
			return rc;
	}
	rc = st->opts.is_check ? 0 : open_input(st);
	if (rc) {
		log_error("cannot read standard input: %s", strerror(-rc));
		return EXIT_AGAIN;
	}
	return EXIT_FINE;
}

static void run(struct stage *st)
{
	stage_ready(st);
	turn(st);
	while (!st->is_over) {
		loop_turn(st->loop, -1);
		turn(st);
	}
}

/* Exit code of the whole; a stage's close() runs whenever its open() did. */
static int close_all(struct stage *st, bool is_open)
{
	if (is_open && st->def->close)
		st->code = exit_code_worse(st->code, (enum exit_code)st->def->close(st, st->ctx));
	if (!st->def->is_end && !st->opts.is_check)
		stage_out_finish(st);
	if (stage_out_is_empty(st) && st->state && st->has_state_puts && state_commit(st->state))
		st->code = exit_code_worse(st->code, EXIT_AGAIN);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("cannot write to standard output: %s", strerror(errno));
		st->code = exit_code_worse(st->code, EXIT_AGAIN);
	}
	return (int)st->code;
}

static void release(struct stage *st)
{
	if (st->has_deferred)
		event_release(&st->deferred);
	stage_reject_close(st);
	state_free(st->state);
	lines_release(&st->lines);
	buf_release(&st->out.waiting);
	loop_free(st->loop);
	free(st->stage_opts);
	free(st->args);
	free(st->program);
	free(st->found_config);
	free(st);
}

static struct stage *stage_new(const struct stage_def *def, int argc)
{
	struct stage *st = x_calloc(1, sizeof(*st));

	st->def = def;
	st->program = x_asprintf("plimsoll-%s", def->name);
	st->stage_opts = x_calloc(1, def->config_bytes);
	st->args = x_calloc((size_t)argc + 1, sizeof(*st->args));
	st->reject_fd = -1;
	log_init(st->program);
	return st;
}

int stage_main(const struct stage_def *def, int argc, char **argv)
{
	struct stage *st = stage_new(def, argc);
	int code;

	proc_forbid_cores();
	if (!stage_opts_parse(st, argc, argv, &code)) {
		code = open_all(st);
		st->code = (enum exit_code)code;
		if (code == EXIT_FINE && !st->opts.is_check)
			run(st);
		code = close_all(st, code == EXIT_FINE);
	}
	release(st);
	return code;
}

/* The verbs. */

struct loop *stage_loop(struct stage *st)
{
	return st->loop;
}

const char *stage_config_path(const struct stage *st)
{
	return st->opts.config;
}

const char *stage_state_dir(const struct stage *st)
{
	return st->opts.state;
}

bool stage_is_check(const struct stage *st)
{
	return st->opts.is_check;
}

const char *const *stage_args(const struct stage *st, size_t *count)
{
	*count = st->arg_count;
	return st->args;
}

int stage_emit(struct stage *st, const struct event *ev)
{
	BUG_ON(st->def->is_end);
	stage_out_line(st, ev->line, ev->line_bytes);
	return 0;
}

int stage_emit_new(struct stage *st, enum event_kind kind, const char *id, const char *subject,
		   const char *run_id, struct wall time, struct json *data_take)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;
	int rc = event_new(&ev, kind, id, subject, run_id, time, data_take, why);

	if (rc) {
		log_error("cannot send %s %s: %s", event_kind_name(kind), id, why);
		return rc;
	}
	rc = stage_emit(st, &ev);
	event_release(&ev);
	return rc;
}

void stage_wake(struct stage *st)
{
	/* The turn that follows every callback looks at everything again. */
	(void)st;
}

void stage_finish(struct stage *st, enum exit_code code)
{
	st->code = exit_code_worse(st->code, code);
	st->is_input_done = true;
}

void stage_fail(struct stage *st, enum exit_code code)
{
	st->code = exit_code_worse(st->code, code);
	st->is_over = true;
}

bool stage_is_blocked(const struct stage *st)
{
	return st->out.waiting.len_bytes >= OUT_HIGH_WATER_BYTES;
}

struct json *stage_state_get(struct stage *st, const char *key)
{
	st->has_state_puts = true; /* a get locks the namespace: the commit unlocks it */
	return state_get(st->state, key);
}

void stage_state_put(struct stage *st, const char *key, struct json *value_take)
{
	st->has_state_puts = true;
	state_put(st->state, key, value_take);
}

void stage_state_each(struct stage *st, const char *prefix, void (*see)(const char *key, void *ctx),
		      void *ctx)
{
	st->has_state_puts = true;
	state_each(st->state, prefix, see, ctx);
}
