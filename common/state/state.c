#include "common/state/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/base/strmap.h"

#define DOCUMENT_MAX_BYTES (4u * 1024u * 1024u)
#define NAMESPACES_MAX 8
#define NAMESPACE_MAX_BYTES 32

struct lock {
	char name[NAMESPACE_MAX_BYTES + 1];
	int fd; /* -1 = not held */
};

struct state {
	char *dir;	       /* NULL = memory only */
	struct strmap pending; /* key -> struct json *, JSON null = deleted */
	struct strmap memory;  /* the same, after commit, when there is no folder */
	struct lock locks[NAMESPACES_MAX];
	size_t lock_count;
};

static void free_json(void *value)
{
	json_free(value);
}

static bool key_is_valid(const char *key)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-/";

	if (!*key || key[strspn(key, allowed)])
		return false;
	for (;;) {
		size_t len_bytes = strcspn(key, "/");
		bool is_dots = len_bytes <= 2 && strspn(key, ".") >= len_bytes;

		if (is_dots) /* "", ".", ".." lead elsewhere; "a..b" is a name */
			return false;
		if (!key[len_bytes])
			return true;
		key += len_bytes + 1;
	}
}

int state_open(const char *dir, struct state **out)
{
	struct state *s;
	int rc = dir ? fs_mkdirs(dir, 0700) : 0;

	if (rc)
		return rc;
	s = x_calloc(1, sizeof(*s));
	s->dir = dir ? x_strdup(dir) : NULL;
	*out = s;
	return 0;
}

static void unlock_all(struct state *s)
{
	for (size_t i = 0; i < s->lock_count; i++) {
		if (s->locks[i].fd >= 0)
			close(s->locks[i].fd);
		s->locks[i].fd = -1;
	}
}

void state_free(struct state *s)
{
	if (!s)
		return;
	unlock_all(s);
	strmap_release(&s->pending, free_json);
	strmap_release(&s->memory, free_json);
	free(s->dir);
	free(s);
}

static struct lock *lock_of(struct state *s, const char *key)
{
	size_t len_bytes = strcspn(key, "/");
	struct lock *l;

	BUG_ON(!key_is_valid(key) || len_bytes > NAMESPACE_MAX_BYTES);
	for (size_t i = 0; i < s->lock_count; i++)
		if (!strncmp(s->locks[i].name, key, len_bytes) && !s->locks[i].name[len_bytes])
			return &s->locks[i];
	BUG_ON(s->lock_count == NAMESPACES_MAX);
	l = &s->locks[s->lock_count++];
	memcpy(l->name, key, len_bytes);
	l->fd = -1;
	return l;
}

/* Waits for another process of this machine; their turns are short. */
static void lock_namespace(struct state *s, const char *key)
{
	struct lock *l = lock_of(s, key);
	char *path;

	if (!s->dir || l->fd >= 0)
		return;
	path = x_asprintf("%s/%s.lock", s->dir, l->name);
	l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (l->fd < 0 || flock(l->fd, LOCK_EX))
		log_error("cannot lock %s: %s; two runs may share a budget", path, strerror(errno));
	free(path);
}

static char *path_of(const struct state *s, const char *key)
{
	return x_asprintf("%s/%s.json", s->dir, key);
}

static void set_aside(const char *path, const char *why)
{
	char *bad = x_asprintf("%s.bad", path);

	if (rename(path, bad))
		log_error("cannot rename %s: %s", path, strerror(errno));
	log_error("%s is damaged (%s); kept as %s, going on without it", path, why, bad);
	free(bad);
}

static struct json *read_document(const struct state *s, const char *key)
{
	struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
	char *path = path_of(s, key), why[JSON_WHY_SIZE];
	struct json *value = NULL;
	int rc = fs_read(path, &text);

	if (!rc && json_parse(buf_str(&text), text.len_bytes, DOCUMENT_MAX_BYTES, &value, why))
		set_aside(path, why);
	if (rc && rc != -ENOENT)
		log_error("cannot read %s: %s", path, strerror(-rc));
	buf_release(&text);
	free(path);
	return value;
}

struct json *state_get(struct state *s, const char *key)
{
	struct json *put;

	lock_namespace(s, key);
	put = strmap_get(&s->pending, key);
	if (!put)
		put = strmap_get(&s->memory, key);
	if (put)
		return json_type(put) == JSON_T_NULL ? NULL : json_copy(put);
	return s->dir ? read_document(s, key) : NULL;
}

