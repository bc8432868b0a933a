#include "common/engine/response.h"

#include <string.h>
#include <strings.h>

void response_init(struct response *r)
{
	*r = (struct response){0};
	buf_init(&r->head, RESPONSE_HEAD_MAX_BYTES);
}

void response_release(struct response *r)
{
	buf_release(&r->head);
	buf_release(&r->body);
}

void response_begin(struct response *r, size_t body_max_bytes)
{
	buf_clear(&r->head);
	response_begin_body(r, body_max_bytes);
}

void response_begin_body(struct response *r, size_t body_max_bytes)
{
	r->status = 0;
	r->is_body_truncated = false;
	r->header_count = 0;
	r->body_total_bytes = 0;
	r->body.max_bytes = MIN_OF(body_max_bytes, (size_t)RESPONSE_BODY_MAX_BYTES);
	buf_clear(&r->body);
}

void response_add_body(struct response *r, const char *data, size_t len_bytes)
{
	const size_t room = r->body.max_bytes - r->body.len_bytes;

	r->body_total_bytes += len_bytes;
	r->is_body_truncated |= len_bytes > room;
	buf_add(&r->body, data, MIN_OF(len_bytes, room));
}

const char *response_find_header(const struct response *r, const char *name, size_t name_bytes,
				 size_t *len_bytes)
{
	for (uint32_t i = 0; i < r->header_count; i++) {
		const struct response_header *h = &r->headers[i];

		/* The first letter, in any case, tells most names of one length apart. */
		if (h->name_bytes != name_bytes ||
		    ((r->head.data[h->name_at] ^ *name) & ~0x20) != 0 ||
		    strncasecmp(r->head.data + h->name_at, name, name_bytes) != 0)
			continue;
		*len_bytes = h->value_bytes;
		return r->head.data + h->value_at;
	}
	return NULL;
}
