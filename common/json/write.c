/*
 * Writing is ours rather than jansson's for one reason: reals in the fewest digits that read back
 * to the same value (0.1, not 0.10000000000000001).
 */
#include "common/json/json_own.h"

#include <inttypes.h>

struct style {
	bool is_sorted, is_pretty;
};

static void write_value(json_t *v, const struct style *style, size_t depth, struct buf *out);

static void write_char(unsigned char c, struct buf *out)
{
	static const char plain[] = "\b\t\n\f\r\"\\";
	static const char letter[] = "btnfr\"\\";
	const char *at = c ? strchr(plain, c) : NULL;

	if (at)
		buf_addf(out, "\\%c", letter[at - plain]);
	else if (c < 0x20 || c == 0x7f)
		buf_addf(out, "\\u%04x", c);
	else
		buf_addc(out, (char)c);
}

static void write_string(const char *s, size_t len_bytes, struct buf *out)
{
	size_t from = 0;

	buf_addc(out, '"');
	for (size_t i = 0; i < len_bytes; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		buf_add(out, s + from, i - from);
		write_char(c, out);
		from = i + 1;
	}
	buf_add(out, s + from, len_bytes - from);
	buf_addc(out, '"');
}

static void write_real(double d, struct buf *out)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_adds(out, text);
	/* A real stays a real when it is read again. */
	if (!strpbrk(text, ".e"))
		buf_adds(out, ".0");
}

static void new_line(const struct style *style, size_t depth, struct buf *out)
{
	if (!style->is_pretty)
		return;
	buf_addc(out, '\n');
	for (size_t i = 0; i < depth; i++)
		buf_adds(out, "  ");
}

static int by_key(const void *a, const void *b)
{
	return strcmp(json_object_iter_key(*(void *const *)a),
		      json_object_iter_key(*(void *const *)b));
}

/* Iterators over all members, in the order to write them; the caller frees the array. */
static void **members_of(json_t *o, const struct style *style)
{
	size_t count = 0;
	void **iters = x_calloc(json_object_size(o) + 1, sizeof(*iters));

	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it))
		iters[count++] = it;
	if (style->is_sorted)
		qsort(iters, count, sizeof(*iters), by_key);
	return iters;
}

static void write_object(json_t *o, const struct style *style, size_t depth, struct buf *out)
{
	void **iters = members_of(o, style);

	buf_addc(out, '{');
	for (size_t i = 0; iters[i]; i++) {
		const char *key = json_object_iter_key(iters[i]);

		if (i)
			buf_addc(out, ',');
		new_line(style, depth + 1, out);
		write_string(key, strlen(key), out);
		buf_adds(out, style->is_pretty ? ": " : ":");
		write_value(json_object_iter_value(iters[i]), style, depth + 1, out);
	}
	if (iters[0])
		new_line(style, depth, out);
	buf_addc(out, '}');
	free(iters);
}

static void write_array(json_t *a, const struct style *style, size_t depth, struct buf *out)
{
	size_t count = json_array_size(a);

	buf_addc(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_addc(out, ',');
		new_line(style, depth + 1, out);
		write_value(json_array_get(a, i), style, depth + 1, out);
	}
	if (count)
		new_line(style, depth, out);
	buf_addc(out, ']');
}

static void write_value(json_t *v, const struct style *style, size_t depth, struct buf *out)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_OBJECT:
		write_object(v, style, depth, out);
		break;
	case JSON_ARRAY:
		write_array(v, style, depth, out);
		break;
	case JSON_STRING:
		write_string(json_string_value(v), json_string_length(v), out);
		break;
	case JSON_INTEGER:
		buf_addf(out, "%" PRId64, (int64_t)json_integer_value(v));
		break;
	case JSON_REAL:
		write_real(json_real_value(v), out);
		break;
	case JSON_TRUE:
		buf_adds(out, "true");
		break;
	case JSON_FALSE:
		buf_adds(out, "false");
		break;
	case JSON_NULL:
		buf_adds(out, "null");
		break;
	}
}

void json_write(const struct json *v, struct buf *out)
{
	write_value(lib(v), &(struct style){0}, 0, out);
}

void json_write_sorted(const struct json *v, struct buf *out)
{
	write_value(lib(v), &(struct style){.is_sorted = true}, 0, out);
}

void json_write_pretty(const struct json *v, struct buf *out)
{
	write_value(lib(v), &(struct style){.is_pretty = true}, 0, out);
}
