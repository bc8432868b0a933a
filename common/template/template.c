/*
 * template.c - see template.h.
 */
#include "common/template/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"

#define OPEN "{{"
#define CLOSE "}}"

enum part_kind {
	PART_TEXT,
	PART_SEQ,
	PART_RANDOM,
	PART_UUID,
	PART_ROW,
	PART_JSON_ROW,
	PART_VARIANT,
	PART_RUN,
	PART_OPEN
};

static const struct {
	const char *word;
	enum part_kind kind;
} words[] = {{"seq", PART_SEQ},
	     {"uuid", PART_UUID},
	     {"variant", PART_VARIANT},
	     {"run", PART_RUN},
	     {"open", PART_OPEN}};

static const char known[] =
	"expected seq, random A B, uuid, row.COLUMN, json row.COLUMN, variant, run or open";

/* ---- parsing ---- */

static struct template_part *add_part(struct template *t, enum part_kind kind)
{
	struct template_part *p = &t->parts[t->count++];

	*p = (struct template_part){.kind = (int)kind};
	return p;
}

static void add_text(struct template *t, const char *at, size_t len_bytes)
{
	struct template_part *p;

	if (len_bytes == 0)
		return;
	p = add_part(t, PART_TEXT);
	p->at = at;
	p->len_bytes = len_bytes;
}

/* "random" is gone; "A B" is left. False when that is no range. */
static bool take_range(struct template *t, const char *text)
{
	char low_text[24], high_text[24];
	int64_t low, high;
	struct template_part *p;
	size_t low_bytes = strcspn(text, " \t"), high_bytes;
	const char *second = text + low_bytes + strspn(text + low_bytes, " \t");

	high_bytes = strlen(second);
	if (low_bytes >= sizeof(low_text) || high_bytes >= sizeof(high_text))
		return false;
	memcpy(low_text, text, low_bytes);
	low_text[low_bytes] = '\0';
	memcpy(high_text, second, high_bytes + 1);
	if (unit_parse_i64(low_text, &low) != 0 || unit_parse_i64(high_text, &high) != 0 ||
	    low > high)
		return false;
	p = add_part(t, PART_RANDOM);
	p->low = low;
	p->span = (uint64_t)high - (uint64_t)low; /* below 2^64 - 1: low is above INT64_MIN */
	return true;
}

static bool take_row(struct template *t, char *text, enum part_kind kind)
{
	struct template_part *p;

	if (strncmp(text, "row.", 4) != 0 || !text[4])
		return false;
	p = add_part(t, kind);
	p->at = text + 4;
	p->len_bytes = strlen(text + 4);
	t->has_rows = true;
	return true;
}

/* What follows a word and blanks; NULL when text begins otherwise. */
static char *behind(char *text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(text, word, len) != 0 || !isblank((unsigned char)text[len]))
		return NULL;
	return text + len + strspn(text + len, " \t");
}

/* One placeholder, trimmed and NUL-terminated. */
static bool take_placeholder(struct template *t, char *text)
{
	char *rest = behind(text, "random");

	if (rest)
		return take_range(t, rest);
	rest = behind(text, "json");
	if (rest)
		return take_row(t, rest, PART_JSON_ROW);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i].word, text) == 0) {
			add_part(t, words[i].kind);
			return true;
		}
	}
	return take_row(t, text, PART_ROW);
}

static int fail(struct template *t, struct template_mistake *m, size_t at_byte, const char *what,
		const char *word, const char *expected)
{
	m->at_byte = at_byte;
	snprintf(m->why, sizeof(m->why), "%s%.50s, %s", what, word, expected);
	template_release(t);
	return -EINVAL;
}

static size_t count_parts(const char *text, size_t len_bytes)
{
	size_t count = 1;

	for (const char *p = text; (p = memmem(p, len_bytes - (size_t)(p - text), OPEN, 2)); p += 2)
		count += 2;
	return count;
}

int template_parse(const char *text, size_t len_bytes, struct template *out,
		   struct template_mistake *mistake)
{
	size_t count = count_parts(text, len_bytes);
	struct template t = {0};
	char *at, *end;

	if (count > TEMPLATE_PARTS_MAX) {
		mistake->at_byte = 0;
		snprintf(mistake->why, sizeof(mistake->why),
			 "more than %d placeholders, expected fewer", TEMPLATE_PARTS_MAX / 2 - 1);
		return -E2BIG;
	}
	t.text = at = x_strndup(text, len_bytes);
	t.parts = x_calloc(count, sizeof(*t.parts));
	end = at + len_bytes;
	for (;;) {
		char *open = memmem(at, (size_t)(end - at), OPEN, 2), *close, *word;

		add_text(&t, at, (size_t)((open ? open : end) - at));
		if (!open)
			break;
		close = memmem(open + 2, (size_t)(end - open - 2), CLOSE, 2);
		if (!close)
			return fail(&t, mistake, (size_t)(open - t.text), "{{ without }}", "",
				    "expected the end of the placeholder; {{open}} stands for {{");
		word = open + 2 + strspn(open + 2, " \t");
		at = close + 2;
		while (close > word && isblank((unsigned char)close[-1]))
			close--;
		*close = '\0';
		if (!take_placeholder(&t, word))
			return fail(&t, mistake, (size_t)(open - t.text), "unknown placeholder ",
				    word, known);
	}
	*out = t;
	return 0;
}

