#include "common/work/spool.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/crash.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/digest/digest.h"
#include "common/event/event.h"
#include "common/work/durable.h"

#define MAGIC "plimsoll-spool"
#define SUFFIX ".result"
#define BAD "bad"
#define HEAD_MAX_BYTES 512u

/* ---- names and heads ---- */

static char *path_of(const struct spool *s, const struct spool_key *k)
{
	return x_asprintf("%s/%s.%" PRId64 ".%s" SUFFIX, s->dir, k->run, k->index, k->token);
}

static void add_head(const struct spool_item *it, struct buf *out)
{
	const struct spool_key *k = &it->key;

	buf_addf(out, MAGIC " 1 %s %" PRId64 " %s %s %s\n", k->run, k->index, k->token, k->nonce,
		 it->sha);
}

/* Takes the next word of a head; false when there is none or it does not fit. */
static bool take_word(char **rest, char *out, size_t size_bytes)
{
	const char *word = strsep(rest, " ");

	return word && *word && (size_t)snprintf(out, size_bytes, "%s", word) < size_bytes;
}

static bool read_head(char *head, struct spool_item *it)
{
	struct spool_key *k = &it->key;
	char magic[32], version[8], index[8], *end, *rest = head;
	bool is_whole = take_word(&rest, magic, sizeof(magic)) &&
			take_word(&rest, version, sizeof(version)) &&
			take_word(&rest, k->run, sizeof(k->run)) &&
			take_word(&rest, index, sizeof(index)) &&
			take_word(&rest, k->token, sizeof(k->token)) &&
			take_word(&rest, k->nonce, sizeof(k->nonce)) &&
			take_word(&rest, it->sha, sizeof(it->sha)) && !rest;

	if (!is_whole || strcmp(magic, MAGIC) != 0 || strcmp(version, "1") != 0)
		return false;
	k->index = strtol(index, &end, 10);
	return !*end && k->index >= 0;
}

/* Splits a file's content: head into it, the event's line into *line. False: broken. */
static bool read_content(struct buf *content, struct spool_item *it, const char **line,
			 size_t *len_bytes)
{
	char *end = content->len_bytes ? memchr(content->data, '\n', content->len_bytes) : NULL;
	char sha[SHA256_HEX_SIZE];

	if (!end || (size_t)(end - content->data) > HEAD_MAX_BYTES)
		return false;
	*end = '\0';
	if (!read_head(content->data, it))
		return false;
	*line = end + 1;
	*len_bytes = content->len_bytes - (size_t)(end + 1 - content->data);
	digest_sha256_hex(*line, *len_bytes, sha);
	return !strcmp(sha, it->sha);
}

/* ---- the list ---- */

static void append(struct spool *s, struct spool_item *it)
{
	struct spool_item **at = &s->first;

	while (*at)
		at = &(*at)->next;
	*at = it;
	s->count++;
}

static void forget(struct spool *s, struct spool_item *it)
{
	struct spool_item **at = &s->first;

	while (*at != it)
		at = &(*at)->next;
	*at = it->next;
	s->count--;
	buf_release(&it->line);
	free(it);
}

struct spool_item *spool_find(const struct spool *s, const char *run, int64_t index,
			      const char *token)
{
	struct spool_item *it = s->first;

	while (it && (it->key.index != index || strcmp(it->key.run, run) != 0 ||
		      strcmp(it->key.token, token) != 0))
		it = it->next;
	return it;
}

/* ---- opening ---- */

static void put_aside(const struct spool *s, const char *name)
{
	char *from = x_asprintf("%s/%s", s->dir, name);
	char *to = x_asprintf("%s/" BAD "/%s", s->dir, name);

	log_warn("%s is no result that can be sent; it is kept as %s", from, to);
	if (rename(from, to))
		log_warn("cannot move %s: %s", from, strerror(errno));
	free(from);
	free(to);
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), want = strlen(suffix);

	return len > want && !strcmp(name + len - want, suffix);
}

static void adopt(struct spool *s, const char *name, const char *path)
{
	struct buf content = BUF_INIT(EVENT_LINE_MAX_BYTES + HEAD_MAX_BYTES);
	struct spool_item *it = x_calloc(1, sizeof(*it));
	size_t len_bytes;
	const char *line;
	int rc = fs_read(path, &content);

	if (!rc && read_content(&content, it, &line, &len_bytes)) {
		it->is_durable = true;
		append(s, it);
		it = NULL;
	} else if (!rc || rc == -EFBIG) {
		put_aside(s, name);
	} else {
		log_warn("cannot read %s: %s; it is left for the next start", path, strerror(-rc));
	}
	free(it);
	buf_release(&content);
}

