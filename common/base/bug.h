/*
 * bug.h - assertions, allocation that cannot fail, and small macros (rank 0).
 *
 * Three kinds of trouble exist (docs/STAGE.md): data errors, environment errors
 * and bugs of ours. BUG and BUG_ON are for the third only: they print and abort,
 * which the front door reports as exit code 101.
 *
 *	BUG_ON(block->len > block->cap);
 *
 * DIAGNOSTICS
 *	BUG: "BUG at file:line: text" on stderr, then abort(3).
 *	x_*alloc: out of memory is an environment error that no caller could mend;
 *	"out of memory (N bytes)" on stderr, then exit code 111.
 */
#ifndef PLIMSOLL_BASE_BUG_H
#define PLIMSOLL_BASE_BUG_H

#include <stddef.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NO_RETURN __attribute__((noreturn))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* A pointer to the struct that holds this member; for callbacks. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (cond)                                                                          \
			BUG("%s", #cond);                                                          \
	} while (0)

NO_RETURN PRINTF_LIKE(3, 4) void bug_at(const char *file, int line, const char *fmt, ...);

/* Never NULL. The caller owns the result and gives it to free(3). Zeroed. */
void *x_calloc(size_t count, size_t size_bytes);
/* Grows or shrinks; new memory is not zeroed; count*size is checked for overflow. */
void *x_realloc(void *ptr, size_t count, size_t size_bytes);
char *x_strdup(const char *s);
char *x_strndup(const char *s, size_t len_bytes);
/* A formatted string on the heap; the caller owns it. */
PRINTF_LIKE(1, 2) char *x_asprintf(const char *fmt, ...);

#endif
