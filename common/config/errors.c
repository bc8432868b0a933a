/* errors.c - the mistakes of a configuration, collected, ordered and printed. */
#include "common/config/yaml.h"

#include <stdlib.h>
#include <string.h>

/* A hostile file cannot make us hold more than this; the last one says that there are more. */
#define ERRORS_MAX 1000

/* What the file says ends on someone's terminal: no control characters. */
static void tame(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

void config_errors_add(struct config_errors *errs, struct config_place at, const char *fmt, ...)
{
	struct buf text = BUF_INIT(2048);
	struct config_error *e;
	va_list ap;

	if (errs->count >= ERRORS_MAX)
		return;
	if (errs->count == errs->cap) {
		errs->cap = errs->cap ? 2 * errs->cap : 8;
		errs->items = x_realloc(errs->items, errs->cap, sizeof(*errs->items));
	}
	if (errs->count == ERRORS_MAX - 1) {
		buf_adds(&text, "more mistakes follow, expected fewer; these first");
	} else {
		va_start(ap, fmt);
		buf_vaddf(&text, fmt, ap);
		va_end(ap);
	}
	e = &errs->items[errs->count++];
	e->file = x_strdup(at.file ? at.file : "");
	e->line = at.line;
	e->column = at.column;
	e->text = buf_steal(&text);
	tame(e->text);
}

static size_t first_mention(const struct config_errors *errs, const char *file)
{
	size_t i = 0;

	while (i < errs->count && strcmp(errs->items[i].file, file) != 0)
		i++;
	return i;
}

static bool is_after(const struct config_error *a, size_t a_rank, const struct config_error *b,
		     size_t b_rank)
{
	if (a_rank != b_rank)
		return a_rank > b_rank;
	if (a->line != b->line)
		return a->line > b->line;
	return a->column > b->column;
}

/* Insertion sort: stable, and the list is short. */
void config_errors_sort(struct config_errors *errs)
{
	size_t *ranks = x_calloc(errs->count + 1, sizeof(*ranks));

	for (size_t i = 0; i < errs->count; i++)
		ranks[i] = first_mention(errs, errs->items[i].file);
	for (size_t i = 1; i < errs->count; i++) {
		struct config_error e = errs->items[i];
		size_t rank = ranks[i];
		size_t k = i;

		for (; k > 0 && is_after(&errs->items[k - 1], ranks[k - 1], &e, rank); k--) {
			errs->items[k] = errs->items[k - 1];
			ranks[k] = ranks[k - 1];
		}
		errs->items[k] = e;
		ranks[k] = rank;
	}
	free(ranks);
}

void config_errors_print(const struct config_errors *errs, FILE *out)
{
	for (size_t i = 0; i < errs->count; i++) {
		const struct config_error *e = &errs->items[i];

		if (e->line > 0)
			fprintf(out, "%s:%d:%d: %s\n", e->file, e->line, e->column, e->text);
		else
			fprintf(out, "%s: %s\n", e->file, e->text);
	}
}

void config_errors_release(struct config_errors *errs)
{
	for (size_t i = 0; i < errs->count; i++) {
		free(errs->items[i].file);
		free(errs->items[i].text);
	}
	free(errs->items);
	*errs = (struct config_errors){0};
}
