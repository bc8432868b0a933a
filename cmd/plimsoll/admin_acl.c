/*
 * admin_acl.c - `plimsoll admin acl`: the users of Redis, as the text of its aclfile.
 *
 * A function runs with the rights of who calls it. So a user needs the functions of its stage, the
 * commands that these call, and the keys that they touch - and gets nothing else.
 */
#include <errno.h>

#include "cmd/plimsoll/command.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/digest/digest.h"
#include "common/jobs/jobs.h"

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

/* Who may call it (docs/STATE.md), and the commands that it calls (pl.lua); a test compares both.
 */
static const struct {
	const char *name;
	unsigned who;
	const char *commands;
} functions[] = {
	{"pl_ingest", W | A,
	 "expire hdel hget hincrby hset hsetnx incr llen lrange lrem publish rpush time xadd zadd "
	 "zrem"},
	{"pl_changes", P, "hget hgetall hmget time zadd zrangebyscore zrem"},
	{"pl_plan", P,
	 "exists expire hdel hget hincrby hmget hset lindex publish rpush time xadd zadd zrem"},
	{"pl_ready", P, "hget hmget time zcount zrangebyscore"},
	{"pl_lease", P, "hdel hget hincrby hset incr lrem time xadd zadd zrem zscore"},
	{"pl_beat", P, "hget hset time zadd"},
	{"pl_fail", P, "expire hdel hget hincrby hset lindex lpush publish time xadd zadd zrem"},
	{"pl_shard", C,
	 "expire hdel hget hincrby hmget hset lindex lpush lrem publish time xadd zadd zrem"},
	{"pl_report", A, "expire hdel hget lrange publish rpush time ttl zadd"},
	{"pl_measured", C, "hmget lrange time zadd zrangebyscore zrem"},
	{"pl_judge", C,
	 "del exists expire hdel hget hincrby hmget hset hsetnx incr lrange lrem persist publish "
	 "rpush time xadd zadd zrem"},
	{"pl_told", C, "hget hset llen publish time zadd zrem"},
	{"pl_out", S,
	 "del exists hget hset llen lrange lrem smembers time zadd zrangebyscore zrem"},
	{"pl_delivered", S, "exists hget lpos sadd"},
	{"pl_out_done", S, "del exists expire hget hset llen lpos lrem time xadd zadd zrem"},
	{"pl_put", ALL, "hdel hset"},
	{"pl_loaders", P, "hdel hset"},
	{"pl_docs", ALL, "hget hgetall"},
	{"pl_reap", P,
	 "expire hdel hget hincrby hset lindex lpush publish time xadd zadd zrangebyscore zrem "
	 "zscore"},
	{"pl_audit", P,
	 "exists expire hdel hget hgetall hincrby hmget hset lindex lpos lrange lrem publish rpush "
	 "scan time ttl xadd zadd zrange zrem zscore"},
	{"pl_cancel", A,
	 "expire hdel hget hincrby hset hsetnx lindex lrem publish time xadd zadd zrem"},
	{"pl_status", ALL, "hgetall hlen time zcard zrange"},
	{"pl_list", A, "hget hgetall hmget time zrange zscore"},
	{"pl_show", A, "exists hgetall"},
	{"pl_dead", A,
	 "exists expire hdel hget hincrby hmget hset hsetnx incr lrange lrem publish time xadd "
	 "zadd zrem zscore"},
	{"pl_version", ALL, ""},
};

/* What is called from outside the functions. */
static const struct {
	const char *command;
	unsigned who;
} commands[] = {
	{"subscribe", W | P | C | S},
	{"function|load", A},
	{"function|list", A},
	{"info", A}, /* admin doctor */
	{"config|get", A},
};

/* Keys behind "{pl}:": who reads and writes them, who only reads. */
static const struct {
	const char *pattern;
	unsigned writes, reads;
} keys[] = {
	{"c:*", W | P | C | A, S},
	{"f:*", ALL, 0},
	{"fq:*", W | P | C | A, 0},
	{"r:*", ALL, 0},
	{"s:*", ALL, 0},
	{"rep:*", ALL, 0},
	{"out:*", ALL, 0},
	{"dv:*", C | S, 0},
	{"st:*", ALL, 0},
	{"q:new", W | P | C | A, 0},
	{"q:run", W | P | C | A, S},
	{"q:lease", P | C, A},
	{"q:meas", W | P | C | A, 0},
	{"q:out", ALL, 0},
	{"dead", P | A, W | C | S},
	{"res", P | C, A},
	{"money", W | P | C | A, S},
	{"loaders", P, W | C | S | A},
	{"seq", W | C | A, 0},
	{"tok", P, 0},
	{"aud", ALL, 0},
	{"doc:watcher", W | A, 0},
	{"doc:watched", W | A, 0},
	{"doc:published", W | A, 0},
	{"doc:planner", P | A, 0},
	{"doc:durations", P | C | A, 0},
	{"doc:history", P | C | A, 0},
	{"doc:calibrated", P | A, 0},
	{"doc:accepted", P | A, S},
	{"doc:sink", S | A, 0},
	{"doc:gateways", S | A, 0},
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

static bool is_in(const struct buf *words, const char *word, size_t len_bytes)
{
	const char *at = buf_str(words);

	while ((at = strstr(at, " +"))) {
		at += strlen(" +");
		if (strcspn(at, " ") == len_bytes && !memcmp(at, word, len_bytes))
			return true;
	}
	return false;
}

/* "hget hset" -> " +hget +hset", without those that are there. */
static void add_commands(struct buf *line, const char *words)
{
	while (*words) {
		size_t len = strcspn(words, " ");

		if (!is_in(line, words, len))
			buf_addf(line, " +%.*s", (int)len, words);
		words += len + (words[len] == ' ');
	}
}

static void add_keys(struct buf *line, unsigned bit)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].writes & bit)
			buf_addf(line, " ~{pl}:%s", keys[i].pattern);
		else if (keys[i].reads & bit)
			buf_addf(line, " %%R~{pl}:%s", keys[i].pattern);
}

static void add_user(struct buf *out, const char *name, unsigned bit, const char *hash)
{
	struct buf line = BUF_INIT((size_t)16 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (functions[i].who & bit)
			buf_addf(&line, " +fcall|%s", functions[i].name);
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (functions[i].who & bit)
			add_commands(&line, functions[i].commands);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].who & bit)
			add_commands(&line, commands[i].command);
	buf_addf(out, "user %s on #%s resetkeys resetchannels &" JOBS_KICK, name, hash);
	add_keys(out, bit);
	buf_addf(out, " -@all%s\n", buf_str(&line));
	BUG_ON(buf_is_over(&line));
	buf_release(&line);
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
