/*
 * loader.c - plimsoll-loader: shards in, load out, results on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/unit.h"
#include "common/prom/prom.h"
#include "common/stage/stage.h"

#include "cmd/loader/job.h"

#define PAUSE_LOOK_NS NS_PER_S
#define SPIN_MAX_NS NS_PER_MS
#define BATCH_MAX_NS NS_PER_MS

struct options {
	uint64_t slots, max_in_flight;
	const char *max_rate, *pause_file, *credential_program, *files, *spin, *batch;
	bool allow_private;
};

static const struct opt option_rows[] = {
	{"slots", 0, OPT_U64, offsetof(struct options, slots), "N", "4",
	 "runs that may go side by side in this process; on the bus: shards"},
	{"pause-file", 0, OPT_STRING, offsetof(struct options, pause_file), "FILE", NULL,
	 "while it exists nothing is called; else pause under --state or the user's state folder"},
	{"max-rate", 0, OPT_STRING, offsetof(struct options, max_rate), "RATE", "1000/s",
	 "refuses shards that ask for more"},
	{"max-in-flight", 0, OPT_U64, offsetof(struct options, max_in_flight), "N", "1000",
	 "refuses shards that ask for more calls at once"},
	{"allow-private", 0, OPT_FLAG, offsetof(struct options, allow_private), NULL, NULL,
	 "hosts of an allow list may be at private addresses, whatever they are called"},
	{"files", 0, OPT_STRING, offsetof(struct options, files), "DIR", NULL,
	 "where the files are that shards name (rows, traces); else files: of the settings, else "
	 "their folder"},
	{"spin", 0, OPT_STRING, offsetof(struct options, spin), "TIME", "0s",
	 "before a call is due the processor is kept busy that long instead of sleeping: 50us "
	 "sends "
	 "more exactly, for more CPU; at most 1ms"},
	{"batch", 0, OPT_STRING, offsetof(struct options, batch), "TIME", "0s",
	 "calls may leave so much later than due, to leave together: for high rates, for less CPU; "
	 "at "
	 "most 1ms, not with --spin"},
	{"credential-program", 0, OPT_STRING, offsetof(struct options, credential_program), "FILE",
	 NULL, "run as FILE credential ACCOUNT for keys; else plimsoll beside this program"},
};

struct loader {
	struct job_world world;
	struct config *config;
	char *pause_file;
	uint64_t slots;
	struct loop_timer pause_timer;
};

/* ---- the pause file ---- */

/* Where `plimsoll pause` puts it. */
static char *default_pause_file(const char *state_dir)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state_dir)
		return x_asprintf("%s/pause", state_dir);
	if (state && *state == '/')
		return x_asprintf("%s/plimsoll/pause", state);
	return home && *home ? x_asprintf("%s/.local/state/plimsoll/pause", home) : NULL;
}

/* What was stopped from outside is no result on the bus: it is given back and begun again. */
static enum job_end stopped(const struct loader *ld)
{
	return ld->world.is_bus ? JOB_FENCED : JOB_CANCELLED;
}

static void look_at_pause(struct loop *l, struct loop_timer *t)
{
	struct loader *ld = CONTAINER_OF(t, struct loader, pause_timer);
	bool is_paused = ld->pause_file && access(ld->pause_file, F_OK) == 0;

	if (is_paused != ld->world.is_paused)
		log_info("%s: %s", ld->pause_file, is_paused ? "paused" : "going on");
	ld->world.is_paused = is_paused;
	for (struct job *j = ld->world.first; is_paused && j; j = j->next)
		if (j->state != JOB_WAITING || ld->world.is_bus)
			job_stop(j, stopped(ld), "paused");
	loop_timer_set_in(l, t, PAUSE_LOOK_NS);
}

/* ---- opening ---- */

static int read_config(const char *path, struct config **out)
{
	struct config_errors errs = {0};
	int rc;

	if (!path)
		return 0;
	rc = config_load(path, out, &errs);
	if (rc != 0)
		config_errors_print(&errs, stderr);
	config_errors_release(&errs);
	return rc;
}

static int open_limits(struct loader *ld, const struct options *o)
{
	struct guard *g = &ld->world.guard;

	g->config = ld->config;
	g->in_flight_max = o->max_in_flight;
	g->allow_private = o->allow_private;
	if (unit_parse_rate(o->max_rate, &g->rate_max_per_s) != 0 || g->rate_max_per_s <= 0) {
		log_error("--max-rate %s: expected %s", o->max_rate, unit_expected(UNIT_RATE));
		return -EINVAL;
	}
	if (o->slots < 1 || o->slots > 64) {
		log_error("--slots %llu: expected 1 to 64", (unsigned long long)o->slots);
		return -EINVAL;
	}
	ld->slots = o->slots;
	return 0;
}

