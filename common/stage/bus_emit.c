/* bus_emit.c - what becomes of each type of event that a stage sends: the reverse of docs/STATE.md.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/stage/bus_private.h"

static void ingested(const struct redis_reply *reply, void *ctx)
{
	CRASH_POINT("stage.post-ingest");
	bus_answered(ctx, reply);
}

/* function.changed and function.removed: into the queue of the planner. */
static bool ingest(struct stage *st, const struct event *ev)
{
	const char *id = json_str(json_at(ev->data, "change.id"));
	struct redis_args a;

	if (!id || !ev->subject || !st->bus->jobs)
		return false;
	a = jobs_args("pl_ingest");
	redis_arg(&a, id);
	redis_arg(&a, ev->subject);
	redis_arg(&a, ev->kind == EV_FUNCTION_REMOVED ? "removed" : "change");
	redis_arg_bytes(&a, ev->line, ev->line_bytes);
	CRASH_POINT("stage.pre-ingest");
	bus_call(st, &a, ingested);
	redis_args_release(&a);
	return true;
}

static bool add_result(struct stage *st, const struct event *ev)
{
	if (st->def->inbox != INBOX_WORK)
		return false;
	work_add_result(st, ev);
	return true;
}

/* It may be lost anywhere, so here it always is. */
static bool drop(struct stage *st, const struct event *ev)
{
	(void)st, (void)ev;
	return true;
}

static bool add_verdict(struct stage *st, const struct event *ev)
{
	if (st->def->inbox != INBOX_RUNS || !ev->run)
		return false;
	runs_add_verdict(st, ev);
	return true;
}

static const struct {
	enum event_kind kind;
	bool (*send)(struct stage *st, const struct event *ev); /* false: not from this stage */
} rows[] = {
	{EV_FUNCTION_CHANGED, ingest},	    {EV_FUNCTION_REMOVED, ingest},
	{EV_RUN_PLANNED, changes_add_plan}, {EV_SHARD_PLANNED, changes_add_plan},
	{EV_SHARD_PROGRESS, drop},	    {EV_SHARD_FINISHED, add_result},
	{EV_RUN_FINISHED, add_verdict},
};

void bus_emit(struct stage *st, const struct event *ev)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == ev->kind && rows[i].send(st, ev))
			return;
	stage_metrics_count(&st->metrics, ev->kind, STAGE_REFUSED);
	stage_reject(st, "no-way-on-the-bus", "the bus takes no such event from this stage",
		     ev->line, ev->line_bytes);
}
