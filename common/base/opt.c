#include "common/base/opt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/strmap.h"
#include "common/base/unit.h"

struct hit {
	const struct opt *row;
	void *field;
};

static void *field_of(const struct opt_table *t, const struct opt *row)
{
	return (char *)t->target + row->offset;
}

static bool find(const struct opt_table *tables, size_t count, const char *name, size_t len_bytes,
		 char short_name, struct hit *out)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < tables[i].count; j++) {
			const struct opt *row = &tables[i].rows[j];
			bool is_same = name ? strlen(row->name) == len_bytes &&
						       !strncmp(row->name, name, len_bytes)
					    : row->short_name == short_name;

			if (is_same) {
				*out = (struct hit){row, field_of(&tables[i], row)};
				return true;
			}
		}
	}
	return false;
}

static int set_string(void *field, const char *text)
{
	*(const char **)field = text;
	return 0;
}

static int set_u64(void *field, const char *text)
{
	return unit_parse_u64(text, field);
}

static int set_count(void *field, const char *text)
{
	int rc = unit_parse_u64(text, field);

	return !rc && !*(uint64_t *)field ? -ERANGE : rc;
}

static int set_span_ns(void *field, const char *text)
{
	int rc = unit_parse_duration_ns(text, field);

	return !rc && *(int64_t *)field <= 0 ? -ERANGE : rc;
}

/* 100us is not 0. */
static int set_duration(void *field, const char *text)
{
	int64_t ns = 0;
	int rc = unit_parse_duration_ns(text, &ns);

	if (!rc && ns % NS_PER_MS)
		rc = -ERANGE;
	if (!rc)
		*(int64_t *)field = ns / NS_PER_MS;
	return rc;
}

static int set_span_ms(void *field, const char *text)
{
	int rc = set_duration(field, text);

	return !rc && *(int64_t *)field <= 0 ? -ERANGE : rc;
}

static int set_size(void *field, const char *text)
{
	return unit_parse_size(text, field);
}

static int set_list(void *field, const char *text)
{
	struct opt_list *list = field;

	if (list->count == OPT_LIST_MAX)
		return -ERANGE;
	list->items[list->count++] = text;
	return 0;
}

static const struct {
	int (*set)(void *field, const char *text);
	const char *expected;
} types[] = {
	[OPT_STRING] = {set_string, "text"},
	[OPT_FLAG] = {NULL, "no value"},
	[OPT_U64] = {set_u64, "a whole number"},
	[OPT_COUNT] = {set_count, "a whole number from 1"},
	[OPT_DURATION_MS] = {set_duration, "a duration such as 30s, 5m or 1h30m"},
	[OPT_SPAN_MS] = {set_span_ms, "a duration such as 250ms, 30s or 1h30m, 1ms at least"},
	[OPT_SPAN_NS] = {set_span_ns, "a duration such as 500us, 30ms or 2s, more than 0"},
	[OPT_SIZE] = {set_size, "a size such as 64KiB or 1MiB"},
	[OPT_LIST] = {set_list, "at most 64 values"},
};

static int set_value(const struct hit *h, const char *text, struct buf *why)
{
	int rc = types[h->row->type].set(h->field, text);

	if (rc)
		buf_addf(why, "--%s %s: expected %s", h->row->name, text,
			 types[h->row->type].expected);
	return rc ? -EINVAL : 0;
}

static void set_defaults(const struct opt_table *tables, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < tables[i].count; j++) {
			const struct opt *row = &tables[i].rows[j];

			if (row->default_text)
				BUG_ON(types[row->type].set(field_of(&tables[i], row),
							    row->default_text));
		}
	}
}

#define NAMES_MAX 128

static int unknown(const struct opt_table *tables, size_t count, const char *arg, size_t len_bytes,
		   struct buf *why)
{
	const char *names[NAMES_MAX], *near;
	char *word = x_strndup(arg, len_bytes);
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < tables[i].count && n < NAMES_MAX; j++)
			names[n++] = tables[i].rows[j].name;
	near = nearest_name(word + strspn(word, "-"), names, n);
	buf_addf(why, "unknown option %s", word);
	if (near)
		buf_addf(why, " (did you mean --%s?)", near);
	buf_adds(why, "; --help lists them");
	free(word);
	return -EINVAL;
}

