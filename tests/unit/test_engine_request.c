/* Requests as HTTP/1.1 bytes, and the HTTP/2 fields read out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/engine/request.h"

/* Fields as "name=value|"; bytes past the end are out of bounds for ASan. */
static const struct {
	const char *name, *bytes;
	bool is_tls, is_head;
	size_t body_bytes;
	int set_rc, add_rc;
	const char *fields;
} cases[] = {
	{.name = "get",
	 .bytes = "GET / HTTP/1.1\r\nHost: a.b\r\nAccept: */*\r\n\r\n",
	 .fields = ":method=GET|:scheme=http|:authority=a.b|:path=/|accept=*/*|"},
	{.name = "head, tls, white space",
	 .bytes = "HEAD /x?y=z HTTP/1.1\r\nX-Up:\t v w \t\r\nhOsT:a:1\r\n\r\n",
	 .is_tls = true,
	 .is_head = true,
	 .fields = ":method=HEAD|:scheme=https|:authority=a:1|:path=/x?y=z|x-up=v w|"},
	{.name = "body and hop by hop",
	 .bytes = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: x\r\n"
		  "TE: trailers\r\nKeep-Alive: 1\r\nUpgrade: h2c\r\nContent-Length: "
		  "4\r\n\r\na\r\n\r",
	 .body_bytes = 4,
	 .fields = ":method=POST|:scheme=http|:authority=h|:path=/|content-length=4|"},
	{.name = "empty value",
	 .bytes = "GET / HTTP/1.1\r\nHost: h\r\nE:\r\n\r\n",
	 .fields = ":method=GET|:scheme=http|:authority=h|:path=/|e=|"},
	{.name = "no end", .bytes = "GET / HTTP/1.1\r\nHost: h\r\n", .set_rc = -EINVAL},
	{.name = "nothing", .bytes = "\r\n\r\n", .add_rc = -EINVAL},
	{.name = "no host", .bytes = "GET / HTTP/1.1\r\nA: b\r\n\r\n", .add_rc = -EINVAL},
	{.name = "no version", .bytes = "GET /\r\nHost: h\r\n\r\n", .add_rc = -EINVAL},
	{.name = "no colon",
	 .bytes = "GET / HTTP/1.1\r\nHost: h\r\nabc\r\n\r\n",
	 .add_rc = -EINVAL},
};

static void fields_of_a_request(void **state)
{
	struct engine_request r = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].bytes);
		char *exact = malloc(len);
		struct buf got = BUF_INIT(4096);

		memcpy(exact, cases[i].bytes, len);
		assert_int_equal(engine_request_set(&r, exact, len), cases[i].set_rc);
		if (!cases[i].set_rc) {
			assert_int_equal(r.is_head, cases[i].is_head);
			assert_int_equal(r.len_bytes - r.head_bytes, cases[i].body_bytes);
			assert_int_equal(engine_request_add_fields(&r, cases[i].is_tls),
					 cases[i].add_rc);
		}
		for (size_t k = 0; cases[i].fields && k < r.field_count; k++)
			buf_addf(&got, "%.*s=%.*s|", (int)r.fields[k].name_bytes, r.fields[k].name,
				 (int)r.fields[k].value_bytes, r.fields[k].value);
		if (cases[i].fields)
			assert_string_equal(buf_str(&got), cases[i].fields);
		buf_release(&got);
		free(exact);
	}
	engine_request_release(&r);
}

static void too_many_fields(void **state)
{
	struct engine_request r = {0};
	struct buf b = BUF_INIT(4096);

	(void)state;
	buf_adds(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < REQUEST_FIELDS_MAX - 4; i++)
		buf_adds(&b, "A: b\r\n");
	buf_adds(&b, "\r\n");
	assert_int_equal(engine_request_set(&r, b.data, b.len_bytes), 0);
	assert_int_equal(engine_request_add_fields(&r, false), 0);
	assert_int_equal(r.field_count, REQUEST_FIELDS_MAX);
	buf_truncate(&b, b.len_bytes - 2);
	buf_adds(&b, "A: b\r\n\r\n");
	assert_int_equal(engine_request_set(&r, b.data, b.len_bytes), 0);
	assert_int_equal(engine_request_add_fields(&r, false), -E2BIG);
	engine_request_release(&r);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_a_request),
		cmocka_unit_test(too_many_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
