/* stage_verbs.c - what a stage may call. */
#include "common/base/log.h"
#include "common/stage/stage_private.h"

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

bool stage_has_state(const struct stage *st)
{
	return st->opts.is_bus || st->opts.state;
}

bool stage_is_bus(const struct stage *st)
{
	return st->opts.is_bus;
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
	stage_metrics_count(&st->metrics, ev->kind, STAGE_SENT);
	st->port->emit(st, ev);
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
	return st->port->is_blocked(st);
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

void stage_ack(struct stage *st, const char *id, const char *destination)
{
	if (st->port->ack)
		st->port->ack(st, id, destination);
}

bool stage_is_acked(const struct stage *st, const char *id, const char *destination)
{
	return st->port->is_acked && st->port->is_acked(st, id, destination);
}
