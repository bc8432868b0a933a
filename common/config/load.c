/* load.c - files: found, read, merged, built, and freed again. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fsio.h"
#include "common/config/read.h"
#include "common/digest/digest.h"

#define FILES_MAX 10000

struct document {
	struct yaml_tree tree;
	struct buf text;
};

struct loading {
	struct document *docs;
	size_t count;
	struct config *config;
	struct config_errors *errs;
	bool is_partial;
};

static const char *add_file(struct config *c, const char *path)
{
	c->files = x_realloc(c->files, c->file_count + 1, sizeof(char *));
	c->files[c->file_count] = x_strdup(path);
	return c->files[c->file_count++];
}

static struct document *add_document(struct loading *l)
{
	l->docs = x_realloc(l->docs, l->count + 1, sizeof(*l->docs));
	l->docs[l->count] = (struct document){.text = BUF_INIT(YAML_FILE_MAX_BYTES + 1)};
	return &l->docs[l->count++];
}

static void parse_document(struct loading *l, struct document *d, const char *file)
{
	if (yaml_parse(&d->tree, file, buf_str(&d->text), d->text.len_bytes, l->errs) &&
	    !d->tree.root)
		l->is_partial = true;
}

static int read_document(struct loading *l, const char *path)
{
	const char *file = add_file(l->config, path);
	struct document *d = add_document(l);
	int rc = fs_read(path, &d->text);

	if (rc == -EFBIG)
		config_errors_add(l->errs, (struct config_place){file, 1, 1},
				  "file of more than 1 MiB, expected at most %zu bytes",
				  YAML_FILE_MAX_BYTES);
	else if (rc)
		config_errors_add(l->errs, (struct config_place){file, 0, 0},
				  "cannot be read: %s, expected a file of settings (plimsoll init "
				  "writes one)",
				  strerror(-rc));
	else
		parse_document(l, d, file);
	l->is_partial = l->is_partial || rc != 0;
	return rc == -EFBIG ? -EINVAL : rc;
}

static int is_yaml_file(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* alphasort follows the locale */
}

/* conf.d beside the file; there need be none. */
static int read_folder(struct loading *l, const char *path)
{
	char *dir = path_beside(path, "conf.d");
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_yaml_file, by_bytes);
	int rc = 0;

	if (count < 0 && errno != ENOENT && errno != ENOTDIR) {
		rc = -errno;
		config_errors_add(l->errs, (struct config_place){add_file(l->config, dir), 0, 0},
				  "cannot be read: %s, expected a folder of settings",
				  strerror(-rc));
	}
	if (count > FILES_MAX) {
		config_errors_add(l->errs, (struct config_place){add_file(l->config, dir), 0, 0},
				  "holds %d files, expected at most %d", count, FILES_MAX);
		rc = -EINVAL;
	}
	for (int i = 0; i < count; i++) {
		char *file = x_asprintf("%s/%s", dir, names[i]->d_name);
		int one = rc ? 0 : read_document(l, file);

		rc = rc ? rc : one;
		free(file);
		free(names[i]);
	}
	free(names);
	free(dir);
	return rc;
}

static void conflict(struct loading *l, const struct yaml_entry *e, const struct yaml_entry *first)
{
	config_errors_add(l->errs, e->place,
			  "\"%.100s\" stands in %s:%d already, expected it in one file only",
			  e->key, first->place.file, first->place.line);
}

static void merge_map(struct loading *l, struct yaml_node *into, const struct yaml_node *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct yaml_entry *e = &from->entries[i], *first = yaml_entry(into, e->key);

		if (first)
			conflict(l, e, first);
		else
			yaml_put(into, e, e->value);
	}
}

/* Top keys that are mappings are joined, one level deep; nothing may be said twice. */
static void merge_document(struct loading *l, struct yaml_tree *merged,
			   const struct yaml_node *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct yaml_entry *e = &from->entries[i];
		const struct yaml_entry *first = yaml_entry(merged->root, e->key);
		struct yaml_node *own = e->value;

		if (first && first->value->type == YAML_T_MAP && e->value->type == YAML_T_MAP) {
			merge_map(l, first->value, e->value);
		} else if (first && strcmp(e->key, "version") != 0) {
			conflict(l, e, first);
		} else if (!first) {
			if (own->type == YAML_T_MAP) {
				own = yaml_new_map(merged, e->value->place);
				merge_map(l, own, e->value);
			}
			yaml_put(merged->root, e, own);
		}
	}
}

