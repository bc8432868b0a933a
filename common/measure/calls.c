#include "common/measure/calls.h"

#include <errno.h>

#include "common/digest/digest.h"

static const char magic[4] = {'P', 'L', 'C', '1'};

enum { HEADER_BYTES = 12, RECORD_BYTES = 33, UUID_BYTES = 16, UUID_CHARS = 36 };
enum { PACKED_MAX = CALLS_MAX + CALLS_COLD_MAX };

void calls_add(struct calls *c, const struct call_record *r)
{
	if (c->count == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 256;

		c->items = x_realloc(c->items, cap, sizeof(*c->items));
		c->cap = cap;
	}
	c->items[c->count++] = *r;
}

void calls_release(struct calls *c)
{
	free(c->items);
	*c = (struct calls)CALLS_INIT;
}

/* writing */

static void add_u32(struct buf *out, uint32_t v)
{
	char bytes[4] = {(char)(v & 255), (char)(v >> 8 & 255), (char)(v >> 16 & 255),
			 (char)(v >> 24)};

	buf_add(out, bytes, sizeof(bytes));
}

/* 8-4-4-4-12 lower-case hexadecimal digits, the one form that reads back to the same text. */
static bool unpack_uuid(const char *id, size_t len_bytes, uint8_t out[UUID_BYTES])
{
	size_t digits = 0;

	if (len_bytes != UUID_CHARS)
		return false;
	memset(out, 0, UUID_BYTES);
	for (size_t i = 0; i < UUID_CHARS; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		unsigned v;

		if (is_dash && id[i] == '-')
			continue;
		if (id[i] >= '0' && id[i] <= '9')
			v = (unsigned)(id[i] - '0');
		else if (id[i] >= 'a' && id[i] <= 'f')
			v = (unsigned)(id[i] - 'a' + 10);
		else
			return false;
		if (is_dash)
			return false;
		out[digits / 2] = (uint8_t)((unsigned)out[digits / 2] << 4 | v);
		digits++;
	}
	return true;
}

static void add_id(struct buf *out, const struct call_record *r)
{
	size_t len_bytes = MIN_OF(r->id_bytes, CALL_ID_MAX_BYTES);
	uint8_t uuid[UUID_BYTES];

	if (unpack_uuid(r->id, len_bytes, uuid)) {
		buf_addc(out, UUID_BYTES);
		buf_add(out, uuid, UUID_BYTES);
	} else if (len_bytes == UUID_BYTES) {
		/* Length 16 is taken: the text goes with its NUL. */
		buf_addc(out, UUID_BYTES + 1);
		buf_add(out, r->id, UUID_BYTES);
		buf_addc(out, '\0');
	} else {
		buf_addc(out, (char)len_bytes);
		buf_add(out, r->id, len_bytes);
	}
}

static void add_record(struct buf *out, const struct call_record *r)
{
	int64_t due_us = MAX_OF(MIN_OF(r->due_us, INT32_MAX), INT32_MIN);

	add_u32(out, (uint32_t)(int32_t)due_us);
	add_u32(out, r->round);
	buf_addc(out, (char)((unsigned)r->variant | (unsigned)r->outcome << 1));
	buf_addc(out, (char)r->temperature);
	buf_addc(out, (char)(r->instance & 255));
	buf_addc(out, (char)(r->instance >> 8));
	add_u32(out, r->response_us);
	add_u32(out, r->service_us);
	add_u32(out, r->billed_us);
	add_u32(out, r->init_us);
	add_u32(out, r->memory_kib);
	add_id(out, r);
}

void calls_encode(const struct calls *c, struct buf *base64)
{
	struct buf raw =
		BUF_INIT(HEADER_BYTES + (size_t)PACKED_MAX * (RECORD_BYTES + CALL_ID_MAX_BYTES));

	BUG_ON(c->count > PACKED_MAX);
	buf_add(&raw, magic, sizeof(magic));
	add_u32(&raw, (uint32_t)c->count);
	add_u32(&raw, c->every);
	for (size_t i = 0; i < c->count; i++)
		add_record(&raw, &c->items[i]);
	BUG_ON(buf_is_over(&raw));
	digest_base64(raw.data, raw.len_bytes, base64);
	buf_release(&raw);
}

/* reading */

struct cursor {
	const uint8_t *at;
	size_t left_bytes;
};

/* The next bytes, or NULL when fewer are left. */
static const uint8_t *take(struct cursor *c, size_t len_bytes)
{
	const uint8_t *at = c->at;

	if (c->left_bytes < len_bytes)
		return NULL;
	c->at += len_bytes;
	c->left_bytes -= len_bytes;
	return at;
}

static uint32_t u32_at(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void format_uuid(const uint8_t *in, char out[UUID_CHARS])
{
	char hex[2 * UUID_BYTES + 1];
	size_t at = 0;

	digest_hex(in, UUID_BYTES, hex);
	for (size_t i = 0; i < 2 * UUID_BYTES; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			out[at++] = '-';
		out[at++] = hex[i];
	}
}

static int read_id(struct cursor *c, size_t len_bytes, struct call_record *r)
{
	const uint8_t *id = take(c, len_bytes);

	if (!id || len_bytes > CALL_ID_MAX_BYTES)
		return -EINVAL;
	if (len_bytes == UUID_BYTES) {
		format_uuid(id, r->id);
		r->id_bytes = UUID_CHARS;
		return 0;
	}
	if (len_bytes == UUID_BYTES + 1 && !id[UUID_BYTES])
		len_bytes = UUID_BYTES;
	if (len_bytes)
		memcpy(r->id, id, len_bytes);
	r->id_bytes = (uint8_t)len_bytes;
	return 0;
}

static int read_record(struct cursor *c, struct call_record *r)
{
	const uint8_t *p = take(c, RECORD_BYTES);

	if (!p || p[8] >> 1 >= OUTCOME_COUNT || p[9] >= TEMPERATURE_COUNT)
		return -EINVAL;
	*r = (struct call_record){
		.due_us = (int32_t)u32_at(p),
		.round = u32_at(p + 4),
		.variant = (enum variant)(p[8] & 1),
		.outcome = (enum outcome)(p[8] >> 1),
		.temperature = (enum temperature)p[9],
		.instance = (uint16_t)(p[10] | p[11] << 8),
		.response_us = u32_at(p + 12),
		.service_us = u32_at(p + 16),
		.billed_us = u32_at(p + 20),
		.init_us = u32_at(p + 24),
		.memory_kib = u32_at(p + 28),
	};
	return read_id(c, p[32], r);
}

static int read_all(struct cursor *c, struct calls *out)
{
	const uint8_t *head = take(c, HEADER_BYTES);
	uint32_t count;

	if (!head || memcmp(head, magic, sizeof(magic)))
		return -EINVAL;
	count = u32_at(head + 4);
	out->every = u32_at(head + 8);
	if (count > PACKED_MAX || !out->every)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		struct call_record r;
		int rc = read_record(c, &r);

		if (rc)
			return rc;
		calls_add(out, &r);
	}
	return c->left_bytes ? -EINVAL : 0;
}

int calls_decode(const char *base64, size_t len_bytes, struct calls *out)
{
	struct buf raw = BUF_INIT(len_bytes);
	struct calls read = CALLS_INIT;
	int rc = digest_base64_decode(base64, len_bytes, &raw);

	if (!rc) {
		struct cursor c = {(const uint8_t *)buf_str(&raw), raw.len_bytes};

		rc = read_all(&c, &read);
	}
	if (rc)
		calls_release(&read);
	else
		*out = read;
	buf_release(&raw);
	return rc;
}
