/*
 * http2_memory.c - nghttp2's memory: blocks that were given back are given out again.
 *
 * It allocates some twenty small things for each request, of a few sizes, and gives all back with
 * the answer. Kept in lists by size they cost less than malloc's own care, and after the first
 * requests none is asked of the system. As much is kept as was in use at once.
 */
#include "common/engine/http2_parts.h"

#define STEP_BYTES 32u

/* ASan sees misuse only of what is really freed. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS false
#else
#define KEEPS true
#endif

struct http2_block {
	size_t size_bytes; /* of what follows */
	struct http2_block *next;
};

static void *take(size_t size_bytes, void *ctx)
{
	struct http2_spare *spare = ctx;
	const size_t step = (size_bytes + STEP_BYTES - 1) / STEP_BYTES;
	struct http2_block *b;

	if (step < HTTP2_BLOCK_SIZES && spare->blocks[step]) {
		b = spare->blocks[step];
		spare->blocks[step] = b->next;
		return b + 1;
	}
	b = malloc(sizeof(*b) + step * STEP_BYTES);
	if (!b)
		return NULL;
	b->size_bytes = step * STEP_BYTES;
	return b + 1;
}

static void give(void *ptr, void *ctx)
{
	struct http2_spare *spare = ctx;
	struct http2_block *b = ptr;
	size_t step;

	if (!b)
		return;
	b--;
	step = b->size_bytes / STEP_BYTES;
	if (!KEEPS || step >= HTTP2_BLOCK_SIZES) {
		free(b);
		return;
	}
	b->next = spare->blocks[step];
	spare->blocks[step] = b;
}

static void *take_zeroed(size_t count, size_t size_bytes, void *ctx)
{
	void *ptr = size_bytes && count > SIZE_MAX / 2 / size_bytes ? NULL
								    : take(count * size_bytes, ctx);

	if (ptr)
		memset(ptr, 0, count * size_bytes);
	return ptr;
}

static void *take_other(void *ptr, size_t size_bytes, void *ctx)
{
	const struct http2_block *old = ptr;
	void *other;

	if (ptr && old[-1].size_bytes >= size_bytes)
		return ptr;
	other = take(size_bytes, ctx);
	if (other && ptr) {
		memcpy(other, ptr, old[-1].size_bytes);
		give(ptr, ctx);
	}
	return other;
}

nghttp2_mem http2_memory(struct http2_spare *spare)
{
	return (nghttp2_mem){
		.mem_user_data = spare,
		.malloc = take,
		.free = give,
		.calloc = take_zeroed,
		.realloc = take_other,
	};
}

void http2_memory_release(struct http2_spare *spare)
{
	for (size_t i = 0; i < HTTP2_BLOCK_SIZES; i++)
		while (spare->blocks[i]) {
			struct http2_block *b = spare->blocks[i];

			spare->blocks[i] = b->next;
			free(b);
		}
}
