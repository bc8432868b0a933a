/* schema.c - the JSON Schema for editors, from the rows. */
#include <stdlib.h>
#include <string.h>

#include "common/config/config.h"
#include "common/config/metric.h"
#include "common/config/settings.h"
#include "common/json/json.h"

#define NAME_PATTERN "^[A-Za-z0-9._-]{1,64}$"
#define RULE_PATTERN "^[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._*?-]{1,64}$"

static struct json *schema_of_section(const struct section *sec);

/* A literal of ours: that it does not parse would be a bug. */
static struct json *literal(const char *text)
{
	struct json *v = NULL;

	if (json_parse(text, strlen(text), 65536, &v, NULL))
		BUG("schema fragment %s", text);
	return v;
}

static struct json *schema_of_words(const char *words)
{
	struct json *o = json_obj(), *list = json_arr();

	while (*words) {
		size_t len = strcspn(words, " ");

		json_push(list, json_new_strn(words, len));
		words += len + (words[len] == ' ');
	}
	json_put(o, "enum", list);
	return o;
}

static struct json *list_of(struct json *items_take)
{
	struct json *o = json_obj();

	json_put_str(o, "type", "array");
	json_put(o, "items", items_take);
	return o;
}

static struct json *schema_of_causes(void)
{
	struct json *o = json_obj(), *list = json_arr();

	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		json_push(list, json_new_str(cause_name((enum cause)i)));
	json_put(o, "enum", list);
	return o;
}

static struct json *schema_of_setting(const struct setting *s)
{
	struct json *o;

	if (s->words)
		o = schema_of_words(s->words);
	else if (s->rows)
		o = schema_of_section(s->rows);
	else if (s->type == T_WHEN)
		o = list_of(schema_of_causes());
	else if (s->type == T_PAYLOADS)
		o = list_of(schema_of_section(&section_payload));
	else
		o = literal(setting_schema(s));
	if (s->max != 0 &&
	    strcmp(json_get_str(o, "type") ? json_get_str(o, "type") : "", "integer") == 0) {
		json_put_int(o, "minimum", (int64_t)s->min);
		json_put_int(o, "maximum", (int64_t)s->max);
	}
	json_put_str(o, "description", s->doc);
	return o;
}

static struct json *schema_of_section(const struct section *sec)
{
	struct json *o = json_obj(), *props = json_obj(), *required = json_arr();

	json_put_str(o, "type", "object");
	json_put_str(o, "description", sec->doc);
	for (size_t i = 0; i < sec->count; i++) {
		const struct setting *s = &sec->rows[i];

		json_put(props, s->key, schema_of_setting(s));
		if (s->is_required && !s->only)
			json_push(required, json_new_str(s->key));
	}
	json_put(o, "properties", props);
	if (json_len(required))
		json_put(o, "required", required);
	else
		json_free(required);
	json_put_bool(o, "additionalProperties", false);
	return o;
}

/* A mapping of names of one's own choice. */
static struct json *named(const char *pattern, struct json *value_take)
{
	struct json *o = json_obj(), *patterns = json_obj();

	json_put_str(o, "type", "object");
	json_put(patterns, pattern, value_take);
	json_put(o, "patternProperties", patterns);
	json_put_bool(o, "additionalProperties", false);
	return o;
}

/* Sources and sinks: known names with their own keys, others with exec. */
static struct json *known_or_exec(const struct section *const *sections)
{
	struct json *o = json_obj(), *props = json_obj();

	json_put_str(o, "type", "object");
	for (; sections[1]; sections++)
		json_put(props, strchr((*sections)->name, '.') + 1, schema_of_section(*sections));
	json_put(o, "properties", props);
	json_put(o, "additionalProperties", schema_of_section(*sections));
	return o;
}

static struct json *schema_of_metrics(void)
{
	struct json *o = json_obj(), *props = json_obj(), *names = json_arr(), *gates = json_obj();
	struct json *gate = json_obj(), *name = json_obj();

	for (size_t i = 0; i < metric_table_count; i++) {
		json_push(names, json_new_str(metric_table[i].name));
		json_put(gates, metric_table[i].name, schema_of_section(&section_gate));
	}
	json_put_str(gate, "type", "object");
	json_put(gate, "properties", gates);
	json_put_int(gate, "minProperties", 1);
	json_put_int(gate, "maxProperties", 3);
	json_put_bool(gate, "additionalProperties", false);
	json_put(name, "enum", names);
	json_put(props, "gate", gate);
	json_put(props, "report", list_of(name));
	json_put_str(o, "type", "object");
	json_put(o, "properties", props);
	json_put_bool(o, "additionalProperties", false);
	return o;
}

static struct json *schema_of_top(const struct top_key *top)
{
	switch (top->shape) {
	case TOP_VERSION:
		return literal("{\"const\":1}");
	case TOP_FOLDER:
		return literal("{\"type\":\"string\"}");
	case TOP_METRICS:
		return schema_of_metrics();
	case TOP_OBJECTIVES:
		return named(RULE_PATTERN, literal("{\"type\":\"array\",\"maxItems\":5,"
						   "\"items\":{\"type\":\"string\"}}"));
	case TOP_PATTERNS:
		return named(RULE_PATTERN, schema_of_section(top->sections[0]));
	case TOP_SECTION:
		return schema_of_section(top->sections[0]);
	case TOP_NAMED:
		break;
	}
	if (top->sections == source_sections || top->sections == sink_sections)
		return known_or_exec(top->sections);
	return named(NAME_PATTERN, schema_of_section(top->sections[0]));
}

void config_json_schema(struct buf *out)
{
	struct json *o = json_obj(), *props = json_obj();

	json_put_str(o, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_put_str(o, "title", "plimsoll.yaml");
	json_put_str(o, "type", "object");
	for (size_t i = 0; i < top_key_count; i++) {
		struct json *v = schema_of_top(&top_keys[i]);

		json_put_str(v, "description", top_keys[i].doc);
		json_put(props, top_keys[i].key, v);
	}
	json_put(o, "properties", props);
	json_put_bool(o, "additionalProperties", false);
	json_write_pretty(o, out);
	buf_addc(out, '\n');
	json_free(o);
}
