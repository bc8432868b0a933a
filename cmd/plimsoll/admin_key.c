/* admin_key.c - `plimsoll admin key new|list|revoke`: who may speak on the bus. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/key_list.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/config/config.h"

#define LIST_DEFAULT "/etc/plimsoll/loaders"
#define SECRETS_DIR "/etc/plimsoll/secrets"

struct key_opts {
	const char *list, *out, *public_key;
	bool is_server, has_no_list;
};

#define LIST_ROW                                                                                   \
	{                                                                                          \
		"list", 0, OPT_STRING, offsetof(struct key_opts, list), "FILE", NULL,              \
			"who may connect; else bus.loaders of the settings, else " LIST_DEFAULT    \
	}

static const struct opt new_rows[] = {
	LIST_ROW,
	{"out", 0, OPT_STRING, offsetof(struct key_opts, out), "FILE", NULL,
	 "where the secret key goes; else " SECRETS_DIR "/loader-NAME (--server: curve)"},
	{"public", 0, OPT_STRING, offsetof(struct key_opts, public_key), "KEY", NULL,
	 "make no pair: the public key of one that was made elsewhere enters the list"},
	{"no-list", 0, OPT_FLAG, offsetof(struct key_opts, has_no_list), NULL, NULL,
	 "only make the pair, and say the line that the list needs (on a loader's own host)"},
	{"server", 0, OPT_FLAG, offsetof(struct key_opts, is_server), NULL, NULL,
	 "the pair of planner and collector; it is in no list"},
};

static const struct opt list_rows[] = {LIST_ROW};

static enum exit_code told(int rc, const char *why)
{
	log_error("%s", why);
	return rc == -EINVAL || rc == -EEXIST || rc == -ENOENT ? EXIT_USAGE : EXIT_AGAIN;
}

/* Which list: --list, else that of the settings, else the usual one. The caller frees it. */
static enum exit_code find_list(const struct door *d, char **path)
{
	const struct key_opts *o = d->opts;
	struct config *c = NULL;
	enum exit_code code = EXIT_FINE;
	char *from = NULL;

	if (!o->list)
		code = settings_load(d->config, &c, &from);
	if (code == EXIT_FINE)
		*path = x_strdup(o->list	       ? o->list
				 : c && c->bus.loaders ? c->bus.loaders
						       : LIST_DEFAULT);
	config_free(c);
	free(from);
	return code;
}

/* ---- new ---- */

static enum exit_code write_secret(const char *path, const char *secret)
{
	char text[BUS_KEY_SIZE + 1];
	int rc;

	snprintf(text, sizeof(text), "%s\n", secret);
	rc = fs_write_atomic(path, text, strlen(text), 0600);
	explicit_bzero(text, sizeof(text));
	if (rc)
		log_error("cannot write %s: %s; make the folder, or name another with --out", path,
			  strerror(-rc));
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

/* A new pair; the secret one only into its file. One that is there is somebody's. */
static enum exit_code make_pair(const char *path, char public_key[BUS_KEY_SIZE])
{
	char secret[BUS_KEY_SIZE];
	enum exit_code code;

	if (!access(path, F_OK)) {
		log_error("%s is there already; remove it first, or name another with --out", path);
		return EXIT_USAGE;
	}
	bus_key_new(public_key, secret);
	code = write_secret(path, secret);
	explicit_bzero(secret, sizeof(secret));
	return code;
}

static enum exit_code enter(struct key_list *l, const char *name, const char *public_key)
{
	char why[200] = "";
	int rc = key_list_add(l, name, public_key, why);

	return rc ? told(rc, why) : EXIT_FINE;
}

/* The list is locked and known to take the name before a key is made. */
static enum exit_code new_in_list(const char *path, const char *name, const char *out,
				  char public_key[BUS_KEY_SIZE])
{
	bool makes_pair = !public_key[0];
	struct key_list l;
	char why[200] = "";
	enum exit_code code = EXIT_FINE;
	int rc = key_list_open(&l, path, why);

	if (!rc && strmap_get(&l.list.names, name)) {
		snprintf(why, sizeof(why), "%s is in %.100s already; revoke it first", name, path);
		rc = -EEXIST;
	}
	if (rc)
		code = told(rc, why);
	if (code == EXIT_FINE && makes_pair)
		code = make_pair(out, public_key);
	if (code == EXIT_FINE) {
		code = enter(&l, name, public_key);
		if (code != EXIT_FINE && makes_pair)
			unlink(out);
	}
	key_list_close(&l);
	return code;
}

/* What is wrong with what was asked for, or NULL. */
static const char *wrong_with(const struct door *d)
{
	const struct key_opts *o = d->opts;

	if (o->is_server != !d->rest_count)
		return o->is_server ? "--server takes no NAME"
				    : "name the loader, or --server for planner and collector";
	if (d->rest_count && !bus_name_is_fine(d->rest[0]))
		return "a name is 1 to 64 of A-Z a-z 0-9 . _ -";
	if (o->public_key && (o->is_server || o->out || o->has_no_list))
		return "--public goes with --list only";
	if (o->public_key && !bus_key_is_fine(o->public_key))
		return "--public takes a key of 40 characters (Z85)";
	return NULL;
}

static void say_server(const char *out, const char *public_key)
{
	printf("secret key of planner and collector: %s\n"
	       "their settings:  key: file:%s\n"
	       "every loader's:  server_key: \"%s\"\n",
	       out, out, public_key);
}

static void say_loader(const char *name, const char *out, const char *public_key, const char *list)
{
	if (list)
		printf("%s may connect: its public key is in %s\n", name, list);
	else
		printf("the line that the list on the monitoring host needs:\n%s %s\n", name,
		       public_key);
	if (out)
		printf("secret key: %s; move it to the loader's host, and let nobody read it on "
		       "the way\nits settings:  key: file:/path\n",
		       out);
}

static enum exit_code key_new(const struct door *d)
{
	const struct key_opts *o = d->opts;
	const char *name = d->rest_count ? d->rest[0] : NULL, *wrong = wrong_with(d);
	bool has_list = !o->is_server && !o->has_no_list;
	char public_key[BUS_KEY_SIZE] = "", *out = NULL, *list = NULL;
	enum exit_code code = wrong ? told(-EINVAL, wrong) : EXIT_FINE;

