/* plimsoll-planner: changes in, plans out. The decisions are in plan.c; this is their state. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/planner/ledger.h"
#include "cmd/planner/plan.h"
#include "common/aws/aws.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/prom/prom.h"
#include "common/stage/stage.h"

#define PAYLOAD_MAX_BYTES ((size_t)6 * 1024 * 1024)

struct planner_opts {
	const char *old_qualifier, *new_qualifier, *test, *payload, *purpose, *confirms;
	bool is_dry_run;
};

#define ROW(field) offsetof(struct planner_opts, field)
static const struct opt rows[] = {
	{"old", 0, OPT_STRING, ROW(old_qualifier), "Q", NULL,
	 "the version to compare with; else the newest other one that can be called"},
	{"new", 0, OPT_STRING, ROW(new_qualifier), "Q", NULL,
	 "the version under test; else the one that the event names"},
	{"test", 0, OPT_STRING, ROW(test), "NAME", NULL, "this test, whatever the cause"},
	{"payload", 0, OPT_STRING, ROW(payload), "TEXT|@FILE", NULL,
	 "what the function is called with, instead of what its rule says"},
	{"purpose", 0, OPT_STRING, ROW(purpose), "WORD", NULL,
	 "manual, confirm or calibrate, whatever the cause"},
	{"confirms", 0, OPT_STRING, ROW(confirms), "RUN", NULL, "the run that a confirm repeats"},
	{"dry-run", 0, OPT_FLAG, ROW(is_dry_run), NULL, NULL,
	 "says calls, money, concurrency and the smallest effect; plans nothing to run"},
};
#undef ROW

struct planner {
	struct stage *stage;
	struct config *config;
	struct plan_options options;
	struct buf payload;
	struct json *spent;  /* without --state: what this process has planned */
	int64_t refused_day; /* of UTC: the last one whose money would not do for a run */
};

static struct config *load_config(const char *path)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	if (config_load(path, &c, &errs))
		config_errors_print(&errs, stderr);
	config_errors_release(&errs);
	return c;
}

static bool is_known_purpose(const char *purpose)
{
	return !purpose || strcmp(purpose, "manual") == 0 || strcmp(purpose, "confirm") == 0 ||
	       strcmp(purpose, "calibrate") == 0;
}

static int read_payload(struct planner *p, const char *text)
{
	int rc = 0;

	if (!text)
		return 0;
	if (*text == '@') {
		rc = fs_read(text + 1, &p->payload);
		if (rc)
			log_error("cannot read the payload %s: %s", text + 1, strerror(-rc));
	} else {
		buf_adds(&p->payload, text);
	}
	p->options.payload = buf_str(&p->payload);
	p->options.payload_bytes = p->payload.len_bytes;
	return rc;
}

static int check_options(struct planner *p, const struct planner_opts *o)
{
	if (!is_known_purpose(o->purpose)) {
		log_error("--purpose %s: expected manual, confirm or calibrate", o->purpose);
		return -EINVAL;
	}
	if (o->test && !config_test(p->config, o->test)) {
		log_error("--test %s: no such test in %s", o->test, p->config->path);
		return -EINVAL;
	}
	return read_payload(p, o->payload);
}

static int planner_close(struct stage *st, void *ctx)
{
	struct planner *p = ctx;

	(void)st;
	config_free(p->config);
	json_free(p->spent);
	buf_release(&p->payload);
	free(p);
	return EXIT_FINE;
}

static int read_settings(struct planner *p, const struct planner_opts *o)
{
	const char *path = stage_config_path(p->stage);

	if (!path) {
		log_error("no settings: give --config FILE (plimsoll init writes one)");
		return -ENOENT;
	}
	p->config = load_config(path);
	if (!p->config)
		return -EINVAL;
	p->options = (struct plan_options){
		.old_qualifier = o->old_qualifier,
		.new_qualifier = o->new_qualifier,
		.test = o->test,
		.purpose = o->purpose,
		.confirms = o->confirms,
		.is_dry_run = o->is_dry_run,
	};
	return check_options(p, o);
}