static int loader_close(struct stage *st, void *ctx)
{
	struct loader *ld = ctx;

	(void)st;
	loop_timer_clear(ld->world.loop, &ld->pause_timer);
	jobs_drop(&ld->world);
	fences_close(&ld->world.fences);
	engine_free(ld->world.engine);
	free(ld->world.credential_program);
	free(ld->world.files);
	free(ld->pause_file);
	config_free(ld->config);
	free(ld);
	return EXIT_FINE;
}

static int open_spin(struct loop *l, const struct options *o)
{
	int64_t spin_ns;

	if (unit_parse_duration_ns(o->spin, &spin_ns) != 0 || spin_ns < 0 ||
	    spin_ns > SPIN_MAX_NS) {
		log_error("--spin %s: expected a duration of at most 1ms", o->spin);
		return -EINVAL;
	}
	loop_set_spin(l, spin_ns);
	return 0;
}

static int open_batch(struct loader *ld, const struct options *o)
{
	int64_t *batch_ns = &ld->world.batch_ns;
	int64_t spin_ns;

	if (unit_parse_duration_ns(o->batch, batch_ns) != 0 || *batch_ns < 0 ||
	    *batch_ns > BATCH_MAX_NS) {
		log_error("--batch %s: expected a duration of at most 1ms", o->batch);
		return -EINVAL;
	}
	if (!*batch_ns)
		return 0;
	if (unit_parse_duration_ns(o->spin, &spin_ns) != 0 || spin_ns != 0) {
		log_error("--batch and --spin exclude each other");
		return -EINVAL;
	}
	loop_set_rest(ld->world.loop, *batch_ns);
	engine_set_stamped(ld->world.engine);
	return 0;
}

static int open_fences(struct loader *ld, struct stage *st)
{
	int rc = fences_open(&ld->world.fences, stage_is_check(st) ? NULL : stage_state_dir(st));

	if (rc != 0)
		log_error("cannot make %s: %s", ld->world.fences.folder, strerror(-rc));
	return rc;
}

static int loader_open(struct stage *st, void *opts, void **ctx)
{
	struct options *o = opts;
	struct loader *ld = x_calloc(1, sizeof(*ld));

	proc_want_descriptors(PROC_ALL_DESCRIPTORS);
	ld->world.stage = st;
	ld->world.loop = stage_loop(st);
	ld->world.is_bus = stage_is_bus(st);
	ld->world.engine = engine_new(ld->world.loop);
	ld->world.credential_program = session_program(o->credential_program);
	ld->pause_file =
		o->pause_file ? x_strdup(o->pause_file) : default_pause_file(stage_state_dir(st));
	if (read_config(stage_config_path(st), &ld->config) != 0 || open_limits(ld, o) != 0 ||
	    open_spin(ld->world.loop, o) != 0 || open_batch(ld, o) != 0 ||
	    open_fences(ld, st) != 0) {
		(void)loader_close(st, ld);
		return EXIT_USAGE;
	}
	if (o->files || ld->config)
		ld->world.files = x_strdup(o->files ? o->files : ld->config->data_folder);
	ld->pause_timer.run = look_at_pause;
	look_at_pause(ld->world.loop, &ld->pause_timer);
	*ctx = ld;
	return EXIT_FINE;
}

/* ---- room ---- */

static bool is_same_run(const struct job *j, const char *run)
{
	return run && j->shard->run && strcmp(j->shard->run, run) == 0;
}

static bool is_at_work(const struct job *first, const char *run)
{
	while (first && !is_same_run(first, run))
		first = first->next;
	return first != NULL;
}

/* A place is for a run in a pipe, whose shards all come to us, and for a shard on the bus. */
static bool has_place(const struct loader *ld)
{
	uint64_t used = ld->world.count;

	for (const struct job *j = ld->world.first; j && !ld->world.is_bus; j = j->next)
		used -= is_at_work(j->next, j->shard->run);
	return used < ld->slots;
}

/* In a pipe the other shards of a run stand behind its first one. */
static bool is_run_begun(const struct loader *ld)
{
	const struct job *youngest = ld->world.first;

	return !ld->world.is_bus && youngest && youngest->shard->index + 1 < youngest->shard->of;
}

static bool has_room(void *ctx)
{
	struct loader *ld = ctx;

	if (ld->world.is_bus && ld->world.is_paused)
		return false;
	return has_place(ld) || is_run_begun(ld);
}

/* ---- events ---- */

static int take_shard(struct loader *ld, const struct event *ev)
{
	bool is_known = !ld->world.is_bus && is_at_work(ld->world.first, ev->run);
	struct shard *sh;
	char why[SHARD_WHY_SIZE];
	int rc;

	if (!is_known && !has_place(ld))
		return -EAGAIN;
	sh = shard_new(ev);
	rc = shard_parse(sh, ev->data, why);
	job_start(&ld->world, sh, rc != 0 ? why : NULL);
	return 0;
}

