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

bool versions_is_equal(const struct lambda_function *a, const struct lambda_function *b)
{
	char of_a[65], of_b[65];

	known_config_sha256(a, of_a);
	known_config_sha256(b, of_b);
	return is_equal_text(a->code_sha256, b->code_sha256) && !strcmp(of_a, of_b);
}

const struct lambda_function *versions_equal_to(const struct lambda_list *versions,
						const struct lambda_function *f)
{
	for (size_t i = 0; i < versions->count; i++)
		if (versions_is_equal(&versions->items[i], f))
			return &versions->items[i];
	return NULL;
}

bool versions_has(const struct json *list, const char *version)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const char *v = json_str(json_elem(list, i));

		if (v && !strcmp(v, version))
			return true;
	}
	return false;
}

static struct json *candidate(const struct lambda_function *v, const struct json *unused)
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
	if (versions_has(unused, v->version))
		json_put_bool(o, "is_unused", true);
	return o;
}

struct json *versions_candidates(const struct lambda_list *versions, const struct json *unused)
{
	struct json *list = json_arr();

	for (size_t i = 0; i < versions->count && json_len(list) < CANDIDATES_MAX; i++)
		if (!lambda_is_failed(&versions->items[i]))
			json_push(list, candidate(&versions->items[i], unused));
	return list;
}

/* what is ours */

static char *key_of(const char *subject)
{
	return x_asprintf("published/%s", subject);
}

struct json *versions_doc(struct stage *st, const char *subject)
{
	char *key = key_of(subject);
	struct json *doc = stage_state_get(st, key);

	free(key);
	return doc ? doc : json_obj();
}

void versions_put_doc(struct stage *st, const char *subject, struct json *doc_take)
{
	char *key = key_of(subject);

	stage_state_put(st, key, doc_take);
	free(key);
}

/* The member of doc becomes first (may be NULL), then what it was without that. */
static void put_first(struct json *doc, const char *member, const char *first, const char *without)
{
	const struct json *before = json_get(doc, member);
	struct json *list = json_arr();

	if (first)
		json_push(list, json_new_str(first));
	for (size_t i = 0; i < json_len(before); i++) {
		const char *v = json_str(json_elem(before, i));

		if (v && strcmp(v, without))
			json_push(list, json_new_str(v));
	}
	json_put(doc, member, list);
}

struct json *versions_ours(struct stage *st, const char *subject)
{
	struct json *doc = versions_doc(st, subject), *ours = json_get(doc, "versions");

	ours = ours ? json_ref(ours) : json_arr();
	json_free(doc);
	return ours;
}

void versions_add(struct json *doc, const char *version)
{
	put_first(doc, "versions", version, version);
	put_first(doc, "unused", version, version);
}

void versions_told(struct stage *st, const char *subject)
{
	struct json *doc = versions_doc(st, subject);

	if (json_len(json_get(doc, "unused")) == 0) {
		json_free(doc);
		return;
	}
	json_del(doc, "unused");
	versions_put_doc(st, subject, doc);
}

bool versions_has_unused(const struct json *doc, const struct lambda_list *versions,
			 const struct lambda_function *f)
{
	for (size_t i = 0; i < versions->count; i++)
		if (versions_has(json_get(doc, "unused"), versions->items[i].version) &&
		    versions_is_equal(&versions->items[i], f))
			return true;
	return false;
}

void versions_remember(struct stage *st, const char *subject, const char *version)
{
	struct json *doc = versions_doc(st, subject);

	versions_add(doc, version);
	versions_put_doc(st, subject, doc);
}

void versions_forget(struct stage *st, const char *subject, const char *version)
{
	static const char *const members[] = {"versions", "copies", "unused"};
	struct json *doc = versions_doc(st, subject);

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		put_first(doc, members[i], NULL, version);
	versions_put_doc(st, subject, doc);
}

void versions_forget_all(struct stage *st, const char *subject)
{
	versions_put_doc(st, subject, NULL);
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
