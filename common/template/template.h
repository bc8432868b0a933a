/*
 * template.h - text with placeholders: parsed once, filled in for each call (rank 1).
 *
 *	{{seq}}			number of the call, from 0; each shard has its own of them
 *	{{random A B}}		a whole number from A to B, both included
 *	{{uuid}}		a UUID, version 4
 *	{{row.COLUMN}}		a value of the call's row
 *	{{json row.COLUMN}}	the same as a JSON value: texts come with their quotes
 *	{{variant}} {{run}}	old or new; the id of the run
 *	{{open}}		the two braces themselves
 *
 * Blanks inside the braces do not count. What is filled in is escaped for the place it stands in;
 * values of a row that are JSON already (numbers, true, objects) are not. Random values come from
 * the generator that the caller seeds, in the order of the text: the same seed fills in the same.
 *
 *	struct template t = {0};
 *	if (template_parse(text, len, &t, &mistake) != 0)
 *		... mistake.at_byte, mistake.why
 *	template_fill(&t, &values, TEMPLATE_JSON, &out);
 *	template_release(&t);
 *
 * DIAGNOSTICS
 *	-EINVAL with where and why: an unknown placeholder, braces that are not closed, a range that
 *	is none. -E2BIG: more than TEMPLATE_PARTS_MAX pieces.
 */
#ifndef PLIMSOLL_TEMPLATE_TEMPLATE_H
#define PLIMSOLL_TEMPLATE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/rng.h"

#define TEMPLATE_PARTS_MAX 512
#define TEMPLATE_WHY_SIZE 160

enum template_escape {
	TEMPLATE_PLAIN, /* as it is */
	TEMPLATE_JSON,	/* inside the quotes of a JSON string */
	TEMPLATE_URL,	/* percent-encoded, but for RFC 3986's unreserved characters */
	TEMPLATE_ESCAPE_COUNT
};

struct template_part {
	int kind;
	const char *at; /* the text itself; the column's name: within template.text */
	size_t len_bytes;
	int64_t low; /* of a random number */
	uint64_t span;
	uint32_t column; /* index into the row's cells: set by template_bind */
};

struct template
{
	char *text; /* owned */
	struct template_part *parts;
	size_t count;
	bool has_rows;
};

struct template_mistake {
	size_t at_byte;
	char why[TEMPLATE_WHY_SIZE]; /* ends in ", expected ..." */
};

struct template_cell {
	const char *at;
	uint32_t len_bytes;
	bool is_json; /* JSON that is no string */
};

struct template_values {
	struct rng *rng;
	uint64_t seq;
	const char *variant, *run;
	const struct template_cell *row; /* NULL where no part asks for one */
};

MUST_CHECK int template_parse(const char *text, size_t len_bytes, struct template *out,
			      struct template_mistake *mistake);
void template_release(struct template *t);
/*
 * Gives each column of the text its index: find() says it, or -1 for one that is not there.
 * Returns the name of the first that is missing (borrowed, *len_bytes long), or NULL.
 */
const char *template_bind(struct template *t,
			  int (*find)(void *ctx, const char *name, size_t len_bytes), void *ctx,
			  size_t *len_bytes);
/* Appends. No allocation once out has grown. */
void template_fill(const struct template *t, const struct template_values *v,
		   enum template_escape escape, struct buf *out);
/* Does the text hold anything to fill in at all? */
bool template_is_one(const char *text);

#endif
