/*
 * yaml.h - one YAML document as a tree that remembers where everything stood (rank 2).
 *
 * libyaml's only door, used by common/config alone. The tree is bounded in size, depth and number
 * of values (an alias counts as all that it stands for), so a hostile file costs a known amount.
 * Duplicate keys, second documents, tags, bytes that are not UTF-8 and tabs that indent are
 * mistakes, each with its place.
 *
 *	struct yaml_tree tree = {0};
 *	if (yaml_parse(&tree, "plimsoll.yaml", text, len, &errs) == 0)
 *		use(yaml_get(tree.root, "accounts"));
 *	yaml_release(&tree);
 *
 * Nodes live as long as their tree, and borrow the file's name from the caller. The node of an
 * alias is the node of its anchor.
 */
#ifndef PLIMSOLL_CONFIG_YAML_H
#define PLIMSOLL_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config/config.h"

#define YAML_FILE_MAX_BYTES ((size_t)1024 * 1024)
#define YAML_DEPTH_MAX 16
#define YAML_VALUES_MAX 100000
#define YAML_KEYS_MAX 10000 /* in one mapping: looking for twins takes the square of it */

enum yaml_type { YAML_T_SCALAR, YAML_T_LIST, YAML_T_MAP };

struct yaml_entry {
	char *key;
	struct config_place place; /* of the key */
	bool is_quoted;		   /* the key; its text starts one column later */
	struct yaml_node *value;
};

struct yaml_node {
	enum yaml_type type;
	struct config_place place;
	/* scalar */
	char *text; /* never NULL for a scalar */
	size_t len_bytes;
	bool is_plain; /* unquoted: may be null, a number or a word */
	bool is_block; /* | or >: the place is that of the indicator */
	/* list: values only; map: keys too */
	struct yaml_entry *entries;
	size_t count;
	size_t weight; /* values in it, itself included; aliases counted in full */
};

struct yaml_tree {
	struct yaml_node *root; /* NULL for an empty document */
	/* the tree's own */
	struct yaml_node **nodes;
	size_t count, cap;
};

/*
 * 0, or -EINVAL after adding to errs; the tree is to be released in both cases. A duplicate key
 * is reported and left out, and the rest is still read: only what makes the text unreadable ends
 * it early.
 */
MUST_CHECK int yaml_parse(struct yaml_tree *tree, const char *file, const char *text,
			  size_t len_bytes, struct config_errors *errs);
void yaml_release(struct yaml_tree *tree);

/* For merging files: a new mapping that the tree owns, and an entry of it (the key is copied). */
struct yaml_node *yaml_new_map(struct yaml_tree *tree, struct config_place place);
void yaml_put(struct yaml_node *map, const struct yaml_entry *entry, struct yaml_node *value);

/* The value of a key, or NULL; also NULL when map is NULL or no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
const struct yaml_entry *yaml_entry(const struct yaml_node *map, const char *key);
/* Absent: an unquoted ~, null, or nothing at all. */
bool yaml_is_null(const struct yaml_node *n);
/* "a list", "a mapping", "the text \"abc\"": for messages. */
void yaml_describe(const struct yaml_node *n, struct buf *out);

/* Adds one mistake. The text names what is wrong and, behind ", expected ", what would be right. */
PRINTF_LIKE(3, 4)
void config_errors_add(struct config_errors *errs, struct config_place at, const char *fmt, ...);
/* By file (in order of first mention), line, column. */
void config_errors_sort(struct config_errors *errs);

#endif
