/*
 * check.c - holds an event against the table: one walk per row, one test per type.
 */
#include "common/event/field.h"

#include <errno.h>
#include <math.h>

#define INT_MAX_EXACT (INT64_C(1) << 53) /* what a double can still count */

struct at {
	const struct field *field;
	char *why;
};

static int fail(const struct at *at, const char *what)
{
	snprintf(at->why, EVENT_WHY_SIZE, "%.60s: %.130s", at->field->path, what);
	return -EINVAL;
}

PRINTF_LIKE(2, 3) static int failf(const struct at *at, const char *fmt, ...)
{
	char what[EVENT_WHY_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return fail(at, what);
}

/* one test per type */

static bool is_text(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return *s;
}

static bool is_subject(const char *s)
{
	struct subject parts;

	return !subject_parse(s, &parts);
}

static bool is_time(const char *s)
{
	struct wall w;

	return !wall_parse_rfc3339(s, &w);
}

static bool is_decimal(const char *s)
{
	size_t whole = strspn(s, "0123456789"), part;

	if (!whole || whole > 12)
		return false;
	if (!s[whole])
		return true;
	part = s[whole] == '.' ? strspn(s + whole + 1, "0123456789") : 0;
	return part && part <= 18 && !s[whole + 1 + part];
}

static bool is_u64(const char *s)
{
	uint64_t v = 0;

	for (const char *p = s; *p; p++) {
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	}
	return *s;
}

static bool is_any(const char *s)
{
	(void)s;
	return true;
}

static bool has_word(const char *words, const char *word)
{
	size_t len_bytes = strlen(word);

	while (len_bytes) {
		size_t span = strcspn(words, "|");

		if (span == len_bytes && !memcmp(words, word, span))
			return true;
		if (!words[span])
			break;
		words += span + 1;
	}
	return false;
}

/* Types that are strings on the wire. */
static const struct {
	bool (*is_good)(const char *s);
	size_t max_bytes;
} strings[F_TYPE_COUNT] = {
	[F_STR] = {is_any, 4096},	[F_TEXT] = {is_text, 4096},
	[F_WORD] = {is_any, 64},	[F_ID] = {name_is_valid, NAME_MAX_BYTES},
	[F_NAME] = {name_is_valid, 64}, [F_SUBJECT] = {is_subject, 2 * NAME_MAX_BYTES + 1},
	[F_TIME] = {is_time, 40},	[F_USD] = {is_decimal, 32},
	[F_U64] = {is_u64, 20},
};

static const char *const type_names[F_TYPE_COUNT] = {
#define X(symbol, name) [F_##symbol] = name,
	FIELD_TYPES(X)
#undef X
};

static int check_string(const struct at *at, const struct json *v)
{
	const struct field *f = at->field;
	size_t max_bytes = f->max ? (size_t)f->max : strings[f->type].max_bytes;
	const char *s = json_str(v);

	if (!s)
		return failf(at, "expected %s", type_names[f->type]);
	if (strlen(s) > max_bytes)
		return failf(at, "longer than %zu bytes", max_bytes);
	if (f->type == F_WORD && !has_word(f->words, s))
		return failf(at, "\"%.30s\" is none of %s", s, f->words);
	if (!strings[f->type].is_good(s))
		return failf(at, "\"%.40s\" is no %s", s, type_names[f->type]);
	return 0;
}

static int check_number(const struct at *at, const struct json *v, enum field_type type)
{
	double max = at->field->max ? (double)at->field->max : (double)INT_MAX_EXACT;
	double d = json_real(v);

	if (!json_is_num(v))
		return failf(at, "expected %s", type_names[type]);
	if (type == F_REAL)
		return isfinite(d) ? 0 : fail(at, "not finite");
	if (!(d >= 0) || d > max)
		return failf(at, "%g is not within 0 to %g", d, max);
	if (type == F_INT && d != floor(d))
		return failf(at, "%g is no whole number", d);
	return 0;
}

static int check_size(const struct at *at, const struct json *v, enum json_type want)
{
	size_t max = at->field->max ? (size_t)at->field->max : JSON_VALUES_MAX;

	if (!json_is(v, want))
		return failf(at, "expected %s", type_names[at->field->type]);
	if (json_len(v) > max)
		return failf(at, "%zu entries, at most %zu are allowed", json_len(v), max);
	return 0;
}

static int check_counts(const struct at *at, const struct json *v)
{
	/* The row's maximum is of the members; each count has the widest range. */
	struct field each = *at->field;
	struct at inner = {&each, at->why};
	const char *key;
	struct json *value;
	int rc = check_size(at, v, JSON_T_OBJ);

	each.max = 0;
	for (void *it = NULL; !rc && json_next(v, &it, &key, &value);)
		rc = check_number(&inner, value, F_INT);
	return rc;
}

static int check_value(const struct at *at, const struct json *v)
{
	switch (at->field->type) {
	case F_OBJ:
		return check_size(at, v, JSON_T_OBJ);
	case F_ARR:
		return check_size(at, v, JSON_T_ARR);
	case F_COUNTS:
		return check_counts(at, v);
	case F_ANY:
		return 0;
	case F_BOOL:
		return json_is(v, JSON_T_BOOL) ? 0 : fail(at, "expected boolean");
	case F_INT:
	case F_NUM:
	case F_REAL:
		return check_number(at, v, at->field->type);
	default:
		return check_string(at, v);
	}
}

/* the walk */

static int walk(const struct at *at, const struct json *parent, const char *path);

/* v stands where path (the rest, NULL = nothing) hangs below. */
static int walk_on(const struct at *at, const struct json *v, const char *path)
{
	if (path)
		return walk(at, v, path);
	if (!v || json_is(v, JSON_T_NULL))
		return at->field->is_required ? fail(at, "is missing") : 0;
	return check_value(at, v);
}

static int walk_members(const struct at *at, const struct json *o, const char *rest)
{
	const char *key;
	struct json *value;
	int rc = 0;

	for (void *it = NULL; !rc && json_next(o, &it, &key, &value);)
		rc = walk_on(at, value, rest);
	return rc;
}

static int walk_elements(const struct at *at, const struct json *a, const char *rest)
{
	int rc = 0;

	for (size_t i = 0; !rc && json_is(a, JSON_T_ARR) && i < json_len(a); i++)
		rc = walk_on(at, json_elem(a, i), rest);
	return rc;
}

/* A parent that is absent or of another type is its own row's affair. */
static int walk(const struct at *at, const struct json *parent, const char *path)
{
	size_t len_bytes = strcspn(path, ".");
	const char *rest = path[len_bytes] ? path + len_bytes + 1 : NULL;
	bool is_list = len_bytes > 2 && !memcmp(path + len_bytes - 2, "[]", 2);
	char key[64];

	if (!json_is(parent, JSON_T_OBJ))
		return 0;
	if (path[0] == '*')
		return walk_members(at, parent, rest);
	len_bytes -= is_list ? 2 : 0;
	BUG_ON(len_bytes >= sizeof(key));
	memcpy(key, path, len_bytes); /* each row of each event comes by here: no printf */
	key[len_bytes] = '\0';
	if (is_list)
		return walk_elements(at, json_get(parent, key), rest);
	return walk_on(at, json_get(parent, key), rest);
}

int event_check(enum event_kind kind, const struct json *body, char why[EVENT_WHY_SIZE])
{
	for (size_t i = 0; i < event_field_count; i++) {
		struct at at = {&event_fields[i], why};
		int rc;

		if (!(event_fields[i].kinds & EV_BIT(kind)))
			continue;
		rc = walk(&at, body, event_fields[i].path);
		if (rc)
			return rc;
	}
	return 0;
}
