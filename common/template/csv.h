/*
 * csv.h - records of comma-separated values, RFC 4180, one field at a time (rank 1).
 *
 * Fields may stand in double quotes and then hold commas, line ends and doubled quotes. A line ends
 * with CR LF or LF; lines without a byte are passed over; a byte order mark at the start is too.
 *
 *	struct csv c;
 *	csv_begin(&c, text, len);
 *	while ((rc = csv_field(&c, room, &len, &is_last)) == 1) ...	// room: as long as the text
 *
 * DIAGNOSTICS
 *	-EINVAL: a quote that is not closed, or bytes behind a closed one; c.line says where.
 */
#ifndef PLIMSOLL_TEMPLATE_CSV_H
#define PLIMSOLL_TEMPLATE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bug.h"

struct csv {
	const char *at, *end;
	size_t line; /* from 1: of the field that was read last */
	bool is_in_record;
};

void csv_begin(struct csv *c, const char *text, size_t len_bytes);
/*
 * 1 with a field, its quotes undone, written to room (not NUL-terminated); 0 at the end; -EINVAL.
 * A field is never longer than what is left of the text.
 */
MUST_CHECK int csv_field(struct csv *c, char *room, size_t *len_bytes, bool *is_last);

#endif
