/*
 * collector.c - plimsoll-collector: holds runs until all their shards are there, judges them, and
 * tells the result. README.md beside it says what it eats and gives.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/amend.h"
#include "cmd/collector/ask_cloud.h"
#include "cmd/collector/finish.h"
#include "cmd/collector/kept.h"
#include "cmd/collector/past.h"
#include "common/base/log.h"

#define HISTORY "history" /* of the state: past.h */

/* Telling. */

static void before_close(struct run *r)
{
	loop_timer_clear(r->owner->cloud.loop, &r->amend_timer);
	sources_stop(&r->owner->sources, r);
	cloud_stop(r);
}

void collector_close(struct collector *c, struct run *r)
{
	run_close(&c->runs, r, before_close);
	stage_ack(c->st, r->id, NULL);
}

int collector_event(const struct run *r, struct json *data, struct event *ev,
		    char why[EVENT_WHY_SIZE])
{
	char *id = x_asprintf("%s.f%lld", r->id, (long long)json_get_int(data, "rev", 0));
	int rc =
		event_new(ev, EV_RUN_FINISHED, id, r->subject, r->id, r->last, json_ref(data), why);

	free(id);
	return rc;
}

/*
 * Sends it, without its histograms when it would be too large; keeps it for amendments. Shards come
 * from strangers: what cannot be said of them ends their run, and must not end us again and again.
 */
void collector_tell(struct collector *c, struct run *r, struct json *data_take)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;
	int rc = collector_event(r, data_take, &ev, why);

	if (rc == -E2BIG) {
		log_warn("run %s: the result is too large; its histograms are left out", r->id);
		json_del(data_take, "histograms");
		rc = collector_event(r, data_take, &ev, why);
	}
	if (rc != 0) {
		struct json *data = finish_untellable(r->plan, data_take, why, r->last);

		log_error("run %s ends without a verdict: its results cannot be told: %s", r->id,
			  why);
		json_free(data_take);
		data_take = data;
		rc = collector_event(r, data_take, &ev, why);
	}
	if (rc == 0) {
		run_set_told(&c->runs, r, data_take, ev.line_bytes);
		rc = stage_emit(c->st, &ev);
		event_release(&ev);
	}
	if (rc != 0) {
		log_error("cannot tell the end of run %s: %s", r->id, why);
		stage_fail(c->st, EXIT_AGAIN);
	}
	json_free(data_take);
}

static const char *missing_why(const struct collector *c, const struct run *r)
{
	if (run_shards_missing(r) == 0)
		return "";
	return c->is_ending ? "the input ended" : "more runs are open than memory is set aside for";
}

/* How long a call took, for the planner's next estimate: billed, else as seen from here. */
static void remember_call_time(const struct collector *c, const struct run *r,
			       const struct gathered *g)
{
	static const enum figure figures[] = {FIG_BILLED, FIG_SERVICE, FIG_RESPONSE};
	const struct hdr *h = NULL;
	struct json *doc;
	char *key;

	for (size_t i = 0; i < ARRAY_LEN(figures) && !(h && hdr_count(h)); i++)
		h = g->hist[VARIANT_NEW][figures[i]];
	if (!stage_has_state(c->st) || !r->subject || !h || !hdr_count(h))
		return;
	doc = json_obj();
	json_put_real(doc, "call_ms", hdr_mean(h) / 1000);
	json_put_str(doc, "run", r->id);
	key = x_asprintf("durations/%s", r->subject);
	stage_state_put(c->st, key, doc);
	free(key);
}

void collector_remember(const struct collector *c, const struct run *r, const struct gathered *g,
			const struct judgement *j)
{
	struct json *doc, *added;
	char *key;

	if (!stage_has_state(c->st) || !r->subject)
		return;
	key = x_asprintf(HISTORY "/%s", r->subject);
	doc = stage_state_get(c->st, key);
	added = past_add(doc, r->plan, g, j, r->last);
	if (added)
		stage_state_put(c->st, key, added);
	json_free(doc);
	free(key);
}

/*
 * What another process can draw the same verdict from. A target that was changed meanwhile is known
 * from the cloud and stands in no event, so such a run cannot be drawn again.
 */
static void keep(const struct collector *c, const struct run *r, struct buf *lines)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;

	if (!r->told || collector_event(r, r->told, &ev, why) != 0)
		return;
	kept_write(stage_state_dir(c->st), r->id, lines, ev.line, ev.line_bytes);
	event_release(&ev);
}

