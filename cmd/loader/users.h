/*
 * users.h - the virtual users of a closed executor: who is free since when, and who rests.
 *
 * A user is in a call, free (in the order in which they became so) or resting until the schedule
 * names it. All rest at first. No allocation after users_init.
 *
 *	users_init(&u, &schedule);
 *	users_rise(&u, &schedule, now_ns);	// those that begin by now are free
 *	while ((f = users_first(&u))) {
 *		users_pop(&u);
 *		... schedule_user(&schedule, f.user, ...): calls, or users_rest(&u, f.user) ...
 *	}
 *	users_put(&u, user, done_ns);		// its call is done
 */
#ifndef PLIMSOLL_LOADER_USERS_H
#define PLIMSOLL_LOADER_USERS_H

#include "cmd/loader/schedule.h"

struct free_user {
	int64_t since_ns; /* since the start of the measured part */
	uint32_t user;
};

struct users {
	struct free_user *ring; /* owned; room for all */
	bool *is_resting;	/* owned */
	uint32_t max, at, count;
	bool has_rise; /* somebody begins, or begins again, */
	uint32_t riser;
	int64_t rises_ns; /* then */
};

void users_init(struct users *u, struct schedule *s);
void users_release(struct users *u);
/* Frees all that begin until then; those in a call find out when it is done. */
void users_rise(struct users *u, struct schedule *s, int64_t now_ns);
void users_put(struct users *u, uint32_t user, int64_t since_ns);
/* The first that is free, or NULL; good until users_put. */
const struct free_user *users_first(const struct users *u);
void users_pop(struct users *u);
void users_rest(struct users *u, uint32_t user);

#endif
