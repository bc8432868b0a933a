/*
 * work_probe - broker, intake or worker alone, for tests/integration/test_work.py.
 *
 *	work_probe broker CONFIG
 *	work_probe intake CONFIG DIR
 *	work_probe worker CONFIG SPOOL ACCOUNTS SLOTS DURATION_MS
 *
 * The worker's load is a timer: each shard takes DURATION_MS from its start_at and ends as
 *complete, cancelled or fenced. Lines on stdout: work RUN I ATTEMPT, start RUN I WALL_US, end RUN I
 *OUTCOME, revoke RUN WHY. SIGTERM ends what runs and waits until nothing is held.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/work/broker.h"
#include "common/work/intake.h"
#include "common/work/worker.h"

#define SHARDS_MAX 64

struct load {
	struct loop_timer timer;
	char run[64];
	int64_t index, attempt;
	bool is_on, has_begun;
	const char *outcome; /* of what was revoked */
};

static struct {
	struct loop *loop;
	struct config *config;
	struct jobs *jobs;
	struct broker *broker;
	struct intake *intake;
	struct worker *worker;
	struct load load[SHARDS_MAX];
	size_t slots;
	int64_t duration_ms;
	bool is_ending;
	struct loop_timer end_timer;
} probe;

static struct load *load_next(void)
{
	for (size_t i = 0; i < SHARDS_MAX; i++)
		if (!probe.load[i].is_on)
			return &probe.load[i];
	return NULL;
}

static size_t room(void *ctx)
{
	size_t busy = 0;

	(void)ctx;
	for (size_t i = 0; i < SHARDS_MAX; i++)
		busy += probe.load[i].is_on;
	return probe.slots > busy ? probe.slots - busy : 0;
}

static void end(struct load *ld, const char *outcome)
{
	char id[100], why[EVENT_WHY_SIZE];
	struct json *data = json_obj(), *shard = json_obj();
	struct event ev;

	loop_timer_clear(probe.loop, &ld->timer);
	ld->is_on = false;
	(void)snprintf(id, sizeof(id), "%s.%" PRId64 ".%" PRId64, ld->run, ld->index, ld->attempt);
	json_put_str(data, "run", ld->run);
	json_put_int(shard, "index", ld->index);
	json_put_int(shard, "of", 1);
	json_put(data, "shard", shard);
	json_put_int(data, "attempt", ld->attempt);
	json_put_str(data, "outcome", outcome);
	BUG_ON(event_new(&ev, EV_SHARD_FINISHED, id, "prod/hello", ld->run, wall_now(), data,
			 why) != 0);
	printf("end %s %" PRId64 " %s\n", ld->run, ld->index, outcome);
	worker_finished(probe.worker, &ev);
	event_release(&ev);
}

static void on_load_timer(struct loop *l, struct loop_timer *t)
{
	struct load *ld = CONTAINER_OF(t, struct load, timer);

	if (ld->has_begun || ld->outcome) {
		end(ld, ld->outcome ? ld->outcome : "complete");
		return;
	}
	ld->has_begun = true;
	printf("start %s %" PRId64 " %" PRId64 "\n", ld->run, ld->index, wall_now().ns / NS_PER_US);
	loop_timer_set_in(l, t, probe.duration_ms * NS_PER_MS);
}

static bool work(const struct event *ev, void *ctx)
{
	struct load *ld = load_next();
	const char *start_at = json_get_str(ev->data, "start_at");
	struct wall at;
	int64_t wait_ns = 0;

	(void)ctx;
	if (!ld || !room(NULL))
		return false;
	*ld = (struct load){.timer.run = on_load_timer, .is_on = true};
	(void)snprintf(ld->run, sizeof(ld->run), "%s", json_get_str(ev->data, "run"));
	ld->index = json_int(json_at(ev->data, "shard.index"));
	ld->attempt = json_get_int(ev->data, "attempt", -1);
	printf("work %s %" PRId64 " %" PRId64 "\n", ld->run, ld->index, ld->attempt);
	if (start_at && wall_parse_rfc3339(start_at, &at) == 0)
		wait_ns = wall_diff_ns(at, wall_now());
	loop_timer_set_in(probe.loop, &ld->timer, MAX_OF(wait_ns, INT64_C(0)));
	return true;
}

