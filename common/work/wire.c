#include "common/work/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/event/event.h"

#define NUMBER_MAX (INT64_C(1) << 53)
#define INDEX_MAX 1023
#define WORD_MAX_BYTES (WIRE_WORD_SIZE - 1)

static const struct {
	const char *word, *form;
} kinds[] = {
#define X(symbol, word, form) {word, form},
	WIRE_KINDS(X)
#undef X
};

static bool word_is_fine(const char *text, size_t len_bytes)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return len_bytes >= 1 && len_bytes <= WORD_MAX_BYTES && strspn(text, allowed) == len_bytes;
}

static bool number_is_fine(const char *text, size_t len_bytes, int64_t *out)
{
	int64_t n = 0;

	if (len_bytes < 1 || len_bytes > 16 || strspn(text, "0123456789") != len_bytes)
		return false;
	for (size_t i = 0; i < len_bytes; i++)
		n = n * 10 + (text[i] - '0');
	*out = n;
	return n <= NUMBER_MAX;
}

static bool text_is_fine(const char *text, size_t len_bytes)
{
	if (len_bytes > WIRE_TEXT_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len_bytes; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool sha_is_fine(const char *text, size_t len_bytes)
{
	return len_bytes == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool line_is_fine(const char *text, size_t len_bytes)
{
	return len_bytes >= 1 && len_bytes <= EVENT_LINE_MAX_BYTES &&
	       !memchr(text, '\n', len_bytes);
}

static bool field_is_fine(struct wire *m, char form, size_t i)
{
	const char *text = m->text[i];
	size_t len_bytes = m->len_bytes[i];

	if (memchr(text, '\0', len_bytes))
		return false;
	switch (form) {
	case 'n':
		return number_is_fine(text, len_bytes, &m->number[i]);
	case 'i':
		return number_is_fine(text, len_bytes, &m->number[i]) && m->number[i] <= INDEX_MAX;
	case 'w':
		return word_is_fine(text, len_bytes);
	case 't':
		return text_is_fine(text, len_bytes);
	case 'h':
		return sha_is_fine(text, len_bytes);
	default:
		return line_is_fine(text, len_bytes);
	}
}

static enum wire_kind kind_of(const struct bus_part *first)
{
	size_t k = 0;

	while (k < WIRE_KIND_COUNT && (strlen(kinds[k].word) != first->len_bytes ||
				       memcmp(kinds[k].word, first->data, first->len_bytes) != 0))
		k++;
	return (enum wire_kind)k;
}

/* Copies first, for the pointers into the store: it moves while it grows. */
static int store(struct wire *m, const struct bus_part *parts)
{
	size_t at = 0;

	for (size_t i = 0; i < m->count; i++) {
		m->len_bytes[i] = parts[i].len_bytes;
		buf_add(&m->store, parts[i].data, parts[i].len_bytes);
		buf_addc(&m->store, '\0');
	}
	if (buf_is_over(&m->store))
		return -EINVAL;
	for (size_t i = 0; i < m->count; i++) {
		m->text[i] = m->store.data + at;
		at += m->len_bytes[i] + 1;
	}
	return 0;
}

int wire_read(struct wire *m, const struct bus_part *parts, size_t count)
{
	const char *form;

	memset(m, 0, sizeof(*m));
	buf_init(&m->store, BUS_MESSAGE_MAX_BYTES + BUS_PARTS_MAX);
	m->kind = count ? kind_of(&parts[0]) : WIRE_KIND_COUNT;
	if (m->kind == WIRE_KIND_COUNT)
		return -EINVAL;
	form = kinds[m->kind].form;
	m->count = strlen(form);
	if (count < m->count + 1 || store(m, parts + 1) != 0)
		return -EINVAL;
	for (size_t i = 0; i < m->count; i++)
		if (!field_is_fine(m, form[i], i))
			return -EINVAL;
	return 0;
}

void wire_release(struct wire *m)
{
	buf_release(&m->store);
}

void wire_blame(const char *who, const struct bus_part *parts, size_t count)
{
	static struct log_limit limits[WIRE_KIND_COUNT + 1];
	enum wire_kind kind = count ? kind_of(&parts[0]) : WIRE_KIND_COUNT;

	log_limited(&limits[kind], LOG_WARN, "dropped a malformed message of %s (%s, %zu parts)",
		    who, kind < WIRE_KIND_COUNT ? kinds[kind].word : "unknown", count);
}

void wire_begin(struct wire_out *o, enum wire_kind kind)
{
	o->kind = kind;
	o->parts[0] = (struct bus_part){kinds[kind].word, strlen(kinds[kind].word)};
	o->count = 1;
}

void wire_bytes(struct wire_out *o, const char *data, size_t len_bytes)
{
	BUG_ON(o->count > strlen(kinds[o->kind].form));
	o->parts[o->count++] = (struct bus_part){data, len_bytes};
}

void wire_text(struct wire_out *o, const char *text)
{
	size_t len_bytes = strlen(text);

	if (text_is_fine(text, len_bytes))
		wire_bytes(o, text, len_bytes);
	else
		wire_bytes(o, "?", 1);
}

void wire_number(struct wire_out *o, int64_t n)
{
	char *text = o->numbers[o->count - 1];

	(void)snprintf(text, sizeof(o->numbers[0]), "%" PRId64, MAX_OF(n, INT64_C(0)));
	wire_bytes(o, text, strlen(text));
}

int wire_send(const struct wire_out *o, struct bus_socket *s, const struct bus_peer *peer)
{
	BUG_ON(o->count != strlen(kinds[o->kind].form) + 1);
	return bus_send(s, peer, o->parts, o->count);
}
