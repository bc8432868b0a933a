/*
 * read.h - the private seams of common/config: from nodes to the typed structs (rank 2).
 *
 * A reader of a type takes a node and fills a field, or adds a mistake and leaves the field as it
 * was. Reading goes on after a mistake, so that all of a file are found in one go.
 */
#ifndef PLIMSOLL_CONFIG_READ_H
#define PLIMSOLL_CONFIG_READ_H

#include "common/config/form.h"
#include "common/config/settings.h"
#include "common/config/yaml.h"

struct reader {
	struct config *config; /* being filled */
	struct config_errors *errs;
	bool is_partial; /* a file could not be parsed: what it names may be missing elsewhere */
};

/* One named entry: what it is called in messages, and where its key stands. */
struct entry_label {
	const char *what, *name; /* "account", "prod" */
	struct config_place place;
};

/* Fills target with the defaults of the rows, then with what node says. kind may be NULL. */
void read_section(struct reader *r, const struct section *sec, const struct yaml_node *node,
		  const char *kind, const struct entry_label *label, void *target);
void section_defaults(const struct section *sec, void *target);
void section_release(const struct section *sec, void *target);
void list_release(const struct setting *s, void *target); /* of texts */
/* Keys only: unknown ones, those of another kind, and what is missing. For sections read by hand.
 */
void check_keys(struct reader *r, const struct section *sec, const struct yaml_node *node,
		const char *kind, const struct entry_label *label);
const struct setting *section_row(const struct section *sec, const char *key);

/* False after telling; null counts as an empty one. */
bool is_map(struct reader *r, const struct yaml_node *v, const char *what);
bool is_list(struct reader *r, const struct yaml_node *v, const char *what, const char *expected);
/* "KEY is VALUE, expected ..." */
void wrong_value(struct reader *r, const struct setting *s, const struct yaml_node *v);
/* " (did you mean \"x\"?)" where something is near. */
void add_nearest(const char *word, const char *const *names, size_t count, struct buf *out);
/* Where the i-th character of a scalar stands. */
struct config_place place_in(const struct yaml_node *v, size_t i);
/* A path as the file means it: relative to the folder of the file that says so. Caller frees. */
char *path_beside(const char *file, const char *path);
bool is_word_text(const struct yaml_node *v); /* a scalar that is not null */

/* Readers of lists, in list.c, and of checks, in expect.c; the others are in value.c. */
typedef void (*read_fn)(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_names(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_hosts(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_endpoints(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_when(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_payload(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_payloads(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_statuses(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_expect_text(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_expect_headers(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_expect_json(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_expect_size(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_stages(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_file_name(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_rows(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_filling_word(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_url_template(struct reader *, const struct setting *, const struct yaml_node *, void *);
/* Gives payloads without rows those of the function; tells what asks for rows and has none. */
void check_rows(struct reader *r, struct config_function *f, const struct yaml_node *node);
void config_rows_release(struct config_rows *rows);
bool is_setting_list(struct reader *, const struct setting *, const struct yaml_node *);
void read_secrets(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_section_row(struct reader *, const struct setting *, const struct yaml_node *, void *);
void read_value(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target);
void read_secret(struct reader *, const struct setting *, const struct yaml_node *, void *);

/* metrics: and objectives:, in metric.c. */
void read_metrics(struct reader *r, const struct yaml_node *node);
void read_objectives(struct reader *r, const struct yaml_node *node);

/* From the merged tree to r->config; nothing but errs tells of mistakes. In build.c. */
void build_config(struct reader *r, const struct yaml_node *root);
/* What one setting cannot know of another, in cross.c and workload.c: after the entry has been
 * read. */
void check_test(struct reader *r, struct config_test *t, const struct yaml_node *node);
void check_function(struct reader *r, struct config_function *f, const struct yaml_node *node);
void check_bus(struct reader *r, const struct config_bus *b, const struct yaml_node *node);
void check_objective_keys(struct reader *r, const struct yaml_node *node);
/* "account/pattern" of a key; false after telling. Both outs are the caller's to free. */
bool split_pattern(struct reader *r, const struct yaml_entry *e, char **account, char **pattern);

/* Glob of * and ?, whole text. */
bool pattern_matches(const char *pattern, const char *name);
bool pattern_is_plain(const char *pattern);
/* Above 0 when a is more specific than b. */
int pattern_compare(const char *a, const char *b);

#endif
