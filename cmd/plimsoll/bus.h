/*
 * bus.h - a command's way to the services: the settings' bus: section and Redis.
 *
 *	struct bus_door bus;
 *	enum exit_code code = bus_door_open(&bus, d->config, &opts->bus);
 *	if (code == EXIT_FINE)
 *		code = bus_door_ask(&bus, &args, on_reply, ctx);
 *	bus_door_close(&bus);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_BUS_H
#define PLIMSOLL_CMD_PLIMSOLL_BUS_H

#include "common/base/exit_code.h"
#include "common/base/opt.h"
#include "common/config/config.h"
#include "common/redis/redis.h"

struct bus_opts {
	const char *user, *secret;
	int64_t wait_ms;
};

/* Rows of a command whose options O have struct bus_opts as their member M. */
#define BUS_OPT_ROW_USER(O, M)                                                                     \
	{                                                                                          \
		"user", 0, OPT_STRING, offsetof(O, M.user), "NAME", "pl-admin", "user of Redis"    \
	}
#define BUS_OPT_ROW_SECRET(O, M)                                                                   \
	{                                                                                          \
		"secret", 0, OPT_STRING, offsetof(O, M.secret), "REF", NULL, BUS_SECRET_HELP       \
	}
#define BUS_OPT_ROW_WAIT(O, M)                                                                     \
	{                                                                                          \
		"wait", 0, OPT_DURATION_MS, offsetof(O, M.wait_ms), "TIME", "5s",                  \
			"how long Redis may take"                                                  \
	}
#define BUS_OPT_ROWS(O, M) BUS_OPT_ROW_USER(O, M), BUS_OPT_ROW_SECRET(O, M), BUS_OPT_ROW_WAIT(O, M)
#define BUS_SECRET_HELP                                                                            \
	"its password, file:/path or credential:name; else /etc/plimsoll/secrets/NAME when that "  \
	"can be read, else bus.secret"

struct bus_door {
	struct config *config;
	char *path;
	struct loop *loop;
	struct redis *redis;
	int64_t wait_ms;
};

/* Told when not EXIT_FINE; close it in any case. */
enum exit_code bus_door_open(struct bus_door *bus, const char *config, const struct bus_opts *o);
void bus_door_close(struct bus_door *bus);

/*
 * One call; a is emptied. EXIT_FINE: fn was called, with an error perhaps. Else told: EXIT_USAGE
 * the password is wrong, EXIT_AGAIN Redis does not answer.
 */
enum exit_code bus_door_ask(struct bus_door *bus, struct redis_args *a, redis_reply_fn *fn,
			    void *ctx);
/* The same for a function of the library; an error is told too, with what to do. */
enum exit_code bus_door_fcall(struct bus_door *bus, struct redis_args *a, redis_reply_fn *fn,
			      void *ctx);

#endif
