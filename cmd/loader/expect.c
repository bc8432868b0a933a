/*
 * expect.c - checks on answers; see expect.h.
 */
#include "cmd/loader/expect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"

#include "cmd/loader/jsonscan.h"

PRINTF_LIKE(2, 3) static int refuse(char why[EXPECT_WHY_SIZE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, EXPECT_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- asking ---- */

static bool has_header(const struct expect_check *c, const struct response *r)
{
	size_t len_bytes;

	return response_header(r, c->place, &len_bytes) != NULL;
}

static bool lacks_header(const struct expect_check *c, const struct response *r)
{
	return !has_header(c, r);
}

static bool header_equals(const struct expect_check *c, const struct response *r)
{
	size_t len_bytes;
	const char *value = response_header(r, c->place, &len_bytes);

	return value && len_bytes == c->text_bytes && memcmp(value, c->text, len_bytes) == 0;
}

static bool header_contains(const struct expect_check *c, const struct response *r)
{
	size_t len_bytes;
	const char *value = response_header(r, c->place, &len_bytes);

	return value && memmem(value, len_bytes, c->text, c->text_bytes);
}

static bool body_contains(const struct expect_check *c, const struct response *r)
{
	return memmem(buf_str(&r->body), r->body.len_bytes, c->text, c->text_bytes) != NULL;
}

static bool body_has_size(const struct expect_check *c, const struct response *r)
{
	return r->body_total_bytes >= c->min_bytes && r->body_total_bytes <= c->max_bytes;
}

static bool json_equals(const struct expect_check *c, const struct response *r)
{
	struct json_slice v;
	double number;

	if (!json_find(buf_str(&r->body), r->body.len_bytes, c->place, &v) ||
	    (int)v.kind != c->kind)
		return false;
	if (v.kind == JSON_SLICE_STR)
		return json_slice_is_text(&v, c->text, c->text_bytes);
	if (v.kind == JSON_SLICE_NUM)
		return json_slice_number(&v, &number) && number == c->number;
	return true;
}

bool expect_has_status(const struct expect *e, int status)
{
	if (e->status_count == 0)
		return status >= 200 && status < 300;
	for (size_t i = 0; i < e->status_count; i++)
		if (status >= e->statuses[i].from && status <= e->statuses[i].to)
			return true;
	return false;
}

const char *expect_failed(const struct expect *e, const struct response *r)
{
	for (size_t i = 0; i < e->check_count; i++) {
		const struct expect_check *c = &e->checks[i];

		if (c->holds(c, r))
			continue;
		return c->is_of_contents && r->is_body_truncated ? "expect:body_longer_than_kept"
								 : c->reason;
	}
	return NULL;
}

/* ---- compiling ---- */

static int add_check(struct expect *e, const struct expect_check *c_take, const char *what,
		     char why[EXPECT_WHY_SIZE])
{
	struct expect_check *c = &e->checks[e->check_count];

	if (e->check_count == EXPECT_CHECKS_MAX) {
		free(c_take->place);
		free(c_take->text);
		return refuse(why, "more than %d checks on an answer", EXPECT_CHECKS_MAX);
	}
	*c = *c_take;
	e->check_count++;
	snprintf(c->reason, sizeof(c->reason), "expect:%s%s%s", what, c->place ? ":" : "",
		 c->place ? c->place : "");
	for (char *p = c->reason; *p; p++) /* it becomes a key of events and a line of logs */
		if (*p <= ' ' || *p >= 0x7f)
			*p = '_';
	return 0;
}

static int add_text(struct expect *e, const char *what, const char *place, const char *text,
		    bool (*holds)(const struct expect_check *, const struct response *),
		    char why[EXPECT_WHY_SIZE])
{
	struct expect_check c = {
		.holds = holds,
		.is_of_contents = holds == body_contains,
		.place = place ? x_strdup(place) : NULL,
		.text = x_strdup(text),
		.text_bytes = strlen(text),
	};

	return add_check(e, &c, what, why);
}

static int add_status(struct expect *e, const struct json *v, char why[EXPECT_WHY_SIZE])
{
	const char *text = json_str(v);
	int64_t from = json_int(v), to = from;

	if (text && text[0] >= '1' && text[0] <= '5' && strcmp(text + 1, "xx") == 0) {
		from = (text[0] - '0') * 100;
		to = from + 99;
	}
	if (from < 100 || to > 599)
		return refuse(why, "expect.status is neither a status nor a class such as 2xx");
	if (e->status_count == EXPECT_STATUSES_MAX)
		return refuse(why, "expect.status: more than %d", EXPECT_STATUSES_MAX);
	e->statuses[e->status_count].from = (uint16_t)from;
	e->statuses[e->status_count++].to = (uint16_t)to;
	return 0;
}

static int parse_status(struct expect *e, const struct json *v, char why[EXPECT_WHY_SIZE])
{
	int rc = 0;

	if (!json_is(v, JSON_T_ARR))
		return add_status(e, v, why);
	if (json_len(v) == 0)
		return refuse(why, "expect.status is an empty list");
	for (size_t i = 0; i < json_len(v) && rc == 0; i++)
		rc = add_status(e, json_elem(v, i), why);
	return rc;
}

static int parse_headers(struct expect *e, const struct json *headers, char why[EXPECT_WHY_SIZE])
{
	static const struct {
		const char *key;
		bool (*holds)(const struct expect_check *, const struct response *);
	} kinds[] = {{"equals", header_equals}, {"contains", header_contains}};
	struct json *how;
	const char *name;
	int rc = 0;

	for (void *it = NULL; rc == 0 && json_next(headers, &it, &name, &how);) {
		size_t before = e->check_count;

		if (json_is(json_get(how, "present"), JSON_T_BOOL))
			rc = add_text(e, "header", name, "",
				      json_get_bool(how, "present", true) ? has_header
									  : lacks_header,
				      why);
		for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 0; i++)
			if (json_get_str(how, kinds[i].key))
				rc = add_text(e, "header", name, json_get_str(how, kinds[i].key),
					      kinds[i].holds, why);
		if (rc == 0 && e->check_count == before)
			rc = refuse(why,
				    "expect.headers.%.64s asks for none of present, equals, "
				    "contains",
				    name);
	}
	return rc;
}

static int kind_of(const struct json *v)
{
	switch (json_type(v)) {
	case JSON_T_STR:
		return JSON_SLICE_STR;
	case JSON_T_INT:
	case JSON_T_REAL:
		return JSON_SLICE_NUM;
	case JSON_T_BOOL:
		return json_bool(v) ? JSON_SLICE_TRUE : JSON_SLICE_FALSE;
	case JSON_T_NULL:
		return JSON_SLICE_NULL;
	default:
		return JSON_SLICE_OTHER;
	}
}

static int parse_json(struct expect *e, const struct json *values, char why[EXPECT_WHY_SIZE])
{
	struct json *v;
	const char *pointer;
	int rc = 0;

	for (void *it = NULL; rc == 0 && json_next(values, &it, &pointer, &v);) {
		struct expect_check c = {
			.holds = json_equals, .is_of_contents = true, .kind = kind_of(v)};

		if (*pointer && *pointer != '/')
			return refuse(why, "expect.json: \"%.64s\" is no JSON pointer", pointer);
		if (c.kind == JSON_SLICE_OTHER)
			return refuse(why,
				      "expect.json.%.64s is no text, number, true, false or "
				      "null",
				      pointer);
		c.place = x_strdup(pointer);
		c.text = x_strdup(json_str(v) ? json_str(v) : "");
		c.text_bytes = strlen(c.text);
		c.number = json_real(v);
		rc = add_check(e, &c, "json", why);
	}
	return rc;
}

static int parse_size(struct expect *e, const struct json *j, char why[EXPECT_WHY_SIZE])
{
	struct expect_check c = {
		.holds = body_has_size,
		.min_bytes = (uint64_t)MAX_OF(json_get_int(j, "min", 0), 0),
		.max_bytes = (uint64_t)MAX_OF(json_get_int(j, "max", INT64_MAX), 0),
	};

	if (c.min_bytes > c.max_bytes)
		return refuse(why, "expect.body_bytes: min is above max");
	return add_check(e, &c, "body_bytes", why);
}

int expect_parse(struct expect *e, const struct json *j, char why[EXPECT_WHY_SIZE])
{
	const struct json *status = json_get(j, "status"), *size = json_get(j, "body_bytes");
	const char *text = json_get_str(j, "body_contains");
	int rc = status && !json_is(status, JSON_T_NULL) ? parse_status(e, status, why) : 0;

	if (rc == 0 && size)
		rc = parse_size(e, size, why);
	if (rc == 0)
		rc = parse_headers(e, json_get(j, "headers"), why);
	if (rc == 0 && text)
		rc = add_text(e, "body_contains", NULL, text, body_contains, why);
	if (rc == 0)
		rc = parse_json(e, json_get(j, "json"), why);
	return rc;
}

void expect_release(struct expect *e)
{
	for (size_t i = 0; i < e->check_count; i++) {
		free(e->checks[i].place);
		free(e->checks[i].text);
	}
	memset(e, 0, sizeof(*e));
}
