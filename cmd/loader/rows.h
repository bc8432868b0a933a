/*
 * rows.h - the rows of a data file, whose values are filled into payloads and paths.
 *
 * CSV (RFC 4180; the first record names the columns) or NDJSON (one object a line; a column is a
 * member, or a JSON pointer where its name begins with a slash). Only the columns that somebody
 * asked for are kept. All is read before the first call; afterwards rows are only looked at.
 *
 *	struct rows r = {0};
 *	int id = rows_column(&r, "id", 2);		// which columns are wanted
 *	rc = rows_read(&r, text, len, ROWS_CSV, why);
 *	const struct template_cell *row = rows_at(&r, n % r.count);	// row[id]
 *	rows_release(&r);
 *
 * DIAGNOSTICS
 *	-EINVAL with why: a column that is not there, a line that is none, no rows; -E2BIG: more
 *	than ROWS_MAX.
 */
#ifndef PLIMSOLL_LOADER_ROWS_H
#define PLIMSOLL_LOADER_ROWS_H

#include "common/template/template.h"

#define ROWS_MAX 1000000
#define ROWS_COLUMNS_MAX 64
#define ROWS_WHY_SIZE 200

enum rows_format { ROWS_CSV, ROWS_NDJSON };

struct rows {
	char *columns[ROWS_COLUMNS_MAX]; /* owned: the wanted ones */
	size_t column_count;
	struct template_cell *cells; /* owned: count * column_count */
	size_t count, cap;
	char *text; /* owned: what the cells point into */
};

/* The index of a column from now on; -1 when there are too many. */
int rows_column(struct rows *r, const char *name, size_t len_bytes);
/* Once. The text is not needed afterwards. */
MUST_CHECK int rows_read(struct rows *r, const char *text, size_t len_bytes,
			 enum rows_format format, char why[ROWS_WHY_SIZE]);
const struct template_cell *rows_at(const struct rows *r, size_t i);
void rows_release(struct rows *r);

#endif
