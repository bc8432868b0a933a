/*
 * echo_stage - the smallest stage: it reads every event, keeps nothing, passes all on.
 *
 * The contract test holds the skeleton alone against docs/STAGE.md with it, so that a fault is
 * found on one side or the other.
 */
#include "common/stage/stage.h"

static int take(struct stage *st, const struct event *ev, void *ctx)
{
	(void)st, (void)ev, (void)ctx;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct stage_def def = {
		.name = "echo",
		.synopsis = "[options] < events > events",
		.about = "Passes every event on.\n",
		.reads = (1u << EV_KIND_COUNT) - 1,
		.take = take,
	};

	return stage_main(&def, argc, argv);
}
