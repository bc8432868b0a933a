#include "cmd/watcher/known.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest/digest.h"

/* Every string of the document, so that reading, writing and releasing agree. */
static const struct {
	size_t offset;
	const char *name;
} texts[] = {
	{offsetof(struct known, revision), "revision"},
	{offsetof(struct known, last_modified), "last_modified"},
	{offsetof(struct known, edits_sha256), "edits_sha256"},
	{offsetof(struct known, settings.code_sha256), "code_sha256"},
	{offsetof(struct known, settings.runtime), "runtime"},
	{offsetof(struct known, settings.handler), "handler"},
	{offsetof(struct known, settings.package_type), "package_type"},
	{offsetof(struct known, settings.arch), "arch"},
	{offsetof(struct known, settings.snapstart), "snapstart"},
	{offsetof(struct known, settings.environment_sha256), "environment_sha256"},
	{offsetof(struct known, settings.layers_sha256), "layers_sha256"},
	{offsetof(struct known, alias_version), "alias_version"},
	{offsetof(struct known, alias_revision), "alias_revision"},
};

static const char *const owed_words[OWED_COUNT] = {
#define X(symbol, word) [symbol] = word,
	OWED(X)
#undef X
};

static char **text_at(const struct known *k, size_t i)
{
	return (char **)(void *)((char *)(uintptr_t)k + texts[i].offset);
}

static void replace(char **at, const char *text)
{
	char *copy = x_strdup(text ? text : "");

	free(*at);
	*at = copy;
}

void known_release(struct known *k)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(*text_at(k, i));
	*k = (struct known){0};
}

const char *known_revision_of(const struct lambda_function *f)
{
	if (f->revision_id && *f->revision_id)
		return f->revision_id;
	if (f->last_modified && *f->last_modified)
		return f->last_modified;
	return f->code_sha256 ? f->code_sha256 : "";
}

void known_learn(struct known *k, const struct lambda_function *now)
{
	struct settings *s = &k->settings;

	replace(&k->revision, known_revision_of(now));
	replace(&k->last_modified, now->last_modified);
	replace(&k->edits_sha256, now->edits_sha256);
	replace(&s->code_sha256, now->code_sha256);
	replace(&s->runtime, now->runtime);
	replace(&s->handler, now->handler);
	replace(&s->package_type, now->package_type);
	replace(&s->arch, now->arch);
	replace(&s->snapstart, now->snapstart_apply_on);
	replace(&s->environment_sha256, now->environment_sha256);
	replace(&s->layers_sha256, now->layers_sha256);
	s->memory_bytes = now->memory_bytes;
	s->timeout_ms = now->timeout_ms;
	k->owed = OWED_NOTHING;
	k->missing_since_ms = 0;
	k->was_missing = false;
}

struct json *known_to_json(const struct known *k)
{
	struct json *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		json_put_str(o, texts[i].name, *text_at(k, i));
	json_put_int(o, "memory_bytes", k->settings.memory_bytes);
	json_put_int(o, "timeout_ms", k->settings.timeout_ms);
	if (k->owed)
		json_put_str(o, "owed", owed_words[k->owed]);
	if (k->missing_since_ms)
		json_put_int(o, "missing_since_ms", k->missing_since_ms);
	if (k->was_missing)
		json_put_bool(o, "was_missing", true);
	if (k->is_told_how_to_publish)
		json_put_bool(o, "is_told_how_to_publish", true);
	return o;
}

void known_from_json(struct known *k, const struct json *doc)
{
	const char *owed = json_get_str(doc, "owed");

	known_release(k);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text = json_get_str(doc, texts[i].name);

		if (text)
			*text_at(k, i) = x_strdup(text);
	}
	k->settings.memory_bytes = json_get_int(doc, "memory_bytes", 0);
	k->settings.timeout_ms = json_get_int(doc, "timeout_ms", 0);
	k->missing_since_ms = json_get_int(doc, "missing_since_ms", 0);
	k->was_missing = json_get_bool(doc, "was_missing", false);
	k->is_told_how_to_publish = json_get_bool(doc, "is_told_how_to_publish", false);
	for (int i = 0; owed && i < OWED_COUNT; i++)
		if (!strcmp(owed, owed_words[i]))
			k->owed = (enum owed)i;
}

static void add_part(struct buf *b, const char *text)
{
	buf_adds(b, text ? text : "");
	buf_addc(b, '\n');
}

void known_config_sha256(const struct lambda_function *f, char out[65])
{
	struct buf b = BUF_INIT(8192);

	add_part(&b, f->runtime);
	add_part(&b, f->handler);
	add_part(&b, f->package_type);
	add_part(&b, f->arch);
	add_part(&b, f->snapstart_apply_on);
	add_part(&b, f->environment_sha256);
	add_part(&b, f->layers_sha256);
	buf_addf(&b, "%" PRId64 "\n%" PRId64 "\n", f->memory_bytes, f->timeout_ms);
	digest_sha256_hex(buf_str(&b), b.len_bytes, out);
	buf_release(&b);
}