static void look_at(struct spool *s, const char *name)
{
	char *path = x_asprintf("%s/%s", s->dir, name);

	if (ends_with(name, DURABLE_TMP))
		unlink(path);
	else if (ends_with(name, SUFFIX))
		adopt(s, name, path);
	free(path);
}

int spool_open(struct spool *s, const char *dir)
{
	char *bad = x_asprintf("%s/" BAD, dir);
	struct dirent *entry;
	int rc = fs_mkdirs(bad, 0750);
	DIR *d = rc ? NULL : opendir(dir);

	memset(s, 0, sizeof(*s));
	s->dir = x_strdup(dir);
	if (!rc && !d)
		rc = -errno;
	while (d && (entry = readdir(d)))
		look_at(s, entry->d_name);
	if (d)
		closedir(d);
	free(bad);
	return rc;
}

void spool_close(struct spool *s)
{
	while (s->first)
		forget(s, s->first);
	free(s->dir);
	s->dir = NULL;
}

/* ---- putting, reading, dropping ---- */

static int write_file(const struct spool *s, const struct spool_item *it, const char *line,
		      size_t len_bytes)
{
	struct buf content = BUF_INIT(EVENT_LINE_MAX_BYTES + HEAD_MAX_BYTES);
	char *path = path_of(s, &it->key);
	int rc;

	add_head(it, &content);
	buf_add(&content, line, len_bytes);
	CRASH_POINT("worker.pre-spool");
	rc = buf_is_over(&content) ? -E2BIG
				   : durable_write_tmp(path, content.data, content.len_bytes);
	CRASH_POINT("worker.post-tmp");
	if (!rc)
		rc = durable_rename(path);
	CRASH_POINT("worker.post-rename");
	if (!rc)
		rc = durable_sync_folder(path);
	CRASH_POINT("worker.post-spool");
	if (rc)
		log_warn("cannot keep the result of %s in %s: %s; it is sent from memory, and a "
			 "crash before it arrives costs a repetition; make room",
			 it->key.run, s->dir, strerror(-rc));
	buf_release(&content);
	free(path);
	return rc;
}

struct spool_item *spool_put(struct spool *s, const struct spool_key *key, const char *line,
			     size_t len_bytes)
{
	struct spool_item *it = spool_find(s, key->run, key->index, key->token);

	if (it)
		return it;
	it = x_calloc(1, sizeof(*it));
	it->key = *key;
	digest_sha256_hex(line, len_bytes, it->sha);
	it->is_durable = write_file(s, it, line, len_bytes) == 0;
	if (!it->is_durable) {
		buf_init(&it->line, EVENT_LINE_MAX_BYTES);
		buf_add(&it->line, line, len_bytes);
	}
	append(s, it);
	return it;
}

int spool_line(struct spool *s, struct spool_item *it, struct buf *out)
{
	struct buf content = BUF_INIT(EVENT_LINE_MAX_BYTES + HEAD_MAX_BYTES);
	struct spool_item found = {0};
	size_t len_bytes;
	const char *line;
	char *path = path_of(s, &it->key);
	int rc = 0;

	if (!it->is_durable) {
		buf_add(out, it->line.data, it->line.len_bytes);
	} else if ((rc = fs_read(path, &content)) == 0) {
		if (read_content(&content, &found, &line, &len_bytes))
			buf_add(out, line, len_bytes);
		else
			rc = -EBADMSG;
	}
	if (rc == -EBADMSG)
		spool_reject(s, it);
	free(path);
	buf_release(&content);
	return rc;
}

void spool_drop(struct spool *s, struct spool_item *it)
{
	char *path = path_of(s, &it->key);

	CRASH_POINT("worker.pre-unlink");
	if (unlink(path) && errno != ENOENT)
		log_warn("cannot remove %s: %s; it is sent again at the next start", path,
			 strerror(errno));
	CRASH_POINT("worker.post-unlink");
	free(path);
	forget(s, it);
}

void spool_reject(struct spool *s, struct spool_item *it)
{
	char *path = path_of(s, &it->key);

	if (it->is_durable)
		put_aside(s, strrchr(path, '/') + 1);
	free(path);
	forget(s, it);
}
