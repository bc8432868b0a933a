/*
 * table.h - columns of text for people, with colours where a terminal shows them (rank 0).
 *
 * Cells are UTF-8; a column is as wide as its widest cell. Trailing blanks are never written.
 *
 *	struct table t = {.indent = 2, .is_right = 1u << 1};	// the second column to the right
 *	table_cell(&t, "response_p50", TEXT_PLAIN);
 *	table_cell(&t, "61.0 ms", TEXT_BOLD);
 *	table_end_row(&t);
 *	table_write(&t, text_has_colour(STDOUT_FILENO), &out);
 *	table_release(&t);
 */
#ifndef PLIMSOLL_BASE_TABLE_H
#define PLIMSOLL_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

enum text_style { TEXT_PLAIN, TEXT_BOLD, TEXT_DIM, TEXT_GOOD, TEXT_BAD, TEXT_UNSURE };

#define TABLE_COLUMNS_MAX 16

struct table_cell {
	char *text; /* owned; NULL ends the row */
	enum text_style style;
};

struct table {
	unsigned indent;
	unsigned is_right; /* bit i: column i is aligned to the right */
	struct table_cell *cells;
	size_t count, cap;
	size_t column; /* of the next cell */
};

/* Text is copied. More than TABLE_COLUMNS_MAX in a row is a bug. */
void table_cell(struct table *t, const char *text, enum text_style style);
PRINTF_LIKE(3, 4)
void table_cellf(struct table *t, enum text_style style, const char *fmt, ...);
void table_end_row(struct table *t);
void table_write(const struct table *t, bool has_colour, struct buf *out);
void table_release(struct table *t); /* empty and usable again */

/* Text in a style; as it is without colour. */
void text_add(struct buf *out, const char *text, enum text_style style, bool has_colour);
/* Columns that UTF-8 text takes: code points; combining and wide ones are not looked at. */
size_t text_width(const char *text);
/*
 * Makes what strangers wrote harmless for a terminal: control characters other than line breaks
 * and the styles of text_add become "?". Otherwise a name could clear the screen or fake a verdict.
 */
void text_tame(struct buf *text);
/* A terminal that is not "dumb", and NO_COLOR is not set (https://no-color.org). */
bool text_has_colour(int fd);

#endif
