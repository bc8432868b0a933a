/* load_expect.c - the options --expect-... into the checks of a target; see load_target.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/load_target.h"
#include "common/base/unit.h"

#define VALUE_MAX_BYTES 4096

static bool is_class(const char *text, size_t len_bytes)
{
	return len_bytes == 3 && *text >= '1' && *text <= '5' && text[1] == 'x' && text[2] == 'x';
}

static int add_status(const char *text, size_t len_bytes, struct json *list, struct buf *why)
{
	char word[8] = "";
	uint64_t status;

	if (is_class(text, len_bytes)) {
		json_push(list, json_new_strn(text, len_bytes));
		return 0;
	}
	if (len_bytes < sizeof(word))
		memcpy(word, text, len_bytes);
	if (unit_parse_u64(word, &status) || status < 100 || status > 599)
		return buf_refuse(why,
				  "--expect-status %.*s: expected a status from 100 to 599, a "
				  "class such as 2xx, or a list of them",
				  (int)len_bytes, text);
	json_push(list, json_new_int((int64_t)status));
	return 0;
}

static int put_status(const char *text, struct json *o, struct buf *why)
{
	struct json *list = json_arr();
	int rc = 0;

	for (const char *at = text; !rc && at; at = strchr(at, ','), at = at ? at + 1 : NULL)
		rc = add_status(at, strcspn(at, ","), list, why);
	json_put(o, "status", list);
	return rc;
}

static int put_body_bytes(const char *text, struct json *o, struct buf *why)
{
	const char *dash = strchr(text, '-');
	char *least = x_strndup(text, dash ? (size_t)(dash - text) : strlen(text));
	struct json *size = json_obj();
	uint64_t min, max;
	int rc = unit_parse_u64(least, &min);

	max = min;
	if (!rc && dash)
		rc = unit_parse_u64(dash + 1, &max);
	if (rc || min > max || max > INT32_MAX)
		rc = buf_refuse(why,
				"--expect-body-bytes %s: expected a number of bytes, or MIN-MAX",
				text);
	json_put_int(size, "min", rc ? 0 : (int64_t)min);
	json_put_int(size, "max", rc ? 0 : (int64_t)max);
	json_put(o, "body_bytes", size);
	free(least);
	return rc;
}

static int put_headers(const struct opt_list *headers, struct json *o, struct buf *why)
{
	struct json *all = json_obj();
	int rc = 0;

	for (size_t i = 0; i < headers->count && !rc; i++) {
		const char *text = headers->items[i], *colon = strchr(text, ':');
		char *name = x_strndup(text, colon ? (size_t)(colon - text) : strlen(text));
		struct json *check = json_obj();

		if (colon)
			json_put_str(check, "equals", colon + 1 + strspn(colon + 1, " \t"));
		else
			json_put_bool(check, "present", true);
		if (!*name || strpbrk(name, " \t"))
			rc = buf_refuse(why, "--expect-header %s: expected NAME or NAME: VALUE",
					text);
		json_put(all, name, check);
		free(name);
	}
	json_put(o, "headers", all);
	return rc;
}

/* What reads as a number, true, false or null is one; all else is a text. */
static struct json *value_of(const char *text)
{
	struct json *v;

	if (json_parse(text, strlen(text), VALUE_MAX_BYTES, &v, NULL))
		return json_new_str(text);
	if (!json_is(v, JSON_T_OBJ) && !json_is(v, JSON_T_ARR))
		return v;
	json_free(v);
	return json_new_str(text);
}

static int put_json(const struct opt_list *pointers, struct json *o, struct buf *why)
{
	struct json *all = json_obj();
	int rc = 0;

	for (size_t i = 0; i < pointers->count && !rc; i++) {
		const char *text = pointers->items[i], *equals = strchr(text, '=');
		char *pointer;

		if (*text != '/' || !equals) {
			rc = buf_refuse(why, "--expect-json %s: expected /POINTER=VALUE", text);
			continue;
		}
		pointer = x_strndup(text, (size_t)(equals - text));
		json_put(all, pointer, value_of(equals + 1));
		free(pointer);
	}
	json_put(o, "json", all);
	return rc;
}

int load_expect(const struct load_expect *e, struct json **out, struct buf *why)
{
	struct json *o = *out = json_obj();
	int rc = 0;

	json_put_str(o, "body_contains", e->body);
	if (e->status)
		rc = put_status(e->status, o, why);
	if (!rc && e->body_bytes)
		rc = put_body_bytes(e->body_bytes, o, why);
	if (!rc && e->headers.count)
		rc = put_headers(&e->headers, o, why);
	if (!rc && e->json.count)
		rc = put_json(&e->json, o, why);
	return rc;
}