static void give_up(const char *run, const char *why, bool is_fenced, void *ctx)
{
	const char *linger_ms = getenv("PROBE_LINGER_MS");

	(void)ctx;
	printf("revoke %s %s\n", run, why);
	for (size_t i = 0; i < SHARDS_MAX; i++) {
		struct load *ld = &probe.load[i];

		if (!ld->is_on || strcmp(ld->run, run) != 0)
			continue;
		ld->outcome = is_fenced ? "fenced" : "cancelled";
		if (linger_ms)
			loop_timer_set_in(probe.loop, &ld->timer,
					  strtol(linger_ms, NULL, 10) * NS_PER_MS);
		else
			end(ld, ld->outcome);
	}
}

static void on_end_timer(struct loop *l, struct loop_timer *t)
{
	if (!probe.worker || worker_held(probe.worker) == 0)
		loop_stop(l);
	else
		loop_timer_set_in(l, t, 20 * NS_PER_MS);
}

static void on_signal(struct loop *l, int signo, void *ctx)
{
	(void)signo, (void)ctx;
	if (probe.is_ending) {
		loop_stop(l);
		return;
	}
	probe.is_ending = true;
	if (probe.worker)
		worker_stop(probe.worker);
	for (size_t i = 0; i < SHARDS_MAX; i++)
		if (probe.load[i].is_on)
			end(&probe.load[i], "cancelled");
	loop_timer_set_in(l, &probe.end_timer, 0);
}

static void on_kick(const char *queue, void *ctx)
{
	(void)ctx;
	if (probe.broker && (!*queue || !strcmp(queue, "run")))
		broker_kick(probe.broker);
}

static void on_failed(const char *why, void *ctx)
{
	(void)ctx;
	log_error("%s", why);
	exit(100);
}

static bool open_jobs(const char *user)
{
	probe.jobs = jobs_open(probe.loop, &(struct jobs_options){.settings = &probe.config->bus,
								  .user = user,
								  .kick = on_kick,
								  .failed = on_failed});
	return probe.jobs != NULL;
}

static bool open_role(char **arg, int count)
{
	struct worker_owner owner = {.work = work, .revoke = give_up, .room = room};
	const struct config_bus *bus = &probe.config->bus;

	if (!strcmp(arg[1], "broker") && open_jobs("pl-planner"))
		probe.broker = broker_open(probe.loop, probe.jobs, bus);
	else if (!strcmp(arg[1], "intake") && count == 4 && open_jobs("pl-collector"))
		probe.intake = intake_open(probe.loop, probe.jobs, bus, arg[3]);
	if (!strcmp(arg[1], "worker") && count == 7) {
		owner.spool_dir = arg[3];
		owner.accounts = arg[4];
		probe.slots = strtoul(arg[5], NULL, 10);
		probe.duration_ms = strtol(arg[6], NULL, 10);
		probe.worker = worker_open(probe.loop, bus, &owner);
	}
	return probe.broker || probe.intake || probe.worker;
}

int main(int argc, char **argv)
{
	static const int signals[] = {SIGTERM, SIGINT};
	struct config_errors errors = {0};

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("work_probe");
	event_set_source("loader");
	probe.loop = loop_new();
	probe.end_timer.run = on_end_timer;
	if (argc < 3 || config_load(argv[2], &probe.config, &errors) != 0) {
		config_errors_print(&errors, stderr);
		return 100;
	}
	if (loop_signals(probe.loop, signals, ARRAY_LEN(signals), on_signal, NULL) != 0 ||
	    !open_role(argv, argc))
		return 100;
	printf("ready\n");
	loop_run(probe.loop);
	worker_free(probe.worker);
	broker_free(probe.broker);
	intake_free(probe.intake);
	jobs_free(probe.jobs);
	config_free(probe.config);
	config_errors_release(&errors);
	loop_free(probe.loop);
	return 0;
}
