/*
 * users.c - see users.h.
 */
#include "cmd/loader/users.h"

#include <string.h>

void users_init(struct users *u, struct schedule *s)
{
	*u = (struct users){.max = s->users};
	u->ring = x_calloc(u->max, sizeof(*u->ring));
	u->is_resting = x_calloc(u->max, sizeof(*u->is_resting));
	memset(u->is_resting, true, u->max);
	u->has_rise = schedule_rise(s, &u->riser, &u->rises_ns);
}

void users_release(struct users *u)
{
	free(u->ring);
	free(u->is_resting);
	*u = (struct users){0};
}

void users_rise(struct users *u, struct schedule *s, int64_t now_ns)
{
	while (u->has_rise && u->rises_ns <= now_ns) {
		if (u->is_resting[u->riser]) {
			u->is_resting[u->riser] = false;
			users_put(u, u->riser, u->rises_ns);
		}
		u->has_rise = schedule_rise(s, &u->riser, &u->rises_ns);
	}
}

void users_put(struct users *u, uint32_t user, int64_t since_ns)
{
	uint32_t end = u->at + u->count++;

	BUG_ON(u->count > u->max);
	u->ring[end < u->max ? end : end - u->max] = (struct free_user){since_ns, user};
}

const struct free_user *users_first(const struct users *u)
{
	return u->count ? &u->ring[u->at] : NULL;
}

void users_pop(struct users *u)
{
	u->count--;
	if (++u->at == u->max)
		u->at = 0;
}

void users_rest(struct users *u, uint32_t user)
{
	u->is_resting[user] = true;
}
