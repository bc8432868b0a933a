#include "common/redis/args.h"

#include <inttypes.h>

#define HEAD_MAX_BYTES 32 /* "$" or "*", digits, CR LF */
#define INT_TEXT_BYTES 24

void redis_args_init(struct redis_args *a)
{
	*a = (struct redis_args)REDIS_ARGS_INIT;
}

void redis_args_release(struct redis_args *a)
{
	buf_release(&a->bytes);
	free(a->ends);
	redis_args_init(a);
}

void redis_arg_bytes(struct redis_args *a, const char *data, size_t len_bytes)
{
	if (a->count == a->cap) {
		a->cap = MAX_OF(2 * a->cap, (size_t)16);
		a->ends = x_realloc(a->ends, a->cap, sizeof(*a->ends));
	}
	buf_add(&a->bytes, data, len_bytes);
	a->ends[a->count++] = a->bytes.len_bytes;
}

void redis_arg(struct redis_args *a, const char *text)
{
	redis_arg_bytes(a, text, strlen(text));
}

void redis_arg_int(struct redis_args *a, int64_t n)
{
	char text[INT_TEXT_BYTES];
	int len = snprintf(text, sizeof(text), "%" PRId64, n);

	redis_arg_bytes(a, text, (size_t)len);
}

char *redis_args_format(struct redis_args *a, size_t *len_bytes)
{
	struct buf out = BUF_INIT(a->bytes.len_bytes + (a->count + 1) * (HEAD_MAX_BYTES + 2));
	size_t from = 0;

	BUG_ON(a->count == 0);
	buf_addf(&out, "*%zu\r\n", a->count);
	for (size_t i = 0; i < a->count; from = a->ends[i++]) {
		buf_addf(&out, "$%zu\r\n", a->ends[i] - from);
		buf_add(&out, buf_str(&a->bytes) + from, a->ends[i] - from);
		buf_adds(&out, "\r\n");
	}
	BUG_ON(buf_is_over(&out));
	redis_args_release(a);
	*len_bytes = out.len_bytes;
	return buf_steal(&out);
}

static void part_of(const redisReply *r, struct redis_part *part, char text[INT_TEXT_BYTES])
{
	*part = (struct redis_part){0};
	if (r->type == REDIS_REPLY_INTEGER) {
		int len = snprintf(text, INT_TEXT_BYTES, "%lld", r->integer);

		*part = (struct redis_part){.data = text, .len_bytes = (size_t)len};
	} else if (r->type != REDIS_REPLY_NIL && r->type != REDIS_REPLY_ARRAY) {
		*part = (struct redis_part){.data = r->str, .len_bytes = (size_t)r->len};
	}
}

static bool is_flat(const redisReply *r)
{
	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
		if (r->element[i]->type == REDIS_REPLY_ARRAY)
			return false;
	return true;
}

static void tell_error(const char *text, redis_reply_fn *fn, void *ctx)
{
	fn(&(struct redis_reply){.is_error = true, .error = text}, ctx);
}

void redis_reply_tell(const redisReply *r, redis_reply_fn *fn, void *ctx)
{
	bool is_list = r->type == REDIS_REPLY_ARRAY;
	size_t count = is_list ? r->elements : 1;
	struct redis_reply reply = {.count = count};
	struct redis_part *parts;
	char(*texts)[INT_TEXT_BYTES];

	if (!fn)
		return;
	if (r->type == REDIS_REPLY_ERROR || !is_flat(r)) {
		tell_error(r->type == REDIS_REPLY_ERROR ? r->str : "NESTED the reply is no list",
			   fn, ctx);
		return;
	}
	parts = x_calloc(count + 1, sizeof(*parts));
	texts = x_calloc(count + 1, sizeof(*texts));
	for (size_t i = 0; i < count; i++)
		part_of(is_list ? r->element[i] : r, &parts[i], texts[i]);
	reply.parts = parts;
	fn(&reply, ctx);
	free(parts);
	free(texts);
}
