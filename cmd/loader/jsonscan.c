/*
 * jsonscan.c - a pointer walk over JSON text; see jsonscan.h.
 */
#include "cmd/loader/jsonscan.h"

#include <string.h>

#include "common/base/unit.h"

struct cursor {
	const char *at, *end;
};

static bool at_end(const struct cursor *c)
{
	return c->at >= c->end;
}

static void skip_space(struct cursor *c)
{
	while (!at_end(c) && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
		c->at++;
}

static bool take(struct cursor *c, char want)
{
	skip_space(c);
	if (at_end(c) || *c->at != want)
		return false;
	c->at++;
	return true;
}

/* From behind the opening quote to behind the closing one. */
static bool skip_string(struct cursor *c)
{
	for (; !at_end(c); c->at++) {
		if (*c->at == '\\') {
			c->at++;
			continue;
		}
		if (*c->at == '"') {
			c->at++;
			return true;
		}
	}
	return false;
}

/* An object or a list, from its opening bracket; depth is counted, not recursed. */
static bool skip_nested(struct cursor *c)
{
	size_t depth = 0;

	for (; !at_end(c); c->at++) {
		char ch = *c->at;

		if (ch == '"') {
			c->at++;
			if (!skip_string(c))
				return false;
			c->at--;
		} else if (ch == '{' || ch == '[') {
			depth++;
		} else if (ch == '}' || ch == ']') {
			if (--depth == 0) {
				c->at++;
				return true;
			}
		}
	}
	return false;
}

static bool skip_scalar(struct cursor *c)
{
	const char *start = c->at;

	while (!at_end(c) && !strchr(",]} \t\r\n", *c->at))
		c->at++;
	return c->at > start;
}

static bool is_word(const char *at, size_t len_bytes, const char *word)
{
	return len_bytes == strlen(word) && memcmp(at, word, len_bytes) == 0;
}

static bool name_scalar(struct json_slice *v)
{
	if (is_word(v->at, v->len_bytes, "true"))
		v->kind = JSON_SLICE_TRUE;
	else if (is_word(v->at, v->len_bytes, "false"))
		v->kind = JSON_SLICE_FALSE;
	else if (is_word(v->at, v->len_bytes, "null"))
		v->kind = JSON_SLICE_NULL;
	else if (strchr("-0123456789", v->at[0]))
		v->kind = JSON_SLICE_NUM;
	else
		return false;
	return true;
}

/* Any value; moves behind it. */
static bool take_value(struct cursor *c, struct json_slice *v)
{
	skip_space(c);
	if (at_end(c))
		return false;
	v->at = c->at;
	if (*c->at == '"') {
		v->kind = JSON_SLICE_STR;
		v->at = ++c->at;
		if (!skip_string(c))
			return false;
		v->len_bytes = (size_t)(c->at - v->at) - 1;
		return true;
	}
	if (*c->at == '{' || *c->at == '[') {
		v->kind = JSON_SLICE_OTHER;
		if (!skip_nested(c))
			return false;
		v->len_bytes = (size_t)(c->at - v->at);
		return true;
	}
	if (!skip_scalar(c))
		return false;
	v->len_bytes = (size_t)(c->at - v->at);
	return name_scalar(v);
}

/* One pointer token (with ~0 and ~1) against one key. */
static bool is_token(const char *token, size_t token_bytes, const char *key, size_t key_bytes)
{
	size_t k = 0;

	for (size_t i = 0; i < token_bytes; i++, k++) {
		char ch = token[i];

		if (ch == '~' && i + 1 < token_bytes)
			ch = token[++i] == '1' ? '/' : '~';
		if (k >= key_bytes || key[k] != ch)
			return false;
	}
	return k == key_bytes;
}

/* Puts the cursor before the member's value. */
static bool enter_object(struct cursor *c, const char *token, size_t token_bytes)
{
	struct json_slice key, skipped;

	if (take(c, '}'))
		return false;
	do {
		skip_space(c);
		if (!take_value(c, &key) || key.kind != JSON_SLICE_STR || !take(c, ':'))
			return false;
		if (is_token(token, token_bytes, key.at, key.len_bytes))
			return true;
		if (!take_value(c, &skipped))
			return false;
	} while (take(c, ','));
	return false;
}

static bool enter_list(struct cursor *c, const char *token, size_t token_bytes)
{
	struct json_slice skipped;
	size_t index = 0;

	if (token_bytes == 0 || token_bytes > 6)
		return false;
	for (size_t i = 0; i < token_bytes; i++) {
		if (token[i] < '0' || token[i] > '9')
			return false;
		index = index * 10 + (size_t)(token[i] - '0');
	}
	for (; index > 0; index--) {
		if (!take_value(c, &skipped) || !take(c, ','))
			return false;
	}
	return true;
}

bool json_find(const char *text, size_t len_bytes, const char *pointer, struct json_slice *out)
{
	struct cursor c = {text, text + len_bytes};
	struct json_slice v;

	while (*pointer == '/') {
		size_t token_bytes = strcspn(++pointer, "/");
		bool is_in;

		if (take(&c, '{'))
			is_in = enter_object(&c, pointer, token_bytes);
		else
			is_in = take(&c, '[') && enter_list(&c, pointer, token_bytes);
		if (!is_in)
			return false;
		pointer += token_bytes;
	}
	if (*pointer != '\0' || !take_value(&c, &v))
		return false;
	*out = v;
	return true;
}

/* ---- values ---- */

static int hex4(const char *at, const char *end)
{
	int value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char *digit = strchr("0123456789abcdef", at[i] | 0x20);

		if (!digit || !*digit)
			return -1;
		value = value * 16 + (int)(digit - "0123456789abcdef");
	}
	return value;
}

