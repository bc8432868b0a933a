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
#include "common/stage/bus_private.h"
#include "common/stage/results.h"
#include "common/work/intake.h"

#define SHARDS_MAX 256

struct shard_file {
	char *name, *sha;
};

/* A run in hand, from its row until it is acknowledged. */
struct run {
	struct run *next; /* among those that are offered */
	char *id, *subject, *end, *why;
	int64_t reports;	   /* so many of other tools were told */
	int64_t rev;		   /* known to Redis or on its way there; -1 = none */
	struct json *lines;	   /* array: what is to be offered */
	size_t offered;		   /* of those */
	struct shard_file *shards; /* by index; name NULL = no result */
	size_t shard_count;
	bool is_waiting, is_acked;
};

struct runs {
	struct strmap by_id;
	struct run *first, **end;
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
	*rs = (struct runs){.end = &rs->first};
	st->bus->own = rs;
	rs->intake = intake_open(st->loop, st->bus->jobs, &st->bus->config->bus, st->opts.state);
	return rs->intake ? EXIT_FINE : EXIT_AGAIN;
}

static void run_free(struct run *r)
{
	for (size_t i = 0; i < r->shard_count; i++) {
		free(r->shards[i].name);
		free(r->shards[i].sha);
	}
	free(r->shards);
	json_free(r->lines);
	free(r->id);
	free(r->subject);
	free(r->end);
	free(r->why);
	free(r);
}

/* Rows. */

static void note_shard(struct run *r, size_t i, const char *name, const char *sha)
{
	if (i >= r->shard_count) {
		r->shards = x_realloc(r->shards, i + 1, sizeof(*r->shards));
		memset(r->shards + r->shard_count, 0,
		       (i + 1 - r->shard_count) * sizeof(*r->shards));
		r->shard_count = i + 1;
	}
	if (!r->shards[i].name)
		r->shards[i] = (struct shard_file){x_strdup(name), x_strdup(sha)};
}

static void read_shards(struct run *r, struct bus_parts *rows)
{
	int64_t count = bus_next_int(rows);

	for (int64_t k = 0; k < count && !rows->is_short; k++) {
		const char *i = bus_next(rows), *sha;
		char name[RESULTS_NAME_SIZE];
		long long index = strtoll(i, NULL, 10);

		bus_next(rows); /* the token: of the loader and the intake */
		sha = bus_next(rows);
		bus_next(rows); /* bytes: the sum says it too */
		if (!*sha || index < 0 || index >= SHARDS_MAX)
			continue;
		results_shard_name(r->id, i, sha, name);
		note_shard(r, (size_t)index, name, sha);
	}
}

