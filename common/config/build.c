/* build.c - the top of the file: which entries there are, and each into its struct. */
#include <stdlib.h>
#include <string.h>

#include "common/base/strmap.h"
#include "common/config/read.h"

static const char *const provider_words[] = {[PROVIDER_AWS] = "aws", [PROVIDER_HTTP] = "http"};

static struct config_place key_place(const struct yaml_entry *e, size_t offset)
{
	struct config_place at = e->place;

	at.column += (int)offset + e->is_quoted;
	return at;
}

static void unknown_account(struct reader *r, const struct yaml_entry *e, const char *name)
{
	const struct config *c = r->config;
	const char **names = x_calloc(c->account_count + 1, sizeof(char *));
	struct buf near = BUF_INIT(256), list = BUF_INIT(1024);

	for (size_t i = 0; i < c->account_count; i++) {
		names[i] = c->accounts[i].name;
		if (i < 8)
			buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	add_nearest(name, names, c->account_count, &near);
	config_errors_add(r->errs, e->place, "unknown account \"%.64s\"%s, expected one of %s",
			  name, buf_str(&near),
			  c->account_count ? buf_str(&list) : "those under accounts");
	buf_release(&near);
	buf_release(&list);
	free(names);
}

bool split_pattern(struct reader *r, const struct yaml_entry *e, char **account, char **pattern)
{
	const char *slash = strchr(e->key, '/');
	size_t good;
	char *name;
	bool ok = false;

	if (!slash || slash == e->key || !slash[1]) {
		config_errors_add(
			r->errs, e->place,
			"\"%.60s\" is no account/function, expected one such as prod/hello "
			"or prod/img-*",
			e->key);
		return false;
	}
	good = strspn(slash + 1,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-*?");
	name = x_strndup(e->key, (size_t)(slash - e->key));
	if (slash[1 + good])
		config_errors_add(r->errs, key_place(e, (size_t)(slash + 1 - e->key) + good),
				  "pattern \"%.64s\" holds a character that no name has, expected "
				  "letters, digits, . _ - and the wildcards * and ?",
				  slash + 1);
	else if (good > 64)
		config_errors_add(r->errs, e->place,
				  "a name of %zu characters, expected at most 64", good);
	else if (!config_account(r->config, name) && !r->is_partial)
		unknown_account(r, e, name);
	else
		ok = true;
	*account = ok ? name : NULL;
	*pattern = ok ? x_strdup(slash + 1) : NULL;
	if (!ok)
		free(name);
	return ok;
}

static bool check_name(struct reader *r, const struct yaml_entry *e, const char *what)
{
	if (form_is_name(e->key))
		return true;
	config_errors_add(
		r->errs, e->place,
		"\"%.70s\" is no name of %s, expected letters, digits and . _ -, at most 64",
		e->key, what);
	return false;
}

static void read_accounts(struct reader *r, const struct yaml_node *node)
{
	struct config *c = r->config;

	c->accounts = x_calloc(node->count + 1, sizeof(*c->accounts));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct entry_label label = {"account", e->key, e->place};
		struct config_account *a = &c->accounts[c->account_count];

		if (!check_name(r, e, "an account"))
			continue;
		c->account_count++;
		a->name = x_strdup(e->key);
		a->place = e->place;
		read_section(r, &section_account, e->value, NULL, &label, a);
	}
}

static void read_tests(struct reader *r, const struct yaml_node *node)
{
	struct config *c = r->config;
	size_t count = node && node->type == YAML_T_MAP ? node->count : 0;
	struct config_test *t;

	c->tests = x_calloc(count + 1, sizeof(*c->tests));
	for (size_t i = 0; i < count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct entry_label label = {"test", e->key, e->place};

		if (!check_name(r, e, "a test"))
			continue;
		t = &c->tests[c->test_count++];
		t->name = x_strdup(e->key);
		t->place = e->place;
		read_section(r, &section_test, e->value, NULL, &label, t);
		check_test(r, t, e->value);
	}
	if (!config_test(c, "compare")) {
		t = &c->tests[c->test_count++];
		t->name = x_strdup("compare");
		t->place = (struct config_place){c->files[0], 0, 0};
		section_defaults(&section_test, t);
		check_test(r, t, NULL);
	}
}

static void read_functions(struct reader *r, const struct yaml_node *node)
{
	struct config *c = r->config;

	c->functions = x_calloc(node->count + 1, sizeof(*c->functions));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct entry_label label = {"function", e->key, e->place};
		struct config_function f = {.place = e->place};
		const struct config_account *a;

		/* An entry whose name is wrong is still read for the mistakes inside it. */
		(void)split_pattern(r, e, &f.account, &f.pattern);
		a = f.account ? config_account(c, f.account) : NULL;
		f.has_tests = yaml_get(e->value, "tests") != NULL;
		read_section(r, &section_function, e->value, a ? provider_words[a->provider] : NULL,
			     &label, &f);
		if (f.account)
			check_function(r, &f, e->value);
		c->functions[c->function_count++] = f;
	}
}

