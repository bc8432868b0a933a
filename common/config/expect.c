/*
 * expect.c - checks on answers, kept as shard.planned carries them: the loader compiles them.
 */
#include "common/config/read.h"

#include <errno.h>
#include <string.h>

#include "common/base/unit.h"
#include "common/json/json.h"

static struct json *object_of(const struct setting *s, void *target)
{
	struct json **o = (struct json **)(void *)((char *)target + s->offset);

	if (!*o)
		*o = json_obj();
	return *o;
}

static void wrong_item(struct reader *r, const char *what, const struct yaml_node *v,
		       const char *expected)
{
	struct buf is = BUF_INIT(512);

	yaml_describe(v, &is);
	config_errors_add(r->errs, v->place, "%.80s is %s, expected %s", what, buf_str(&is),
			  expected);
	buf_release(&is);
}

/* A status, or a class such as 2xx; NULL when it is neither. */
static struct json *status_of(const struct yaml_node *v)
{
	uint64_t status;

	if (!is_word_text(v))
		return NULL;
	if (unit_parse_u64(v->text, &status) == 0)
		return status >= 100 && status <= 599 ? json_new_int((int64_t)status) : NULL;
	return v->text[0] >= '1' && v->text[0] <= '5' && strcmp(v->text + 1, "xx") == 0
		       ? json_new_str(v->text)
		       : NULL;
}

void read_statuses(struct reader *r, const struct setting *s, const struct yaml_node *v,
		   void *target)
{
	struct json *list, *one = status_of(v);
	bool is_good = v->type == YAML_T_LIST && v->count >= 1 && v->count <= 16;

	if (one || !is_good) {
		if (one)
			json_put(object_of(s, target), s->key, one);
		else
			wrong_value(r, s, v);
		return;
	}
	list = json_arr();
	for (size_t i = 0; i < v->count; i++) {
		one = status_of(v->entries[i].value);
		if (one)
			json_push(list, one);
		else
			wrong_value(r, s, v->entries[i].value);
	}
	json_put(object_of(s, target), s->key, list);
}

void read_expect_text(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	if (is_word_text(v) && v->len_bytes > 0)
		json_put_str(object_of(s, target), s->key, v->text);
	else
		wrong_value(r, s, v);
}

static const char header_expected[] =
	"the value itself, or one of {equals: text}, {contains: text}, {present: true}";

static struct json *header_check(const struct yaml_node *v)
{
	const char *key = v->type == YAML_T_MAP && v->count == 1 ? v->entries[0].key : "";
	const struct yaml_node *value = *key ? v->entries[0].value : v;
	bool is_present = strcmp(key, "present") == 0, is_true;
	struct json *o;

	if (!is_word_text(value) ||
	    (*key && !is_present && strcmp(key, "equals") != 0 && strcmp(key, "contains") != 0))
		return NULL;
	is_true = strcmp(value->text, "true") == 0;
	if (is_present && !is_true && strcmp(value->text, "false") != 0)
		return NULL;
	o = json_obj();
	if (is_present)
		json_put_bool(o, key, is_true);
	else
		json_put_str(o, *key ? key : "equals", value->text);
	return o;
}

void read_expect_headers(struct reader *r, const struct setting *s, const struct yaml_node *v,
			 void *target)
{
	struct json *o = json_obj();

	if (is_map(r, v, s->key) && v->type == YAML_T_MAP) {
		for (size_t i = 0; i < v->count; i++) {
			struct json *check = header_check(v->entries[i].value);

			if (check)
				json_put(o, v->entries[i].key, check);
			else
				wrong_item(r, v->entries[i].key, v->entries[i].value,
					   header_expected);
		}
	}
	json_put(object_of(s, target), s->key, o);
}

/* What an unquoted word means in JSON is what it means here. */
static struct json *scalar_of(const struct yaml_node *v)
{
	struct json *j = NULL;

	if (yaml_is_null(v))
		return json_new_null();
	if (v->is_plain && json_parse(v->text, v->len_bytes, 4096, &j, NULL) == 0)
		return j;
	return json_new_str(v->text);
}

void read_expect_json(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	struct json *o = json_obj();

	for (size_t i = 0; is_map(r, v, s->key) && v->type == YAML_T_MAP && i < v->count; i++) {
		const struct yaml_entry *e = &v->entries[i];

		if (*e->key && !(e->key[0] == '/' && form_is_pointer(e->key)))
			config_errors_add(
				r->errs, e->place,
				"\"%.60s\" is no JSON pointer, expected one such as /ok or /a/0/b",
				e->key);
		else if (e->value->type != YAML_T_SCALAR)
			wrong_item(r, e->key, e->value,
				   "a text, a number, true, false or null: what stands there");
		else
			json_put(o, e->key, scalar_of(e->value));
	}
	json_put(object_of(s, target), s->key, o);
}

void read_expect_size(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	static const char *const keys[] = {"min", "max"};
	struct json *o = json_obj();
	uint64_t values[2] = {0, INT64_MAX};
	size_t known = 0;

	for (size_t i = 0; i < 2; i++) {
		const struct yaml_node *n = yaml_get(v, keys[i]);

		if (!n)
			continue;
		known++;
		if (!is_word_text(n) || unit_parse_u64(n->text, &values[i]) != 0 ||
		    values[i] > INT64_MAX)
			wrong_item(r, keys[i], n, "a whole number of bytes");
		else
			json_put_int(o, keys[i], (int64_t)values[i]);
	}
	if (v->type != YAML_T_MAP || known == 0 || known != v->count)
		wrong_value(r, s, v);
	else if (values[0] > values[1])
		config_errors_add(r->errs, v->place,
				  "min is above max, expected the smaller one first");
	json_put(object_of(s, target), s->key, o);
}
