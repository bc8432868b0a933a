/*
 * admin_acl.c - `plimsoll admin acl`: the users of Redis, as the text of its aclfile.
 *
 * A function runs with the rights of who calls it. So a user needs the functions of its stage, the
 * commands that these call, and the keys that they touch - and gets nothing else.
 */
#include <errno.h>
#include <sys/stat.h>

#include "cmd/plimsoll/command.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/digest/digest.h"

/*
 * Off: nobody can be it. But it must have all rights, because Redis replays its append-only file
 * as this user: without them each EXEC in the file is refused, the refusals are only logged, and
 * Redis starts with nothing of what was acknowledged (seen with 7.0.15).
 */
#define DEFAULT_USER "user default off resetpass ~* &* +@all\n"
#define SECRETS_DIR "/etc/plimsoll/secrets"
#define SECRET_BYTES 32

enum { W = 1, P = 2, C = 4, S = 8, A = 16, ALL = W | P | C | S | A };

static const struct {
	const char *name;
	unsigned bit;
} users[] = {
	{"pl-watcher", W}, {"pl-planner", P}, {"pl-collector", C}, {"pl-sink", S}, {"pl-admin", A},
};

/* docs/STATE.md has the same table; a test compares them. */
static const struct {
	const char *name;
	unsigned who;
} functions[] = {
	{"pl_ingest", W | A}, {"pl_changes", P},   {"pl_plan", P},     {"pl_ready", P},
	{"pl_lease", P},      {"pl_beat", P},	   {"pl_fail", P},     {"pl_shard", C},
	{"pl_report", A},     {"pl_measured", C},  {"pl_judge", C},    {"pl_told", C},
	{"pl_out", S},	      {"pl_delivered", S}, {"pl_out_done", S}, {"pl_put", ALL},
	{"pl_docs", ALL},     {"pl_reap", P},	   {"pl_audit", P},    {"pl_cancel", A},
	{"pl_status", ALL},   {"pl_list", A},	   {"pl_show", A},     {"pl_dead", A},
	{"pl_version", ALL},  {"pl_loaders", P},
};

/* What the functions call, and what a person's commands call themselves. */
static const struct {
	const char *words;
	unsigned who;
} commands[] = {
	{"+time +publish +hget +hset +hsetnx +hmget +hgetall +hdel +hincrby +hlen", ALL},
	{"+rpush +lpush +lrange +llen +lindex +lrem +lpos", ALL},
	{"+zadd +zrem +zscore +zrange +zrangebyscore +zcard +zcount", ALL},
	{"+sadd +smembers +incr +del +exists +expire +persist +ttl +xadd", ALL},
	{"+subscribe", W | P | C | S},
	{"+scan", P},
	{"+function|load +function|list +info +config|get", A},
};

/* Keys, and the channel of the kicks. */
static const struct {
	const char *words;
	unsigned who;
} keys[] = {
	{"~{pl}:* &{pl}:kick", ALL},
};

struct acl_opts {
	const char *secrets;
	bool is_create;
};

static const struct opt rows[] = {
	{"secrets", 0, OPT_STRING, offsetof(struct acl_opts, secrets), "DIR", SECRETS_DIR,
	 "folder of the password files, one a user, named like it"},
	{"create", 0, OPT_FLAG, offsetof(struct acl_opts, is_create), NULL, NULL,
	 "makes the files that are missing: 32 random bytes in hex, mode 0600"},
};

static enum exit_code create(const char *path)
{
	uint8_t bytes[SECRET_BYTES];
	char hex[2 * SECRET_BYTES + 1];
	int rc;

	digest_random(bytes, sizeof(bytes));
	digest_hex(bytes, sizeof(bytes), hex);
	rc = fs_write_atomic(path, hex, strlen(hex), 0600);
	digest_wipe(bytes, sizeof(bytes));
	digest_wipe(hex, sizeof(hex));
	if (rc)
		log_error("cannot write %s: %s; make the folder, or name another with --secrets",
			  path, strerror(-rc));
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

/* SHA-256 of the password: Redis needs no more. */
static enum exit_code hash_of(const struct acl_opts *o, const char *user, char hex[SHA256_HEX_SIZE])
{
	char *path = x_asprintf("%s/%s", o->secrets, user);
	char *ref = x_asprintf("file:%s", path);
	char *password = NULL, why[200];
	enum exit_code code = EXIT_FINE;

	if (o->is_create && access(path, F_OK) != 0)
		code = create(path);
	if (code == EXIT_FINE && config_secret(ref, &password, why) != 0) {
		log_error("%s; --create makes it", why);
		code = EXIT_USAGE;
	}
	if (code == EXIT_FINE) {
		digest_sha256_hex(password, strlen(password), hex);
		digest_wipe(password, strlen(password));
	}
	free(password);
	free(ref);
	free(path);
	return code;
}

static void add_user(struct buf *out, const char *name, unsigned bit, const char *hash)
{
	buf_addf(out, "user %s on #%s resetkeys resetchannels", name, hash);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].who & bit)
			buf_addf(out, " %s", keys[i].words);
	buf_adds(out, " -@all");
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (functions[i].who & bit)
			buf_addf(out, " +fcall|%s", functions[i].name);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].who & bit)
			buf_addf(out, " %s", commands[i].words);
	buf_addc(out, '\n');
}

static enum exit_code acl(const struct door *d)
{
	struct buf out = BUF_INIT((size_t)64 * 1024);
	char hash[SHA256_HEX_SIZE];
	enum exit_code code = EXIT_FINE;

	buf_adds(&out, DEFAULT_USER);
	for (size_t i = 0; i < ARRAY_LEN(users) && code == EXIT_FINE; i++) {
		code = hash_of(d->opts, users[i].name, hash);
		if (code == EXIT_FINE)
			add_user(&out, users[i].name, users[i].bit, hash);
	}
	if (code == EXIT_FINE)
		(void)fputs(buf_str(&out), stdout);
	buf_release(&out);
	return code;
}

const struct command command_admin_acl = {
	.name = "admin acl",
	.group = "administration",
	.help = "prints the users of Redis and what each may do",
	.synopsis = "[--secrets DIR] [--create] > users.acl",
	.about = "Prints the file that aclfile in redis.conf names: no default user, one user a\n"
		 "stage with the functions of that stage, pl-admin for `plimsoll admin`. Only "
		 "hashes\n"
		 "of the passwords stand in it. Redis reads it at its start, and at ACL LOAD.",
	.exits = "  0 printed   100 a password cannot be read   111 a file cannot be written",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct acl_opts),
	.run = acl,
};
