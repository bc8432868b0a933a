/*
 * loop.h - one epoll loop: descriptors, timers with nanosecond deadlines, signals (rank 0).
 *
 * Level-triggered unless a watch asks for LOOP_EDGE. Callbacks run one at a time on the caller's
 * thread and may add, change and remove any watch or timer, their own included. Watches and
 * timers are embedded in their owner's struct, so the loop allocates nothing per event.
 *
 *	struct loop *l = loop_new();
 *	struct loop_timer t = {.run = on_due};
 *	loop_timer_set(l, &t, mono_add_ns(mono_now(), 5 * NS_PER_MS));
 *	loop_run(l);			// until loop_stop()
 *	loop_free(l);
 *
 * DIAGNOSTICS
 *	A regular file cannot be polled; loop_watch treats it as always ready.
 *	Failure of epoll_wait itself other than EINTR is a bug.
 */
#ifndef PLIMSOLL_BASE_LOOP_H
#define PLIMSOLL_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bug.h"
#include "common/base/clock.h"

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_EDGE = 4, LOOP_HANGUP = 8, LOOP_END = 16 };

struct loop_watch {
	/* what: LOOP_READ|LOOP_WRITE, and LOOP_HANGUP when the peer has gone (always reported);
	 * LOOP_END with LOOP_READ when a socket's peer has said its last byte, read or not. */
	void (*ready)(struct loop *l, struct loop_watch *w, unsigned what);
	int fd;	       /* the owner's; closed by the owner after loop_unwatch */
	unsigned want; /* LOOP_READ|LOOP_WRITE|LOOP_EDGE; change through loop_want */
	/* the loop's own */
	bool is_on, is_plain_file;
	struct loop_watch *plain_next;
};

struct loop_timer {
	void (*run)(struct loop *l, struct loop_timer *t);
	/* the loop's own */
	struct mono at;
	uint64_t order; /* equal deadlines run in the order they were set */
	int64_t slot;	/* 1 + index in the heap; 0 = not set, so that zeroed memory is a timer */
};

/*
 * What must be looked at before anything else is done: runs first in each turn, and once more
 * before the next callback when the one before took LOOP_GAP_NS or longer. A process that was
 * stopped and goes on again (SIGSTOP, a frozen guest) runs it before it sends another byte.
 */
#define LOOP_GAP_NS (50 * NS_PER_MS)
struct loop_guard {
	void (*run)(struct loop *l, struct loop_guard *g);
	struct loop_guard *next; /* the loop's own */
};

struct loop *loop_new(void); /* never NULL; the caller frees it */
void loop_free(struct loop *l);

/* Starts watching w->fd for w->want. -errno when epoll refuses the descriptor. */
MUST_CHECK int loop_watch(struct loop *l, struct loop_watch *w);
void loop_want(struct loop *l, struct loop_watch *w, unsigned want); /* 0 = only hang-ups */
/* With LOOP_EDGE: tells again of what is ready, though it was told before. */
void loop_again(struct loop *l, struct loop_watch *w);
void loop_unwatch(struct loop *l, struct loop_watch *w); /* harmless when not watched */

/* Sets or moves the deadline; a deadline that has passed runs in the next turn. */
void loop_timer_set(struct loop *l, struct loop_timer *t, struct mono at);
void loop_timer_set_in(struct loop *l, struct loop_timer *t, int64_t in_ns);
void loop_timer_clear(struct loop *l, struct loop_timer *t); /* harmless when not set */
bool loop_timer_is_set(const struct loop_timer *t);

void loop_guard_add(struct loop *l, struct loop_guard *g);
void loop_guard_remove(struct loop *l, struct loop_guard *g); /* harmless when not added */

/*
 * SIGTERM, SIGINT, SIGHUP, SIGCHLD, ... through a signalfd: blocks them for the process.
 * Call once per loop, before children are started (proc.h restores the mask in them).
 */
MUST_CHECK int loop_signals(struct loop *l, const int *signals, size_t count,
			    void (*on_signal)(struct loop *l, int signo, void *ctx), void *ctx);

/*
 * The last spin_ns before a timer runs are spent asking instead of sleeping: more exact, for the
 * price of CPU. 0, as it is at first: never. spun_ns: how long it did so and nothing came.
 */
void loop_set_spin(struct loop *l, int64_t spin_ns);
int64_t loop_spun_ns(const struct loop *l);
/*
 * Turns begin at least rest_ns apart: what becomes ready or due meanwhile is taken together, events
 * before timers. Waking up is what costs most of a busy loop; so much later may all be. 0, as it is
 * at first: at once.
 */
void loop_set_rest(struct loop *l, int64_t rest_ns);

/* One turn: waits at most until the next timer or max_wait_ns (-1 = no limit). */
void loop_turn(struct loop *l, int64_t max_wait_ns);
void loop_run(struct loop *l); /* turns until loop_stop */
void loop_stop(struct loop *l);

#endif
