/*
 * bus.c - the port to the bus: its life. Redis is the truth (common/jobs); what is due is asked
 * for when a kick says so and once a second besides; what a stage says becomes calls (bus_emit.c).
 */
#include <errno.h>
#include <string.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/stage/bus_private.h"

#define NAMESPACES_MAX 8
#define CLOSE_WAIT_NS (2 * NS_PER_S)

static const struct inbox *const inboxes[] = {
	[INBOX_NONE] = &inbox_none, [INBOX_CHANGES] = &inbox_changes, [INBOX_WORK] = &inbox_work,
	[INBOX_RUNS] = &inbox_runs, [INBOX_OUTBOX] = &inbox_outbox,
};

/* Asking for what is due. */

static bool is_reachable(const struct stage *st)
{
	return !st->bus->jobs || redis_is_up(jobs_redis(st->bus->jobs));
}

bool bus_may_take(const struct stage *st)
{
	const struct bus_port *b = st->bus;

	return !st->is_stopping && !st->is_over && b->open_calls < OPEN_CALLS_MAX &&
	       b->step_count < STEPS_MAX && is_reachable(st) &&
	       (!st->def->has_room || st->def->has_room(st->ctx));
}

void bus_bad_reply(struct stage *st, const char *function)
{
	log_error("%s answered what this program does not understand; see plimsoll admin doctor",
		  function);
	stage_fail(st, EXIT_USAGE);
}

static void asked(const struct redis_reply *reply, void *ctx)
{
	struct stage *st = ctx;
	struct bus_port *b = st->bus;
	struct bus_parts rows = {reply->parts, reply->count, false};
	size_t count = 0;

	b->is_asking = false;
	if (!bus_answered(st, reply))
		return;
	CRASH_POINT("stage.post-take");
	if (strcmp(bus_next(&rows), "OK") != 0 || !b->inbox->answer(st, &rows, &count))
		bus_bad_reply(st, b->inbox->function);
	else if (count >= b->ask_count)
		b->is_due = true; /* there may be more */
	b->ask_count = MIN_OF(2 * b->ask_count, (size_t)ASK_COUNT);
}

static void ask(struct stage *st)
{
	struct bus_port *b = st->bus;
	struct redis_args a;

	if (!b->inbox->function || !b->is_due || b->is_asking || !bus_may_take(st) ||
	    b->inbox->waiting(st) > b->ask_count / 2)
		return;
	b->is_due = false;
	b->is_asking = true;
	a = jobs_args(b->inbox->function);
	redis_arg_int(&a, (int64_t)b->ask_count);
	redis_arg_int(&a, b->inbox->hold_ms);
	if (b->inbox->add_args)
		b->inbox->add_args(st, &a);
	bus_call(st, &a, asked);
	redis_args_release(&a);
}

static void kicked(const char *queue, void *ctx)
{
	struct stage *st = ctx;
	struct bus_port *b = st->bus;

	if (!*queue || (b->inbox->queue && strcmp(queue, b->inbox->queue) == 0))
		b->is_due = true;
	if (b->inbox->kick && st->is_open)
		b->inbox->kick(st, queue);
}

/* Kicks may be lost. Not all at the same moment: +-20 %. */
static void set_poll(struct stage *st)
{
	static struct rng rng;

	if (rng.state == 0)
		rng.state = (uint64_t)mono_now().ns;
	st->bus->poll_at = mono_add_ns(mono_now(),
				       POLL_NS * 4 / 5 + (int64_t)rng_below(&rng, POLL_NS * 2 / 5));
	loop_timer_set(st->loop, &st->bus->poll, st->bus->poll_at);
}

/* systemctl status shows it. */
static void tell_status(struct stage *st)
{
	struct bus_port *b = st->bus;
	const char *now = b->jobs ? redis_trouble(jobs_redis(b->jobs)) : "";
	char *text;

	if (b->trouble && strcmp(b->trouble, now) == 0)
		return;
	free(b->trouble);
	b->trouble = x_strdup(now);
	text = x_asprintf("STATUS=%s%s", *now ? "Redis: " : "ready", now);
	stage_notify(text);
	free(text);
}