static int planner_open(struct stage *st, void *opts, void **ctx)
{
	struct planner *p = x_calloc(1, sizeof(*p));

	*p = (struct planner){.stage = st, .payload = BUF_INIT(PAYLOAD_MAX_BYTES)};
	if (read_settings(p, opts)) {
		planner_close(st, p);
		return EXIT_USAGE;
	}
	*ctx = p;
	return EXIT_FINE;
}

static char *endpoint_of(const struct planner *p, const struct event *ev)
{
	const struct config_account *a = NULL;
	struct subject s;

	if (!subject_parse(ev->subject, &s))
		a = config_account(p->config, s.account);
	if (!a || a->provider != PROVIDER_AWS)
		return NULL;
	return aws_endpoint(AWS_LAMBDA, a->endpoint, a->profile, a->region);
}

static int emit(struct planner *p, const struct event *ev, struct plan *plan)
{
	struct json *run = plan->run;
	int rc;

	plan->run = NULL; /* taken, as the shards are */
	rc = stage_emit_new(p->stage, EV_RUN_PLANNED, plan->run_id, ev->subject, plan->run_id,
			    ev->time, run);
	for (size_t i = 0; i < plan->shard_count && !rc; i++) {
		char *id = x_asprintf("%s.%zu", plan->run_id, i);
		struct json *shard = plan->shards[i];

		plan->shards[i] = NULL;
		rc = stage_emit_new(p->stage, EV_SHARD_PLANNED, id, ev->subject, plan->run_id,
				    ev->time, shard);
		free(id);
	}
	return rc;
}

static int64_t day_of(struct wall at)
{
	return wall_s(at) / (24 * 3600);
}

/* Books the money and the time of what is to run; false when it is not. *past is replaced. */
static bool book(struct planner *p, const struct event *ev, const struct plan *plan,
		 struct json **past)
{
	struct json *changed;

	if (plan->decision != DECIDE_TEST || plan->is_repeat)
		return false;
	changed = ledger_spend(p->spent, ev->time, plan->cost_micro_usd);
	json_free(p->spent);
	p->spent = changed;
	changed = ledger_note_plan(*past, ev->time, plan);
	json_free(*past);
	*past = changed;
	return true;
}

static struct json *remembered(const struct planner *p, const char *folder, const char *subject)
{
	char key[LEDGER_KEY_SIZE];

	ledger_key(folder, subject, key);
	return stage_state_get(p->stage, key);
}

static int take_changed(struct planner *p, const struct event *ev)
{
	char key[LEDGER_KEY_SIZE];
	struct plan_list list = {0};
	struct json *past = remembered(p, LEDGER_FUNCTIONS, ev->subject);
	struct json *duration = remembered(p, LEDGER_DURATIONS, ev->subject);
	struct json *history = remembered(p, LEDGER_HISTORY, ev->subject);
	struct json *accepted = remembered(p, LEDGER_ACCEPTED, ev->subject);
	struct json *calibrated = remembered(p, LEDGER_CALIBRATED, ev->subject);
	struct json *spent = stage_state_get(p->stage, LEDGER_SPENT_KEY);
	char *endpoint = endpoint_of(p, ev);
	bool is_booked = false;
	int rc = 0;

	ledger_key(LEDGER_FUNCTIONS, ev->subject, key);
	if (spent) { /* other processes book too; without --state ours is all there is */
		json_free(p->spent);
		p->spent = spent;
	}
	plan_make(&(struct plan_input){.event = ev,
				       .config = p->config,
				       .options = &p->options,
				       .endpoint = endpoint,
				       .past = past,
				       .history = history,
				       .accepted = accepted,
				       .calibrated = calibrated,
				       .call_ms = json_get_real(duration, "call_ms", 0),
				       .spent_micro_usd = ledger_spent(p->spent, ev->time)},
		  &list);
	for (size_t i = 0; i < list.count && !rc; i++) {
		is_booked |= book(p, ev, &list.items[i], &past);
		if (list.items[i].is_day_spent)
			p->refused_day = day_of(ev->time);
		rc = emit(p, ev, &list.items[i]);
	}
	if (!rc && is_booked) {
		stage_state_put(p->stage, LEDGER_SPENT_KEY, json_ref(p->spent));
		stage_state_put(p->stage, key, past);
		past = NULL;
	}
	plan_list_release(&list);
	json_free(past);
	json_free(duration);
	json_free(history);
	json_free(accepted);
	json_free(calibrated);
	free(endpoint);
	return rc;
}

