/* doctor_redis.c - Redis: does it answer, is it set as it must be, who may do what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/doctor.h"
#include "common/base/proc.h"
#include "common/base/unit.h"
#include "common/jobs/jobs.h"

#define ADMIN "pl-admin"
#define CLOCK_WRONG_NS (2 * NS_PER_S)
#define DEBIAN_VERSION "5:7.0.15-1~deb12u10" /* the first without holes that are known */
#define MEMORY_WARNING 0.70

struct answer {
	struct buf text; /* parts, one a line */
	bool is_error;	 /* text is Redis' error */
	size_t count;
};

static void note(const struct redis_reply *reply, void *ctx)
{
	struct answer *a = ctx;

	a->is_error = reply->is_error;
	if (reply->is_error)
		buf_adds(&a->text, reply->error);
	for (size_t i = 0; !reply->is_error && i < reply->count; i++) {
		buf_adds(&a->text, reply->parts[i].data ? reply->parts[i].data : "");
		buf_addc(&a->text, '\n');
		a->count++;
	}
}

/* Asks as this user (NULL: as nobody). 0 with the answer, an error of Redis too; else why. */
static int ask_as(const struct doctor *d, const char *user, const char *password,
		  struct redis_args *args, struct answer *out, char why[200])
{
	struct loop *loop = loop_new();
	struct redis *r = redis_new(loop, &(struct redis_options){.path = d->config->bus.redis,
								  .user = user,
								  .password = password});
	int rc;

	buf_init(&out->text, (size_t)1024 * 1024);
	out->count = 0;
	out->is_error = false;
	rc = redis_ask(r, loop, args, d->wait_ms, note, out, why);
	redis_free(r);
	loop_free(loop);
	return rc;
}

static int ask_admin(const struct doctor *d, struct redis_args *args, struct answer *out,
		     char why[200])
{
	char *password = doctor_secret(d, ADMIN);
	int rc = -EACCES;

	if (password) {
		rc = ask_as(d, ADMIN, password, args, out, why);
		explicit_bzero(password, strlen(password));
	} else {
		buf_init(&out->text, 64);
		snprintf(why, 200, "%s/" ADMIN " cannot be read", d->secrets);
		redis_args_release(args);
	}
	free(password);
	return rc;
}

