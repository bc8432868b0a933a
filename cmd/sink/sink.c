/*
 * plimsoll-sink: the end of the pipe. It eats every event, hands results to the sinks, and its
 * exit code is the gate's. docs/STAGE.md has the contract, README.md the one-screen story.
 */
#include "cmd/sink/deliveries.h"
#include "cmd/sink/gate.h"
#include "cmd/sink/planned.h"
#include "cmd/sink/sinks.h"
#include "common/base/log.h"
#include "common/prom/prom.h"

struct options {
	struct opt_list to;
	bool needs_comparison, may_be_empty, is_only;
	int64_t retry_ms, sweep_ms;
};

struct sink_stage {
	struct stage *st;
	struct config *config; /* owned; NULL = none; the sinks borrow from it */
	struct config *newer;  /* owned; read again by SIGHUP, the exports borrow from it */
	struct sink_world world;
	struct sinks sinks;
	struct gate gate;
	struct planned planned;
	struct wall now; /* of the last event: a recorded input gives the same again */
	struct loop_timer finish_timer;
	struct deliveries deliveries; /* on the bus */
	bool is_stopped;	      /* by a signal: what was not read is not missing */
	bool is_ending, is_judged;
};

#define FINISH_RETRY_NS (50 * NS_PER_MS)

static void finish(struct loop *l, struct loop_timer *t);

/* Which figures of other tools become metrics: sources.*.export. */
static void read_exports(struct sink_world *w, const struct config *c)
{
	size_t count = 0;

	free(w->exports);
	w->export_count = 0;
	for (size_t i = 0; i < c->source_count; i++)
		count += c->sources[i].export_count;
	w->exports = x_calloc(count + 1, sizeof(*w->exports));
	for (size_t i = 0; i < c->source_count; i++) {
		const struct config_source *s = &c->sources[i];

		for (size_t k = 0; k < s->export_count; k++)
			w->exports[w->export_count++] =
				(struct ledger_export){s->name, s->exports[k]};
	}
}

static enum exit_code load_config(const char *path, struct config **out)
{
	struct config_errors errors = {0};
	int rc;

	*out = NULL;
	if (path == NULL)
		return EXIT_FINE;
	rc = config_load(path, out, &errors);
	if (rc != 0)
		config_errors_print(&errors, stderr);
	config_errors_release(&errors);
	return rc == 0 ? EXIT_FINE : EXIT_USAGE;
}

static bool choose_sinks(struct sink_stage *s, const struct options *o)
{
	for (size_t i = 0; i < o->to.count; i++) {
		if (!sinks_add(&s->sinks, o->to.items[i], &s->world))
			return false;
	}
	/* A person's summary of a pipe; a service has no person at its end. */
	if (o->to.count == 0 && !stage_is_bus(s->st) &&
	    !sinks_add(&s->sinks, "terminal", &s->world))
		return false;
	if (!o->is_only)
		sinks_add_configured(&s->sinks, &s->world);
	return sinks_check(&s->sinks);
}

static enum exit_code open_all(struct sink_stage *s, const struct options *o)
{
	enum exit_code code = load_config(stage_config_path(s->st), &s->config);

	if (code != EXIT_FINE)
		return code;
	s->world.config = s->config;
	if (s->config != NULL)
		read_exports(&s->world, s->config);
	if (!choose_sinks(s, o))
		return EXIT_USAGE;
	if (stage_is_check(s->st))
		return EXIT_FINE;
	return sinks_open(&s->sinks);
}

static void release(struct sink_stage *s)
{
	gate_release(&s->gate);
	planned_release(&s->planned);
	free(s->world.exports);
	config_free(s->config);
	config_free(s->newer);
	free(s);
}

static int sink_open(struct stage *st, void *opts, void **ctx)
{
	const struct options *o = opts;
	struct sink_stage *s = x_calloc(1, sizeof(*s));
	enum exit_code code;

	s->st = st;
	s->world.st = st;
	s->world.retry_ms = o->retry_ms;
	s->world.sweep_ms = o->sweep_ms;
	s->gate.needs_comparison = o->needs_comparison;
	s->gate.may_be_empty = o->may_be_empty;
	s->finish_timer.run = finish;
	if (stage_is_bus(st)) {
		deliveries_init(&s->deliveries, st, &s->sinks);
		s->world.deliveries = &s->deliveries;
	}
	code = open_all(s, o);
	if (code != EXIT_FINE) {
		sinks_close(&s->sinks);
		release(s);
		return (int)code;
	}
	*ctx = s;
	return EXIT_FINE;
}

/* In a pipe. On the bus the collector answers for every plan, and there is no gate. */
static void deliver(struct sink_stage *s, const struct event *ev)
{
	/* A plan that is told again after its result is owed nothing. */
	if (ev->kind == EV_RUN_PLANNED &&
	    !gate_knows(&s->gate, json_str(json_at(ev->data, "run.id"))))
		planned_add(&s->planned, ev);
	if (ev->kind == EV_FUNCTION_REMOVED)
		s->gate.has_change = true;
	if (ev->kind == EV_RUN_FINISHED) {
		planned_remove(&s->planned, json_str(json_at(ev->data, "run.id")));
		gate_add(&s->gate, ev->data);
	}
	sinks_deliver(&s->sinks, ev);
}

static int sink_take(struct stage *st, const struct event *ev, void *ctx)
{
	struct sink_stage *s = ctx;

	s->now = ev->time;
	if (stage_is_bus(st))
		deliveries_add(&s->deliveries, ev);
	else
		deliver(s, ev);
	return 0;
}

