/*
 * log_environments.c - request ids to environments.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/collector/log_environments.h"
#include "common/base/strmap.h"
#include "common/digest/digest.h"
#include "common/measure/calls.h"

#define NAME_HASH_BYTES 4 /* of a name, as the loader has it */
#define CALLS_TEXT_MAX_BYTES (1024u * 1024u)

/* Its place in instances, from 1; 0 when there is no room for one more. */
static uint16_t place_of(struct strmap *places, struct json *instances, const char *name)
{
	uintptr_t place = (uintptr_t)strmap_get(places, name);

	if (place == 0 && places->count < UINT16_MAX) {
		uint8_t sha[SHA256_BYTES];
		char hash[2 * NAME_HASH_BYTES + 1];

		digest_sha256(name, strlen(name), sha);
		digest_hex(sha, NAME_HASH_BYTES, hash);
		json_push(instances, json_new_str(hash));
		place = places->count + 1;
		strmap_put(places, name, (void *)place);
	}
	return (uint16_t)place;
}

struct json *log_environments_put(const struct json *shard,
				  const char *(*stream_of)(const void *ctx, const char *id),
				  const void *ctx, struct named_calls *n)
{
	const char *text = json_get_str(shard, "calls");
	struct json *out, *instances = json_arr();
	struct buf packed = BUF_INIT(CALLS_TEXT_MAX_BYTES);
	struct calls calls = CALLS_INIT;
	struct strmap places = {0};

	if (!text || calls_decode(text, strlen(text), &calls) != 0) {
		json_free(instances);
		return NULL;
	}
	for (size_t i = 0; i < calls.count; i++) {
		struct call_record *c = &calls.items[i];
		bool is_asked = c->due_us >= 0 && c->outcome == OUT_OK;
		char id[CALL_ID_MAX_BYTES + 1] = "";
		const char *stream;

		memcpy(id, c->id, c->id_bytes);
		stream = stream_of(ctx, id);
		c->instance = stream ? place_of(&places, instances, stream) : 0;
		n->asked += is_asked;
		n->named += is_asked && c->instance;
	}
	calls_encode(&calls, &packed);
	out = json_copy(shard);
	json_put_str(out, "calls", buf_str(&packed));
	json_put(out, "instances", instances);
	buf_release(&packed);
	strmap_release(&places, NULL);
	calls_release(&calls);
	return out;
}

bool named_calls_suffice(const struct named_calls *n)
{
	return n->asked > 0 && (double)n->named >= NAMED_SHARE_MIN * (double)n->asked;
}

const char *log_stream_of(const void *answer, const char *id)
{
	const struct json *place = json_get(json_get(answer, "calls"), id);

	return json_is(place, JSON_T_INT) && json_int(place) >= 0
		       ? json_str(json_elem(json_get(answer, "streams"), (size_t)json_int(place)))
		       : NULL;
}