static void build(struct loading *l)
{
	struct yaml_tree merged = {0};
	struct reader r = {.config = l->config, .errs = l->errs, .is_partial = l->is_partial};

	merged.root = yaml_new_map(&merged, (struct config_place){l->config->files[0], 1, 1});
	for (size_t i = 0; i < l->count; i++) {
		const struct yaml_node *root = l->docs[i].tree.root;

		if (root && is_map(&r, root, "the file"))
			merge_document(l, &merged, root);
		else if (root)
			r.is_partial = true;
	}
	build_config(&r, merged.root);
	yaml_release(&merged);
}

static void hash(struct loading *l)
{
	struct buf all = BUF_INIT(FILES_MAX * YAML_FILE_MAX_BYTES);

	for (size_t i = 0; i < l->count; i++)
		buf_add(&all, buf_str(&l->docs[i].text), l->docs[i].text.len_bytes);
	digest_sha256_hex(buf_str(&all), all.len_bytes, l->config->sha256_hex);
	buf_release(&all);
}

/* Builds what has been read, and decides: all right, or none of it. */
static int finish(struct loading *l, int rc, struct config **out)
{
	if (!rc || rc == -EINVAL) {
		build(l);
		rc = l->errs->count ? -EINVAL : 0;
	}
	if (!rc)
		hash(l);
	config_errors_sort(l->errs);
	for (size_t i = 0; i < l->count; i++) {
		yaml_release(&l->docs[i].tree);
		buf_release(&l->docs[i].text);
	}
	free(l->docs);
	if (rc)
		config_free(l->config);
	else
		*out = l->config;
	return rc;
}

static struct config *new_config(const char *path)
{
	struct config *c = x_calloc(1, sizeof(*c));

	c->path = x_strdup(path);
	return c;
}

int config_load(const char *path, struct config **out, struct config_errors *errs)
{
	struct loading l = {.config = new_config(path), .errs = errs};
	int rc = read_document(&l, path);

	if (!rc || rc == -EINVAL) {
		int folder = read_folder(&l, path);

		rc = rc ? rc : folder;
	}
	return finish(&l, rc, out);
}

int config_parse(const char *name, const char *text, size_t len_bytes, struct config **out,
		 struct config_errors *errs)
{
	struct loading l = {.config = new_config(name), .errs = errs};
	const char *file = add_file(l.config, name);
	struct document *d = add_document(&l);

	buf_add(&d->text, text, MIN_OF(len_bytes, YAML_FILE_MAX_BYTES + 1));
	parse_document(&l, d, file);
	return finish(&l, 0, out);
}

static void free_function(struct config_function *f)
{
	section_release(&section_function, f);
	for (size_t i = 0; i < f->payload_count; i++) {
		free(f->payloads[i].bytes);
		free(f->payloads[i].filling);
		config_rows_release(&f->payloads[i].rows);
	}
	config_rows_release(&f->rows);
	free(f->payloads);
	free(f->account);
	free(f->pattern);
}

static void free_source(struct config_source *s)
{
	for (const struct section *const *sec = source_sections; *sec; sec++)
		section_release(*sec, s);
	for (size_t i = 0; i < s->secret_count; i++) {
		free(s->secrets[i].name);
		free(s->secrets[i].ref);
	}
	free(s->secrets);
	free(s->name);
	free(s->kind);
}

static void free_sink(struct config_sink *s)
{
	for (const struct section *const *sec = sink_sections; *sec; sec++)
		section_release(*sec, s);
	free(s->name);
	free(s->kind);
}

static void free_objective(struct config_objective *o)
{
	free(o->account);
	free(o->pattern);
	free(o->text);
	free(o->metric);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	section_release(&section_bus, &c->bus);
	for (size_t i = 0; i < c->account_count; i++) {
		section_release(&section_account, &c->accounts[i]);
		free(c->accounts[i].name);
	}
	for (size_t i = 0; i < c->function_count; i++)
		free_function(&c->functions[i]);
	for (size_t i = 0; i < c->test_count; i++) {
		section_release(&section_test, &c->tests[i]);
		free(c->tests[i].name);
	}
	for (size_t i = 0; i < c->metric_count; i++)
		free(c->metrics[i].name);
	for (size_t i = 0; i < c->objective_count; i++)
		free_objective(&c->objectives[i]);
	for (size_t i = 0; i < c->source_count; i++)
		free_source(&c->sources[i]);
	for (size_t i = 0; i < c->sink_count; i++)
		free_sink(&c->sinks[i]);
	for (size_t i = 0; i < c->file_count; i++)
		free(c->files[i]);
	free(c->accounts);
	free(c->functions);
	free(c->tests);
	free(c->metrics);
	free(c->objectives);
	free(c->sources);
	free(c->sinks);
	free(c->files);
	free(c->path);
	free(c->data_folder);
	free(c);
}
