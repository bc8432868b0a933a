#include "common/base/crash.h"

#ifdef PLIMSOLL_FAULT
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/bug.h"

/* Leaves a file at $PLIMSOLL_CRASH_MARK, so that a test knows that the point was reached. */
static void mark(void)
{
	const char *path = getenv("PLIMSOLL_CRASH_MARK");
	FILE *f = path ? fopen(path, "we") : NULL;

	if (f)
		fclose(f);
}

void crash_point(const char *name)
{
	static unsigned passes;
	const char *want = getenv("PLIMSOLL_CRASH");
	size_t len_bytes = strlen(name);
	unsigned long hit;
	char *how;

	if (!want || strncmp(want, name, len_bytes) != 0 || want[len_bytes] != ':')
		return;
	hit = strtoul(want + len_bytes + 1, &how, 10);
	if (++passes != hit)
		return;
	mark();
	if (strcmp(how, ":stop") == 0)
		raise(SIGSTOP);
	else if (strcmp(how, ":abort") == 0)
		abort();
	else
		kill(getpid(), SIGKILL);
}
#endif
