/* admin_dead.c - `plimsoll admin dead list|retry|drop`: runs that were given up. */
#include <stdio.h>
#include <string.h>

#include "cmd/plimsoll/bus_view.h"
#include "cmd/plimsoll/command.h"
#include "common/base/log.h"
#include "common/jobs/jobs.h"

#define RUNS_MAX 1000

struct dead_opts {
	struct bus_opts bus;
};

static const struct opt rows[] = {BUS_OPT_ROWS(struct dead_opts, bus)};

static enum exit_code list(const struct door *d)
{
	const struct dead_opts *o = d->opts;
	struct bus_door bus;
	enum exit_code code = bus_door_open(&bus, d->config, &o->bus);

	if (code == EXIT_FINE)
		code = bus_view_list(&bus, "dead");
	bus_door_close(&bus);
	return code;
}

static const struct {
	const char *code, *retry, *drop;
} answers[] = {
	{"OK", "its change is queued again", "dropped"},
	{"NOOP", "is not dead, or its function has a newer change", "is not dead"},
	{"NONE", "there is no such run", "there is no such run"},
};

struct answer {
	const char *text;
	bool is_fine;
};

struct order {
	const char *what;
	struct answer answer;
};

static void on_reply(const struct redis_reply *reply, void *ctx)
{
	struct order *order = ctx;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (jobs_said(reply, answers[i].code))
			order->answer =
				(struct answer){strcmp(order->what, "retry") == 0 ? answers[i].retry
										  : answers[i].drop,
						i == 0};
}

static enum exit_code order_one(struct bus_door *bus, struct order *order, const char *run)
{
	struct redis_args a = jobs_args("pl_dead");
	enum exit_code code;

	order->answer = (struct answer){"Redis answered something unknown", false};
	redis_arg(&a, order->what);
	redis_arg(&a, run);
	code = bus_door_fcall(bus, &a, on_reply, order);
	if (code != EXIT_FINE)
		return code;
	if (!order->answer.is_fine) {
		log_error("%s: %s", run, order->answer.text);
		return EXIT_USAGE;
	}
	printf("%s: %s\n", run, order->answer.text);
	return EXIT_FINE;
}

/* All of them are tried; the worst code counts. */
static enum exit_code order_all(const struct door *d, const char *what)
{
	const struct dead_opts *o = d->opts;
	struct order order = {.what = what};
	struct bus_door bus;
	enum exit_code code = bus_door_open(&bus, d->config, &o->bus);
	bool is_open = code == EXIT_FINE;

	for (size_t i = 0; is_open && i < d->rest_count; i++)
		code = exit_code_worse(code, order_one(&bus, &order, d->rest[i]));
	bus_door_close(&bus);
	return code;
}

static enum exit_code retry(const struct door *d)
{
	return order_all(d, "retry");
}

static enum exit_code drop(const struct door *d)
{
	return order_all(d, "drop");
}

#define COMMON                                                                                     \
	.group = "administration", .rows = rows, .row_count = ARRAY_LEN(rows),                     \
	.opts_bytes = sizeof(struct dead_opts), .needs = TAKES_CONFIG

const struct command command_admin_dead_list = {
	COMMON,
	.name = "admin dead list",
	.help = "lists the runs that were given up",
	.synopsis = "[options]",
	.about = "Runs that were lost or failed too often (docs/STATE.md), and the last reason. "
		 "They\n"
		 "are told like every end, and kept 30 days.",
	.exits = "  0 listed   100 you must change something   111 Redis does not answer",
	.run = list,
};

const struct command command_admin_dead_retry = {
	COMMON,
	.name = "admin dead retry",
	.help = "queues the change of a run that was given up again",
	.synopsis = "[options] RUN...",
	.about = "The change is planned and tested anew, as another run. Not when its function has "
		 "a\n"
		 "newer change: that one is tested anyway.",
	.exits = "  0 queued   100 not possible, it says why   111 Redis does not answer",
	.rest_min = 1,
	.rest_max = RUNS_MAX,
	.wants = "name one run or more",
	.run = retry,
};

const struct command command_admin_dead_drop = {
	COMMON,
	.name = "admin dead drop",
	.help = "takes a run off the list of those that were given up",
	.synopsis = "[options] RUN...",
	.about = "The run is no longer listed. Nothing else happens: its end was told.",
	.exits = "  0 dropped   100 not possible, it says why   111 Redis does not answer",
	.rest_min = 1,
	.rest_max = RUNS_MAX,
	.wants = "name one run or more",
	.run = drop,
};
