#include "common/base/bug.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/exit_code.h"

void bug_at(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "BUG at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; this is a mistake in Plimsoll, please report it\n", stderr);
	abort();
}

NO_RETURN static void out_of_memory(size_t count, size_t size_bytes)
{
	fprintf(stderr, "out of memory (%zu x %zu bytes)\n", count, size_bytes);
	exit(EXIT_AGAIN);
}

void *x_calloc(size_t count, size_t size_bytes)
{
	void *p = calloc(MAX_OF(count, (size_t)1), MAX_OF(size_bytes, (size_t)1));

	if (!p)
		out_of_memory(count, size_bytes);
	return p;
}

void *x_realloc(void *ptr, size_t count, size_t size_bytes)
{
	size_t total_bytes;
	void *p;

	if (__builtin_mul_overflow(count, size_bytes, &total_bytes))
		out_of_memory(count, size_bytes);
	p = realloc(ptr, MAX_OF(total_bytes, (size_t)1));
	if (!p)
		out_of_memory(count, size_bytes);
	return p;
}

char *x_strndup(const char *s, size_t len_bytes)
{
	char *copy = x_calloc(len_bytes + 1, 1);

	memcpy(copy, s, len_bytes);
	return copy;
}

char *x_strdup(const char *s)
{
	return x_strndup(s, strlen(s));
}

char *x_asprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		out_of_memory(1, strlen(fmt));
	va_end(ap);
	return text;
}
