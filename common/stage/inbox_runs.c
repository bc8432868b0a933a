/*
 * inbox_runs.c - runs that were measured, or ended without: the collector's inbox; the intake of
 * results is hosted here.
 *
 * A run is offered as it would come through a pipe: its plan, its shards in order, reports of
 * other tools. What has no result any more gets a shard.finished that says why, so that every run
 * is told. A verdict is a file first, then pl_judge; a run leaves when the stage acknowledges it.
 *
 * After a signal nothing more is said: the next process is offered the same runs and says it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/unit.h"
#include "common/digest/digest.h"
#include "common/stage/runs_feed.h"
#include "common/work/intake.h"

struct runs {
	struct strmap by_id;
	struct run *first, **end;
	struct run *told_first, **told_end; /* in the order of the calls that tell so */
	size_t waiting;
	struct intake *intake;
};

static struct runs *own(const struct stage *st)
{
	return st->bus->own;
}

static int runs_open(struct stage *st)
{
	struct runs *rs;

	if (!st->opts.state) {
		log_error("--bus: results are kept in files: give --state DIR");
		return EXIT_USAGE;
	}
	rs = x_calloc(1, sizeof(*rs));
	*rs = (struct runs){.end = &rs->first, .told_end = &rs->told_first};
	st->bus->own = rs;
	rs->intake = intake_open(st->loop, st->bus->jobs, &st->bus->config->bus, st->opts.state);
	return rs->intake ? EXIT_FINE : EXIT_AGAIN;
}

static void enqueue(struct stage *st, struct run *r)
{
	struct runs *rs = own(st);

	r->is_waiting = true;
	r->next = NULL;
	*rs->end = r;
	rs->end = &r->next;
	rs->waiting++;
}

static struct json *read_reports(struct bus_parts *rows)
{
	int64_t count = bus_next_int(rows);
	struct json *list = json_arr();

	for (int64_t i = 0; i < count && !rows->is_short; i++) {
		struct redis_part line = bus_next_part(rows);

		json_push(list, json_new_strn(line.data, line.len_bytes));
	}
	return list;
}

/*
 * A run that is in hand already may have new reports. One that waits to be offered, or is being
 * acknowledged, gets none: pl_told counts them, and it comes again.
 */
static void read_row(struct stage *st, struct bus_parts *rows)
{
	struct runs *rs = own(st);
	struct redis_part plan;
	struct run *fresh = run_read(rows, &plan), *r = strmap_get(&rs->by_id, fresh->id);
	struct json *reports = read_reports(rows);

	if (!r && !rows->is_short) {
		if (run_feed(st, fresh, &plan, reports) == 0) {
			strmap_put(&rs->by_id, fresh->id, fresh);
			enqueue(st, fresh);
			fresh = NULL;
		}
	} else if (r && !r->is_waiting && !r->is_acked && (int64_t)json_len(reports) > r->reports) {
		run_add_reports(r, reports);
		enqueue(st, r);
	}
	if (fresh)
		run_free(fresh);
	json_free(reports);
}

static bool answer(struct stage *st, struct bus_parts *rows, size_t *count)
{
	for (; rows->left && !rows->is_short; ++*count)
		read_row(st, rows);
	return !rows->is_short;
}

static size_t waiting(const struct stage *st)
{
	return own(st)->waiting;
}

/* Offering. */

static int offer_line(struct stage *st, const char *line)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;
	int rc = event_parse(line, strlen(line), &ev, why);

	if (rc) {
		stage_reject(st, "not-an-event", why, line, strlen(line));
		return rc;
	}
	rc = stage_take(st, &ev);
	event_release(&ev);
	return rc;
}

/* False: not now. */
static bool offer(struct stage *st, struct run *r)
{
	for (; r->offered < json_len(r->lines); r->offered++)
		if (offer_line(st, json_str(json_elem(r->lines, r->offered))) == -EAGAIN)
			return false;
	CRASH_POINT("runs.post-offer");
	json_free(r->lines);
	r->lines = json_arr();
	r->offered = 0;
	return true;
}

static void told(struct stage *st, struct run *r);

static void turn(struct stage *st)
{
	struct runs *rs = own(st);

	for (size_t n = 0; rs->first && bus_may_take(st); n++) {
		struct run *r = rs->first;

		if (n == 1) { /* a verdict is long work */
			bus_go_on(st);
			return;
		}

		if (!offer(st, r))
			return;
		rs->first = r->next;
		if (!rs->first)
			rs->end = &rs->first;
		rs->waiting--;
		r->is_waiting = false;
		if (r->is_acked)
			told(st, r);
	}
}

