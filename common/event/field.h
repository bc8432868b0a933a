/*
 * field.h - one row of the schema, for common/event alone (rank 2).
 */
#ifndef PLIMSOLL_EVENT_FIELD_H
#define PLIMSOLL_EVENT_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/event/event.h"

/* X(symbol, name in the reference) */
#define FIELD_TYPES(X)                                                                             \
	X(OBJ, "object")                                                                           \
	X(ARR, "array")                                                                            \
	X(STR, "string")                                                                           \
	X(TEXT, "string without control characters, not empty")                                    \
	X(WORD, "word")                                                                            \
	X(ID, "id `[A-Za-z0-9._-]{1,64}`")                                                         \
	X(NAME, "name `[A-Za-z0-9._-]{1,64}`")                                                     \
	X(SUBJECT, "two names with a slash between")                                               \
	X(TIME, "time, RFC 3339")                                                                  \
	X(BOOL, "boolean")                                                                         \
	X(INT, "integer, not negative")                                                            \
	X(NUM, "number, not negative")                                                             \
	X(REAL, "number")                                                                          \
	X(COUNTS, "object of integers, not negative")                                              \
	X(ANY, "any JSON")                                                                         \
	X(USD, "decimal string")                                                                   \
	X(U64, "64-bit number as a string")

enum field_type {
#define X(symbol, name) F_##symbol,
	FIELD_TYPES(X)
#undef X
		F_TYPE_COUNT
};

struct field {
	uint32_t kinds; /* EV_BIT()s, EV_OTHER's included */
	const char *path;
	enum field_type type;
	bool is_required;
	const char *words;
	int64_t max;
	const char *unit, *doc;
};

extern const struct field event_fields[];
extern const size_t event_field_count;

/* Walks the rows of this kind over the whole event. -EINVAL with the first mistake in why. */
MUST_CHECK int event_check(enum event_kind kind, const struct json *body, char why[EVENT_WHY_SIZE]);

#endif
