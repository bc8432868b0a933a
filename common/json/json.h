/*
 * json.h - JSON values; the only door to jansson (rank 1).
 *
 * struct json is opaque. Values are counted: json_free drops one reference. "get" borrows from
 * its parent, "put" and "push" TAKE the value they are given. Parsing is bounded first:
 * size by the caller's maximum, depth by JSON_DEPTH_MAX, number of values by JSON_VALUES_MAX, all
 * checked before jansson sees a byte; duplicate keys are refused.
 *
 *	struct json *o = json_obj();
 *	json_put_str(o, "name", "hello");
 *	json_put(o, "list", json_arr());
 *	const char *name = json_str(json_at(o, "run.id"));	// NULL when absent or not a string
 *	json_free(o);
 *
 * Getters never fail loudly: an absent member or another type gives the neutral value (NULL, 0,
 * false) or the given default; check the type first where it matters. All accept NULL.
 *
 * DIAGNOSTICS
 *	A text that is no JSON is a data error. json_put on what is no object, and json_push on
 *	what is no array, are bugs. Out of memory ends the process (bug.h).
 */
#ifndef PLIMSOLL_JSON_JSON_H
#define PLIMSOLL_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct json;

/* jansson has functions and types of these names; without this the linker would mix them up. */
#define json_type plimsoll_json_type
#define json_real plimsoll_json_real
#define json_copy plimsoll_json_copy

enum json_type {
	JSON_T_NULL,
	JSON_T_BOOL,
	JSON_T_INT,
	JSON_T_REAL,
	JSON_T_STR,
	JSON_T_ARR,
	JSON_T_OBJ
};

#define JSON_DEPTH_MAX 32
/* Elements and members in one text: 1 MiB of "[],[]," would otherwise take 47 MiB of memory. */
#define JSON_VALUES_MAX 65536
#define JSON_WHY_SIZE 160

/*
 * -EINVAL (why: what and at which byte), -E2BIG (bytes or values), -ELOOP (too deep).
 * why may be NULL. Any JSON value may stand at the top.
 */
MUST_CHECK int json_parse(const char *text, size_t len_bytes, size_t max_bytes, struct json **out,
			  char why[JSON_WHY_SIZE]);
/* Compact, members in insertion order. */
void json_write(const struct json *v, struct buf *out);
/* The same with keys sorted: for comparison and hashing. */
void json_write_sorted(const struct json *v, struct buf *out);
/* Indented, for people. */
void json_write_pretty(const struct json *v, struct buf *out);
void json_free(struct json *v);
struct json *json_ref(struct json *v);	      /* one more reference to the same value */
struct json *json_copy(const struct json *v); /* deep */
bool json_is_equal(const struct json *a, const struct json *b);

struct json *json_obj(void);
struct json *json_arr(void);
struct json *json_new_str(const char *s); /* NULL or invalid UTF-8 gives JSON null */
struct json *json_new_strn(const char *s, size_t len_bytes);
struct json *json_new_int(int64_t i);
struct json *json_new_real(double d); /* not finite gives JSON null */
struct json *json_new_bool(bool b);
struct json *json_new_null(void);

enum json_type json_type(const struct json *v);	      /* NULL is JSON_T_NULL */
bool json_is(const struct json *v, enum json_type t); /* false for NULL pointer */
bool json_is_num(const struct json *v);

/* objects */
struct json *json_get(const struct json *o, const char *key); /* borrowed; NULL when absent */
/* A dotted path of keys and array indexes: "data.series.0.variant". */
struct json *json_at(const struct json *v, const char *path);
/* RFC 6901 pointer: "/ctx/log_stream". Borrowed; NULL when absent or malformed. */
struct json *json_pointer(const struct json *v, const char *pointer);
void json_put(struct json *o, const char *key, struct json *value_take);
void json_put_str(struct json *o, const char *key,
		  const char *s); /* NULL: the member is left out */
void json_put_int(struct json *o, const char *key, int64_t i);
void json_put_real(struct json *o, const char *key, double d); /* not finite: left out */
void json_put_bool(struct json *o, const char *key, bool b);
void json_del(struct json *o, const char *key);
/* Iterates members in insertion order: for (it = NULL; json_next(o, &it, &key, &value);) */
bool json_next(const struct json *o, void **it, const char **key, struct json **value);

/* arrays */
size_t json_len(const struct json *v); /* elements or members; 0 for others */
struct json *json_elem(const struct json *a, size_t i);
void json_push(struct json *a, struct json *value_take);
/* The first element, an object, whose "name" is this; borrowed, NULL when there is none. */
struct json *json_named(const struct json *a, const char *name);

/* scalars */
const char *json_str(const struct json *v); /* NULL when not a string */
int64_t json_int(const struct json *v);	    /* 0 when not a number; reals are truncated */
double json_real(const struct json *v);	    /* 0 when not a number */
bool json_bool(const struct json *v);
/* Member access in one step. */
const char *json_get_str(const struct json *o, const char *key);
int64_t json_get_int(const struct json *o, const char *key, int64_t otherwise);
double json_get_real(const struct json *o, const char *key, double otherwise);
bool json_get_bool(const struct json *o, const char *key, bool otherwise);

#endif
