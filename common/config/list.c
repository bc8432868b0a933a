/* list.c - settings that hold several values: names, hosts, causes, secrets. */
#include "common/config/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"

static const struct {
	const char *name;
} causes[] = {
#define X(symbol, name) [symbol] = {name},
	CAUSES(X)
#undef X
};

const char *cause_name(enum cause c)
{
	BUG_ON((unsigned)c >= CAUSE_COUNT);
	return causes[c].name;
}

int cause_parse(const char *name, enum cause *out)
{
	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		if (strcmp(causes[i].name, name) == 0) {
			*out = (enum cause)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool is_list(struct reader *r, const struct yaml_node *v, const char *what, const char *expected)
{
	struct buf is = BUF_INIT(512);

	if (v->type == YAML_T_LIST)
		return true;
	yaml_describe(v, &is);
	config_errors_add(r->errs, v->place, "%s is %s, expected %s", what, buf_str(&is), expected);
	buf_release(&is);
	return false;
}

bool is_setting_list(struct reader *r, const struct setting *s, const struct yaml_node *v)
{
	struct buf expected = BUF_INIT(512);
	bool ok;

	setting_expected(s, &expected);
	ok = is_list(r, v, s->key, buf_str(&expected));
	buf_release(&expected);
	return ok;
}

static bool stands_earlier(const struct yaml_node *list, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		const struct yaml_node *other = list->entries[k].value;

		if (is_word_text(other) && strcmp(other->text, list->entries[i].value->text) == 0)
			return true;
	}
	return false;
}

/* Texts that pass is_good, each once. */
static void read_texts(struct reader *r, const struct setting *s, const struct yaml_node *v,
		       void *target, bool (*is_good)(const char *), const char *expected)
{
	char ***items = (char ***)(void *)((char *)target + s->offset);
	size_t *count = (size_t *)(void *)((char *)target + s->count_offset);

	if (!is_setting_list(r, s, v))
		return;
	list_release(s, target); /* of the default */
	*items = x_calloc(v->count + 1, sizeof(char *));
	for (size_t i = 0; i < v->count; i++) {
		const struct yaml_node *e = v->entries[i].value;
		struct buf is = BUF_INIT(512);

		yaml_describe(e, &is);
		if (!is_word_text(e) || !is_good(e->text))
			config_errors_add(r->errs, e->place, "%s holds %s, expected %s", s->key,
					  buf_str(&is), expected);
		else if (stands_earlier(v, i))
			config_errors_add(r->errs, e->place, "%s holds %s twice, expected it once",
					  s->key, buf_str(&is));
		else
			(*items)[(*count)++] = x_strdup(e->text);
		buf_release(&is);
	}
}

void read_names(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target)
{
	read_texts(r, s, v, target, form_is_name,
		   "a name of letters, digits and . _ -, at most 64");
}

static void read_some_texts(struct reader *r, const struct setting *s, const struct yaml_node *v,
			    void *target, bool (*is_good)(const char *), const char *expected,
			    const char *one)
{
	size_t before = r->errs->count;

	read_texts(r, s, v, target, is_good, expected);
	if (r->errs->count == before && v->count == 0)
		config_errors_add(r->errs, v->place, "%s is empty, expected at least one %s",
				  s->key, one);
}

void read_hosts(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target)
{
	read_some_texts(r, s, v, target, form_is_target,
			"a host or host:port such as api.example.com, without https:// and path, "
			"or unix:/path of a socket",
			"host");
}

void read_endpoints(struct reader *r, const struct setting *s, const struct yaml_node *v,
		    void *target)
{
	read_some_texts(r, s, v, target, form_is_endpoint,
			"an endpoint: ipc:///absolute/path, at most 107 bytes, or tcp://HOST:PORT, "
			"with * as HOST for all addresses",
			"endpoint");
}

void read_when(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target)
{
	uint32_t *bits = (uint32_t *)(void *)((char *)target + s->offset);
	const char *names[CAUSE_COUNT];

	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		names[i] = causes[i].name;
	if (!is_setting_list(r, s, v))
		return;
	*bits = 0;
	for (size_t i = 0; i < v->count; i++) {
		const struct yaml_node *e = v->entries[i].value;
		struct buf is = BUF_INIT(512), near = BUF_INIT(256);
		enum cause c;

		if (is_word_text(e) && cause_parse(e->text, &c) == 0) {
			*bits |= 1u << c;
		} else {
			yaml_describe(e, &is);
			if (is_word_text(e))
				add_nearest(e->text, names, CAUSE_COUNT, &near);
			config_errors_add(
				r->errs, e->place,
				"when holds %s%s, expected one of added, code, runtime, "
				"memory, timeout, environment, layers, architecture, alias, "
				"snapstart",
				buf_str(&is), buf_str(&near));
		}
		buf_release(&is);
		buf_release(&near);
	}
}

void read_secrets(struct reader *r, const struct setting *s, const struct yaml_node *v,
		  void *target)
{
	struct config_named_secret **items =
		(struct config_named_secret **)(void *)((char *)target + s->offset);
	size_t *count = (size_t *)(void *)((char *)target + s->count_offset);

	if (!is_map(r, v, s->key))
		return;
	*items = x_calloc(v->count + 1, sizeof(**items));
	for (size_t i = 0; i < v->count; i++) {
		const struct yaml_entry *e = &v->entries[i];
		const struct setting row = {.key = e->key,
					    .type = T_SECRET,
					    .offset = offsetof(struct config_named_secret, ref)};
		struct config_named_secret *one = &(*items)[*count];

		if (e->key[strspn(e->key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] || !*e->key ||
		    (*e->key >= '0' && *e->key <= '9')) {
			config_errors_add(r->errs, e->place,
					  "\"%.60s\" names no variable, expected A-Z, 0-9 and _",
					  e->key);
			continue;
		}
		read_secret(r, &row, e->value, one);
		if (one->ref) {
			one->name = x_strdup(e->key);
			(*count)++;
		}
	}
}
