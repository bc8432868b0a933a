/* yaml.c - libyaml's events made into a bounded tree with places. */
#include "common/config/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct anchor {
	char *name;
	struct yaml_node *node;
};

struct loader {
	struct yaml_tree *tree;
	struct config_errors *errs;
	const char *file, *text;
	size_t len_bytes;
	yaml_parser_t parser;
	struct anchor *anchors;
	size_t anchor_count, anchor_cap;
};

/* What libyaml says, and what a person should do about it. The first that fits counts. */
static const struct {
	const char *problem, *expected;
} hints[] = {
	{"',' or ']'", "',' or ']'"},
	{"',' or '}'", "',' or '}'"},
	{"mapping values are not allowed",
	 "one \"key: value\" a line, and quotes round a text that holds \": \""},
	{"did not find expected key", "a key at the indentation of the keys above it"},
	{"did not find expected '-' indicator", "'-' or the indentation of the lines above it"},
	{"could not find expected ':'", "':' behind the key"},
	{"cannot start any token", "a value; quote a text that begins with @ ` or %"},
	{"unexpected end of stream", "the closing quote"},
	{"block sequence entries are not allowed", "a list on lines of its own, or [a, b]"},
	{"while scanning an anchor", "a name of letters and digits behind & or *"},
	{"unknown escape character", "a known escape, or single quotes round the text"},
};

static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* Bytes first: libyaml's own words for them name no line. */
static int check_bytes(const struct loader *l)
{
	const unsigned char *s = (const unsigned char *)l->text;
	struct config_place at = {l->file, 1, 1};

	for (size_t i = 0; i < l->len_bytes;) {
		size_t n = utf8_length(s + i, l->len_bytes - i);

		if (n == 0) {
			config_errors_add(l->errs, at,
					  "byte 0x%02x is not UTF-8, expected UTF-8 text", s[i]);
			return -EINVAL;
		}
		if ((s[i] < 0x20 && !strchr("\t\n\r", s[i])) || s[i] == 0x7f || s[i] == 0) {
			config_errors_add(l->errs, at,
					  "control character 0x%02x, expected printable text",
					  s[i]);
			return -EINVAL;
		}
		at.column++;
		if (s[i] == '\n') {
			at.line++;
			at.column = 1;
		}
		i += n;
	}
	return 0;
}

static struct config_place place_of(const struct loader *l, yaml_mark_t mark)
{
	return (struct config_place){l->file, (int)mark.line + 1, (int)mark.column + 1};
}

static bool is_tab_at(const struct loader *l, struct config_place at)
{
	const char *s = l->text, *end = l->text + l->len_bytes;

	for (int line = 1; line < at.line && s < end; line++) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));

		s = nl ? nl + 1 : end;
	}
	/* Where a line begins with a tab, libyaml may complain at the word behind it. */
	while (s < end && *s == ' ')
		s++;
	return s < end && *s == '\t';
}

static void add_syntax_error(const struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem ? p->problem : "cannot be read";
	const char *context = p->context ? p->context : "";
	const char *expected = "valid YAML";
	char begun[40] = "";
	struct config_place at = place_of(l, p->problem_mark);

	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		if (strstr(problem, hints[i].problem) || strstr(context, hints[i].problem)) {
			expected = hints[i].expected;
			break;
		}
	}
	if (is_tab_at(l, at))
		expected = "spaces: a tab cannot indent";
	if (*context && p->context_mark.line != p->problem_mark.line)
		snprintf(begun, sizeof(begun), " (begun at line %zu)", p->context_mark.line + 1);
	config_errors_add(l->errs, at, "not valid YAML: %s%s%s%s, expected %s", context, begun,
			  *context ? ": " : "", problem, expected);
}

static int next_event(struct loader *l, yaml_event_t *ev)
{
	if (yaml_parser_parse(&l->parser, ev))
		return 0;
	add_syntax_error(l);
	return -EINVAL;
}

static struct yaml_node *new_node(struct yaml_tree *t, enum yaml_type type,
				  struct config_place place)
{
	struct yaml_node *n = x_calloc(1, sizeof(*n));

	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->nodes = x_realloc(t->nodes, t->cap, sizeof(struct yaml_node *));
	}
	t->nodes[t->count++] = n;
	n->type = type;
	n->place = place;
	n->weight = 1;
	return n;
}

struct yaml_node *yaml_new_map(struct yaml_tree *tree, struct config_place place)
{
	return new_node(tree, YAML_T_MAP, place);
}

void yaml_put(struct yaml_node *map, const struct yaml_entry *entry, struct yaml_node *value)
{
	map->entries = x_realloc(map->entries, map->count + 1, sizeof(*map->entries));
	map->entries[map->count] = *entry;
	map->entries[map->count].key = x_strdup(entry->key);
	map->entries[map->count++].value = value;
}

static void put_anchor(struct loader *l, const yaml_char_t *name, struct yaml_node *node)
{
	if (!name)
		return;
	if (l->anchor_count == l->anchor_cap) {
		l->anchor_cap = l->anchor_cap ? 2 * l->anchor_cap : 8;
		l->anchors = x_realloc(l->anchors, l->anchor_cap, sizeof(*l->anchors));
	}
	l->anchors[l->anchor_count++] = (struct anchor){x_strdup((const char *)name), node};
}

