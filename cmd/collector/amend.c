/*
 * amend.c - the amendments of a run.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/amend.h"
#include "cmd/collector/bookkeeping.h"
#include "cmd/collector/finish.h"
#include "cmd/collector/kept.h"
#include "cmd/collector/log_environments.h"
#include "common/base/log.h"

/* Reports of other tools that come after the verdict are put into one amendment after this. */
#define REPORTS_WAIT_MS 60000

void amend_close_if_over(struct collector *c, struct run *r)
{
	bool is_last = c->is_ending || (stage_is_bus(c->st) && !r->is_dirty);

	if (is_last && r->state == RUN_TOLD && r->sources_left == 0 && !r->ask)
		collector_close(c, r);
}

static void add_figures(struct json *data, struct json *external_take)
{
	json_put(data, "external", external_take);
	objectives_judge_figures(data);
}

void amend(struct collector *c, struct run *r, struct json *cloud_take)
{
	struct json *data = finish_amended(r->told, r->last_heard);
	int64_t told_rev = json_get_int(r->plan, "told_rev", -1); /* by an earlier process */

	if (cloud_take) {
		char now[WALL_RFC3339_SIZE];

		json_put_str(data, "bookkeeping", bookkeeping_of(data, cloud_take));
		wall_format_rfc3339(wall_now(), now);
		json_put_str(cloud_take, "read_at", now);
		json_put(data, "cloud", cloud_take);
	}
	add_figures(data, run_external(r));
	if (json_get_int(data, "rev", 0) <= told_rev)
		json_put_int(data, "rev", told_rev + 1);
	r->is_dirty = false;
	collector_tell(c, r, data);
}

void amend_on_timer(struct loop *l, struct loop_timer *t)
{
	struct run *r = CONTAINER_OF(t, struct run, amend_timer);

	(void)l;
	if (r->state == RUN_TOLD && r->is_dirty)
		amend(r->owner, r, NULL);
	amend_close_if_over(r->owner, r);
}

void amend_if_due(struct collector *c, struct run *r)
{
	if (r->state != RUN_TOLD || !r->is_dirty || r->sources_left > 0 || r->ask)
		return;
	if (c->is_ending || json_len(r->figures) > 0 || json_get(r->plan, "told_rev"))
		amend(c, r, NULL);
	else if (!loop_timer_is_set(&r->amend_timer))
		loop_timer_set_in(c->cloud.loop, &r->amend_timer, REPORTS_WAIT_MS * NS_PER_MS);
}

/* The cloud. */

/* Of the environments an answer may have named nothing more is to be learnt. */
static bool may_be_amended(const struct run *r)
{
	const char *interval = json_str(json_at(r->told, "basis.interval"));
	const char *outcome = json_get_str(r->told, "outcome");
	const char *compare = json_get_str(r->told, "compare");

	return r->keeps_shards && outcome && strcmp(outcome, run_outcome_name(RUN_VALID)) == 0 &&
	       compare && strcmp(compare, "interleaved") == 0 && interval &&
	       strcmp(interval, estimate_basis_name(BASIS_ENVIRONMENTS)) != 0;
}

bool amend_may_name_environments(const struct collector *c, const struct run *r)
{
	return c->environments || cloud_wants_environments(&c->cloud, r);
}

void amend_ask_cloud(struct collector *c, struct run *r)
{
	if (c->environments && may_be_amended(r))
		amend_with_environments(r, c->environments);
	else if (may_be_amended(r) && cloud_ask_environments(&c->cloud, r)) {
		c->busy++;
		return;
	}
	r->keeps_shards = false;
	run_drop_shards(&c->runs, r);
	c->busy += cloud_ask_figures(&c->cloud, r);
}

void amend_with_cloud_figures(struct run *r, struct json *cloud_take)
{
	struct collector *c = r->owner;

	c->busy--;
	if (cloud_take)
		amend(c, r, cloud_take);
	else
		log_warn("the cloud gave no figures for run %s", r->id);
	amend_if_due(c, r);
	amend_close_if_over(c, r);
}

/*
 * As it comes out of the run and these logs alone, whatever has been told of it meanwhile, so that
 * it can be drawn again.
 */
static void keep(const struct collector *c, const struct run *r, const struct json *answer,
		 const struct json *judged)
{
	const char *dir = stage_state_dir(c->st);
	char why[EVENT_WHY_SIZE];
	struct json *data;
	struct event ev;

	if (!dir || c->environments)
		return;
	data = finish_amended(judged, r->last);
	add_figures(data, json_arr());
	if (collector_event(r, data, &ev, why) == 0) {
		kept_logs_write(dir, r->id, answer, ev.line, ev.line_bytes);
		event_release(&ev);
	}
	json_free(data);
}

/* Data of run.finished as it is with these shards, or NULL when the names are not believed. */
static struct json *judge_named(const struct run *r, struct json *const *named, size_t owed)
{
	struct gathered *g = gather_run(r->plan, (const struct json *const *)named, owed);
	struct judgement *j = x_calloc(1, sizeof(*j));
	struct judge_facts facts = {0};
	struct json *data = NULL;

	judge_run(r->plan, g, &facts, j);
	if (j->interval_basis == BASIS_ENVIRONMENTS) {
		data = finish_judged(r->plan, g, j, r->last);
		json_put_str(json_get(data, "basis"), "environments_from", "logs");
		collector_remember(r->owner, r, g, j);
	}
	judgement_release(j);
	free(j);
	gathered_free(g);
	return data;
}

bool amend_with_environments(struct run *r, const struct json *answer)
{
	size_t owed = run_shards_owed(r);
	struct json **shards = run_shards_data(r, owed), *data = NULL;
	struct named_calls n = {0};
	bool is_enough = true;

	for (size_t i = 0; i < owed; i++) {
		struct json *named = log_environments_put(shards[i], log_stream_of, answer, &n);

		json_free(shards[i]);
		shards[i] = named;
		is_enough = is_enough && named;
	}
	is_enough = is_enough && named_calls_suffice(&n);
	if (is_enough)
		data = judge_named(r, shards, owed);
	else
		log_warn("run %s: the logs name the environments of %zu of %zu calls", r->id,
			 n.named, n.asked);
	run_shards_free(shards, owed);
	if (data) {
		keep(r->owner, r, answer, data);
		json_put_int(data, "rev", json_get_int(r->told, "rev", 0));
		json_free(r->told);
		r->told = data;
		amend(r->owner, r, NULL);
	}
	return is_enough;
}

void amend_environments_over(struct run *r)
{
	struct collector *c = r->owner;

	c->busy--;
	r->keeps_shards = false;
	run_drop_shards(&c->runs, r);
	c->busy += !c->is_stopping && cloud_ask_figures(&c->cloud, r);
	amend_if_due(c, r);
	amend_close_if_over(c, r);
}

/* Sources. */

void amend_with_source_figures(struct run *r, struct json *figures_take)
{
	struct collector *c = r->owner;

	c->busy--;
	if (figures_take) {
		json_push(r->figures, figures_take);
		r->is_dirty = true;
	}
	amend_if_due(c, r);
	amend_close_if_over(c, r);
}