/* What it says when its shards say nothing. */
static const char *outcome_of(const char *end)
{
	static const struct {
		const char *end, *outcome;
	} rows[] = {{"", "aborted"}, {"cancelled", "cancelled"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(end, rows[i].end) == 0)
			return rows[i].outcome;
	return "error";
}

static void push_line(struct run *r, const char *line, size_t len_bytes)
{
	json_push(r->lines, json_new_strn(line, len_bytes));
}

static void push_substitute(struct run *r, const struct event *plan, size_t index, size_t of,
			    const char *why)
{
	char text[EVENT_WHY_SIZE], *id = x_asprintf("%s.%zu", r->id, index);
	struct json *data = json_obj(), *where = json_obj();
	struct event ev;

	json_put_int(where, "index", (int64_t)index);
	json_put_int(where, "of", (int64_t)of);
	json_put_str(data, "run", r->id);
	json_put(data, "shard", where);
	json_put_str(data, "outcome", outcome_of(r->end));
	json_put_str(data, "reason", *r->why ? r->why : why);
	if (event_new(&ev, EV_SHARD_FINISHED, id, plan->subject, r->id, plan->time, data, text)) {
		log_error("run %s: shard %zu cannot be told: %s", r->id, index, text);
	} else {
		push_line(r, ev.line, ev.line_bytes);
		event_release(&ev);
	}
	free(id);
}

/* False when the file is not what Redis says it is. */
static bool push_result(struct stage *st, struct run *r, const struct shard_file *s)
{
	struct buf text = BUF_INIT(EVENT_LINE_MAX_BYTES);
	int rc = results_read(st->opts.state, s->name, s->sha, &text);

	if (rc == 0)
		push_line(r, buf_str(&text), text.len_bytes);
	else
		log_error("results/%s cannot be used: %s", s->name, strerror(-rc));
	buf_release(&text);
	if (rc)
		stage_count(st, "result-damaged");
	return rc == 0;
}

static void push_shards(struct stage *st, struct run *r, const struct event *plan)
{
	int64_t of = json_get_int(plan->data, "shards", 1);
	size_t owed = of > 0 && of <= SHARDS_MAX ? (size_t)of : 1;
	const char *decision = json_get_str(plan->data, "decision");

	if (!decision || strcmp(decision, "test") != 0)
		return; /* the plan alone says all */
	for (size_t i = 0; i < owed; i++) {
		bool has_file = i < r->shard_count && r->shards[i].name;

		if (!has_file || !push_result(st, r, &r->shards[i]))
			push_substitute(r, plan, i, owed,
					has_file ? "its result is damaged or gone"
						 : "it has no result");
	}
}

/* The plan says how far the run was told by an earlier process. */
static int push_plan(struct run *r, const struct event *plan)
{
	struct buf text = BUF_INIT(EVENT_LINE_MAX_BYTES);
	int rc;

	if (r->rev >= 0)
		json_put_int(plan->data, "told_rev", r->rev);
	json_write(plan->body, &text);
	rc = buf_is_over(&text) ? -E2BIG : 0;
	if (!rc)
		push_line(r, buf_str(&text), text.len_bytes);
	buf_release(&text);
	return rc;
}

static void push_lines(struct run *r, const struct json *lines)
{
	for (size_t i = 0; i < json_len(lines); i++)
		json_push(r->lines, json_ref(json_elem(lines, i)));
	r->reports = (int64_t)json_len(lines);
}

/* Reports go before results: with the last of these the stage may be done with the run. */
static void begin(struct stage *st, struct run *r, const struct redis_part *plan,
		  const struct json *reports)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;

	if (event_parse(plan->data, plan->len_bytes, &ev, why)) {
		stage_reject(st, "not-an-event", why, plan->data, plan->len_bytes);
		return; /* nobody can say anything of it; it stays for a person to see */
	}
	if (push_plan(r, &ev) == 0) {
		push_lines(r, reports);
		push_shards(st, r, &ev);
	}
	event_release(&ev);
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

static struct run *read_run(struct bus_parts *rows, struct redis_part *plan)
{
	struct run *r = x_calloc(1, sizeof(*r));
	const char *rev;

	r->id = x_strdup(bus_next(rows));
	r->subject = x_strdup(bus_next(rows));
	r->end = x_strdup(bus_next(rows));
	r->why = x_strdup(bus_next(rows));
	rev = bus_next(rows);
	r->rev = *rev ? strtoll(rev, NULL, 10) : -1;
	r->lines = json_arr();
	*plan = bus_next_part(rows);
	read_shards(r, rows);
	return r;
}

/*
 * A run that is in hand already may have new reports. One that waits to be offered, or is being
 * acknowledged, gets none: pl_told counts them, and it comes again.
 */
static void read_row(struct stage *st, struct bus_parts *rows)
{
	struct runs *rs = own(st);
	struct redis_part plan;
	struct run *fresh = read_run(rows, &plan), *r = strmap_get(&rs->by_id, fresh->id);
	struct json *reports = read_reports(rows);

	if (!r && !rows->is_short) {
		strmap_put(&rs->by_id, fresh->id, fresh);
		begin(st, fresh, &plan, reports);
		enqueue(st, fresh);
		fresh = NULL;
	} else if (r && !r->is_waiting && (int64_t)json_len(reports) > r->reports) {
		push_lines(r, reports);
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

static void told_answered(const struct redis_reply *reply, void *ctx)
{
	CRASH_POINT("runs.post-told");
	bus_answered(ctx, reply);
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

	redis_args_release(&s->call);
	s->call = jobs_args("pl_told");
	redis_arg(&s->call, r->id);
	redis_arg_int(&s->call, r->reports);
	bus_put(st);
	bus_step_add(st, s);
	strmap_remove(&own(st)->by_id, r->id);
	run_free(r);
}

static void ack(struct stage *st, const char *id, const char *destination)
{
	struct run *r = strmap_get(&own(st)->by_id, id);

	(void)destination;
	if (!r || st->is_stopping)
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