/* The limit holds for all accounts together. A day whose money did not do for a run is spent, with
 * small change left. */
static void planner_metrics(struct stage *st, struct prom *page, void *ctx)
{
	const struct planner *p = ctx;
	int64_t left = p->config->limits.cost_per_day_micro_usd;
	struct wall now = wall_now();

	(void)st;
	left -= ledger_spent(p->spent, now);
	if (left < 0 || p->refused_day == day_of(now))
		left = 0;
	for (size_t i = 0; i < p->config->account_count; i++) {
		const char *labels[] = {p->config->accounts[i].name};
		int rc = prom_set(page, PM_BUDGET_REMAINING, labels, (double)left / 1e6);

		if (rc)
			return; /* more accounts than a page holds */
	}
}

static int planner_take(struct stage *st, const struct event *ev, void *ctx)
{
	/* All of it: numbers begin again with another function of the same name. */
	static const char *const folders[] = {LEDGER_FUNCTIONS, LEDGER_DURATIONS, LEDGER_HISTORY,
					      LEDGER_ACCEPTED, LEDGER_CALIBRATED};
	struct planner *p = ctx;
	char key[LEDGER_KEY_SIZE];

	if (ev->kind == EV_FUNCTION_CHANGED)
		return take_changed(p, ev);
	BUG_ON(ev->kind != EV_FUNCTION_REMOVED);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		ledger_key(folders[i], ev->subject, key);
		stage_state_put(st, key, NULL);
	}
	return 0;
}

static void planner_reload(struct stage *st, void *ctx)
{
	struct planner *p = ctx;
	struct config *c = load_config(stage_config_path(st));

	if (!c) {
		log_error("the settings have mistakes; the ones before stay in force");
		return;
	}
	if (p->options.test && !config_test(c, p->options.test)) {
		log_error("%s has no test %s any more, which --test names; the settings before "
			  "stay in force",
			  c->path, p->options.test);
		config_free(c);
		return;
	}
	config_free(p->config);
	p->config = c;
	log_info("settings read again");
}

int main(int argc, char **argv)
{
	static const char *const docs[] = {LEDGER_SPENT_KEY,
					   LEDGER_FUNCTIONS "/@",
					   LEDGER_DURATIONS "/@",
					   LEDGER_HISTORY "/@",
					   LEDGER_ACCEPTED "/@",
					   LEDGER_CALIBRATED "/@",
					   NULL};
	static const struct stage_def def = {
		.name = "planner",
		.inbox = INBOX_CHANGES,
		.docs = docs,
		.synopsis = "[options] < changes > plans",
		.about =
			"Decides for every change which tests are worth it, what the new version "
			"is "
			"compared\n"
			"with, how much is called at once and what it may cost. Every change gives "
			"run.planned\n"
			"for each test: test, skip or refuse, with the reason.",
		.reads = EV_BIT(EV_FUNCTION_CHANGED) | EV_BIT(EV_FUNCTION_REMOVED),
		.opts = rows,
		.opt_count = ARRAY_LEN(rows),
		.config_bytes = sizeof(struct planner_opts),
		.open = planner_open,
		.take = planner_take,
		.reload = planner_reload,
		.metrics = planner_metrics,
		.close = planner_close,
	};

	return stage_main(&def, argc, argv);
}