static void poll_is_due(struct loop *l, struct loop_timer *t)
{
	struct bus_port *b = CONTAINER_OF(t, struct bus_port, poll);
	struct stage *st = b->stage;
	int64_t late_ns = mono_diff_ns(mono_now(), b->poll_at);

	(void)l;
	st->metrics.loop_delay_ns = MAX_OF(st->metrics.loop_delay_ns, late_ns);
	tell_status(st);
	b->is_due = true;
	set_poll(st);
}

/* The turn of the loop. */

static void bus_turn(struct stage *st)
{
	struct bus_port *b = st->bus;

	ask(st);
	if (b->inbox->turn)
		b->inbox->turn(st);
	bus_steps_run(st);
	/* A source's state says what it has told: not before that has arrived. */
	if (b->jobs && (!st->def->is_source || b->open_calls == 0))
		bus_put(st);
	ask(st); /* what was offered made room */
}

void bus_go_on(struct stage *st)
{
	loop_timer_set(st->loop, &st->bus->again, mono_now());
}

/* Opening. */

static void failed(const char *why, void *ctx)
{
	struct stage *st = ctx;

	log_error("%s", why);
	stage_fail(st, EXIT_USAGE);
}

static int load_settings(struct stage *st)
{
	struct config_errors errs = {0};
	int rc;

	if (!st->opts.config) {
		log_error("--bus needs settings: give --config FILE");
		return EXIT_USAGE;
	}
	rc = config_load(st->opts.config, &st->bus->config, &errs);
	if (rc)
		config_errors_print(&errs, stderr);
	config_errors_release(&errs);
	if (!rc && !st->bus->config->bus.is_set) {
		log_error("--bus: %s has no bus: section", st->opts.config);
		rc = -EINVAL;
	}
	return rc ? EXIT_USAGE : EXIT_FINE;
}

struct bus_load {
	struct stage *stage;
	const char *namespace; /* NULL: whether Redis and its library are there */
};

static void loaded(const struct redis_reply *reply, void *ctx)
{
	struct bus_load *load = ctx;
	struct stage *st = load->stage;
	struct bus_parts p = {reply->parts, reply->count, false};

	st->bus->loading--;
	if (!bus_answered(st, reply) || strcmp(bus_next(&p), "OK") != 0)
		return;
	while (load->namespace && p.left > 1) {
		char *key = x_asprintf("%s/%s", load->namespace, bus_next(&p));
		struct redis_part text = bus_next_part(&p);

		bus_seed(st, key, &text);
		free(key);
	}
}

static void load(struct bus_load *what)
{
	struct stage *st = what->stage;
	struct redis_args a = jobs_args(what->namespace ? "pl_docs" : "pl_version");

	if (what->namespace)
		redis_arg(&a, what->namespace);
	st->bus->loading++;
	st->bus->open_calls++;
	jobs_call(st->bus->jobs, &a, loaded, what);
	redis_args_release(&a);
}

/* Waits for Redis, however long: READY promises that it is there. */
static void load_all(struct stage *st)
{
	struct bus_load loads[NAMESPACES_MAX + 1];
	size_t count = 0;

	loads[count] = (struct bus_load){st, NULL};
	load(&loads[count++]);
	for (const char *const *n = st->def->namespaces; n && *n; n++) {
		BUG_ON(count > NAMESPACES_MAX);
		loads[count] = (struct bus_load){st, *n};
		load(&loads[count++]);
	}
	while (st->bus->loading && !st->is_stopping && !st->is_over)
		loop_turn(st->loop, -1);
	st->is_over = st->is_over || st->is_stopping;
}

static char *user_of(const struct stage *st)
{
	return x_asprintf("pl-%s", st->def->name);
}

static int connect_redis(struct stage *st)
{
	char *user = user_of(st);

	st->bus->jobs = jobs_open(st->loop, &(struct jobs_options){
						    .settings = &st->bus->config->bus,
						    .user = user,
						    .kick = kicked,
						    .failed = failed,
						    .ctx = st,
					    });
	free(user);
	if (!st->bus->jobs)
		return EXIT_USAGE;
	load_all(st);
	return EXIT_FINE;
}

static void nothing_to_do(struct loop *l, struct loop_timer *t)
{
	(void)l, (void)t; /* the turn that follows looks at everything again */
}