/* Telling. */

static void judged(const struct redis_reply *reply, void *ctx)
{
	struct stage *st = ctx;

	CRASH_POINT("runs.post-judge");
	if (bus_answered(st, reply) && jobs_said(reply, "STALE"))
		stage_count(st, "verdict-not-wanted");
}

static int keep_verdict(struct stage *st, struct bus_step *s)
{
	int rc;

	CRASH_POINT("runs.pre-file");
	rc = results_write(st->opts.state, s->name, s->line, s->line_bytes);
	if (rc)
		return rc;
	CRASH_POINT("runs.post-file");
	bus_call(st, &s->call, judged);
	return 0;
}

static void add_judge_args(struct stage *st, struct redis_args *a, const struct event *ev)
{
	const char *verdict = json_get_str(ev->data, "verdict"),
		   *cost = json_get_str(ev->data, "cost_usd");
	char sha[SHA256_HEX_SIZE];
	int64_t cost_micro_usd = 0;

	if (cost && unit_parse_money(cost, &cost_micro_usd))
		cost_micro_usd = 0;
	digest_sha256_hex(ev->line, ev->line_bytes, sha);
	redis_arg(a, ev->run);
	redis_arg_int(a, json_get_int(ev->data, "rev", 0));
	redis_arg(a, sha);
	redis_arg_int(a, (int64_t)ev->line_bytes);
	redis_arg(a, verdict ? verdict : "");
	redis_arg_int(a, json_get_bool(ev->data, "confirm_wanted", false));
	redis_arg_int(a, cost_micro_usd);
	bus_add_puts(st, a);
}

void runs_add_verdict(struct stage *st, const struct event *ev)
{
	struct run *r = strmap_get(&own(st)->by_id, ev->run);
	int64_t rev = json_get_int(ev->data, "rev", 0);
	struct bus_step *s;

	if (st->is_stopping || (r && rev <= r->rev))
		return;
	if (r)
		r->rev = rev;
	s = bus_step_new(keep_verdict);
	s->name = x_asprintf("%s.f%lld.json", ev->run, (long long)rev);
	s->line = x_strndup(ev->line, ev->line_bytes);
	s->line_bytes = ev->line_bytes;
	redis_args_release(&s->call);
	s->call = jobs_args("pl_judge");
	add_judge_args(st, &s->call, ev);
	bus_step_add(st, s);
}

/* Only now: a row that was under way is known as in hand until here. */
static void told_answered(const struct redis_reply *reply, void *ctx)
{
	struct stage *st = ctx;
	struct runs *rs = own(st);
	struct run *r = rs->told_first;

	CRASH_POINT("runs.post-told");
	bus_answered(st, reply);
	rs->told_first = r->next;
	if (!rs->told_first)
		rs->told_end = &rs->told_first;
	strmap_remove(&rs->by_id, r->id);
	run_free(r);
}

static int send_told(struct stage *st, struct bus_step *s)
{
	CRASH_POINT("runs.pre-told");
	bus_call(st, &s->call, told_answered);
	return 0;
}

/* Behind its verdicts, in the same order of steps. */
static void told(struct stage *st, struct run *r)
{
	struct bus_step *s = bus_step_new(send_told);
	struct runs *rs = own(st);

	redis_args_release(&s->call);
	s->call = jobs_args("pl_told");
	redis_arg(&s->call, r->id);
	redis_arg_int(&s->call, r->reports);
	bus_put(st);
	bus_step_add(st, s);
	r->next = NULL;
	*rs->told_end = r;
	rs->told_end = &r->next;
}

static void ack(struct stage *st, const char *id, const char *destination)
{
	struct run *r = strmap_get(&own(st)->by_id, id);

	(void)destination;
	if (!r || r->is_acked || st->is_stopping)
		return;
	r->is_acked = true;
	if (!r->is_waiting) /* else it is being offered just now */
		told(st, r);
}

static void reload(struct stage *st)
{
	intake_reload(own(st)->intake);
}

static void free_run(void *value)
{
	run_free(value);
}

static void runs_close(struct stage *st)
{
	struct runs *rs = own(st);

	intake_free(rs->intake);
	strmap_release(&rs->by_id, free_run);
	free(rs);
	st->bus->own = NULL;
}

const struct inbox inbox_runs = {
	.queue = "meas",
	.function = "pl_measured",
	.hold_ms = 10000,
	.open = runs_open,
	.answer = answer,
	.waiting = waiting,
	.turn = turn,
	.reload = reload,
	.close = runs_close,
	.ack = ack,
};
