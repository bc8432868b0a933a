#include "common/engine/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX_BYTES (1024u * 1024u)
#define AUTHORITY_AT 2 /* the third field; its value comes with the Host line */

/* What is said to the next hop only (RFC 9113 8.2.2). */
static const char *const hop_names[] = {
	"connection",	     "host",	"keep-alive", "proxy-connection", "te",
	"transfer-encoding", "upgrade",
};

int engine_request_set(struct engine_request *r, const char *bytes, size_t len_bytes)
{
	const char *end = memmem(bytes, len_bytes, "\r\n\r\n", 4);

	if (!end)
		return -EINVAL;
	r->bytes = bytes;
	r->len_bytes = len_bytes;
	r->head_bytes = (size_t)(end - bytes) + 4;
	r->is_head = r->head_bytes > 5 && memcmp(bytes, "HEAD ", 5) == 0;
	r->field_count = 0;
	return 0;
}

void engine_request_release(struct engine_request *r)
{
	free(r->fields);
	buf_release(&r->names);
	*r = (struct engine_request){0};
}

static int add(struct engine_request *r, const char *name, size_t name_bytes, const char *value,
	       size_t value_bytes)
{
	if (r->field_count == REQUEST_FIELDS_MAX)
		return -E2BIG;
	r->fields[r->field_count++] = (struct request_field){
		.name = name,
		.value = value,
		.name_bytes = name_bytes,
		.value_bytes = value_bytes,
	};
	return 0;
}

static bool is_named(const char *name, size_t name_bytes, const char *want)
{
	return strlen(want) == name_bytes && strncasecmp(want, name, name_bytes) == 0;
}

static bool is_hop_name(const char *name, size_t name_bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(hop_names); i++)
		if (is_named(name, name_bytes, hop_names[i]))
			return true;
	return false;
}

/* There is room for all names of the head: what was handed out stays where it is. */
static const char *lower(struct engine_request *r, const char *name, size_t name_bytes)
{
	char *at = r->names.data + r->names.len_bytes;

	buf_add(&r->names, name, name_bytes);
	for (size_t i = 0; i < name_bytes; i++)
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] |= 0x20;
	return at;
}

/* One header line, [line, end). */
static int add_line(struct engine_request *r, const char *line, const char *end)
{
	const char *colon = memchr(line, ':', (size_t)(end - line)), *value;
	size_t name_bytes;

	if (!colon || colon == line)
		return -EINVAL;
	name_bytes = (size_t)(colon - line);
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t');)
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (is_named(line, name_bytes, "host")) {
		r->fields[AUTHORITY_AT].value = value;
		r->fields[AUTHORITY_AT].value_bytes = (size_t)(end - value);
	}
	if (is_hop_name(line, name_bytes))
		return 0;
	return add(r, lower(r, line, name_bytes), name_bytes, value, (size_t)(end - value));
}

/* METHOD SP target SP HTTP/1.1, [line, end). */
static int add_request_line(struct engine_request *r, const char *end, bool is_tls)
{
	const char *target = memchr(r->bytes, ' ', (size_t)(end - r->bytes)), *version;
	int rc;

	if (!target || target == r->bytes)
		return -EINVAL;
	target++;
	version = memchr(target, ' ', (size_t)(end - target));
	if (!version || version == target)
		return -EINVAL;
	rc = add(r, ":method", 7, r->bytes, (size_t)(target - 1 - r->bytes));
	if (rc == 0)
		rc = add(r, ":scheme", 7, is_tls ? "https" : "http", is_tls ? 5 : 4);
	if (rc == 0)
		rc = add(r, ":authority", 10, NULL, 0);
	if (rc == 0)
		rc = add(r, ":path", 5, target, (size_t)(version - target));
	return rc;
}

int engine_request_add_fields(struct engine_request *r, bool is_tls)
{
	const char *const end = r->bytes + r->head_bytes - 2; /* of the last header line */
	const char *line = r->bytes, *line_end;
	int rc;

	if (!r->fields)
		r->fields = x_calloc(REQUEST_FIELDS_MAX, sizeof(*r->fields));
	r->names.max_bytes = NAMES_MAX_BYTES;
	buf_clear(&r->names);
	r->field_count = 0;
	if (!buf_reserve(&r->names, r->head_bytes))
		return -E2BIG;
	line_end = memmem(line, (size_t)(end - line), "\r\n", 2);
	rc = line_end ? add_request_line(r, line_end, is_tls) : -EINVAL;
	while (rc == 0) {
		line = line_end + 2;
		if (line >= end)
			break;
		line_end = memmem(line, (size_t)(end - line), "\r\n", 2);
		rc = line_end ? add_line(r, line, line_end) : -EINVAL;
	}
	if (rc == 0 && !r->fields[AUTHORITY_AT].value)
		rc = -EINVAL;
	return rc;
}
