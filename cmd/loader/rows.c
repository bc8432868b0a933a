/*
 * rows.c - see rows.h.
 */
#include "cmd/loader/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/template/csv.h"

#include "cmd/loader/jsonscan.h"

PRINTF_LIKE(2, 3) static int refuse(char why[ROWS_WHY_SIZE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, ROWS_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int find_column(const struct rows *r, const char *name, size_t len_bytes)
{
	for (size_t i = 0; i < r->column_count; i++)
		if (strlen(r->columns[i]) == len_bytes && !memcmp(r->columns[i], name, len_bytes))
			return (int)i;
	return -1;
}

int rows_column(struct rows *r, const char *name, size_t len_bytes)
{
	int i = find_column(r, name, len_bytes);

	if (i >= 0 || r->column_count == ROWS_COLUMNS_MAX)
		return i;
	r->columns[r->column_count] = x_strndup(name, len_bytes);
	return (int)r->column_count++;
}

/* Room for one more row; NULL when there are too many. */
static struct template_cell *new_row(struct rows *r)
{
	if (r->count == ROWS_MAX)
		return NULL;
	if (r->count == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 256;
		r->cells = x_realloc(r->cells, r->cap * r->column_count, sizeof(*r->cells));
	}
	return &r->cells[r->count++ * r->column_count];
}

/* ---- CSV ---- */

struct header {
	int wanted[4096]; /* the wanted column that each column of the file is, or -1 */
	size_t count;
};

static int read_header(const struct rows *r, struct csv *c, struct header *h,
		       char why[ROWS_WHY_SIZE])
{
	bool is_last = false, is_found[ROWS_COLUMNS_MAX] = {0};
	size_t len_bytes;

	while (!is_last) {
		int wanted;

		if (csv_field(c, r->text, &len_bytes, &is_last) != 1)
			return refuse(why, "line %zu is no CSV, or there is none", c->line);
		if (h->count == ARRAY_LEN(h->wanted))
			return refuse(why, "more than %zu columns", ARRAY_LEN(h->wanted));
		wanted = find_column(r, r->text, len_bytes);
		if (wanted >= 0 && is_found[wanted])
			wanted = -1; /* of two of a name the first counts */
		if (wanted >= 0)
			is_found[wanted] = true;
		h->wanted[h->count++] = wanted;
	}
	for (size_t i = 0; i < r->column_count; i++)
		if (!is_found[i])
			return refuse(why, "it has no column \"%.60s\"", r->columns[i]);
	return 0;
}

static int read_record(struct rows *r, struct csv *c, const struct header *h, char **room,
		       char why[ROWS_WHY_SIZE])
{
	struct template_cell *row = NULL;
	bool is_last = false;
	size_t n = 0;

	for (; !is_last; n++) {
		size_t len_bytes;
		int rc = csv_field(c, *room, &len_bytes, &is_last);

		if (rc == 0)
			return 0;
		if (rc < 0)
			return refuse(why,
				      "line %zu: a quote that is not closed, or bytes behind it",
				      c->line);
		if (!row && !(row = new_row(r)))
			return refuse(why, "more than %d rows", ROWS_MAX);
		if (n < h->count && h->wanted[n] >= 0) {
			row[h->wanted[n]] =
				(struct template_cell){*room, (uint32_t)len_bytes, false};
			*room += len_bytes;
		}
	}
	if (n != h->count)
		return refuse(why, "line %zu: %zu fields, the first line has %zu", c->line - 1, n,
			      h->count);
	return 1;
}

static int read_csv(struct rows *r, const char *text, size_t len_bytes, char why[ROWS_WHY_SIZE])
{
	struct header *h = x_calloc(1, sizeof(*h));
	char *room = r->text;
	struct csv c;
	int rc;

	csv_begin(&c, text, len_bytes);
	rc = read_header(r, &c, h, why);
	if (rc == 0)
		do
			rc = read_record(r, &c, h, &room, why);
		while (rc > 0);
	free(h);
	return rc;
}

/* ---- NDJSON ---- */

/* A member's name as a pointer: ~ and / are escaped. */
static void pointer_of(const char *name, char *out, size_t size)
{
	size_t n = 0;

	out[n++] = '/';
	for (; *name && n + 3 < size; name++) {
		if (*name != '~' && *name != '/') {
			out[n++] = *name;
			continue;
		}
		out[n++] = '~';
		out[n++] = *name == '~' ? '0' : '1';
	}
	out[n] = '\0';
}

static int read_object(struct rows *r, const char *line, size_t len_bytes, size_t number,
		       char **room, char why[ROWS_WHY_SIZE])
{
	struct template_cell *row = new_row(r);

	if (!row)
		return refuse(why, "more than %d rows", ROWS_MAX);
	for (size_t i = 0; i < r->column_count; i++) {
		const char *name = r->columns[i];
		struct json_slice v;
		char pointer[256];
		size_t n;

		snprintf(pointer, sizeof(pointer), "%s", name);
		if (*name != '/')
			pointer_of(name, pointer, sizeof(pointer));
		if (!json_find(line, len_bytes, pointer, &v))
			return refuse(why, "line %zu is no JSON, or has no \"%.60s\"", number,
				      name);
		n = json_slice_text(&v, *room);
		row[i] = (struct template_cell){*room, (uint32_t)n, v.kind != JSON_SLICE_STR};
		*room += n;
	}
	return 0;
}

static bool is_blank(const char *at, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++)
		if (!strchr(" \t\r", at[i]))
			return false;
	return true;
}

static int read_ndjson(struct rows *r, const char *text, size_t len_bytes, char why[ROWS_WHY_SIZE])
{
	const char *end = text + len_bytes;
	char *room = r->text;
	int rc = 0;

	for (size_t number = 1; text < end && rc == 0; number++) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((line_end ? line_end : end) - text);

		/* A column may ask for the whole twice: room holds each value once for each. */
		if (!is_blank(text, n))
			rc = read_object(r, text, n, number, &room, why);
		text += n + 1;
	}
	return rc;
}

int rows_read(struct rows *r, const char *text, size_t len_bytes, enum rows_format format,
	      char why[ROWS_WHY_SIZE])
{
	static int (*const read[])(struct rows *, const char *, size_t, char[ROWS_WHY_SIZE]) = {
		[ROWS_CSV] = read_csv, [ROWS_NDJSON] = read_ndjson};
	/* Pointers may overlap: the object and a member of it. */
	size_t times = format == ROWS_NDJSON ? MAX_OF(r->column_count, 1) : 1;
	int rc;

	if (len_bytes > SIZE_MAX / times - 1)
		return refuse(why, "it is too long");
	r->text = x_calloc(len_bytes * times + 1, 1);
	rc = read[format](r, text, len_bytes, why);
	if (rc == 0 && r->count == 0)
		rc = refuse(why, "it holds no rows");
	return rc;
}

const struct template_cell *rows_at(const struct rows *r, size_t i)
{
	return r->column_count ? &r->cells[i * r->column_count] : NULL;
}

void rows_release(struct rows *r)
{
	for (size_t i = 0; i < r->column_count; i++)
		free(r->columns[i]);
	free(r->cells);
	free(r->text);
	*r = (struct rows){0};
}