void state_put(struct state *s, const char *key, struct json *value_take)
{
	BUG_ON(!key_is_valid(key));
	json_free(strmap_put(&s->pending, key, value_take ? value_take : json_new_null()));
}

static int write_document(const struct state *s, const char *key, const struct json *value)
{
	struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
	char *path = path_of(s, key), *slash = strrchr(path, '/');
	int rc;

	if (json_type(value) == JSON_T_NULL) {
		rc = unlink(path) && errno != ENOENT ? -errno : 0;
		goto out;
	}
	*slash = '\0';
	rc = fs_mkdirs(path, 0700);
	*slash = '/';
	if (rc)
		goto out;
	json_write(value, &text);
	rc = buf_is_over(&text) ? -EFBIG
				: fs_write_atomic(path, buf_str(&text), text.len_bytes, 0600);
out:
	buf_release(&text);
	free(path);
	return rc;
}

int state_commit(struct state *s)
{
	int rc = 0;

	while (s->pending.count && !rc) {
		const char *key = s->pending.items[s->pending.count - 1].key;
		struct json *value = s->pending.items[s->pending.count - 1].value;

		rc = s->dir ? write_document(s, key, value) : 0;
		if (rc)
			break;
		if (!s->dir)
			json_free(strmap_put(&s->memory, key, json_ref(value)));
		json_free(strmap_remove(&s->pending, key));
	}
	if (!rc)
		unlock_all(s);
	return rc;
}

/* The keys found so far, as a set. */
static void list_folder(const char *folder, const char *key_prefix, struct strmap *keys)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path = x_asprintf("%s/%s", folder, e->d_name);
		char *key = x_asprintf("%s/%s", key_prefix, e->d_name);
		size_t len_bytes = strlen(key);
		struct stat st;

		if (e->d_name[0] != '.' && !stat(path, &st)) {
			if (S_ISDIR(st.st_mode)) {
				list_folder(path, key, keys);
			} else if (len_bytes > 5 && !strcmp(key + len_bytes - 5, ".json")) {
				key[len_bytes - 5] = '\0';
				strmap_put(keys, key, keys);
			}
		}
		free(key);
		free(path);
	}
	if (d)
		closedir(d);
}

static void overlay(const struct strmap *map, const char *prefix, struct strmap *keys)
{
	size_t len_bytes = strlen(prefix);

	for (size_t i = 0; i < map->count; i++) {
		const char *key = map->items[i].key;

		if (strncmp(key, prefix, len_bytes) != 0 || key[len_bytes] != '/')
			continue;
		if (json_type(map->items[i].value) == JSON_T_NULL)
			strmap_remove(keys, key);
		else
			strmap_put(keys, key, keys);
	}
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct strmap_item *)a)->key, ((const struct strmap_item *)b)->key);
}

void state_each(struct state *s, const char *prefix, void (*see)(const char *key, void *ctx),
		void *ctx)
{
	struct strmap keys = {0};

	lock_namespace(s, prefix);
	if (s->dir) {
		char *folder = x_asprintf("%s/%s", s->dir, prefix);

		list_folder(folder, prefix, &keys);
		free(folder);
	}
	overlay(&s->memory, prefix, &keys);
	overlay(&s->pending, prefix, &keys);
	if (keys.count)
		qsort(keys.items, keys.count, sizeof(*keys.items), by_key);
	for (size_t i = 0; i < keys.count; i++)
		see(keys.items[i].key, ctx);
	strmap_release(&keys, NULL);
}

int state_set(struct state *s, const char *key, struct json *value_take)
{
	BUG_ON(s->dir);
	if (!key_is_valid(key)) {
		json_free(value_take);
		return -EINVAL;
	}
	json_free(value_take ? strmap_put(&s->memory, key, value_take)
			     : strmap_remove(&s->memory, key));
	return 0;
}

size_t state_put_count(const struct state *s)
{
	return s->pending.count;
}

void state_drain(struct state *s, void (*see)(const char *key, struct json *value_take, void *ctx),
		 void *ctx)
{
	struct strmap puts = s->pending;

	BUG_ON(s->dir);
	s->pending = (struct strmap){0};
	for (size_t i = 0; i < puts.count; i++) {
		struct json *value = puts.items[i].value;
		bool is_gone = json_type(value) == JSON_T_NULL;

		see(puts.items[i].key, is_gone ? NULL : json_ref(value), ctx);
	}
	strmap_release(&puts, free_json);
}
