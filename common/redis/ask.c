/* ask.c - one call of a person's command, waited for. */
#include <errno.h>

#include "common/redis/redis.h"

struct ask {
	bool is_over;
	redis_reply_fn *fn;
	void *ctx;
};

static void on_asked(const struct redis_reply *reply, void *ctx)
{
	struct ask *ask = ctx;

	ask->is_over = true;
	if (ask->fn)
		ask->fn(reply, ask->ctx);
}

static int give_up(struct redis *r, const struct ask *ask, char why[200])
{
	const char *trouble = redis_trouble(r);
	bool is_refused = !strncmp(trouble, "WRONGPASS", 9);

	(void)snprintf(why, 200, "%s", *trouble ? trouble : "Redis does not answer");
	redis_forget(r, ask);
	return is_refused ? -EACCES : -ETIMEDOUT;
}

int redis_ask(struct redis *r, struct loop *l, struct redis_args *a, int64_t wait_ms,
	      redis_reply_fn *fn, void *ctx, char why[200])
{
	struct ask ask = {.fn = fn, .ctx = ctx};
	struct mono end = mono_add_ns(mono_now(), wait_ms * NS_PER_MS);

	redis_call(r, a, REDIS_REPEAT, on_asked, &ask);
	while (!ask.is_over) {
		int64_t left_ns = mono_diff_ns(end, mono_now());

		if (left_ns <= 0 || !strncmp(redis_trouble(r), "WRONGPASS", 9))
			return give_up(r, &ask, why);
		loop_turn(l, left_ns);
	}
	return 0;
}