/* Takes one option; *i moves past a value that stands apart. */
static int take_option(const struct opt_table *tables, size_t count, int argc, char **argv, int *i,
		       struct buf *why)
{
	const char *arg = argv[*i], *equals = NULL, *value;
	size_t len_bytes = strlen(arg);
	struct hit h = {0};
	bool is_known;

	if (arg[1] == '-') {
		equals = strchr(arg, '=');
		if (equals)
			len_bytes = (size_t)(equals - arg);
		is_known = find(tables, count, arg + 2, len_bytes - 2, 0, &h);
	} else {
		is_known = len_bytes == 2 && find(tables, count, NULL, 0, arg[1], &h);
	}
	if (!is_known)
		return unknown(tables, count, arg, len_bytes, why);
	if (h.row->type == OPT_FLAG) {
		if (equals) {
			buf_addf(why, "--%s takes no value", h.row->name);
			return -EINVAL;
		}
		*(bool *)h.field = true;
		return 0;
	}
	value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
	if (!value) {
		buf_addf(why, "--%s needs a value: %s", h.row->name, types[h.row->type].expected);
		return -EINVAL;
	}
	return set_value(&h, value, why);
}

int opt_parse(const struct opt_table *tables, size_t table_count, int argc, char **argv,
	      const char **rest, size_t *rest_count, struct buf *why)
{
	bool is_after_options = false;
	size_t n = 0;
	int rc = 0;

	set_defaults(tables, table_count);
	for (int i = 1; i < argc && !rc; i++) {
		if (is_after_options || argv[i][0] != '-' || !argv[i][1])
			rest[n++] = argv[i];
		else if (!strcmp(argv[i], "--"))
			is_after_options = true;
		else
			rc = take_option(tables, table_count, argc, argv, &i, why);
	}
	*rest_count = n;
	return rc;
}

static void help_row(FILE *out, const struct opt *row)
{
	struct buf left = BUF_INIT(200);

	if (row->short_name)
		buf_addf(&left, "-%c, ", row->short_name);
	else
		buf_adds(&left, "    ");
	buf_addf(&left, "--%s", row->name);
	if (row->metavar)
		buf_addf(&left, " %s", row->metavar);
	fprintf(out, "  %-26s %s", buf_str(&left), row->help);
	if (row->default_text && *row->default_text)
		fprintf(out, " [%s]", row->default_text);
	fputc('\n', out);
	buf_release(&left);
}

void opt_help(FILE *out, const struct opt_usage *u, const struct opt_table *tables, size_t count)
{
	fprintf(out, "usage: %s%s%s\n\n%s\n", u->program, *u->synopsis ? " " : "", u->synopsis,
		u->about);
	for (size_t i = 0; i < count; i++) {
		if (tables[i].count)
			fputs(i ? "\ncommon options\n" : "\noptions\n", out);
		for (size_t j = 0; j < tables[i].count; j++)
			help_row(out, &tables[i].rows[j]);
	}
	if (u->exits)
		fprintf(out, "\nexit codes\n%s\n", u->exits);
}

void opt_print(FILE *out, const struct opt_table *tables, size_t count)
{
	static const char *const type_names[] = {
		[OPT_STRING] = "string",
		[OPT_FLAG] = "flag",
		[OPT_U64] = "number",
		[OPT_COUNT] = "number",
		[OPT_DURATION_MS] = "duration",
		[OPT_SPAN_MS] = "duration",
		[OPT_SPAN_NS] = "duration",
		[OPT_SIZE] = "size",
		[OPT_LIST] = "list",
	};

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < tables[i].count; j++) {
			const struct opt *row = &tables[i].rows[j];

			fprintf(out, "%s\t%c\t%s\t%s\t%s\t%s\n", row->name,
				row->short_name ? row->short_name : '-', type_names[row->type],
				row->metavar ? row->metavar : "-",
				row->default_text ? row->default_text : "-", row->help);
		}
	}
}