/* The kind of a source or sink: what it is called, or "exec" where it has an exec key. */
static const struct section *section_of(struct reader *r, const char *what,
					const struct section *const *sections,
					const struct yaml_entry *e)
{
	const char *names[16];
	struct buf near = BUF_INIT(256), list = BUF_INIT(512);
	const struct section *found = NULL;
	size_t count = 0;

	for (; sections[1]; sections++) { /* the last is exec's */
		names[count] = strchr((*sections)->name, '.') + 1;
		if (strcmp(names[count], e->key) == 0)
			found = *sections;
		buf_addf(&list, "%s%s", count ? ", " : "", names[count]);
		count++;
	}
	if (!found && yaml_get(e->value, "exec"))
		found = *sections;
	if (!found) {
		add_nearest(e->key, names, count, &near);
		config_errors_add(
			r->errs, e->place,
			"unknown %s \"%.60s\"%s, expected one of %s, or any name with exec:", what,
			e->key, buf_str(&near), buf_str(&list));
	}
	buf_release(&near);
	buf_release(&list);
	return found;
}

static const char *kind_of_section(const struct section *sec)
{
	return strstr(sec->name, "(exec)") ? "exec" : strchr(sec->name, '.') + 1;
}

static void read_sources(struct reader *r, const struct yaml_node *node)
{
	struct config *c = r->config;

	c->sources = x_calloc(node->count + 1, sizeof(*c->sources));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct entry_label label = {"source", e->key, e->place};
		const struct section *sec;
		struct config_source *s = &c->sources[c->source_count];

		if (!check_name(r, e, "a source"))
			continue;
		sec = section_of(r, "source", source_sections, e);
		if (!sec)
			continue;
		c->source_count++;
		s->name = x_strdup(e->key);
		s->kind = x_strdup(kind_of_section(sec));
		s->place = e->place;
		read_section(r, sec, e->value, NULL, &label, s);
		if (s->export_count > 10)
			config_errors_add(r->errs, yaml_get(e->value, "export")->place,
					  "export holds %zu names, expected at most 10",
					  s->export_count);
	}
}

static void read_sinks(struct reader *r, const struct yaml_node *node)
{
	struct config *c = r->config;

	c->sinks = x_calloc(node->count + 1, sizeof(*c->sinks));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *e = &node->entries[i];
		const struct entry_label label = {"sink", e->key, e->place};
		const struct section *sec;
		struct config_sink *s = &c->sinks[c->sink_count];

		if (!check_name(r, e, "a sink"))
			continue;
		sec = section_of(r, "sink", sink_sections, e);
		if (!sec)
			continue;
		c->sink_count++;
		s->name = x_strdup(e->key);
		s->kind = x_strdup(kind_of_section(sec));
		s->place = e->place;
		read_section(r, sec, e->value, NULL, &label, s);
	}
}