static bool sink_has_room(void *ctx)
{
	const struct sink_stage *s = ctx;

	return s->world.deliveries ? deliveries_have_room(s->world.deliveries)
				   : sinks_have_room(&s->sinks);
}

/* Plans that nobody answered get their answer from us, as the sinks have room for it. */
static void finish(struct loop *l, struct loop_timer *t)
{
	struct sink_stage *s = CONTAINER_OF(t, struct sink_stage, finish_timer);
	struct event ev;

	while (sinks_have_room(&s->sinks) && planned_next(&s->planned, s->now, &ev)) {
		deliver(s, &ev);
		event_release(&ev);
	}
	if (s->planned.open.count > 0) {
		loop_timer_set_in(l, t, FINISH_RETRY_NS);
		return;
	}
	s->is_judged = true;
	sinks_end(&s->sinks);
}

static void sink_end(struct stage *st, void *ctx)
{
	struct sink_stage *s = ctx;

	s->is_ending = true;
	if (s->is_stopped && planned_count(&s->planned) > 0)
		log_warn("stopped while %zu runs have no result", planned_count(&s->planned));
	finish(stage_loop(st), &s->finish_timer);
}

static void sink_stop(struct stage *st, void *ctx)
{
	struct sink_stage *s = ctx;

	(void)st;
	s->is_stopped = true;
	/* Nothing was heard yet, and nothing more will be: that is no missing verdict. */
	s->gate.may_be_empty = true;
}

/* Which sinks there are is fixed at the start; which figures become metrics is not. */
static void sink_reload(struct stage *st, void *ctx)
{
	struct sink_stage *s = ctx;
	struct config *newer;

	if (stage_config_path(st) == NULL)
		return;
	if (load_config(stage_config_path(st), &newer) != EXIT_FINE) {
		log_error("the settings are not good; the old ones stay in force");
		return;
	}
	read_exports(&s->world, newer);
	config_free(s->newer);
	s->newer = newer;
	log_info("settings read again; other sinks need a new start");
}

static size_t sink_held(void *ctx)
{
	const struct sink_stage *s = ctx;

	return sinks_held(&s->sinks) + (s->is_ending ? s->planned.open.count : 0);
}

static int sink_close(struct stage *st, void *ctx)
{
	struct sink_stage *s = ctx;
	enum exit_code code;

	deliveries_release(&s->deliveries);
	code = sinks_close(&s->sinks);
	if (!stage_is_check(st) && s->is_judged)
		code = exit_code_worse(code, gate_code(&s->gate));
	loop_timer_clear(stage_loop(st), &s->finish_timer);
	release(s);
	return (int)code;
}

#define ROW(field) offsetof(struct options, field)
static const struct opt rows[] = {
	{"to", 't', OPT_LIST, ROW(to), "SINK", NULL,
	 "terminal, pushgateway[=URL], archive[=PATH], file=PATH, exec=PROGRAM, junit=PATH, "
	 "github; may be repeated, "
	 "adds to those of the settings (default terminal)"},
	{"only", 0, OPT_FLAG, ROW(is_only), NULL, NULL,
	 "the sinks of --to and none of the settings: for telling old events again"},
	{"require-comparison", 0, OPT_FLAG, ROW(needs_comparison), NULL, NULL,
	 "not-compared is not good enough: exit 2"},
	{"allow-empty", 0, OPT_FLAG, ROW(may_be_empty), NULL, NULL,
	 "nothing changed is good: exit 0 instead of 2"},
	{"retry", 0, OPT_DURATION_MS, ROW(retry_ms), "TIME", "30s",
	 "after the last event, how long a Pushgateway that does not answer is tried"},
	{"sweep", 0, OPT_DURATION_MS, ROW(sweep_ms), "TIME", "1h",
	 "how often groups that --state does not know are removed from the Pushgateway; 0s = "
	 "never"},
};

static void sink_metrics(struct stage *st, struct prom *page, void *ctx)
{
	const struct sink_stage *s = ctx;
	int rc = prom_set(page, PM_SINK_REJECTED, NULL, (double)sinks_refused(&s->sinks));

	(void)st;
	BUG_ON(rc != 0);
}

int main(int argc, char **argv)
{
	static const char *const namespaces[] = {"sink", "gateways", "accepted", NULL};
	static const struct stage_def def = {
		.name = "sink",
		.inbox = INBOX_OUTBOX,
		.namespaces = namespaces,
		.synopsis = "[options] < events",
		.about = "Eats every event and writes the results where people look. Its exit "
			 "code is the\nanswer: the gate of a pipeline.",
		.exits =
			"  0 better, no difference, not compared, skipped; every objective met\n"
			"  1 worse, or an objective missed\n"
			"  2 cannot tell, suspect, invalid, an objective unknown, nothing changed\n"
			"  100 a run was refused, or options or settings are wrong\n"
			"  101 a bug of ours\n"
			"  111 incomplete, cancelled, failed; something could not be delivered\n"
			"  Of several runs the first of 101, 100, 111, 1, 2, 0 wins.",
		.eats = (1u << EV_KIND_COUNT) - 1,
		.is_end = true,
		.opts = rows,
		.opt_count = ARRAY_LEN(rows),
		.config_bytes = sizeof(struct options),
		.open = sink_open,
		.take = sink_take,
		.has_room = sink_has_room,
		.end = sink_end,
		.stop = sink_stop,
		.reload = sink_reload,
		.held = sink_held,
		.metrics = sink_metrics,
		.close = sink_close,
	};

	return stage_main(&def, argc, argv);
}