static void tell(struct collector *c, struct run *r, const char *changed)
{
	size_t owed = run_shards_owed(r);
	struct json **shards = run_shards_data(r, owed);
	struct judge_facts facts = {run_shards_missing(r), missing_why(c, r), changed};
	struct judgement *j = x_calloc(1, sizeof(*j));
	bool is_kept = stage_state_dir(c->st) && !changed;
	struct buf lines = BUF_INIT(KEPT_MAX_BYTES);
	struct gathered *g;
	struct json *data;

	g = gather_run(r->plan, (const struct json *const *)shards, owed);
	judge_run(r->plan, g, &facts, j);
	data = finish_judged(r->plan, g, j, r->last);
	remember_call_time(c, r, g);
	collector_remember(c, r, g, j);
	judgement_release(j);
	gathered_free(g);
	free(j);
	run_shards_free(shards, owed);
	r->keeps_shards = amend_may_name_environments(c, r);
	/* When others answer is not in the recorded events, so what they say waits for the
	 * amendment. */
	r->is_dirty = r->reports.count > 0 || json_len(r->figures) > 0;
	if (is_kept)
		kept_begin(&lines, r);
	collector_tell(c, r, data);
	if (is_kept)
		keep(c, r, &lines);
	buf_release(&lines);
	amend_ask_cloud(c, r);
	amend_if_due(c, r);
	amend_close_if_over(c, r);
}

static void begin_telling(struct collector *c, struct run *r)
{
	r->state = RUN_CHECKING;
	if (cloud_check_revision(&c->cloud, r))
		c->busy++;
	else
		tell(c, r, NULL);
}

/* Skipped and refused runs end where they began. */
static bool tell_unrun(struct collector *c, struct run *r)
{
	static const struct {
		const char *decision;
		enum run_outcome outcome;
	} rows[] = {{"skip", RUN_SKIPPED}, {"refuse", RUN_REFUSED}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(run_decision(r), rows[i].decision) != 0)
			continue;
		collector_tell(c, r, finish_unrun(r->plan, rows[i].outcome, r->last));
		collector_close(c, r);
		return true;
	}
	return false;
}

static void on_checked(struct run *r, const char *changed)
{
	r->owner->busy--;
	tell(r->owner, r, changed);
}

/* Taking. */

static int take_plan(struct collector *c, struct run *r, const struct event *ev)
{
	bool is_new = r->state == RUN_WAITING && !r->plan;
	int rc = run_take_plan(&c->runs, r, ev);

	if (rc != 0 || !is_new || tell_unrun(c, r) || !c->config)
		return rc;
	c->busy += sources_count(c->config); /* first: one that cannot start ends at once */
	sources_start(&c->sources, r, c->config);
	return 0;
}

/* A run that will never be complete must not fill the memory. */
static void give_up(struct collector *c, struct run *r)
{
	if (r->state == RUN_CHECKING) {
		cloud_stop(r);
		c->busy--;
		tell(c, r, NULL);
	} else if (r->state == RUN_WAITING && r->plan) {
		tell(c, r, NULL);
	} else if (r->state == RUN_WAITING) {
		stage_count(c->st, "result-without-plan");
	}
	if (r->state == RUN_TOLD && r->is_dirty)
		amend(c, r, NULL);
	c->busy -= r->sources_left + (r->ask ? 1 : 0);
	collector_close(c, r);
}

static int take(struct stage *st, const struct event *ev, void *ctx)
{
	struct collector *c = ctx;
	const char *id = ev->run ? ev->run : json_get_str(ev->data, "run");
	struct run *r = runs_of(&c->runs, id);
	int rc;

	if (r && r->state == RUN_OVER && ev->kind == EV_RUN_PLANNED && stage_is_bus(st)) {
		run_forget(&c->runs, r, NULL);
		r = runs_of(&c->runs, id);
	}
	if (!r)
		return -EINVAL;
	r->owner = c;
	r->amend_timer.run = amend_on_timer;
	if (ev->kind == EV_RUN_PLANNED)
		rc = take_plan(c, r, ev);
	else if (ev->kind == EV_SHARD_FINISHED)
		rc = run_take_shard(&c->runs, r, ev);
	else
		rc = run_take_report(&c->runs, r, ev);
	if (run_is_complete(r))
		begin_telling(c, r);
	amend_if_due(c, r);
	while ((r = runs_overdue(&c->runs)) != NULL)
		give_up(c, r);
	return rc;
}

/* Life. */

static int load_config(struct collector *c, struct config **out)
{
	const char *path = stage_config_path(c->st);
	struct config_errors errs = {0};
	int rc;

	*out = NULL;
	if (!path)
		return EXIT_FINE;
	rc = config_load(path, out, &errs);
	config_errors_print(&errs, stderr);
	config_errors_release(&errs);
	return rc ? EXIT_USAGE : EXIT_FINE;
}

/* A kept answer of the logs, where one is given. */
static int load_environments(struct collector *c)
{
	const char *path = c->opts->environments;
	int rc = path ? kept_logs_read(path, &c->environments) : 0;

	if (rc != 0)
		log_error("cannot read what logs said in %s: %s", path, strerror(-rc));
	return rc ? EXIT_USAGE : EXIT_FINE;
}

static int open_collector(struct stage *st, void *opts, void **ctx)
{
	struct collector *c = x_calloc(1, sizeof(*c));
	int code;

	c->st = st;
	c->opts = opts;
	code = load_config(c, &c->config);
	if (code == EXIT_FINE)
		code = load_environments(c);
	if (code != EXIT_FINE) {
		config_free(c->config);
		free(c);
		return code;
	}
	c->sources = (struct sources){.loop = stage_loop(st), .figures = amend_with_source_figures};
	c->cloud = (struct cloud){.loop = stage_loop(st),
				  .config = c->config,
				  .state_dir = stage_state_dir(st),
				  .opts = &c->opts->cloud,
				  .figures = amend_with_cloud_figures,
				  .environments = amend_with_environments,
				  .environments_over = amend_environments_over,
				  .checked = on_checked};
	*ctx = c;
	return EXIT_FINE;
}