	if (o->public_key && code == EXIT_FINE)
		memcpy(public_key, o->public_key, BUS_KEY_SIZE);
	else if (o->out)
		out = x_strdup(o->out);
	else
		out = name ? x_asprintf(SECRETS_DIR "/loader-%s", name)
			   : x_strdup(SECRETS_DIR "/curve");
	if (code == EXIT_FINE && has_list)
		code = find_list(d, &list);
	if (code == EXIT_FINE)
		code = has_list ? new_in_list(list, name, out, public_key)
				: make_pair(out, public_key);
	if (code == EXIT_FINE && o->is_server)
		say_server(out, public_key);
	else if (code == EXIT_FINE)
		say_loader(name, out, public_key, list);
	free(out);
	free(list);
	return code;
}

/* ---- list, revoke ---- */

static enum exit_code key_list(const struct door *d)
{
	struct bus_list list = {0};
	char *path = NULL, why[200] = "";
	enum exit_code code = find_list(d, &path);
	int rc = code == EXIT_FINE ? bus_list_read(path, &list, why) : 0;

	if (rc)
		code = told(rc, why);
	for (size_t i = 0; i < list.names.count; i++)
		printf("%s %s\n", list.names.items[i].key, (const char *)list.names.items[i].value);
	bus_list_release(&list);
	free(path);
	return code;
}

static enum exit_code revoke_in(const char *path, const char *name)
{
	struct key_list l;
	char why[200] = "";
	int rc = key_list_open(&l, path, why);

	if (!rc)
		rc = key_list_remove(&l, name, why);
	key_list_close(&l);
	if (rc)
		return told(rc, why);
	printf("%s is not in %s any more; planner and collector see it within a second\n", name,
	       path);
	return EXIT_FINE;
}

static enum exit_code key_revoke(const struct door *d)
{
	char *path = NULL;
	enum exit_code code = find_list(d, &path);

	if (code == EXIT_FINE)
		code = revoke_in(path, d->rest[0]);
	free(path);
	return code;
}

#define EXITS "  0 done   100 you must change something   111 a file cannot be written"

const struct command command_admin_key_new = {
	.name = "admin key new",
	.group = "administration",
	.help = "makes the key pair of a loader, and lets it in",
	.synopsis = "NAME | --server",
	.about = "Makes a CURVE key pair. The secret key goes into a file of mode 0600 and is "
		 "never\n"
		 "printed; the public one, with NAME, into the list of who may connect. Planner "
		 "and\n"
		 "collector have one pair together (--server); loaders know it by server_key.\n"
		 "\n"
		 "Best is that a secret never travels: on the loader's host run\n"
		 "  plimsoll admin key new NAME --no-list --out FILE\n"
		 "and with the key that it prints, on the monitoring host\n"
		 "  plimsoll admin key new NAME --public KEY",
	.exits = EXITS,
	.rows = new_rows,
	.row_count = ARRAY_LEN(new_rows),
	.opts_bytes = sizeof(struct key_opts),
	.rest_max = 1,
	.wants = "name one loader",
	.needs = TAKES_CONFIG,
	.run = key_new,
};

const struct command command_admin_key_list = {
	.name = "admin key list",
	.group = "administration",
	.help = "who may connect: names and public keys",
	.synopsis = "[--list FILE]",
	.about = "Prints a line NAME PUBLIC-KEY for each who may connect to planner and "
		 "collector.\n",
	.exits = EXITS,
	.rows = list_rows,
	.row_count = ARRAY_LEN(list_rows),
	.opts_bytes = sizeof(struct key_opts),
	.needs = TAKES_CONFIG,
	.run = key_list,
};

const struct command command_admin_key_revoke = {
	.name = "admin key revoke",
	.group = "administration",
	.help = "takes a loader out of the list",
	.synopsis = "NAME",
	.about = "Takes the line of NAME out of the list. Within a second planner and collector "
		 "hear\n"
		 "nothing from it any more, also not through a connection that is open; what it\n"
		 "runs is leased again when its lease ends.",
	.exits = EXITS,
	.rows = list_rows,
	.row_count = ARRAY_LEN(list_rows),
	.opts_bytes = sizeof(struct key_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one loader",
	.needs = TAKES_CONFIG,
	.run = key_revoke,
};
