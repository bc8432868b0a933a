/* load_run.c - the processes of a load; see load_run.h. */
#include "cmd/plimsoll/insist.h"
#include "cmd/plimsoll/load_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd/plimsoll/paths.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/event/event.h"

#define ARGS_MAX 24
#define START_AHEAD_MS 400	/* until all processes are there */
#define START_AHEAD_TLS_MS 1500 /* and have shaken hands */

/* ---- what a loader is told ---- */

static bool is_one_shard(const struct load_plan *p)
{
	return p->processes == 1 && p->work_count == 1;
}

static struct wall start_at(const struct load_run *r)
{
	bool is_tls = !strncmp(r->target->url, "https", 5);

	if (is_one_shard(r->plan) && !r->plan->works[0].start_ms)
		return (struct wall){0};
	return wall_add_ns(wall_now(), (is_tls ? START_AHEAD_TLS_MS : START_AHEAD_MS) * NS_PER_MS);
}

/* The shard's id, its subject and its event, appended as a line. -errno, told. */
static int add_shard(const struct load_run *r, const struct load_shard *sh, struct buf *out)
{
	const struct load_work *w = &r->plan->works[sh->work];
	char id[64], why[EVENT_WHY_SIZE];
	char *subject = x_asprintf("%s/%s", r->target->account, w->name);
	struct event ev;
	int rc;

	snprintf(id, sizeof(id), "%s.%zu", r->id, sh->work * r->plan->processes + sh->process);
	rc = event_new(&ev, EV_SHARD_PLANNED, id, subject, r->id, wall_now(), load_shard_json(sh),
		       why);
	free(subject);
	if (rc) {
		log_error("the load does not fit into an event: %s", why);
		return rc;
	}
	buf_add(out, ev.line, ev.line_bytes);
	buf_addc(out, '\n');
	event_release(&ev);
	return 0;
}

