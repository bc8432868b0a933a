/*
 * opt.h - options as one table that feeds the parser, --help, --print-options and the
 * reference page (rank 0).
 *
 *	struct opts { const char *config; int64_t drain_ms; bool is_once; };
 *	static const struct opt rows[] = {
 *		{"config", 'c', OPT_STRING, offsetof(struct opts, config), "FILE", NULL,
 *"settings"},
 *		{"drain", 0, OPT_DURATION_MS, offsetof(struct opts, drain_ms), "TIME", "30s",
 *"..."},
 *		{"once", 0, OPT_FLAG, offsetof(struct opts, is_once), NULL, NULL, "poll once"},
 *	};
 *
 * Field types: OPT_STRING const char *, OPT_FLAG bool, OPT_U64 uint64_t, OPT_DURATION_MS int64_t,
 * OPT_SIZE uint64_t, OPT_LIST struct opt_list (may be repeated). Strings are borrowed from argv.
 * Where 0 stands for "not given", OPT_COUNT uint64_t, OPT_SPAN_MS and OPT_SPAN_NS int64_t refuse
 * it: what was typed is never taken for the default. Milliseconds take nothing finer.
 */
#ifndef PLIMSOLL_BASE_OPT_H
#define PLIMSOLL_BASE_OPT_H

#include <stddef.h>
#include <stdio.h>

#include "common/base/buf.h"

enum opt_type {
	OPT_STRING,
	OPT_FLAG,
	OPT_U64,
	OPT_COUNT,
	OPT_DURATION_MS,
	OPT_SPAN_MS,
	OPT_SPAN_NS,
	OPT_SIZE,
	OPT_LIST
};

struct opt {
	const char *name; /* without the dashes */
	char short_name;  /* 0 = none */
	enum opt_type type;
	size_t offset;
	const char *metavar;	  /* NULL for a flag */
	const char *default_text; /* parsed before argv; NULL = zero */
	const char *help;	  /* one sentence without a full stop */
};

#define OPT_LIST_MAX 64
struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t count;
};

/* Several tables are searched in turn (a stage's own, then the skeleton's). */
struct opt_table {
	const struct opt *rows;
	size_t count;
	void *target; /* the struct the offsets point into */
};

struct opt_usage {
	const char *program;  /* "plimsoll-loader" */
	const char *synopsis; /* "[options] < shards > results" */
	const char *about;    /* a paragraph or two, lines already broken */
	const char *exits;    /* what the exit codes mean here; may be NULL */
};

/*
 * Parses argv[1..]. Positional arguments are moved to the front of rest (borrowed from argv; room
 * for argc). 0, or -EINVAL with a message (nearest name for a misspelt option) in why.
 * "--" ends options; "--name=value" and "--name value" are equal.
 */
MUST_CHECK int opt_parse(const struct opt_table *tables, size_t table_count, int argc, char **argv,
			 const char **rest, size_t *rest_count, struct buf *why);
void opt_help(FILE *out, const struct opt_usage *u, const struct opt_table *tables, size_t count);
/* One option a line, tab-separated: name short type metavar default help. For machines. */
void opt_print(FILE *out, const struct opt_table *tables, size_t count);

#endif