static int bus_open(struct stage *st)
{
	struct bus_port *b = x_calloc(1, sizeof(*b));
	int code;

	*b = (struct bus_port){.stage = st, .inbox = inboxes[st->def->inbox], .end = &b->first};
	st->bus = b;
	b->ask_count = ASK_FIRST_COUNT;
	BUG_ON(state_open(NULL, &st->state) != 0);
	b->poll.run = poll_is_due;
	b->retry.run = b->again.run = nothing_to_do;
	code = load_settings(st);
	if (code || st->opts.is_check || st->def->inbox == INBOX_WORK)
		return code;
	return connect_redis(st);
}

static int bus_start(struct stage *st)
{
	set_poll(st);
	st->bus->is_due = true;
	return st->bus->inbox->open ? st->bus->inbox->open(st) : EXIT_FINE;
}

/* The end. */

static bool is_input_over(const struct stage *st)
{
	return st->is_input_done;
}

static bool is_blocked(const struct stage *st)
{
	const struct bus_port *b = st->bus;

	return b->open_calls >= OPEN_CALLS_MAX || b->step_count >= STEPS_MAX || !is_reachable(st);
}

static bool is_settled(const struct stage *st)
{
	const struct bus_port *b = st->bus;

	return b->open_calls == 0 && !b->first && state_put_count(st->state) == 0 &&
	       (!b->inbox->is_settled || b->inbox->is_settled(st));
}

static bool must_finish(const struct stage *st)
{
	return st->bus->inbox->must_finish;
}

static void bus_stop(struct stage *st)
{
	if (st->is_open && st->bus->inbox->stop)
		st->bus->inbox->stop(st);
}

static void bus_reload(struct stage *st)
{
	if (st->bus->inbox->reload)
		st->bus->inbox->reload(st);
}

static void bus_ack(struct stage *st, const char *id, const char *destination)
{
	if (st->bus->inbox->ack)
		st->bus->inbox->ack(st, id, destination);
}

static bool bus_is_acked(const struct stage *st, const char *id, const char *destination)
{
	return st->bus->inbox->is_acked && st->bus->inbox->is_acked(st, id, destination);
}

/* What the stage's close() put has to arrive. */
static void bus_close(struct stage *st)
{
	struct mono until = mono_add_ns(mono_now(), CLOSE_WAIT_NS);
	struct bus_port *b = st->bus;

	st->is_open = false;
	if (!b)
		return;
	if (b->jobs && st->code != EXIT_USAGE)
		bus_put(st);
	while (b->jobs && b->open_calls && st->code != EXIT_USAGE &&
	       mono_is_before(mono_now(), until))
		loop_turn(st->loop, CLOSE_WAIT_NS / 10);
	if (b->own && b->inbox->close)
		b->inbox->close(st);
}

static void bus_release(struct stage *st)
{
	struct bus_port *b = st->bus;

	if (!b)
		return;
	bus_steps_release(st);
	jobs_free(b->jobs);
	config_free(b->config);
	free(b->trouble);
	free(b);
}

/* /healthz: without Redis nothing goes on; a loader has none, and needs its planner. */
static bool bus_is_well(const struct stage *st, char why[200])
{
	const struct bus_port *b = st->bus;
	const char *trouble = b && b->jobs ? redis_trouble(jobs_redis(b->jobs)) : "";

	if (*trouble)
		snprintf(why, 200, "Redis: %s", trouble);
	else if (b && !is_reachable(st))
		snprintf(why, 200, "Redis: not connected");
	else if (b && b->inbox->is_well)
		return b->inbox->is_well(st, why);
	return b && !*trouble && is_reachable(st);
}

const struct stage_port stage_bus = {
	.is_well = bus_is_well,
	.open = bus_open,
	.start = bus_start,
	.turn = bus_turn,
	.emit = bus_emit,
	.is_input_over = is_input_over,
	.is_blocked = is_blocked,
	.is_settled = is_settled,
	.must_finish = must_finish,
	.close = bus_close,
	.release = bus_release,
	.stop = bus_stop,
	.reload = bus_reload,
	.ack = bus_ack,
	.is_acked = bus_is_acked,
};
