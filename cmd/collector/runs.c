/*
 * runs.c - plans, shards and reports by run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/runs.h"

#define RUN_ID_MAX_BYTES 64

struct run *runs_of(struct runs *rs, const char *id)
{
	struct run *r;

	if (!id || !*id || strlen(id) > RUN_ID_MAX_BYTES)
		return NULL;
	r = strmap_get(&rs->by_id, id);
	if (r)
		return r;
	r = x_calloc(1, sizeof(*r));
	r->id = x_strdup(id);
	r->figures = json_arr();
	r->order = rs->next_order++;
	strmap_put(&rs->by_id, id, r);
	return r;
}

static void free_json(void *v)
{
	json_free(v);
}

static void drop_shards(struct run *r)
{
	for (size_t i = 0; i < r->shard_count; i++)
		free(r->shards[i].line);
	free(r->shards);
	r->shards = NULL;
	r->shard_count = 0;
}

void run_drop_shards(struct runs *rs, struct run *r)
{
	for (size_t i = 0; i < r->shard_count; i++) {
		r->bytes -= r->shards[i].bytes;
		rs->bytes -= r->shards[i].bytes;
	}
	drop_shards(r);
}

static void empty(struct runs *rs, struct run *r)
{
	drop_shards(r);
	json_free(r->plan);
	json_free(r->told);
	json_free(r->figures);
	r->plan = r->told = r->figures = NULL;
	strmap_release(&r->reports, free_json);
	r->reports = (struct strmap){0};
	free(r->plan_line);
	free(r->subject);
	r->plan_line = r->subject = NULL;
	rs->bytes -= r->bytes;
	r->bytes = 0;
}

void run_set_told(struct runs *rs, struct run *r, const struct json *data, size_t bytes)
{
	json_free(r->told);
	r->told = json_copy(data);
	r->state = RUN_TOLD;
	if (!r->keeps_shards)
		drop_shards(r);
	rs->bytes -= r->bytes;
	r->bytes = bytes * RUN_TREE_FACTOR;
	for (size_t i = 0; i < r->shard_count; i++)
		r->bytes += r->shards[i].bytes;
	rs->bytes += r->bytes;
}

void run_forget(struct runs *rs, struct run *r, void (*before)(struct run *r))
{
	if (before)
		before(r);
	empty(rs, r);
	strmap_remove(&rs->by_id, r->id);
	free(r->id);
	free(r);
}

void runs_release(struct runs *rs, void (*before)(struct run *r))
{
	while (rs->by_id.count > 0)
		run_forget(rs, rs->by_id.items[rs->by_id.count - 1].value, before);
	strmap_release(&rs->by_id, NULL);
}

void run_close(struct runs *rs, struct run *r, void (*before)(struct run *r))
{
	if (before)
		before(r);
	empty(rs, r);
	r->state = RUN_OVER;
	for (size_t i = 0; rs->by_id.count > RUNS_MAX && i < rs->by_id.count; i++) {
		struct run *old = rs->by_id.items[i].value;

		if (old->state == RUN_OVER && old != r) {
			run_forget(rs, old, NULL);
			i--;
		}
	}
}

struct run *runs_overdue(const struct runs *rs)
{
	struct run *oldest = NULL;

	if (rs->bytes <= RUNS_MAX_BYTES && rs->by_id.count <= 2 * RUNS_MAX)
		return NULL;
	for (size_t i = 0; i < rs->by_id.count; i++) {
		struct run *r = rs->by_id.items[i].value;

		if (r->state != RUN_OVER && (!oldest || r->order < oldest->order))
			oldest = r;
	}
	return oldest;
}

static void use(struct runs *rs, struct run *r, const struct event *ev, size_t bytes)
{
	if (!r->subject && ev->subject)
		r->subject = x_strdup(ev->subject);
	if (r->last_heard.ns == 0 || wall_diff_ns(ev->time, r->last_heard) > 0)
		r->last_heard = ev->time;
	/* A report may come before or after the verdict, which must be the same either way. */
	if (ev->kind != EV_MEASUREMENT && (r->last.ns == 0 || wall_diff_ns(ev->time, r->last) > 0))
		r->last = ev->time;
	r->bytes += bytes;
	rs->bytes += bytes;
}

int run_take_plan(struct runs *rs, struct run *r, const struct event *ev)
{
	if (r->state == RUN_OVER || r->plan)
		return 0;
	if (json_get_int(ev->data, "shards", 0) > RUN_SHARDS_MAX)
		return -EINVAL;
	r->plan = json_ref(ev->data);
	r->plan_line = x_strndup(ev->line, ev->line_bytes);
	use(rs, r, ev, ev->line_bytes * (1 + RUN_TREE_FACTOR));
	return 0;
}

