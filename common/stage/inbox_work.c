/*
 * inbox_work.c - shards from the broker, results to the collector (common/work/worker.h): the
 * loader's inbox. No Redis here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/stage/bus_private.h"
#include "common/work/worker.h"

#define ACCOUNTS_MAX_BYTES 8192

struct work {
	struct worker *worker;
	size_t room_before; /* as the broker knows it */
};

static struct work *own(const struct stage *st)
{
	return st->bus->own;
}

static size_t room(void *ctx)
{
	const struct stage *st = ctx;

	if (!bus_may_take(st))
		return 0;
	return st->def->room ? st->def->room(st->ctx) : 1;
}

static bool begin_work(const struct event *ev, void *ctx)
{
	struct stage *st = ctx;

	CRASH_POINT("work.pre-take");
	return stage_take(st, ev) == 0;
}

static void revoke_run(const char *run, const char *why, bool is_fenced, void *ctx)
{
	struct stage *st = ctx;

	if (st->def->revoke)
		st->def->revoke(st, run, why, is_fenced, st->ctx);
}

/* What this loader may call: the accounts that its settings know, or all when they name none. */
static void list_accounts(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < c->account_count; i++)
		buf_addf(out, "%s%s", i ? "," : "", c->accounts[i].name);
	if (c->account_count == 0)
		buf_adds(out, "*");
}

static int work_open(struct stage *st)
{
	struct buf accounts = BUF_INIT(ACCOUNTS_MAX_BYTES);
	struct work *w;
	char *spool;

	if (!st->opts.state) {
		log_error("--bus: results are kept until they are received: give --state DIR");
		return EXIT_USAGE;
	}
	w = x_calloc(1, sizeof(*w));
	st->bus->own = w;
	spool = x_asprintf("%s/spool", st->opts.state);
	list_accounts(st->bus->config, &accounts);
	w->worker = worker_open(st->loop, &st->bus->config->bus,
				&(struct worker_owner){.work = begin_work,
						       .revoke = revoke_run,
						       .room = room,
						       .accounts = buf_str(&accounts),
						       .spool_dir = spool,
						       .ctx = st});
	buf_release(&accounts);
	free(spool);
	return w->worker ? EXIT_FINE : EXIT_USAGE;
}

static int keep_result(struct stage *st, struct bus_step *s)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;

	BUG_ON(event_parse(s->line, s->line_bytes, &ev, why) != 0);
	CRASH_POINT("work.pre-finish");
	worker_finished(own(st)->worker, &ev);
	CRASH_POINT("work.post-finish");
	event_release(&ev);
	return 0;
}

void work_add_result(struct stage *st, const struct event *ev)
{
	struct bus_step *s = bus_step_new(keep_result);

	s->name = x_strdup(ev->id);
	s->line = x_strndup(ev->line, ev->line_bytes);
	s->line_bytes = ev->line_bytes;
	bus_step_add(st, s);
}

static void turn(struct stage *st)
{
	struct work *w = own(st);
	size_t now = room(st);

	if (now > w->room_before)
		worker_wake(w->worker);
	w->room_before = now;
}

static size_t nothing(const struct stage *st)
{
	(void)st;
	return 0;
}

static bool is_settled(const struct stage *st)
{
	return worker_held(own(st)->worker) == 0;
}

/* First this, then the stage's own stop(): what ends because of it is given back, no result. */
static void stop(struct stage *st)
{
	worker_stop(own(st)->worker);
}

static void work_close(struct stage *st)
{
	worker_free(own(st)->worker);
	free(st->bus->own);
	st->bus->own = NULL;
}

static bool is_well(const struct stage *st, char why[200])
{
	const struct work *w = st->bus->own;

	if (w && worker_is_connected(w->worker))
		return true;
	snprintf(why, 200, "the planner cannot be reached, or does not let us in");
	return false;
}

const struct inbox inbox_work = {
	.open = work_open,
	.waiting = nothing,
	.turn = turn,
	.is_settled = is_settled,
	.is_well = is_well,
	.must_finish = true,
	.stop = stop,
	.close = work_close,
};
