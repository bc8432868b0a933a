/* inbox_none.c - a source: nothing is asked for, what it says is what its state knows of. */
#include "common/stage/bus_private.h"

static size_t nothing(const struct stage *st)
{
	(void)st;
	return 0;
}

const struct inbox inbox_none = {.waiting = nothing, .must_finish = true};
