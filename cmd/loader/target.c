/*
 * target.c - the table of targets, and what all kinds share; see target.h.
 */
#include "cmd/loader/target.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "cmd/loader/jsonscan.h"

#define HEAD_MAX_BYTES (64u * 1024u)
#define CONTEXT_MAX_BYTES 512

static const struct target_kind *const kinds[] = {&target_lambda, &target_http};

const struct target_kind *target_kind(const char *method)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i]->method, method) == 0)
			return kinds[i];
	return NULL;
}

void target_scratch_init(struct target_scratch *s)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->log_tail, LOG_TAIL_MAX_BYTES);
	buf_init(&s->head, HEAD_MAX_BYTES);
	buf_init(&s->context, CONTEXT_MAX_BYTES);
}

void target_scratch_release(struct target_scratch *s)
{
	buf_release(&s->log_tail);
	buf_release(&s->head);
	buf_release(&s->context);
	sigv4_result_release(&s->signature);
}

void answer_reason(struct answer *a, enum outcome outcome, const char *text, size_t len_bytes)
{
	size_t n = MIN_OF(len_bytes, sizeof(a->reason) - 1);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		a->reason[i] = c > ' ' && c < 0x7f ? (char)c : '_';
	}
	a->reason[n] = '\0';
	a->outcome = outcome;
}

void answer_reasonf(struct answer *a, enum outcome outcome, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->reason, sizeof(a->reason), fmt, ap);
	va_end(ap);
	a->outcome = outcome;
}

void target_add_headers(const struct target_request *rq, struct buf *out)
{
	for (size_t i = 0; i < rq->target->header_count; i++)
		buf_addf(out, "%s: %s\r\n", rq->target->headers[i].name, rq->header_values[i]);
}

/* The text at a JSON pointer or header:NAME. False when the answer does not have it. */
static bool find_text(const struct response *r, const char *place, struct json_slice *out)
{
	if (strncmp(place, "header:", 7) == 0) {
		out->kind = JSON_SLICE_STR;
		out->at = response_header(r, place + 7, &out->len_bytes);
		return out->at != NULL;
	}
	return json_find(buf_str(&r->body), r->body.len_bytes, place, out);
}

static bool is_word(const struct json_slice *v, const char *word)
{
	return v->len_bytes == strlen(word) && strncasecmp(v->at, word, v->len_bytes) == 0;
}

static enum temperature temperature_of(const struct json_slice *v)
{
	if (v->kind == JSON_SLICE_TRUE || is_word(v, "true") || is_word(v, "1") ||
	    is_word(v, "cold"))
		return TEMP_COLD;
	if (v->kind == JSON_SLICE_FALSE || is_word(v, "false") || is_word(v, "0") ||
	    is_word(v, "warm"))
		return TEMP_WARM;
	if (is_word(v, "restored"))
		return TEMP_RESTORED;
	return TEMP_UNKNOWN;
}

static void check_expected(const struct shard_target *t, const struct response *r, struct answer *a)
{
	const char *failed = expect_failed(&t->expect, r);

	if (failed)
		answer_reason(a, OUT_FUNCTION_ERROR, failed, strlen(failed));
}

void target_read(const struct target_kind *kind, const struct shard_target *t,
		 const struct response *r, struct target_scratch *s, struct answer *a)
{
	struct json_slice v;

	memset(a, 0, sizeof(*a));
	kind->classify(t, r, s, a);
	if (a->outcome == OUT_OK)
		check_expected(t, r, a);
	if (a->outcome != OUT_OK)
		return;
	if (t->instance && find_text(r, t->instance, &v) && v.len_bytes > 0 &&
	    v.kind != JSON_SLICE_NULL) {
		a->instance = v.at;
		a->instance_bytes = v.len_bytes;
	}
	/* What the provider says about a call is better than what the function thinks. */
	if (a->temperature == TEMP_UNKNOWN && t->cold && find_text(r, t->cold, &v))
		a->temperature = temperature_of(&v);
}
