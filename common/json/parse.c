#include "common/json/json_own.h"

#include <errno.h>

/*
 * Counts depth and values without looking at the grammar: brackets and commas outside of strings.
 * What is no JSON may count wrong, but only jansson's parser, which refuses it, sees it then.
 */
static int check_bounds(const char *text, size_t len_bytes, size_t *at)
{
	size_t depth = 0, values = 1;
	bool is_in_string = false;

	for (size_t i = 0; i < len_bytes; i++) {
		char c = text[i];

		*at = i;
		if (is_in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				is_in_string = false;
		} else if (c == '"') {
			is_in_string = true;
		} else if (c == '[' || c == '{') {
			values++;
			if (++depth > JSON_DEPTH_MAX)
				return -ELOOP;
		} else if (c == ']' || c == '}') {
			depth -= depth > 0;
		} else if (c == ',') {
			values++;
		}
		if (values > JSON_VALUES_MAX)
			return -E2BIG;
	}
	return 0;
}

static void say(char *why, const char *what, size_t at)
{
	if (why)
		snprintf(why, JSON_WHY_SIZE, "%.*s at byte %zu", JSON_WHY_SIZE - 40, what, at);
}

static int refuse(int rc, size_t at, char *why)
{
	say(why, rc == -ELOOP ? "nested too deep" : "too many values", at);
	return rc;
}

int json_parse(const char *text, size_t len_bytes, size_t max_bytes, struct json **out,
	       char why[JSON_WHY_SIZE])
{
	json_error_t err;
	json_t *v;
	size_t at = 0;
	int rc;

	if (len_bytes > max_bytes) {
		if (why)
			snprintf(why, JSON_WHY_SIZE, "%zu bytes, at most %zu are allowed",
				 len_bytes, max_bytes);
		return -E2BIG;
	}
	rc = check_bounds(text, len_bytes, &at);
	if (rc)
		return refuse(rc, at, why);
	v = json_loadb(text, len_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &err);
	if (!v) {
		say(why, err.text, err.position < 0 ? 0 : (size_t)err.position);
		return -EINVAL;
	}
	*out = own(v);
	return 0;
}