/* The latest of that name counts, as YAML says. NULL after telling. */
static struct yaml_node *find_anchor(struct loader *l, const yaml_event_t *ev)
{
	const char *name = (const char *)ev->data.alias.anchor;

	for (size_t i = l->anchor_count; i-- > 0;) {
		if (strcmp(l->anchors[i].name, name) == 0)
			return l->anchors[i].node;
	}
	config_errors_add(
		l->errs, place_of(l, ev->start_mark),
		"unknown alias *%.60s, expected an anchor &%.60s that is complete above it", name,
		name);
	return NULL;
}

static int check_tag(struct loader *l, const yaml_char_t *tag, yaml_mark_t mark)
{
	if (!tag || strcmp((const char *)tag, "!") == 0)
		return 0;
	config_errors_add(l->errs, place_of(l, mark),
			  "tag \"%.60s\", expected a value without a tag", (const char *)tag);
	return -EINVAL;
}

static int load_node(struct loader *l, yaml_event_t *ev, int depth, struct yaml_node **out);

/* Adds the child's weight to its parent's; the bound that makes alias bombs harmless. */
static int weigh(struct loader *l, struct yaml_node *parent, const struct yaml_node *child,
		 yaml_mark_t mark)
{
	parent->weight += child->weight;
	if (parent->weight <= YAML_VALUES_MAX)
		return 0;
	config_errors_add(
		l->errs, place_of(l, mark),
		"more than %d values (aliases counted in full), expected at most that many",
		YAML_VALUES_MAX);
	return -E2BIG;
}

static struct yaml_entry *add_entry(struct yaml_node *n, size_t *cap)
{
	if (n->count == *cap) {
		*cap = *cap ? 2 * *cap : 8;
		n->entries = x_realloc(n->entries, *cap, sizeof(*n->entries));
	}
	n->entries[n->count] = (struct yaml_entry){0};
	return &n->entries[n->count++];
}

static int load_list(struct loader *l, struct yaml_node *n, int depth)
{
	size_t cap = 0;
	int rc;

	for (;;) {
		yaml_event_t ev;
		yaml_mark_t mark;
		struct yaml_node *child = NULL;

		rc = next_event(l, &ev);
		if (rc)
			return rc;
		mark = ev.start_mark;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return 0;
		}
		rc = load_node(l, &ev, depth, &child);
		if (!rc)
			rc = weigh(l, n, child, mark);
		if (rc)
			return rc;
		*add_entry(n, &cap) = (struct yaml_entry){.place = child->place, .value = child};
	}
}

/* A key is a scalar. A second one of the same name is told and *is_new is false. */
static int load_key(struct loader *l, const struct yaml_node *map, const yaml_event_t *ev,
		    struct yaml_entry *out, bool *is_new)
{
	struct config_place at = place_of(l, ev->start_mark);
	const struct yaml_entry *twin;
	const char *text;

	if (ev->type != YAML_SCALAR_EVENT) {
		config_errors_add(l->errs, at, "a key that is no plain text, expected a name");
		return -EINVAL;
	}
	text = (const char *)ev->data.scalar.value;
	twin = yaml_entry(map, text);
	*is_new = twin == NULL;
	if (twin)
		config_errors_add(l->errs, at,
				  "key \"%.60s\" stands twice (first at line %d), expected it once",
				  text, twin->place.line);
	*out = (struct yaml_entry){
		.key = x_strdup(text),
		.place = at,
		.is_quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE,
	};
	return 0;
}

static int load_map(struct loader *l, struct yaml_node *n, int depth)
{
	size_t cap = 0;
	int rc;

	for (;;) {
		yaml_event_t ev;
		yaml_mark_t mark;
		struct yaml_entry entry = {0};
		bool is_new = false;

		rc = next_event(l, &ev);
		if (rc)
			return rc;
		mark = ev.start_mark;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return 0;
		}
		rc = load_key(l, n, &ev, &entry, &is_new);
		yaml_event_delete(&ev);
		if (!rc && n->count >= YAML_KEYS_MAX) {
			config_errors_add(l->errs, entry.place,
					  "more than %d keys in one mapping, expected at most that",
					  YAML_KEYS_MAX);
			rc = -E2BIG;
		}
		if (!rc)
			rc = next_event(l, &ev);
		if (!rc)
			rc = load_node(l, &ev, depth, &entry.value);
		if (!rc)
			rc = weigh(l, n, entry.value, mark);
		if (!rc && is_new)
			*add_entry(n, &cap) = entry;
		else
			free(entry.key);
		if (rc)
			return rc;
	}
}

