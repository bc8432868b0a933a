/* broker_slots.c - the loaders that have spoken lately, and their room. */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/work/broker_own.h"

struct slot *slot_find(const struct broker *b, const char *name, const char *nonce)
{
	struct slot *s = b->slots;

	while (s && (strcmp(s->nonce, nonce) != 0 || strcmp(s->name, name) != 0))
		s = s->next;
	return s;
}

static size_t processes_of(const struct broker *b, const char *name)
{
	size_t n = 0;

	for (const struct slot *s = b->slots; s; s = s->next)
		n += !strcmp(s->name, name);
	return n;
}

static struct slot *slot_new(struct broker *b, const struct bus_peer *peer, const char *nonce)
{
	size_t others = processes_of(b, peer->name);
	struct slot *s;

	if (b->slot_count >= LOADERS_MAX || others >= PROCESSES_MAX) {
		log_limited(&b->trouble, LOG_WARN, "%s is left out: %zu loaders are here already",
			    peer->name, b->slot_count);
		return NULL;
	}
	s = x_calloc(1, sizeof(*s));
	(void)snprintf(s->name, sizeof(s->name), "%s", peer->name);
	(void)snprintf(s->nonce, sizeof(s->nonce), "%s", nonce);
	s->next = b->slots;
	b->slots = s;
	b->slot_count++;
	hint_soon(b);
	log_info("loader %s is here%s", s->name,
		 others ? "; another process with its key was heard a moment ago" : "");
	return s;
}

/* WORKs are lost only with their connection: on a new one, what was sent has come or never will. */
static void count_credit(struct slot *s, const struct wire *m, bool is_new_connection)
{
	int64_t taken = m->number[READY_TAKEN], under_way;

	if (is_new_connection || s->sent < taken)
		s->sent = taken;
	under_way = s->sent - taken;
	s->free = (size_t)MAX_OF(m->number[READY_FREE] - under_way, INT64_C(0));
	s->slots = (size_t)m->number[READY_SLOTS];
}

struct slot *slot_ready(struct broker *b, const struct bus_peer *peer, const struct wire *m)
{
	struct slot *s = slot_find(b, peer->name, m->text[READY_NONCE]);
	bool is_new_connection;

	if (!s)
		s = slot_new(b, peer, m->text[READY_NONCE]);
	if (!s)
		return NULL;
	is_new_connection = s->peer.id_bytes != peer->id_bytes ||
			    memcmp(s->peer.id, peer->id, peer->id_bytes) != 0;
	s->peer = *peer;
	s->heard = mono_now();
	count_credit(s, m, is_new_connection);
	if (!s->accounts || strcmp(s->accounts, m->text[READY_ACCOUNTS]) != 0) {
		free(s->accounts);
		s->accounts = x_strdup(m->text[READY_ACCOUNTS]);
	}
	return s;
}

void slot_heard(struct broker *b, const struct bus_peer *peer, const char *nonce)
{
	struct slot *s = slot_find(b, peer->name, nonce);

	if (s)
		s->heard = mono_now();
}

size_t slot_room(const struct slot *s)
{
	return s->free > s->pending ? s->free - s->pending : 0;
}

static void slot_free(struct slot *s)
{
	free(s->accounts);
	free(s);
}

void slots_expire(struct broker *b)
{
	struct mono now = mono_now();
	struct slot **at = &b->slots;

	while (*at) {
		struct slot *s = *at;

		if (mono_diff_ns(now, s->heard) > SILENT_NS || !bus_is_allowed(b->bus, s->name)) {
			log_info("loader %s is gone", s->name);
			*at = s->next;
			b->slot_count--;
			if (!processes_of(b, s->name))
				hint_drop(b, s->name);
			slot_free(s);
		} else {
			at = &s->next;
		}
	}
}

void slots_free(struct broker *b)
{
	while (b->slots) {
		struct slot *s = b->slots;

		b->slots = s->next;
		slot_free(s);
	}
	b->slot_count = 0;
}
