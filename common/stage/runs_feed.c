#include "common/stage/runs_feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/stage/results.h"
#include "common/work/intake.h"

#define SHARDS_MAX 256

void run_free(struct run *r)
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

struct run *run_read(struct bus_parts *rows, struct redis_part *plan)
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

/* A loader's own words, cut on their way here: maybe within a letter, which JSON does not take. */
static struct json *reason_of(const char *why)
{
	size_t len_bytes = strlen(why);
	struct json *text = json_new_strn(why, len_bytes);

	for (int cut = 0; cut < 3 && len_bytes > 1 && !json_str(text); cut++) {
		json_free(text);
		text = json_new_strn(why, --len_bytes);
	}
	if (json_str(text))
		return text;
	json_free(text);
	return json_new_str("for no reason that is text");
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
	json_put(data, "reason", reason_of(*r->why ? r->why : why));
	if (event_new(&ev, EV_SHARD_FINISHED, id, plan->subject, r->id, plan->time, data, text)) {
		log_error("run %s: shard %zu cannot be told: %s", r->id, index, text);
	} else {
		push_line(r, ev.line, ev.line_bytes);
		event_release(&ev);
	}
	free(id);
}

/* 0, or -ENODATA when there never will be one, else a fault of the world. */
static int push_result(struct stage *st, struct run *r, const struct shard_file *s)
{
	struct buf text = BUF_INIT(EVENT_LINE_MAX_BYTES);
	int rc = results_read(st->opts.state, s->name, s->sha, &text);

	if (rc == 0)
		push_line(r, buf_str(&text), text.len_bytes);
	else
		log_error("results/%s cannot be used: %s", s->name, strerror(-rc));
	buf_release(&text);
	if (!results_is_lost(st->opts.state, rc))
		return rc;
	stage_count(st, "result-damaged");
	return -ENODATA;
}

static int push_shards(struct stage *st, struct run *r, const struct event *plan)
{
	int64_t of = json_get_int(plan->data, "shards", 1);
	size_t owed = of > 0 && of <= SHARDS_MAX ? (size_t)of : 1;
	const char *decision = json_get_str(plan->data, "decision");

	if (!decision || strcmp(decision, "test") != 0)
		return 0; /* the plan alone says all */
	for (size_t i = 0; i < owed; i++) {
		bool has_file = i < r->shard_count && r->shards[i].name;
		int rc = has_file ? push_result(st, r, &r->shards[i]) : -ENODATA;

		if (rc == -ENODATA)
			push_substitute(r, plan, i, owed,
					has_file ? "its result is damaged or gone"
						 : "it has no result");
		else if (rc)
			return rc;
	}
	return 0;
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

void run_add_reports(struct run *r, const struct json *reports)
{
	for (size_t i = 0; i < json_len(reports); i++)
		json_push(r->lines, json_ref(json_elem(reports, i)));
	r->reports = (int64_t)json_len(reports);
}

/* Reports go before results: with the last of these the stage may be done with the run. */
int run_feed(struct stage *st, struct run *r, const struct redis_part *plan,
	     const struct json *reports)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;
	int rc = event_parse(plan->data, plan->len_bytes, &ev, why);

	if (rc) { /* it stays for a person to see */
		stage_reject(st, "not-an-event", why, plan->data, plan->len_bytes);
		return -EINVAL;
	}
	rc = push_plan(r, &ev);
	run_add_reports(r, reports);
	if (!rc)
		rc = push_shards(st, r, &ev);
	event_release(&ev);
	return rc;
}