static size_t put_utf8(int code, char out[4])
{
	static const struct {
		int below, lead;
	} lengths[] = {{0x80, 0}, {0x800, 0xc0}, {0x10000, 0xe0}, {0x110000, 0xf0}};
	size_t len = 0;

	while (code >= lengths[len].below)
		len++;
	for (size_t i = len; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(lengths[len].lead | code);
	return len + 1;
}

/* One character behind a backslash into at most four bytes; 0 when it is none. */
static size_t take_escape(struct cursor *c, char out[4])
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *name = at_end(c) || !*c->at ? NULL : strchr(names, *c->at);
	int code, low;

	if (name) {
		c->at++;
		out[0] = means[name - names];
		return 1;
	}
	if (at_end(c) || *c->at != 'u' || (code = hex4(c->at + 1, c->end)) < 0)
		return 0;
	c->at += 5;
	if (code >= 0xd800 && code < 0xdc00 && c->end - c->at >= 6 && c->at[0] == '\\' &&
	    c->at[1] == 'u' && (low = hex4(c->at + 2, c->end)) >= 0xdc00 && low < 0xe000) {
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		c->at += 6;
	}
	return put_utf8(code, out);
}

bool json_slice_is_text(const struct json_slice *v, const char *text, size_t len_bytes)
{
	struct cursor c = {v->at, v->at + v->len_bytes};
	size_t done = 0;

	if (!memchr(v->at, '\\', v->len_bytes))
		return v->len_bytes == len_bytes && memcmp(v->at, text, len_bytes) == 0;
	while (!at_end(&c)) {
		char one[4] = {*c.at++};
		size_t n = one[0] == '\\' ? take_escape(&c, one) : 1;

		if (n == 0 || n > len_bytes - done || memcmp(text + done, one, n) != 0)
			return false;
		done += n;
	}
	return done == len_bytes;
}

size_t json_slice_text(const struct json_slice *v, char *out)
{
	struct cursor c = {v->at, v->at + v->len_bytes};
	size_t done = 0;

	if (v->kind != JSON_SLICE_STR || !memchr(v->at, '\\', v->len_bytes)) {
		memcpy(out, v->at, v->len_bytes);
		return v->len_bytes;
	}
	while (!at_end(&c)) {
		char one[4] = {*c.at++};
		size_t n = one[0] == '\\' ? take_escape(&c, one) : 1;

		memcpy(out + done, one, n);
		done += n;
	}
	return done;
}

bool json_slice_number(const struct json_slice *v, double *out)
{
	char text[64];

	if (v->kind != JSON_SLICE_NUM || v->len_bytes >= sizeof(text))
		return false;
	memcpy(text, v->at, v->len_bytes);
	text[v->len_bytes] = '\0';
	return unit_parse_double(text, out) == 0;
}