static int load_scalar(struct loader *l, const yaml_event_t *ev, struct yaml_node **out)
{
	struct yaml_node *n = new_node(l->tree, YAML_T_SCALAR, place_of(l, ev->start_mark));
	yaml_scalar_style_t style = ev->data.scalar.style;

	n->len_bytes = ev->data.scalar.length;
	n->text = x_strndup((const char *)ev->data.scalar.value, n->len_bytes);
	n->is_plain = style == YAML_PLAIN_SCALAR_STYLE;
	n->is_block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
	put_anchor(l, ev->data.scalar.anchor, n);
	*out = n;
	return check_tag(l, ev->data.scalar.tag, ev->start_mark);
}

static int load_branch(struct loader *l, const yaml_event_t *ev, int depth, struct yaml_node **out)
{
	bool is_list = ev->type == YAML_SEQUENCE_START_EVENT;
	struct yaml_node *n =
		new_node(l->tree, is_list ? YAML_T_LIST : YAML_T_MAP, place_of(l, ev->start_mark));
	int rc;

	*out = n;
	if (depth >= YAML_DEPTH_MAX) {
		config_errors_add(l->errs, n->place,
				  "nested deeper than %d levels, expected at most that",
				  YAML_DEPTH_MAX);
		return -ELOOP;
	}
	rc = is_list ? check_tag(l, ev->data.sequence_start.tag, ev->start_mark)
		     : check_tag(l, ev->data.mapping_start.tag, ev->start_mark);
	if (!rc)
		rc = is_list ? load_list(l, n, depth + 1) : load_map(l, n, depth + 1);
	if (!rc)
		put_anchor(l,
			   is_list ? ev->data.sequence_start.anchor : ev->data.mapping_start.anchor,
			   n);
	return rc;
}

/* Consumes the event that begins a node, and all of the node. */
static int load_node(struct loader *l, yaml_event_t *ev, int depth, struct yaml_node **out)
{
	int rc = 0;

	if (ev->type == YAML_SCALAR_EVENT) {
		rc = load_scalar(l, ev, out);
	} else if (ev->type == YAML_ALIAS_EVENT) {
		*out = find_anchor(l, ev);
		rc = *out ? 0 : -EINVAL;
	} else {
		rc = load_branch(l, ev, depth, out);
	}
	yaml_event_delete(ev);
	return rc;
}

static int load_document(struct loader *l)
{
	bool has_document = false;
	int rc = 0;

	while (!rc) {
		yaml_event_t ev;
		yaml_event_type_t type;

		rc = next_event(l, &ev);
		if (rc)
			break;
		type = ev.type;
		if (type == YAML_DOCUMENT_START_EVENT && has_document) {
			config_errors_add(l->errs, place_of(l, ev.start_mark),
					  "a second document, expected one document a file");
			rc = -EINVAL;
		}
		has_document = has_document || type == YAML_DOCUMENT_START_EVENT;
		if (type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT ||
		    type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
			rc = load_node(l, &ev, 0, &l->tree->root);
		else
			yaml_event_delete(&ev);
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	return rc;
}

int yaml_parse(struct yaml_tree *tree, const char *file, const char *text, size_t len_bytes,
	       struct config_errors *errs)
{
	struct loader l = {
		.tree = tree, .errs = errs, .file = file, .text = text, .len_bytes = len_bytes};
	size_t before = errs->count;
	int rc;

	if (len_bytes > YAML_FILE_MAX_BYTES) {
		config_errors_add(errs, (struct config_place){file, 1, 1},
				  "file of %zu bytes, expected at most %zu (1 MiB)", len_bytes,
				  YAML_FILE_MAX_BYTES);
		return -EINVAL;
	}
	if (check_bytes(&l))
		return -EINVAL;
	if (!yaml_parser_initialize(&l.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len_bytes);
	rc = load_document(&l);
	yaml_parser_delete(&l.parser);
	for (size_t i = 0; i < l.anchor_count; i++)
		free(l.anchors[i].name);
	free(l.anchors);
	if (rc) /* what could be read so far is half a truth: checking it would tell lies */
		tree->root = NULL;
	return rc || errs->count > before ? -EINVAL : 0;
}

void yaml_release(struct yaml_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct yaml_node *n = tree->nodes[i];

		for (size_t k = 0; k < n->count; k++)
			free(n->entries[k].key);
		free(n->entries);
		free(n->text);
		free(n);
	}
	free(tree->nodes);
	*tree = (struct yaml_tree){0};
}

const struct yaml_entry *yaml_entry(const struct yaml_node *map, const char *key)
{
	if (!map || map->type != YAML_T_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->entries[i].key, key) == 0)
			return &map->entries[i];
	}
	return NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	const struct yaml_entry *e = yaml_entry(map, key);

	return e ? e->value : NULL;
}

bool yaml_is_null(const struct yaml_node *n)
{
	return n->type == YAML_T_SCALAR && n->is_plain &&
	       (n->len_bytes == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

void yaml_describe(const struct yaml_node *n, struct buf *out)
{
	if (n->type == YAML_T_LIST)
		buf_adds(out, "a list");
	else if (n->type == YAML_T_MAP)
		buf_adds(out, "a mapping");
	else if (yaml_is_null(n))
		buf_adds(out, "nothing");
	else
		buf_addf(out, "\"%.60s\"", n->text);
}
