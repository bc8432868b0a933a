/* stage.c - the life of a stage's process. Where it stands is the port's business (pipe.c, bus.c).
 */
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

bool stage_wants(const struct stage *st, enum event_kind kind)
{
	return kind < EV_KIND_COUNT && ((st->def->eats | st->def->reads) & EV_BIT(kind));
}

int stage_take(struct stage *st, const struct event *ev)
{
	int rc = st->def->take(st, ev, st->ctx);

	if (rc == -EAGAIN) {
		stage_metrics_count(&st->metrics, ev->kind, STAGE_LATER);
		return rc;
	}
	st->metrics.lag_ms = wall_diff_ns(wall_now(), ev->time) / NS_PER_MS;
	stage_metrics_count(&st->metrics, ev->kind, rc ? STAGE_REFUSED : STAGE_TAKEN);
	if (rc)
		stage_reject(st, "not-handled", strerror(-rc), ev->line, ev->line_bytes);
	return rc;
}

static size_t held(const struct stage *st)
{
	return st->def->held && st->is_open ? st->def->held(st->ctx) : 0;
}

static void look_for_end(struct stage *st)
{
	if (st->port->is_cut && st->port->is_cut(st)) {
		if (held(st)) {
			log_error("the next stage is gone and %zu runs are unfinished", held(st));
			st->code = exit_code_worse(st->code, EXIT_AGAIN);
		}
		st->is_over = true;
		return;
	}
	if (!st->is_stopping && !st->port->is_input_over(st))
		return;
	if (!st->is_end_told && st->def->end && st->port->must_finish(st)) {
		st->is_end_told = true;
		st->def->end(st, st->ctx);
		st->port->turn(st); /* nothing else would wake the loop for what end() sent */
	}
	if ((held(st) == 0 || !st->port->must_finish(st)) && st->port->is_settled(st))
		st->is_over = true;
}

static void turn(struct stage *st)
{
	st->port->turn(st);
	look_for_end(st);
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

static void reload(struct stage *st)
{
	if (!st->is_open)
		return;
	stage_notify("RELOADING=1");
	if (st->def->reload)
		st->def->reload(st, st->ctx);
	if (st->port->reload)
		st->port->reload(st);
	stage_notify("READY=1");
}

static void on_signal(struct loop *l, int signo, void *ctx)
{
	struct stage *st = ctx;

	if (signo == SIGHUP) {
		reload(st);
		return;
	}
	stage_note_stop(st);
	log_info("%s: finishing what is held", strsignal(signo));
	stage_notify("STOPPING=1");
	loop_timer_set(l, &st->drain_timer, st->drain_until);
	if (st->port->stop)
		st->port->stop(st);
	if (st->def->stop && st->is_open)
		st->def->stop(st, st->ctx);
}

/* Everything that READY promises. An exit code; is_over when a signal came meanwhile. */
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
	rc = stage_health_open(st);
	if (rc)
		return rc;
	rc = st->port->open(st);
	if (rc || st->is_over)
		return rc;
	rc = st->def->open ? st->def->open(st, st->stage_opts, &st->ctx) : 0;
	if (rc)
		return rc;
	st->is_open = true;
	return st->opts.is_check ? EXIT_FINE : st->port->start(st);
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
static int close_all(struct stage *st)
{
	if (st->is_open && st->def->close)
		st->code = exit_code_worse(st->code, (enum exit_code)st->def->close(st, st->ctx));
	st->port->close(st);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("cannot write to standard output: %s", strerror(errno));
		st->code = exit_code_worse(st->code, EXIT_AGAIN);
	}
	return (int)st->code;
}

static void release(struct stage *st)
{
	health_free(st->health);
	stage_reject_close(st);
	if (st->port)
		st->port->release(st);
	state_free(st->state);
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
		st->port = st->opts.is_bus ? &stage_bus : &stage_pipe;
		code = open_all(st);
		st->code = exit_code_worse(st->code, (enum exit_code)code);
		if (code == EXIT_FINE && !st->opts.is_check && !st->is_over)
			run(st);
		code = close_all(st);
	}
	release(st);
	return code;
}