/* A run that is known here may get less time, or not be wanted any more. */
static void look_at_plan(struct loader *ld, const struct event *ev)
{
	const char *run = json_str(json_at(ev->data, "run.id"));
	const char *decision = json_get_str(ev->data, "decision");
	const char *deadline = json_get_str(ev->data, "deadline");
	struct wall at;

	for (struct job *j = ld->world.first; run && j; j = j->next) {
		if (!is_same_run(j, run))
			continue;
		if (decision && strcmp(decision, "test") != 0)
			job_stop(j, JOB_CANCELLED, "the plan was withdrawn");
		else if (deadline && wall_parse_rfc3339(deadline, &at) == 0)
			job_set_deadline(j, at);
	}
}

static int take(struct stage *st, const struct event *ev, void *ctx)
{
	(void)st;
	if (ev->kind == EV_SHARD_PLANNED)
		return take_shard(ctx, ev);
	look_at_plan(ctx, ev);
	return 0;
}

static size_t room(void *ctx)
{
	const struct loader *ld = ctx;

	return ld->world.count < ld->slots ? (size_t)ld->slots - ld->world.count : 0;
}

static size_t held(void *ctx)
{
	struct loader *ld = ctx;

	return ld->world.count;
}

static void stop(struct stage *st, void *ctx)
{
	struct loader *ld = ctx;

	(void)st;
	for (struct job *j = ld->world.first; j; j = j->next)
		job_stop(j, stopped(ld), "the loader was told to stop");
}

/* On the bus: another loader may have the run by now, or nobody wants it any more. */
static void on_revoke(struct stage *st, const char *run, const char *why, bool is_fenced, void *ctx)
{
	struct loader *ld = ctx;

	(void)st;
	for (struct job *j = ld->world.first; j; j = j->next)
		if (is_same_run(j, run))
			job_stop_now(j, is_fenced ? JOB_FENCED : JOB_CANCELLED, "%s", why);
}

static uint64_t in_flight_of(const struct loader *ld, const char *account)
{
	uint64_t sum = 0;

	for (const struct job *j = ld->world.first; j; j = j->next)
		if (j->shard->account && strcmp(j->shard->account, account) == 0)
			sum += j->in_flight;
	return sum;
}

/* Accounts of the settings, also while nothing is called; without settings those of the jobs. */
static void metrics(struct stage *st, struct prom *page, void *ctx)
{
	struct loader *ld = ctx;
	int rc = 0;

	(void)st;
	for (size_t i = 0; ld->config && i < ld->config->account_count && !rc; i++) {
		const char *labels[] = {ld->config->accounts[i].name};

		rc = prom_set(page, PM_IN_FLIGHT, labels, (double)in_flight_of(ld, *labels));
	}
	for (const struct job *j = ld->world.first; j && !rc; j = j->next) {
		const char *labels[] = {j->shard->account};

		if (j->shard->account)
			rc = prom_set(page, PM_IN_FLIGHT, labels,
				      (double)in_flight_of(ld, *labels));
	}
}

/* Runs that go on keep what they were given; the next one is held against the new file. */
static void reload(struct stage *st, void *ctx)
{
	struct loader *ld = ctx;
	struct config *fresh = NULL;

	if (read_config(stage_config_path(st), &fresh) != 0) {
		log_warn("the settings are no good; the last good ones stay in force");
		return;
	}
	config_free(ld->config);
	ld->config = fresh;
	ld->world.guard.config = fresh;
}

int main(int argc, char **argv)
{
	static const struct stage_def def = {
		.name = "loader",
		.synopsis = "[options] < shards > results",
		.about = "Calls what each planned shard says, when it says so, and measures. Every "
			 "shard\n"
			 "becomes one result, whatever happens. Tests have real effects: every "
			 "call\n"
			 "tells the function that it is one (Lambda client context\n"
			 "custom.plimsoll_run, HTTP header Plimsoll-Run).",
		.eats = EV_BIT(EV_SHARD_PLANNED),
		.reads = EV_BIT(EV_RUN_PLANNED),
		.inbox = INBOX_WORK,
		.opts = option_rows,
		.opt_count = ARRAY_LEN(option_rows),
		.config_bytes = sizeof(struct options),
		.open = loader_open,
		.take = take,
		.has_room = has_room,
		.room = room,
		.stop = stop,
		.reload = reload,
		.revoke = on_revoke,
		.metrics = metrics,
		.held = held,
		.close = loader_close,
	};

	return stage_main(&def, argc, argv);
}
