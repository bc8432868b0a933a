#include "cmd/watcher/versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/watcher/known.h"

static uint64_t number_of(const char *version)
{
	return version ? strtoull(version, NULL, 10) : 0;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = number_of(((const struct lambda_function *)a)->version);
	uint64_t y = number_of(((const struct lambda_function *)b)->version);

	return x < y ? 1 : x > y ? -1 : 0;
}

void versions_sort(struct lambda_list *versions)
{
	size_t kept = 0;

	for (size_t i = 0; i < versions->count; i++) {
		if (number_of(versions->items[i].version))
			versions->items[kept++] = versions->items[i];
		else
			lambda_function_release(&versions->items[i]);
	}
	versions->count = kept;
	if (kept)
		qsort(versions->items, kept, sizeof(*versions->items), newest_first);
}

static bool is_equal_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

const struct lambda_function *versions_equal_to(const struct lambda_list *versions,
						const struct lambda_function *f)
{
	char want[65], got[65];

	known_config_sha256(f, want);
	for (size_t i = 0; i < versions->count; i++) {
		const struct lambda_function *v = &versions->items[i];

		known_config_sha256(v, got);
		if (is_equal_text(v->code_sha256, f->code_sha256) && !strcmp(want, got))
			return v;
	}
	return NULL;
}

static struct json *candidate(const struct lambda_function *v)
{
	struct json *o = json_obj();
	char sha256[65], when[WALL_RFC3339_SIZE];

	known_config_sha256(v, sha256);
	json_put_str(o, "qualifier", v->version);
	json_put_str(o, "code_sha256", v->code_sha256);
	json_put_str(o, "config_sha256", sha256);
	if (v->modified_at.ns) {
		wall_format_rfc3339(v->modified_at, when);
		json_put_str(o, "published_at", when);
	}
	return o;
}

struct json *versions_candidates(const struct lambda_list *versions)
{
	struct json *list = json_arr();

	for (size_t i = 0; i < versions->count && json_len(list) < CANDIDATES_MAX; i++)
		if (!lambda_is_failed(&versions->items[i]))
			json_push(list, candidate(&versions->items[i]));
	return list;
}

/* what is ours */

static char *key_of(const char *subject)
{
	return x_asprintf("published/%s", subject);
}

static void put_ours(struct stage *st, const char *subject, struct json *ours_take)
{
	char *key = key_of(subject);
	struct json *doc = json_obj();

	json_put(doc, "versions", ours_take);
	stage_state_put(st, key, doc);
	free(key);
}

struct json *versions_ours(struct stage *st, const char *subject)
{
	char *key = key_of(subject);
	struct json *doc = stage_state_get(st, key);
	struct json *ours = json_get(doc, "versions");

	ours = ours ? json_ref(ours) : json_arr();
	json_free(doc);
	free(key);
	return ours;
}

/* ours without this version; the caller frees it. */
static struct json *without(const struct json *ours, const char *version)
{
	struct json *rest = json_arr();

	for (size_t i = 0; i < json_len(ours); i++) {
		const char *v = json_str(json_elem(ours, i));

		if (v && strcmp(v, version))
			json_push(rest, json_new_str(v));
	}
	return rest;
}

void versions_remember(struct stage *st, const char *subject, const char *version)
{
	struct json *ours = versions_ours(st, subject), *rest = without(ours, version);
	struct json *all = json_arr();

	json_push(all, json_new_str(version));
	for (size_t i = 0; i < json_len(rest); i++)
		json_push(all, json_ref(json_elem(rest, i)));
	put_ours(st, subject, all);
	json_free(rest);
	json_free(ours);
}

void versions_forget(struct stage *st, const char *subject, const char *version)
{
	struct json *ours = versions_ours(st, subject);

	put_ours(st, subject, without(ours, version));
	json_free(ours);
}

void versions_forget_all(struct stage *st, const char *subject)
{
	char *key = key_of(subject);

	stage_state_put(st, key, NULL);
	free(key);
}

struct json *versions_to_retire(const struct json *ours, uint32_t keep, const char *held)
{
	struct json *old = json_arr();

	for (size_t i = MAX_OF(keep, 2u); i < json_len(ours); i++) {
		const char *v = json_str(json_elem(ours, i));

		if (v && (!held || strcmp(v, held)))
			json_push(old, json_new_str(v));
	}
	return old;
}
