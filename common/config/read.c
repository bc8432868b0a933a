/* read.c - one section: its keys held against its rows. */
#include "common/config/read.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/strmap.h"
#include "common/json/json.h"

bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)) != NULL; p += len) {
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	}
	return false;
}

void add_words(const char *words, struct buf *out)
{
	for (; *words; words++) {
		if (*words == ' ')
			buf_adds(out, ", ");
		else
			buf_addc(out, *words);
	}
}

void add_nearest(const char *word, const char *const *names, size_t count, struct buf *out)
{
	const char *near = nearest_name(word, names, count);

	if (near)
		buf_addf(out, " (did you mean \"%.60s\"?)", near);
}

bool is_map(struct reader *r, const struct yaml_node *v, const char *what)
{
	struct buf is = BUF_INIT(512);
	bool ok = v->type == YAML_T_MAP || yaml_is_null(v);

	if (!ok) {
		yaml_describe(v, &is);
		config_errors_add(r->errs, v->place,
				  "%s is %s, expected a mapping of keys and values", what,
				  buf_str(&is));
	}
	buf_release(&is);
	return ok;
}

const struct setting *section_row(const struct section *sec, const char *key)
{
	for (size_t i = 0; i < sec->count; i++) {
		if (strcmp(sec->rows[i].key, key) == 0)
			return &sec->rows[i];
	}
	return NULL;
}

static void unknown_key(struct reader *r, const struct section *sec, const struct yaml_entry *e)
{
	const char *names[32];
	struct buf near = BUF_INIT(256), list = BUF_INIT(2048);

	BUG_ON(sec->count > ARRAY_LEN(names));
	for (size_t i = 0; i < sec->count; i++) {
		names[i] = sec->rows[i].key;
		buf_addf(&list, "%s%s", i ? ", " : "one of ", names[i]);
	}
	if (sec->count == 0)
		buf_adds(&list, "no key here");
	add_nearest(e->key, names, sec->count, &near);
	config_errors_add(r->errs, e->place, "unknown key \"%.60s\"%s, expected %s", e->key,
			  buf_str(&near), buf_str(&list));
	buf_release(&near);
	buf_release(&list);
}

static bool is_of_kind(const struct setting *s, const char *kind)
{
	return !s->only || !kind || has_word(s->only, kind);
}

static void foreign_key(struct reader *r, const struct section *sec, const struct setting *s,
			const struct yaml_entry *e, const char *kind)
{
	struct buf list = BUF_INIT(512);

	add_words(s->only, &list);
	config_errors_add(r->errs, e->place, "%s does not go with %s %s, expected it with %s only",
			  s->key, sec->kind_word, kind, buf_str(&list));
	buf_release(&list);
}

static void missing_key(struct reader *r, const struct setting *s, const struct entry_label *label)
{
	struct buf expected = BUF_INIT(1024);

	setting_expected(s, &expected);
	config_errors_add(r->errs, label->place, "%s%s%s%s has no %s, expected %s: %s", label->what,
			  *label->name ? " \"" : "", label->name, *label->name ? "\"" : "", s->key,
			  s->key, buf_str(&expected));
	buf_release(&expected);
}

static bool is_needed_by(const struct setting *s, const char *kind)
{
	const char *kinds = s->required_for ? s->required_for : s->only;

	return !kinds || (kind && has_word(kinds, kind));
}

void check_keys(struct reader *r, const struct section *sec, const struct yaml_node *node,
		const char *kind, const struct entry_label *label)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct setting *s = section_row(sec, e->key);

		if (!s)
			unknown_key(r, sec, e);
		else if (!is_of_kind(s, kind))
			foreign_key(r, sec, s, e, kind);
	}
	for (size_t i = 0; i < sec->count; i++) {
		const struct setting *s = &sec->rows[i];

		if (s->is_required && is_needed_by(s, kind) && !yaml_entry(node, s->key))
			missing_key(r, s, label);
	}
}

/* The section's own idea of the kind: what its kind_key says, else that row's default. */
static const char *kind_of(const struct section *sec, const struct yaml_node *node)
{
	const struct setting *s = section_row(sec, sec->kind_key);
	const struct yaml_node *v = yaml_get(node, sec->kind_key);

	if (!v)
		return s->default_text;
	return is_word_text(v) && has_word(s->words, v->text) ? v->text : NULL;
}

void section_defaults(const struct section *sec, void *target)
{
	struct config_errors errs = {0};
	struct reader r = {.errs = &errs};

	for (size_t i = 0; i < sec->count; i++) {
		const struct setting *s = &sec->rows[i];
		struct yaml_tree tree = {0};

		if (s->rows)
			section_defaults(s->rows, target);
		if (!s->default_text)
			continue;
		BUG_ON(yaml_parse(&tree, "default", s->default_text, strlen(s->default_text),
				  &errs));
		read_value(&r, s, tree.root, target);
		yaml_release(&tree);
		if (errs.count)
			BUG("default of %s: %s", s->key, errs.items[0].text);
	}
}

/* Values only; the defaults are in place. */
static void fill_section(struct reader *r, const struct section *sec, const struct yaml_node *node,
			 const char *kind, const struct entry_label *label, void *target)
{
	if (sec->kind_key)
		kind = kind_of(sec, node);
	check_keys(r, sec, node, kind, label);
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct setting *s = section_row(sec, e->key);

		if (s && is_of_kind(s, kind))
			read_value(r, s, e->value, target);
	}
}

void read_section_row(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	const struct entry_label label = {s->key, "", v->place};

	if (is_map(r, v, s->key))
		fill_section(r, s->rows, v, NULL, &label, target);
}

void read_section(struct reader *r, const struct section *sec, const struct yaml_node *node,
		  const char *kind, const struct entry_label *label, void *target)
{
	char what[160];

	section_defaults(sec, target);
	snprintf(what, sizeof(what), "%s%s%.64s%s", label->what, *label->name ? " \"" : "",
		 label->name, *label->name ? "\"" : "");
	if (is_map(r, node, what))
		fill_section(r, sec, node, kind, label, target);
}

void list_release(const struct setting *s, void *target)
{
	char ***list = (char ***)(void *)((char *)target + s->offset);
	size_t *count = (size_t *)(void *)((char *)target + s->count_offset);

	for (size_t i = 0; i < *count; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
	*count = 0;
}

/* Fields are left empty: several sections may share a struct. */
void section_release(const struct section *sec, void *target)
{
	for (size_t i = 0; i < sec->count; i++) {
		const struct setting *s = &sec->rows[i];
		char **text = (char **)(void *)((char *)target + s->offset);

		if (s->rows)
			section_release(s->rows, target);
		if (setting_owns(s) == OWNS_TEXT) {
			free(*text);
			*text = NULL;
		} else if (setting_owns(s) == OWNS_LIST) {
			list_release(s, target);
		} else if (setting_owns(s) == OWNS_JSON) {
			json_free(*(struct json **)(void *)text);
			*text = NULL;
		}
	}
}