static void check_top_keys(struct reader *r, const struct yaml_node *root)
{
	const char *names[16];
	struct buf list = BUF_INIT(512);

	BUG_ON(top_key_count > ARRAY_LEN(names));
	for (size_t i = 0; i < top_key_count; i++) {
		names[i] = top_keys[i].key;
		buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	for (size_t i = 0; i < root->count; i++) {
		const struct yaml_entry *e = &root->entries[i];
		struct buf near = BUF_INIT(128);
		size_t k = 0;

		while (k < top_key_count && strcmp(names[k], e->key) != 0)
			k++;
		if (k == top_key_count) {
			add_nearest(e->key, names, top_key_count, &near);
			config_errors_add(r->errs, e->place,
					  "unknown key \"%.60s\"%s, expected one of %s", e->key,
					  buf_str(&near), buf_str(&list));
		}
		buf_release(&near);
	}
	buf_release(&list);
}

static void check_version(struct reader *r, const struct yaml_node *v)
{
	struct buf is = BUF_INIT(512);

	if (v && (v->type != YAML_T_SCALAR || strcmp(v->text, "1") != 0)) {
		yaml_describe(v, &is);
		config_errors_add(r->errs, v->place, "version is %s, expected 1", buf_str(&is));
	}
	buf_release(&is);
}

static void read_single(struct reader *r, const struct section *sec, const struct yaml_node *v,
			void *target)
{
	const struct entry_label label = {sec->name, "", v ? v->place : (struct config_place){0}};

	if (v)
		read_section(r, sec, v, NULL, &label, target);
	else
		section_defaults(sec, target);
}

/* The value of a top key that is to be a mapping; NULL when it is absent or something else. */
static const struct yaml_node *top_map(struct reader *r, const struct yaml_node *root,
				       const char *key)
{
	const struct yaml_node *v = yaml_get(root, key);

	return v && is_map(r, v, key) && v->type == YAML_T_MAP ? v : NULL;
}

static void read_data_folder(struct reader *r, const struct yaml_node *v)
{
	struct config *c = r->config;

	if (v && (!is_word_text(v) || v->len_bytes == 0))
		config_errors_add(r->errs, v->place, "files is no path, expected that of a folder");
	else if (v)
		c->data_folder = path_beside(v->place.file, v->text);
	if (!c->data_folder)
		c->data_folder = path_beside(c->path, ".");
}

/* Without the section all of it stays empty: a stage on the bus then says that it is missing. */
static void read_bus(struct reader *r, const struct yaml_node *node)
{
	struct config_bus *b = &r->config->bus;

	if (!node)
		return;
	read_single(r, &section_bus, node, b);
	b->is_set = true;
	b->place = node->place;
	check_bus(r, b, node);
}

void build_config(struct reader *r, const struct yaml_node *root)
{
	const struct yaml_node *node;
	struct config *c = r->config;

	check_top_keys(r, root);
	check_version(r, yaml_get(root, "version"));
	read_single(r, &section_limits, yaml_get(root, "limits"), &c->limits);
	read_single(r, &section_prices, yaml_get(root, "prices"), &c->price);
	read_bus(r, yaml_get(root, "bus"));
	read_data_folder(r, yaml_get(root, "files"));
	if ((node = top_map(r, root, "accounts")))
		read_accounts(r, node);
	if (!yaml_get(root, "accounts") || (node && node->count == 0))
		if (!r->is_partial)
			config_errors_add(
				r->errs, root->place,
				"no accounts, expected at least one under accounts, such as "
				"prod: {provider: aws, region: eu-central-1}");
	read_tests(r, top_map(r, root, "tests"));
	if ((node = top_map(r, root, "functions")))
		read_functions(r, node);
	read_metrics(r, yaml_get(root, "metrics"));
	read_objectives(r, yaml_get(root, "objectives"));
	if ((node = top_map(r, root, "objectives")))
		check_objective_keys(r, node);
	if ((node = top_map(r, root, "sources")))
		read_sources(r, node);
	if ((node = top_map(r, root, "sinks")))
		read_sinks(r, node);
}