/* A file in memory with the shards of process i; -errno, told. */
static int make_input(const struct load_run *r, uint32_t i, struct wall at)
{
	struct buf text = BUF_INIT(LOAD_WORKS_MAX * 64u * 1024u);
	int fd = memfd_create("shards", MFD_CLOEXEC), rc = fd < 0 ? -errno : 0;

	for (size_t w = 0; w < r->plan->work_count && !rc; w++)
		rc = add_shard(r,
			       &(struct load_shard){.plan = r->plan,
						    .target = r->target,
						    .run = r->id,
						    .work = w,
						    .process = i,
						    .start_at = at},
			       &text);
	if (!rc)
		rc = fs_write_all(fd, text.data, text.len_bytes);
	if (!rc && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	buf_release(&text);
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

struct args {
	const char *argv[ARGS_MAX + 1];
	size_t argc;
	char rate[48], in_flight[24];
};

static void add_arg(struct args *a, const char *name, const char *value)
{
	BUG_ON(a->argc + 2 > ARGS_MAX);
	a->argv[a->argc++] = name;
	if (value)
		a->argv[a->argc++] = value;
}

/* The loader's own limits must not stand in the way of what a person asked for. */
static void make_args(const struct load_run *r, const char *program, struct args *a)
{
	const char *replay = r->plan->replay.file.folder;
	const char *files = replay ? replay : r->target->files;
	double rate = 1;
	uint64_t in_flight = 1;

	for (size_t i = 0; i < r->plan->work_count; i++) {
		rate = MAX_OF(rate, load_peak_per_s(&r->plan->works[i]));
		in_flight = MAX_OF(in_flight, r->plan->works[i].in_flight);
		in_flight = MAX_OF(in_flight, r->plan->works[i].vus);
	}
	snprintf(a->rate, sizeof(a->rate), "%.0f/s", rate + 1);
	snprintf(a->in_flight, sizeof(a->in_flight), "%llu", (unsigned long long)in_flight);
	add_arg(a, program, NULL);
	add_arg(a, "--config", r->config);
	add_arg(a, "--max-rate", a->rate);
	add_arg(a, "--max-in-flight", a->in_flight);
	add_arg(a, "--log-level", "error");
	if (r->plan->spin)
		add_arg(a, "--spin", r->plan->spin);
	if (r->plan->batch)
		add_arg(a, "--batch", r->plan->batch);
	if (r->state)
		add_arg(a, "--state", r->state);
	if (r->pause_file)
		add_arg(a, "--pause-file", r->pause_file);
	if (files)
		add_arg(a, "--files", files);
	if (r->private)
		add_arg(a, "--allow-private", NULL);
}

/* ---- what it says ---- */

static void begun(struct load_run *r)
{
	if (++r->begun >= r->plan->processes * r->plan->work_count && r->private)
		load_private_close(r->private);
}

static void finished(struct load_run *r, const struct json *data)
{
	size_t i = (size_t)json_int(json_at(data, "shard.index"));
	uint32_t n = r->plan->processes;

	if (i / n >= r->plan->work_count ||
	    load_result_add(&r->results[i / n], &r->plan->works[i / n], n, data) ||
	    load_result_add(&r->total, &r->plan->works[i / n], n, data))
		r->odd_lines++;
}

static void take_line(struct load_run *r, const struct line *line)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;

	if (event_parse(line->data, line->len_bytes, &ev, why)) {
		r->odd_lines++;
		return;
	}
	if (ev.kind == EV_SHARD_PROGRESS && json_get_int(ev.data, "elapsed_ms", 0) < 2000)
		begun(r);
	if (ev.kind == EV_SHARD_PROGRESS)
		load_live_progress(&r->live, ev.data);
	if (ev.kind == EV_SHARD_FINISHED)
		finished(r, ev.data);
	event_release(&ev);
}

static void stop_if_over(struct load_run *r, struct load_loader *ld)
{
	if (ld->is_running || ld->is_talking)
		return;
	if (--r->running == 0)
		loop_stop(r->loop);
}

static void on_output(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct load_loader *ld = CONTAINER_OF(w, struct load_loader, out);
	enum line_kind kind;
	struct line line;
	ssize_t got;

	(void)what;
	got = lines_fill(&ld->lines, w->fd);
	if (got == -EAGAIN || got == -EINTR)
		return;
	while ((kind = lines_next(&ld->lines, &line)) != LINE_NONE) {
		if (kind == LINE_OK)
			take_line(ld->run, &line);
		else
			ld->run->odd_lines++;
	}
	if (got > 0)
		return;
	loop_unwatch(l, w);
	ld->is_talking = false;
	stop_if_over(ld->run, ld);
}

static void stop_loaders(struct load_run *r, int signo)
{
	for (size_t i = 0; i < r->plan->processes; i++)
		if (r->loaders[i].is_running)
			proc_kill(&r->loaders[i].proc, signo);
}

/* Without its share the rest is not the load that was asked for. */
static void look_at_end(struct load_run *r, const struct load_loader *ld)
{
	if (ld->code == EXIT_FINE || r->was_cancelled)
		return;
	load_live_end(&r->live);
	if (ld->code == 128 + SIGABRT)
		log_error("plimsoll-loader met a bug of ours and stopped");
	else if (ld->code > 128)
		log_error("plimsoll-loader was killed by a signal (%s)", strsignal(ld->code - 128));
	stop_loaders(r, SIGTERM);
}

static void on_end(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct load_loader *ld = CONTAINER_OF(w, struct load_loader, end);
	int code = proc_reap(&ld->proc);

	(void)what;
	if (code == -EAGAIN)
		return;
	ld->code = code < 0 ? EXIT_AGAIN : code;
	loop_unwatch(l, w);
	ld->is_running = false;
	look_at_end(ld->run, ld);
	stop_if_over(ld->run, ld);
}

static void on_signal(struct loop *l, int signo, void *ctx)
{
	struct load_run *r = ctx;
	enum insist how = insist_on(&r->first_signal);
	bool is_first = how == INSIST_FIRST;

	(void)l, (void)signo;
	if (how == INSIST_ECHO)
		return;
	r->was_cancelled = true;
	load_live_end(&r->live);
	if (is_first)
		log_info("stopping; what was measured so far is told (again: at once)");
	stop_loaders(r, is_first ? SIGTERM : SIGKILL);
}

static void on_second(struct loop *l, struct loop_timer *t)
{
	struct load_run *r = CONTAINER_OF(t, struct load_run, second);

	load_live_show(&r->live);
	loop_timer_set_in(l, t, NS_PER_S);
}

/* ---- life ---- */

static int start(struct load_run *r, uint32_t i, struct wall at, const struct args *a)
{
	struct load_loader *ld = &r->loaders[i];
	const char *env[] = {r->private ? r->private->credentials : NULL, NULL};
	int in = make_input(r, i, at), rc;
	struct proc_spec spec = {
		.argv = a->argv,
		.env = env,
		.has_whole_env = true,
		.has_own_group = true,
		.dies_with_us = true,
		.in = in,
		.out = PROC_PIPE,
	};

	if (in < 0)
		return in;
	rc = proc_spawn(&spec, &ld->proc);
	close(in);
	if (rc) {
		log_error("cannot start %s: %s; is it installed beside plimsoll?", a->argv[0],
			  strerror(-rc));
		return rc;
	}
	ld->run = r;
	ld->is_running = ld->is_talking = true;
	r->running++;
	lines_init(&ld->lines, EVENT_LINE_MAX_BYTES);
	ld->out = (struct loop_watch){.ready = on_output, .fd = ld->proc.out, .want = LOOP_READ};
	ld->end = (struct loop_watch){.ready = on_end, .fd = ld->proc.pidfd, .want = LOOP_READ};
	rc = loop_watch(r->loop, &ld->out);
	return rc ? rc : loop_watch(r->loop, &ld->end);
}

static double children_cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static enum exit_code code_of(const struct load_run *r)
{
	enum exit_code code = EXIT_FINE;

	for (size_t i = 0; i < r->plan->processes; i++) {
		int own = r->loaders[i].code;

		if (own > 128)
			own = own == 128 + SIGABRT ? EXIT_BUG : EXIT_AGAIN;
		code = exit_code_worse(code, (enum exit_code)own);
	}
	if (r->total.shards < r->plan->processes * r->plan->work_count) {
		log_error("a loader ended without telling what it measured");
		code = exit_code_worse(code, EXIT_AGAIN);
	}
	return code;
}

static int begin(struct load_run *r)
{
	static const int signals[] = {SIGINT, SIGTERM};
	char *program = paths_program("plimsoll-loader");
	struct wall at = start_at(r);
	struct args a = {.argc = 0};
	int rc;

	digest_id_random('r', r->id);
	proc_want_descriptors(PROC_ALL_DESCRIPTORS);
	make_args(r, program, &a);
	rc = loop_signals(r->loop, signals, ARRAY_LEN(signals), on_signal, r);
	for (uint32_t i = 0; i < r->plan->processes && !rc; i++)
		rc = start(r, i, at, &a);
	if (rc)
		stop_loaders(r, SIGKILL);
	free(program);
	return rc;
}

enum exit_code load_run(struct load_run *r)
{
	int rc;

	for (size_t i = 0; i < r->plan->work_count; i++)
		load_result_init(&r->results[i]);
	load_result_init(&r->total);
	r->live.plan = r->plan;
	r->loop = loop_new();
	r->second = (struct loop_timer){.run = on_second};
	rc = begin(r);
	if (r->live.is_shown)
		loop_timer_set_in(r->loop, &r->second, NS_PER_S + 50 * NS_PER_MS);
	if (r->running)
		loop_run(r->loop);
	load_live_end(&r->live);
	loop_timer_clear(r->loop, &r->second);
	loop_free(r->loop);
	r->cpu_s = children_cpu_s();
	return rc ? EXIT_AGAIN : code_of(r);
}

bool load_run_is_complete(const struct load_run *r)
{
	return r->total.shards == r->plan->processes * r->plan->work_count && !r->total.failed &&
	       !r->total.was_cut && !r->odd_lines;
}

void load_run_release(struct load_run *r)
{
	for (size_t i = 0; i < r->plan->processes; i++) {
		proc_release(&r->loaders[i].proc);
		lines_release(&r->loaders[i].lines);
	}
	for (size_t i = 0; i < r->plan->work_count; i++)
		load_result_release(&r->results[i]);
	load_result_release(&r->total);
}