void template_release(struct template *t)
{
	free(t->text);
	free(t->parts);
	*t = (struct template){0};
}

bool template_is_one(const char *text)
{
	return strstr(text, OPEN) != NULL;
}

const char *template_bind(struct template *t,
			  int (*find)(void *ctx, const char *name, size_t len_bytes), void *ctx,
			  size_t *len_bytes)
{
	for (size_t i = 0; i < t->count; i++) {
		struct template_part *p = &t->parts[i];
		int column;

		if (p->kind != PART_ROW && p->kind != PART_JSON_ROW)
			continue;
		column = find(ctx, p->at, p->len_bytes);
		if (column < 0) {
			*len_bytes = p->len_bytes;
			return p->at;
		}
		p->column = (uint32_t)column;
	}
	return NULL;
}

/* ---- filling in ---- */

static const char hex_digits[] = "0123456789abcdef";

static void add_json(const char *text, size_t len_bytes, struct buf *out)
{
	static const char names[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
	size_t begin = 0;

	for (size_t i = 0; i < len_bytes; i++) {
		unsigned char c = (unsigned char)text[i];
		char escape[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
		const char *name;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, text + begin, i - begin);
		begin = i + 1;
		name = c ? strchr(names, c) : NULL;
		if (name)
			escape[1] = letters[name - names];
		buf_add(out, escape, name ? 2 : 6);
	}
	buf_add(out, text + begin, len_bytes - begin);
}

static void add_url(const char *text, size_t len_bytes, struct buf *out)
{
	for (size_t i = 0; i < len_bytes; i++) {
		unsigned char c = (unsigned char)text[i];
		char escape[3] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};

		if (isalnum(c) || (c && strchr("-._~", c)))
			buf_addc(out, (char)c);
		else
			buf_add(out, escape, 3);
	}
}

static void add_plain(const char *text, size_t len_bytes, struct buf *out)
{
	buf_add(out, text, len_bytes);
}

static void (*const add_escaped[TEMPLATE_ESCAPE_COUNT])(const char *, size_t, struct buf *) = {
	[TEMPLATE_PLAIN] = add_plain,
	[TEMPLATE_JSON] = add_json,
	[TEMPLATE_URL] = add_url,
};

static void add_u64(uint64_t value, bool is_negative, struct buf *out)
{
	char digits[24], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	if (is_negative)
		*--at = '-';
	buf_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void add_random(const struct template_part *p, struct rng *rng, struct buf *out)
{
	uint64_t draw = rng_below(rng, p->span + 1);
	uint64_t value = (uint64_t)p->low + draw;
	bool is_negative = p->low < 0 && draw < -(uint64_t)p->low;

	add_u64(is_negative ? -value : value, is_negative, out);
}

/* RFC 9562: 122 random bits, version 4, variant 10. */
static void add_uuid(struct rng *rng, struct buf *out)
{
	uint64_t halves[2] = {rng_next(rng), rng_next(rng)};
	char text[36];
	size_t n = 0;

	halves[0] = (halves[0] & ~UINT64_C(0xf000)) | 0x4000;
	halves[1] = (halves[1] & ~(UINT64_C(3) << 62)) | (UINT64_C(1) << 63);
	for (unsigned i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			text[n++] = '-';
		text[n++] = hex_digits[(halves[i / 16] >> (60 - 4 * (i % 16))) & 15];
	}
	buf_add(out, text, n);
}

static void add_cell(const struct template_cell *cell, bool as_json, enum template_escape escape,
		     struct buf *out)
{
	bool is_text = !cell->is_json;

	if (as_json && is_text)
		buf_addc(out, '"');
	if (is_text && as_json)
		add_json(cell->at, cell->len_bytes, out);
	else if (is_text || escape == TEMPLATE_URL)
		add_escaped[escape](cell->at, cell->len_bytes, out);
	else
		buf_add(out, cell->at, cell->len_bytes);
	if (as_json && is_text)
		buf_addc(out, '"');
}

static void add_value(const struct template_part *p, const struct template_values *v,
		      enum template_escape escape, struct buf *out)
{
	switch ((enum part_kind)p->kind) {
	case PART_TEXT:
		buf_add(out, p->at, p->len_bytes);
		break;
	case PART_SEQ:
		add_u64(v->seq, false, out);
		break;
	case PART_RANDOM:
		add_random(p, v->rng, out);
		break;
	case PART_UUID:
		add_uuid(v->rng, out);
		break;
	case PART_ROW:
	case PART_JSON_ROW:
		add_cell(&v->row[p->column], p->kind == PART_JSON_ROW, escape, out);
		break;
	case PART_VARIANT:
		add_escaped[escape](v->variant, strlen(v->variant), out);
		break;
	case PART_RUN:
		add_escaped[escape](v->run, strlen(v->run), out);
		break;
	case PART_OPEN:
		add_escaped[escape](OPEN, 2, out);
		break;
	}
}

void template_fill(const struct template *t, const struct template_values *v,
		   enum template_escape escape, struct buf *out)
{
	for (size_t i = 0; i < t->count; i++)
		add_value(&t->parts[i], v, escape, out);
}