static void reload(struct stage *st, void *ctx)
{
	struct collector *c = ctx;
	struct config *fresh;

	(void)st;
	if (load_config(c, &fresh) != EXIT_FINE || !fresh) {
		log_warn("the settings are not read again; the old ones stay in force");
		return;
	}
	/* Of two retired ones the older is free of users only when no source runs. */
	if (c->retired && c->sources.first) {
		log_warn("sources are still running on older settings; try again when they end");
		config_free(fresh);
		return;
	}
	config_free(c->retired);
	c->retired = c->config;
	c->config = fresh;
	c->cloud.config = fresh;
}

/* Visits every run that is not over; the list may change under it. */
static void each_run(struct collector *c, void (*visit)(struct collector *c, struct run *r))
{
	struct run **all = x_calloc(c->runs.by_id.count + 1, sizeof(struct run *));
	size_t count = 0;

	for (size_t i = 0; i < c->runs.by_id.count; i++) {
		struct run *r = c->runs.by_id.items[i].value;

		if (r->state != RUN_OVER)
			all[count++] = r;
	}
	for (size_t i = 0; i < count; i++)
		visit(c, all[i]);
	free(all);
}

static void end_run(struct collector *c, struct run *r)
{
	if (r->state == RUN_WAITING && r->plan)
		tell(c, r, NULL);
	else if (r->state == RUN_WAITING)
		log_warn("run %s: results came, but no plan; nothing can be told of it", r->id);
	amend_if_due(c, r);
	amend_close_if_over(c, r);
}

static void end(struct stage *st, void *ctx)
{
	struct collector *c = ctx;

	(void)st;
	c->is_ending = true;
	each_run(c, end_run);
}

static void stop_run(struct collector *c, struct run *r)
{
	c->busy -= r->sources_left;
	sources_stop(&c->sources, r);
	cloud_hurry(r);
}

/* What is known goes out; nobody is waited for. */
static void stop(struct stage *st, void *ctx)
{
	struct collector *c = ctx;

	(void)st;
	c->is_ending = c->is_stopping = true;
	each_run(c, stop_run);
}

static size_t held(void *ctx)
{
	const struct collector *c = ctx;
	size_t waiting = 0;

	for (size_t i = 0; !c->is_ending && i < c->runs.by_id.count; i++) {
		const struct run *r = c->runs.by_id.items[i].value;

		waiting += r->state == RUN_WAITING && r->plan;
	}
	return waiting + c->busy;
}

static int close_collector(struct stage *st, void *ctx)
{
	struct collector *c = ctx;

	(void)st;
	runs_release(&c->runs, before_close);
	config_free(c->config);
	config_free(c->retired);
	json_free(c->environments);
	free(c);
	return EXIT_FINE;
}

#define ROW(field) offsetof(struct collector_opts, field)
static const struct opt opts[] = {
	{"wait-cloud", 0, OPT_DURATION_MS, ROW(cloud.wait_ms), "TIME", "0s",
	 "how long to ask the cloud for its own figures after a verdict; 0s = not at all"},
	{"cloud-settle", 0, OPT_DURATION_MS, ROW(cloud.settle_ms), "TIME", "3m",
	 "figures count this long after the load (an account with an endpoint: at once)"},
	{"cloud-every", 0, OPT_DURATION_MS, ROW(cloud.every_ms), "TIME", "30s",
	 "between two reads, which must agree"},
	{"environments", 0, OPT_STRING, ROW(environments), "FILE", NULL,
	 "what the logs said of the run that comes (STATE/kept/RUN.logs), instead of asking"},
};

int main(int argc, char **argv)
{
	static const char *const namespaces[] = {HISTORY, NULL};
	static const struct stage_def def = {
		.name = "collector",
		.inbox = INBOX_RUNS,
		.namespaces = namespaces,
		.synopsis = "[options] < results > verdicts",
		.about =
			"Holds each run until its plan and all its shards are there, in any "
			"order,\n"
			"then compares the variants and sends run.finished. Asks the sources of\n"
			"--config, and with --wait-cloud the cloud, and sends what they say as an\n"
			"amendment (the same run, a higher rev).",
		.eats = EV_BIT(EV_SHARD_FINISHED) | EV_BIT(EV_MEASUREMENT),
		.reads = EV_BIT(EV_RUN_PLANNED),
		.opts = opts,
		.opt_count = ARRAY_LEN(opts),
		.config_bytes = sizeof(struct collector_opts),
		.open = open_collector,
		.take = take,
		.end = end,
		.stop = stop,
		.reload = reload,
		.held = held,
		.close = close_collector,
	};

	/* Our own child, not for people: see ask_cloud.h. */
	if (argc == 2 && strcmp(argv[1], "--ask-cloud") == 0)
		return ask_cloud_main();
	return stage_main(&def, argc, argv);
}
