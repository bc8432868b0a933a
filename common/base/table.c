#include "common/base/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void table_cell(struct table *t, const char *text, enum text_style style)
{
	BUG_ON(text && t->column == TABLE_COLUMNS_MAX);
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->cells = x_realloc(t->cells, t->cap, sizeof(*t->cells));
	}
	t->cells[t->count++] = (struct table_cell){text ? x_strdup(text) : NULL, style};
	t->column = text ? t->column + 1 : 0;
}

void table_cellf(struct table *t, enum text_style style, const char *fmt, ...)
{
	struct buf text = BUF_INIT(4096);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	table_cell(t, buf_str(&text), style);
	buf_release(&text);
}

void table_end_row(struct table *t)
{
	table_cell(t, NULL, TEXT_PLAIN);
}

static void measure(const struct table *t, size_t widths[TABLE_COLUMNS_MAX])
{
	size_t column = 0;

	memset(widths, 0, TABLE_COLUMNS_MAX * sizeof(*widths));
	for (size_t i = 0; i < t->count; i++) {
		if (!t->cells[i].text) {
			column = 0;
			continue;
		}
		widths[column] = MAX_OF(widths[column], text_width(t->cells[i].text));
		column++;
	}
}

static void add_blanks(struct buf *out, size_t count)
{
	while (count--)
		buf_addc(out, ' ');
}

/* Blanks that are owed are written only before more text, so that none trail. */
void table_write(const struct table *t, bool has_colour, struct buf *out)
{
	size_t widths[TABLE_COLUMNS_MAX], column = 0, owed = t->indent;

	measure(t, widths);
	for (size_t i = 0; i < t->count; i++) {
		const struct table_cell *c = &t->cells[i];
		size_t width, gap;

		if (!c->text) {
			buf_addc(out, '\n');
			column = 0;
			owed = t->indent;
			continue;
		}
		width = text_width(c->text);
		gap = widths[column] - width;
		if (t->is_right & (1u << column))
			owed += gap;
		if (width) {
			add_blanks(out, owed);
			owed = 0;
			text_add(out, c->text, c->style, has_colour);
		}
		owed += (t->is_right & (1u << column) ? 0 : gap) + (widths[column] ? 2 : 0);
		column++;
	}
}

void table_release(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i].text);
	free(t->cells);
	t->cells = NULL;
	t->count = t->cap = t->column = 0;
}

void text_add(struct buf *out, const char *text, enum text_style style, bool has_colour)
{
	static const char *const codes[] = {
		[TEXT_PLAIN] = NULL, [TEXT_BOLD] = "1",	  [TEXT_DIM] = "2",
		[TEXT_GOOD] = "32",  [TEXT_BAD] = "1;31", [TEXT_UNSURE] = "33",
	};

	if (has_colour && codes[style])
		buf_addf(out, "\033[%sm%s\033[0m", codes[style], text);
	else
		buf_adds(out, text);
}

/* The length of one of text_add's sequences at the start of text, else 0. */
static size_t style_length(const char *text)
{
	size_t digits;

	if (strncmp(text, "\033[", 2) != 0)
		return 0;
	digits = strspn(text + 2, "0123456789;");
	return digits <= 4 && text[2 + digits] == 'm' ? digits + 3 : 0;
}

void text_tame(struct buf *text)
{
	for (size_t i = 0; i < text->len_bytes;) {
		unsigned char c = (unsigned char)text->data[i];
		size_t style = style_length(text->data + i);
		/* U+0080 to U+009F: what begins a sequence in one character */
		bool is_c1 = c == 0xc2 && i + 1 < text->len_bytes &&
			     (unsigned char)text->data[i + 1] >= 0x80 &&
			     (unsigned char)text->data[i + 1] < 0xa0;

		if (is_c1)
			text->data[i++] = '?';
		if (is_c1 || (!style && c != '\n' && (c < ' ' || c == 0x7f)))
			text->data[i] = '?';
		i += style ? style : 1;
	}
}

size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

bool text_has_colour(int fd)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}
