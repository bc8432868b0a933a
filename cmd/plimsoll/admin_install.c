/* admin_install.c - `plimsoll admin install`: the functions of the services into Redis. */
#include "cmd/plimsoll/bus.h"
#include "cmd/plimsoll/command.h"
#include "common/base/log.h"
#include "common/jobs/jobs.h"

struct install_opts {
	struct bus_opts bus;
};

static const struct opt rows[] = {BUS_OPT_ROWS(struct install_opts, bus)};

/* Stays "" when nothing is loaded, or nothing that could say it. */
static void on_version(const struct redis_reply *reply, void *ctx)
{
	char *version = ctx;

	if (jobs_said(reply, "OK") && reply->count == 2)
		(void)snprintf(version, 20, "%s", reply->parts[1].data);
}

static void on_loaded(const struct redis_reply *reply, void *ctx)
{
	(void)reply, (void)ctx;
}

static enum exit_code install(const struct door *d)
{
	const struct install_opts *o = d->opts;
	struct redis_args a = REDIS_ARGS_INIT;
	char before[20] = "", now[20] = "";
	struct bus_door bus;
	enum exit_code code = bus_door_open(&bus, d->config, &o->bus);

	if (code == EXIT_FINE) {
		a = jobs_args("pl_version");
		code = bus_door_ask(&bus, &a, on_version, before);
	}
	if (code == EXIT_FINE) {
		redis_arg(&a, "FUNCTION");
		redis_arg(&a, "LOAD");
		redis_arg(&a, "REPLACE");
		redis_arg(&a, jobs_library);
		code = bus_door_fcall(&bus, &a, on_loaded, NULL);
	}
	if (code == EXIT_FINE) {
		a = jobs_args("pl_version");
		code = bus_door_fcall(&bus, &a, on_version, now);
	}
	if (code == EXIT_FINE && strcmp(now, JOBS_VERSION) != 0) {
		log_error("Redis says that the library has version %s, not " JOBS_VERSION, now);
		code = EXIT_BUG;
	} else if (code == EXIT_FINE) {
		printf("the library in Redis has version %s (before: %s)\n", now,
		       *before ? before : "none");
	}
	bus_door_close(&bus);
	return code;
}

const struct command command_admin_install = {
	.name = "admin install",
	.group = "administration",
	.help = "loads the functions of the services into Redis",
	.synopsis = "[options]",
	.about = "Loads the library of functions that the services call into Redis, in place of\n"
		 "an older one. A stage that finds another version than its own ends with 100: "
		 "stop\n"
		 "the stages before, start those of the same release afterwards. Needs a user of\n"
		 "Redis that may do it (`plimsoll admin acl`).",
	.exits = "  0 loaded   100 you must change something   111 Redis does not answer",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct install_opts),
	.needs = TAKES_CONFIG,
	.run = install,
};
