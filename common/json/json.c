#include "common/json/json_own.h"

#include <math.h>

static void *alloc(size_t len_bytes)
{
	return x_realloc(NULL, 1, len_bytes);
}

/* Out of memory ends the process in one place instead of being a NULL in a hundred. */
__attribute__((constructor)) static void own_allocator(void)
{
	json_set_alloc_funcs(alloc, free);
}

void json_free(struct json *v)
{
	json_decref(lib(v));
}

struct json *json_ref(struct json *v)
{
	return own(json_incref(lib(v)));
}

struct json *json_copy(const struct json *v)
{
	return own(json_deep_copy(lib(v)));
}

bool json_is_equal(const struct json *a, const struct json *b)
{
	return json_equal(lib(a), lib(b));
}

/* makers */

struct json *json_obj(void)
{
	return own(json_object());
}

struct json *json_arr(void)
{
	return own(json_array());
}

struct json *json_new_str(const char *s)
{
	json_t *v = s ? json_string(s) : NULL;

	return own(v ? v : json_null());
}

struct json *json_new_strn(const char *s, size_t len_bytes)
{
	json_t *v = s ? json_stringn(s, len_bytes) : NULL;

	return own(v ? v : json_null());
}

struct json *json_new_int(int64_t i)
{
	return own(json_integer(i));
}

struct json *json_new_real(double d)
{
	return own(isfinite(d) ? lib_real(d) : json_null());
}

struct json *json_new_bool(bool b)
{
	return own(json_boolean(b));
}

struct json *json_new_null(void)
{
	return own(json_null());
}

/* types */

enum json_type json_type(const struct json *v)
{
	if (!v)
		return JSON_T_NULL;
	switch (json_typeof(lib(v))) {
	case JSON_OBJECT:
		return JSON_T_OBJ;
	case JSON_ARRAY:
		return JSON_T_ARR;
	case JSON_STRING:
		return JSON_T_STR;
	case JSON_INTEGER:
		return JSON_T_INT;
	case JSON_REAL:
		return JSON_T_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JSON_T_BOOL;
	case JSON_NULL:
		break;
	}
	return JSON_T_NULL;
}

bool json_is(const struct json *v, enum json_type t)
{
	return v && json_type(v) == t;
}

bool json_is_num(const struct json *v)
{
	return v && json_is_number(lib(v));
}

/* objects */

struct json *json_get(const struct json *o, const char *key)
{
	return own(json_object_get(lib(o), key));
}

void json_put(struct json *o, const char *key, struct json *value_take)
{
	if (json_object_set_new(lib(o), key, lib(value_take)))
		BUG("json_put of \"%s\": no object, no value, or a key that is no UTF-8", key);
}

void json_put_str(struct json *o, const char *key, const char *s)
{
	if (s)
		json_put(o, key, json_new_str(s));
}

void json_put_int(struct json *o, const char *key, int64_t i)
{
	json_put(o, key, json_new_int(i));
}

void json_put_real(struct json *o, const char *key, double d)
{
	if (isfinite(d))
		json_put(o, key, json_new_real(d));
}

void json_put_bool(struct json *o, const char *key, bool b)
{
	json_put(o, key, json_new_bool(b));
}

void json_del(struct json *o, const char *key)
{
	(void)json_object_del(lib(o), key);
}

bool json_next(const struct json *o, void **it, const char **key, struct json **value)
{
	*it = *it ? json_object_iter_next(lib(o), *it) : json_object_iter(lib(o));
	if (!*it)
		return false;
	*key = json_object_iter_key(*it);
	*value = own(json_object_iter_value(*it));
	return true;
}

/* arrays */

size_t json_len(const struct json *v)
{
	return json_is_object(lib(v)) ? json_object_size(lib(v)) : json_array_size(lib(v));
}

struct json *json_elem(const struct json *a, size_t i)
{
	return own(json_array_get(lib(a), i));
}

struct json *json_named(const struct json *a, const char *name)
{
	for (size_t i = 0; i < json_len(a); i++) {
		const char *own_name = json_get_str(json_elem(a, i), "name");

		if (own_name && strcmp(own_name, name) == 0)
			return json_elem(a, i);
	}
	return NULL;
}

void json_push(struct json *a, struct json *value_take)
{
	if (json_array_append_new(lib(a), lib(value_take)))
		BUG("json_push onto what is no array, or of no value");
}

/* scalars */

const char *json_str(const struct json *v)
{
	return json_string_value(lib(v));
}

int64_t json_int(const struct json *v)
{
	double d;

	if (!v || json_is_integer(lib(v)))
		return json_integer_value(lib(v));
	d = json_real_value(lib(v));
	if (d >= 0x1p63)
		return INT64_MAX;
	return d <= -0x1p63 ? INT64_MIN : (int64_t)d;
}

double json_real(const struct json *v)
{
	return json_number_value(lib(v));
}

bool json_bool(const struct json *v)
{
	return json_is_true(lib(v));
}

const char *json_get_str(const struct json *o, const char *key)
{
	return json_str(json_get(o, key));
}

int64_t json_get_int(const struct json *o, const char *key, int64_t otherwise)
{
	const struct json *v = json_get(o, key);

	return json_is_num(v) ? json_int(v) : otherwise;
}

double json_get_real(const struct json *o, const char *key, double otherwise)
{
	const struct json *v = json_get(o, key);

	return json_is_num(v) ? json_real(v) : otherwise;
}

bool json_get_bool(const struct json *o, const char *key, bool otherwise)
{
	const struct json *v = json_get(o, key);

	return json_is(v, JSON_T_BOOL) ? json_bool(v) : otherwise;
}
