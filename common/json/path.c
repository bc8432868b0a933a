#include "common/json/json_own.h"

/* An array index without sign or leading zeros; SIZE_MAX when it is none. */
static size_t index_of(const char *text, size_t len_bytes)
{
	size_t i = 0;

	if (!len_bytes || len_bytes > 9 || (text[0] == '0' && len_bytes > 1))
		return SIZE_MAX;
	for (size_t k = 0; k < len_bytes; k++) {
		if (text[k] < '0' || text[k] > '9')
			return SIZE_MAX;
		i = i * 10 + (size_t)(text[k] - '0');
	}
	return i;
}

static json_t *step(json_t *v, const char *key, size_t len_bytes)
{
	if (json_is_object(v))
		return json_object_getn(v, key, len_bytes);
	if (json_is_array(v))
		return json_array_get(v, index_of(key, len_bytes));
	return NULL;
}

struct json *json_at(const struct json *v, const char *path)
{
	json_t *at = lib(v);

	while (at) {
		size_t len_bytes = strcspn(path, ".");

		at = step(at, path, len_bytes);
		if (!path[len_bytes])
			break;
		path += len_bytes + 1;
	}
	return own(at);
}

/* RFC 6901 section 4: ~1 is a slash, ~0 a tilde. False for any other escape. */
static bool unescape(const char *token, size_t len_bytes, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < len_bytes; i++) {
		if (token[i] != '~') {
			buf_addc(out, token[i]);
			continue;
		}
		if (++i == len_bytes || (token[i] != '0' && token[i] != '1'))
			return false;
		buf_addc(out, token[i] == '0' ? '~' : '/');
	}
	return !buf_is_over(out);
}

struct json *json_pointer(const struct json *v, const char *pointer)
{
	struct buf token = BUF_INIT(4096);
	json_t *at = lib(v);

	while (at && *pointer) {
		size_t len_bytes;

		if (*pointer++ != '/') {
			at = NULL;
			break;
		}
		len_bytes = strcspn(pointer, "/");
		if (!unescape(pointer, len_bytes, &token))
			at = NULL;
		else
			at = step(at, buf_str(&token), token.len_bytes);
		pointer += len_bytes;
	}
	buf_release(&token);
	return own(at);
}