static struct run_shard *place_of(struct run *r, size_t index)
{
	if (index >= r->shard_count) {
		r->shards = x_realloc(r->shards, index + 1, sizeof(*r->shards));
		memset(r->shards + r->shard_count, 0,
		       (index + 1 - r->shard_count) * sizeof(*r->shards));
		r->shard_count = index + 1;
	}
	return &r->shards[index];
}

int run_take_shard(struct runs *rs, struct run *r, const struct event *ev)
{
	int64_t index = json_int(json_at(ev->data, "shard.index"));
	int64_t attempt = json_get_int(ev->data, "attempt", 0);
	struct run_shard *s;

	if (index < 0 || index >= RUN_SHARDS_MAX)
		return -EINVAL;
	if (r->state != RUN_WAITING)
		return 0;
	s = place_of(r, (size_t)index);
	/* Of two attempts at a shard the later one counts, whichever comes first. */
	if (s->line && attempt <= s->attempt)
		return 0;
	free(s->line);
	r->bytes -= s->bytes;
	rs->bytes -= s->bytes;
	*s = (struct run_shard){x_strndup(ev->line, ev->line_bytes), attempt, ev->line_bytes};
	use(rs, r, ev, ev->line_bytes);
	return 0;
}

int run_take_report(struct runs *rs, struct run *r, const struct event *ev)
{
	struct json *report;

	if (r->state == RUN_OVER || strmap_get(&r->reports, ev->id))
		return 0;
	if (r->reports.count >= RUN_MEASURES_MAX)
		return -ENOSPC;
	report = json_obj();
	json_put_str(report, "tool", json_get_str(ev->data, "tool"));
	json_put(report, "metrics", json_copy(json_get(ev->data, "metrics")));
	strmap_put(&r->reports, ev->id, report);
	r->is_dirty = true;
	use(rs, r, ev, ev->line_bytes * RUN_TREE_FACTOR);
	return 0;
}

struct json *run_shard_data(const struct run *r, size_t i)
{
	char why[EVENT_WHY_SIZE];
	struct json *data;
	struct event ev;

	if (i >= r->shard_count || !r->shards[i].line)
		return NULL;
	BUG_ON(event_parse(r->shards[i].line, r->shards[i].bytes, &ev, why) != 0);
	data = json_ref(ev.data);
	event_release(&ev);
	return data;
}

const char *run_decision(const struct run *r)
{
	const char *decision = json_get_str(r->plan, "decision");

	return decision ? decision : "";
}

size_t run_shards_owed(const struct run *r)
{
	int64_t owed = json_get_int(r->plan, "shards", 1);

	return owed > 0 ? (size_t)owed : 1;
}

size_t run_shards_missing(const struct run *r)
{
	size_t owed = run_shards_owed(r), there = 0;

	for (size_t i = 0; i < r->shard_count && i < owed; i++)
		there += r->shards[i].line != NULL;
	return owed - there;
}

struct json **run_shards_data(const struct run *r, size_t owed)
{
	struct json **shards = x_calloc(owed, sizeof(*shards));

	for (size_t i = 0; i < owed; i++)
		shards[i] = run_shard_data(r, i);
	return shards;
}

void run_shards_free(struct json **shards, size_t owed)
{
	for (size_t i = 0; i < owed; i++)
		json_free(shards[i]);
	free(shards);
}

bool run_is_complete(const struct run *r)
{
	return r->state == RUN_WAITING && r->plan && run_shards_missing(r) == 0;
}

struct named_report {
	const char *tool, *id;
	const struct json *report;
};

static int by_tool(const void *a, const void *b)
{
	const struct named_report *x = a, *y = b;
	int order = strcmp(x->tool, y->tool);

	return order ? order : strcmp(x->id, y->id);
}

struct json *run_external(const struct run *r)
{
	size_t count = 0, figures = json_len(r->figures);
	struct named_report *list = x_calloc(figures + r->reports.count + 1, sizeof(*list));
	struct json *out = json_arr();

	for (size_t i = 0; i < figures; i++)
		list[count++] = (struct named_report){"", "", json_elem(r->figures, i)};
	for (size_t i = 0; i < r->reports.count; i++)
		list[count++] = (struct named_report){"", r->reports.items[i].key,
						      r->reports.items[i].value};
	for (size_t i = 0; i < count; i++) {
		const char *tool = json_get_str(list[i].report, "tool");

		list[i].tool = tool ? tool : "";
	}
	qsort(list, count, sizeof(*list), by_tool);
	for (size_t i = 0; i < count; i++)
		json_push(out, json_copy(list[i].report));
	free(list);
	return out;
}
