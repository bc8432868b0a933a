/*
 * csv.c - see csv.h.
 */
#include "common/template/csv.h"

#include <errno.h>
#include <string.h>

void csv_begin(struct csv *c, const char *text, size_t len_bytes)
{
	bool has_mark = len_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;

	*c = (struct csv){text + (has_mark ? 3 : 0), text + len_bytes, 1, false};
}

static bool is_line_end(const struct csv *c)
{
	return c->at < c->end &&
	       (*c->at == '\n' || (*c->at == '\r' && c->end - c->at > 1 && c->at[1] == '\n'));
}

static void skip_line_end(struct csv *c)
{
	c->at += *c->at == '\r' ? 2 : 1;
	c->line++;
}

/* From behind the opening quote to behind the closing one. */
static int take_quoted(struct csv *c, char *room, size_t *len_bytes)
{
	size_t n = 0;

	while (c->at < c->end) {
		char ch = *c->at++;

		if (ch == '"') {
			if (c->at == c->end || *c->at != '"') {
				*len_bytes = n;
				return c->at == c->end || *c->at == ',' || is_line_end(c) ? 0
											  : -EINVAL;
			}
			c->at++;
		}
		c->line += ch == '\n';
		room[n++] = ch;
	}
	return -EINVAL;
}

static void take_plain(struct csv *c, char *room, size_t *len_bytes)
{
	size_t n = 0;

	while (c->at < c->end && *c->at != ',' && !is_line_end(c))
		room[n++] = *c->at++;
	*len_bytes = n;
}

int csv_field(struct csv *c, char *room, size_t *len_bytes, bool *is_last)
{
	while (!c->is_in_record && is_line_end(c))
		skip_line_end(c);
	if (c->at == c->end && !c->is_in_record)
		return 0;
	*len_bytes = 0;
	if (c->at < c->end && *c->at == '"') {
		c->at++;
		if (take_quoted(c, room, len_bytes) != 0)
			return -EINVAL;
	} else {
		take_plain(c, room, len_bytes);
	}
	c->is_in_record = c->at < c->end && *c->at == ',';
	*is_last = !c->is_in_record;
	if (c->is_in_record)
		c->at++;
	else if (is_line_end(c))
		skip_line_end(c);
	return 1;
}
