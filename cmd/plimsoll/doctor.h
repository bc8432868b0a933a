/*
 * doctor.h - what the checks of `plimsoll admin doctor` share. A check is a row of the table in
 * admin_doctor.c; it looks at one thing and tells what it found, as often as it likes.
 *
 *	static void doctor_disk(struct doctor *d)
 *	{
 *		if (free_ratio < 0.05)
 *			doctor_say(d, DOCTOR_WARNING, "make room", "%s is nearly full", path);
 *	}
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_DOCTOR_H
#define PLIMSOLL_CMD_PLIMSOLL_DOCTOR_H

#include "common/base/exit_code.h"
#include "common/base/loop.h"
#include "common/config/config.h"
#include "common/http/http.h"
#include "common/redis/redis.h"

/* X(symbol, word, exit code): AWAY is wrong too, but with the world: trying again may help. */
#define DOCTOR_LEVELS(X)                                                                           \
	X(DOCTOR_OK, "ok", EXIT_FINE)                                                              \
	X(DOCTOR_WARNING, "warning", EXIT_FINE)                                                    \
	X(DOCTOR_WRONG, "wrong", EXIT_USAGE)                                                       \
	X(DOCTOR_AWAY, "wrong", EXIT_AGAIN)
enum doctor_level {
#define X(symbol, word, code) symbol,
	DOCTOR_LEVELS(X)
#undef X
};

struct doctor_finding { /* texts are owned */
	const char *check;
	enum doctor_level level;
	char *found, *todo; /* todo NULL when there is nothing to do */
};

struct doctor {
	const char *secrets, *state, *prometheus; /* folders, and a URL or NULL */
	const char *config_path;		  /* as given, or NULL */
	int64_t wait_ms;			  /* for each answer of somebody else */
	bool is_loader;				  /* a host of loaders only */

	const char *check; /* the one that runs */
	struct doctor_finding *findings;
	size_t count, cap;

	struct config *config; /* NULL until it was read without a mistake */
	struct http *http;
	struct buf redis_info; /* INFO; empty when Redis does not answer */
	char *redis_dir;       /* NULL = not known */
};

/* todo NULL: nothing. */
PRINTF_LIKE(4, 5)
void doctor_say(struct doctor *d, enum doctor_level level, const char *todo, const char *fmt, ...);

/* The file that a unit hands over as this credential, or that is named so. The caller frees it. */
char *doctor_secret_path(const struct doctor *d, const char *name);
/* NULL when it cannot be read; the caller frees it after explicit_bzero. */
char *doctor_secret(const struct doctor *d, const char *name);

/* GET; NULL (told: level, todo) when nobody answers. Released by the caller. */
bool doctor_get(struct doctor *d, const char *url, struct http_response *out);

/* doctor_host.c */
void doctor_settings(struct doctor *d);
void doctor_programs(struct doctor *d);
void doctor_secrets(struct doctor *d);
void doctor_folders(struct doctor *d);
void doctor_disk(struct doctor *d);
/* doctor_redis.c, in this order: the first fills redis_info */
void doctor_redis(struct doctor *d);
void doctor_redis_settings(struct doctor *d);
void doctor_redis_version(struct doctor *d);
void doctor_redis_memory(struct doctor *d);
void doctor_redis_users(struct doctor *d);
void doctor_library(struct doctor *d);
void doctor_clock(struct doctor *d);
/* doctor_bus.c */
void doctor_keys(struct doctor *d);
void doctor_loaders(struct doctor *d);
void doctor_endpoints(struct doctor *d);
/* doctor_world.c */
void doctor_clouds(struct doctor *d);
void doctor_gateways(struct doctor *d);
void doctor_prometheus(struct doctor *d);
void doctor_services(struct doctor *d);

#endif