/* "used_memory:123\r\n..." or "maxmemory\n123\n...": the word after the name. NULL: none. */
static char *value_of(const char *text, const char *name, char between)
{
	size_t len = strlen(name);

	for (const char *at = text; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (strncmp(at, name, len) == 0 && at[len] == between)
			return x_strndup(at + len + 1, strcspn(at + len + 1, "\r\n"));
	return NULL;
}

static char *info(const struct doctor *d, const char *name)
{
	return value_of(buf_str(&d->redis_info), name, ':');
}

void doctor_redis(struct doctor *d)
{
	struct redis_args a = REDIS_ARGS_INIT;
	struct answer answer;
	char why[200] = "";
	int rc;

	if (!d->config)
		return;
	redis_arg(&a, "INFO");
	rc = ask_admin(d, &a, &answer, why);
	if (rc == -EACCES)
		doctor_say(
			d, DOCTOR_WRONG,
			"plimsoll admin acl --create > users.acl beside Redis' data, and start it "
			"again",
			"Redis at %s does not let " ADMIN " in: %s", d->config->bus.redis, why);
	else if (rc)
		doctor_say(d, DOCTOR_AWAY, "systemctl status plimsoll-redis",
			   "Redis at %s does not answer: %s", d->config->bus.redis, why);
	else if (answer.is_error)
		doctor_say(d, DOCTOR_WRONG, "plimsoll admin acl, then start Redis again",
			   "Redis refuses INFO to " ADMIN ": %s", buf_str(&answer.text));
	else
		buf_add(&d->redis_info, buf_str(&answer.text), answer.text.len_bytes);
	if (d->redis_info.len_bytes)
		doctor_say(d, DOCTOR_OK, NULL, "answers at %s", d->config->bus.redis);
	buf_release(&answer.text);
}

/* ---- settings ---- */

static const struct {
	const char *name, *want, *why;
	enum doctor_level level;
} settings[] = {
	{"appendonly", "yes", "else everything is gone when Redis ends", DOCTOR_WRONG},
	{"appendfsync", "always", "else work that was acknowledged is lost when the disk is slow",
	 DOCTOR_WRONG},
	{"no-appendfsync-on-rewrite", "no", "else nothing is safe during a rewrite", DOCTOR_WRONG},
	{"maxmemory-policy", "noeviction", "else Redis forgets jobs when it is full", DOCTOR_WRONG},
	{"port", "0", "nobody needs Redis over the network", DOCTOR_WARNING},
};

static void check_setting(struct doctor *d, size_t i, const char *all)
{
	char *is = value_of(all, settings[i].name, '\n');
	char *todo = x_asprintf("%s %s in its configuration: %s", settings[i].name,
				settings[i].want, settings[i].why);

	if (is && strcmp(is, settings[i].want) == 0)
		doctor_say(d, DOCTOR_OK, NULL, "%s %s", settings[i].name, is);
	else
		doctor_say(d, settings[i].level, todo, "%s is %s", settings[i].name,
			   is ? is : "not known");
	free(todo);
	free(is);
}

void doctor_redis_settings(struct doctor *d)
{
	struct redis_args a = REDIS_ARGS_INIT;
	struct answer answer;
	char why[200] = "";

	if (!d->redis_info.len_bytes)
		return;
	redis_arg(&a, "CONFIG");
	redis_arg(&a, "GET");
	redis_arg(&a, "dir");
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		redis_arg(&a, settings[i].name);
	if (ask_admin(d, &a, &answer, why) || answer.is_error) {
		doctor_say(d, DOCTOR_WARNING, "plimsoll admin acl, then start Redis again",
			   "its settings cannot be read: %s", *why ? why : buf_str(&answer.text));
	} else {
		d->redis_dir = value_of(buf_str(&answer.text), "dir", '\n');
		for (size_t i = 0; i < ARRAY_LEN(settings); i++)
			check_setting(d, i, buf_str(&answer.text));
	}
	buf_release(&answer.text);
}

/* ---- version ---- */

static int64_t version_number(const char *text)
{
	int64_t sum = 0;

	for (int i = 0; i < 3; i++) {
		sum = sum * 1000 + strtol(text, NULL, 10);
		text += strcspn(text, ".");
		text += *text == '.';
	}
	return sum;
}

/* Debian mends 7.0.15 without changing its number; the package's own version tells. */
static void check_package(struct doctor *d)
{
	static const char *const argv[] = {"dpkg-query", "-W", "-f=${Version}", "redis-server",
					   NULL};
	const struct proc_spec query = {.argv = argv};
	struct buf out = BUF_INIT(256), err = BUF_INIT(4096);

	if (proc_run(&query, NULL, d->wait_ms, &out, &err) == 0 && strstr(buf_str(&out), "deb12")) {
		const char *const compare[] = {"dpkg", "--compare-versions", buf_str(&out),
					       "ge",   DEBIAN_VERSION,	     NULL};
		const struct proc_spec spec = {.argv = compare};
		struct buf none = BUF_INIT(256);

		if (proc_run(&spec, NULL, d->wait_ms, &none, &err) != 0)
			doctor_say(d, DOCTOR_WRONG, "apt-get install --only-upgrade redis-server",
				   "the package redis-server %s has known holes; " DEBIAN_VERSION
				   " has not",
				   buf_str(&out));
		buf_release(&none);
	}
	buf_release(&out);
	buf_release(&err);
}

void doctor_redis_version(struct doctor *d)
{
	char *version = info(d, "redis_version");

	if (version && version_number(version) >= version_number("7.0.15"))
		doctor_say(d, DOCTOR_OK, NULL, "Redis %s", version);
	else if (version)
		doctor_say(d, DOCTOR_WRONG, "install 7.0.15 or newer",
			   "Redis %s lacks what the library needs, or has known holes", version);
	if (version)
		check_package(d);
	free(version);
}

/* ---- memory and the disk's answers ---- */

static double number(const struct doctor *d, const char *name)
{
	char *text = info(d, name);
	double out = 0;

	if (!text || unit_parse_double(text, &out))
		out = 0;
	free(text);
	return out;
}

static void check_last_write(struct doctor *d, const char *name, const char *what)
{
	char *text = info(d, name);

	if (text && strcmp(text, "ok") != 0)
		doctor_say(d, DOCTOR_WRONG, "look at Redis' log and at the disk", "%s: %s", what,
			   text);
	free(text);
}

void doctor_redis_memory(struct doctor *d)
{
	double used = number(d, "used_memory"), most = number(d, "maxmemory");

	if (!d->redis_info.len_bytes)
		return;
	check_last_write(d, "aof_last_write_status", "the last write of the append-only file");
	check_last_write(d, "aof_last_bgrewrite_status", "the last rewrite of it");
	if (most <= 0)
		doctor_say(d, DOCTOR_WARNING,
			   "maxmemory 512mb: a full Redis then says so, instead of being killed",
			   "maxmemory is not set");
	else
		doctor_say(d, used > MEMORY_WARNING * most ? DOCTOR_WARNING : DOCTOR_OK,
			   used > MEMORY_WARNING * most
				   ? "what fills it? plimsoll status; raise maxmemory if it must be"
				   : NULL,
			   "%.0f of %.0f MB used (%.0f %%)", used / 1e6, most / 1e6,
			   100 * used / most);
}

/* ---- users ---- */

static void check_stranger(struct doctor *d)
{
	struct redis_args a = REDIS_ARGS_INIT;
	struct answer answer;
	char why[200] = "";

	redis_arg(&a, "PING");
	if (ask_as(d, NULL, NULL, &a, &answer, why) == 0 && !answer.is_error)
		doctor_say(
			d, DOCTOR_WRONG, "aclfile with the output of plimsoll admin acl",
			"everybody who reaches the socket may do everything: the default user is "
			"on");
	buf_release(&answer.text);
}

static bool check_user(struct doctor *d, const char *user)
{
	struct redis_args a = jobs_args("pl_version");
	char *password = doctor_secret(d, user), why[200] = "";
	struct answer answer;
	int rc = 0;

	if (!password) { /* told by the check of the secrets */
		redis_args_release(&a);
		return false;
	}
	rc = ask_as(d, user, password, &a, &answer, why);
	explicit_bzero(password, strlen(password));
	free(password);
	if (rc || (answer.is_error && strncmp(buf_str(&answer.text), "NOPERM", 6) == 0)) {
		doctor_say(d, rc && rc != -EACCES ? DOCTOR_AWAY : DOCTOR_WRONG,
			   "plimsoll admin acl > users.acl beside Redis' data, and start it again",
			   "user %s: %s", user, rc ? why : buf_str(&answer.text));
		rc = -EACCES;
	}
	buf_release(&answer.text);
	return rc == 0;
}

void doctor_redis_users(struct doctor *d)
{
	static const char *const users[] = {"pl-watcher", "pl-planner", "pl-collector", "pl-sink",
					    ADMIN};
	size_t good = 0;

	if (!d->redis_info.len_bytes)
		return;
	check_stranger(d);
	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		good += check_user(d, users[i]);
	if (good == ARRAY_LEN(users))
		doctor_say(d, DOCTOR_OK, NULL, "%zu users of Redis may do what is theirs", good);
}

void doctor_library(struct doctor *d)
{
	struct redis_args a = jobs_args("pl_version");
	struct answer answer;
	char why[200] = "";
	int rc;

	if (!d->redis_info.len_bytes) {
		redis_args_release(&a);
		return;
	}
	rc = ask_admin(d, &a, &answer, why);
	if (rc)
		doctor_say(d, DOCTOR_AWAY, NULL, "its version cannot be asked for: %s", why);
	else if (answer.is_error)
		doctor_say(d, DOCTOR_WRONG, "plimsoll admin install",
			   "the functions are not in Redis: %s", buf_str(&answer.text));
	else if (strcmp(buf_str(&answer.text), "OK\n" JOBS_VERSION "\n") != 0)
		doctor_say(d, DOCTOR_WRONG,
			   "stop the stages, plimsoll admin install, start them again",
			   "the library in Redis is of another version than " JOBS_VERSION);
	else
		doctor_say(d, DOCTOR_OK, NULL, "version " JOBS_VERSION);
	buf_release(&answer.text);
}

void doctor_clock(struct doctor *d)
{
	struct redis_args a = REDIS_ARGS_INIT;
	struct answer answer;
	char why[200] = "";
	int64_t off_ns;

	if (!d->redis_info.len_bytes)
		return;
	redis_arg(&a, "TIME");
	if (ask_admin(d, &a, &answer, why) == 0 && !answer.is_error) {
		off_ns = wall_diff_ns(wall_from_s(strtoll(buf_str(&answer.text), NULL, 10)),
				      wall_now());
		if (off_ns > CLOCK_WRONG_NS || off_ns < -CLOCK_WRONG_NS)
			doctor_say(d, DOCTOR_WRONG,
				   "one clock for all: chrony or systemd-timesyncd",
				   "Redis' clock is %+.1f s off ours", (double)off_ns / NS_PER_S);
		else
			doctor_say(d, DOCTOR_OK, NULL, "Redis' is ours");
	}
	buf_release(&answer.text);
}
