#include "common/base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
#define SPIN_TURN_MAX_NS (20 * NS_PER_US) /* a turn without events that took longer was stopped */

struct loop {
	int epoll_fd;
	bool is_stopped;
	struct mono now;
	struct loop_timer **heap; /* a binary heap by (at, order) */
	size_t heap_count, heap_cap;
	uint64_t next_order;
	struct loop_watch *plain; /* regular files: always ready */
	struct loop_guard *guards;
	struct mono guarded; /* when they were asked last */
	int64_t spin_ns, spun_ns, rest_ns;
	struct mono spin_since; /* zero = this turn does not spin */
	struct loop_watch alarm;
	struct mono alarm_at; /* zero = not set */
	struct epoll_event events[BATCH];
	int event_count, event_next; /* the batch in hand, so that loop_unwatch can purge it */
	/* signals */
	struct loop_watch signal_watch;
	void (*on_signal)(struct loop *l, int signo, void *ctx);
	void *signal_ctx;
};

/* The turn that it begins runs the timers. */
static void ring(struct loop *l, struct loop_watch *w, unsigned what)
{
	(void)w;
	(void)what;
	l->alarm_at = (struct mono){0};
}

struct loop *loop_new(void)
{
	struct loop *l = x_calloc(1, sizeof(*l));

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	BUG_ON(l->epoll_fd < 0);
	l->now = mono_now();
	l->signal_watch.fd = -1;
	l->alarm = (struct loop_watch){
		.ready = ring,
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.want = LOOP_READ | LOOP_EDGE,
	};
	BUG_ON(l->alarm.fd < 0 || loop_watch(l, &l->alarm) != 0);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->signal_watch.fd >= 0)
		close(l->signal_watch.fd);
	close(l->alarm.fd);
	close(l->epoll_fd);
	free(l->heap);
	free(l);
}

static uint32_t epoll_bits(unsigned want)
{
	uint32_t bits = EPOLLRDHUP;

	if (want & LOOP_READ)
		bits |= EPOLLIN;
	if (want & LOOP_WRITE)
		bits |= EPOLLOUT;
	if (want & LOOP_EDGE)
		bits |= EPOLLET;
	return bits;
}

static int control(struct loop *l, int op, struct loop_watch *w)
{
	struct epoll_event ev = {.events = epoll_bits(w->want), .data.ptr = w};

	return epoll_ctl(l->epoll_fd, op, w->fd, &ev) ? -errno : 0;
}

int loop_watch(struct loop *l, struct loop_watch *w)
{
	int rc = control(l, EPOLL_CTL_ADD, w);

	w->is_plain_file = rc == -EPERM;
	if (w->is_plain_file) {
		w->plain_next = l->plain;
		l->plain = w;
		rc = 0;
	}
	w->is_on = rc == 0;
	return rc;
}

void loop_want(struct loop *l, struct loop_watch *w, unsigned want)
{
	BUG_ON(!w->is_on);
	if (w->want == want)
		return;
	w->want = want;
	if (!w->is_plain_file)
		BUG_ON(control(l, EPOLL_CTL_MOD, w) != 0);
}

void loop_again(struct loop *l, struct loop_watch *w)
{
	BUG_ON(!w->is_on);
	if (!w->is_plain_file)
		BUG_ON(control(l, EPOLL_CTL_MOD, w) != 0);
}

static void forget_plain(struct loop *l, struct loop_watch *w)
{
	struct loop_watch **at = &l->plain;

	while (*at && *at != w)
		at = &(*at)->plain_next;
	if (*at)
		*at = w->plain_next;
}

void loop_unwatch(struct loop *l, struct loop_watch *w)
{
	if (!w->is_on)
		return;
	w->is_on = false;
	if (w->is_plain_file)
		forget_plain(l, w);
	else
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = l->event_next; i < l->event_count; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
}

static bool timer_is_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->order < b->order;
}

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->slot = (int64_t)i + 1;
}

static void sift_up(struct loop *l, size_t i, struct loop_timer *t)
{
	for (; i > 0 && timer_is_before(t, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_put(l, i, l->heap[(i - 1) / 2]);
	heap_put(l, i, t);
}

static void sift_down(struct loop *l, size_t i, struct loop_timer *t)
{
	for (size_t child = 2 * i + 1; child < l->heap_count; i = child, child = 2 * i + 1) {
		if (child + 1 < l->heap_count &&
		    timer_is_before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!timer_is_before(l->heap[child], t))
			break;
		heap_put(l, i, l->heap[child]);
	}
	heap_put(l, i, t);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	size_t i = (size_t)t->slot - 1;
	struct loop_timer *last;

	if (!t->slot)
		return;
	t->slot = 0;
	last = l->heap[--l->heap_count];
	if (last == t)
		return;
	if (i > 0 && timer_is_before(last, l->heap[(i - 1) / 2]))
		sift_up(l, i, last);
	else
		sift_down(l, i, last);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, struct mono at)
{
	loop_timer_clear(l, t);
	if (l->heap_count == l->heap_cap) {
		l->heap_cap = MAX_OF(2 * l->heap_cap, (size_t)16);
		l->heap = x_realloc(l->heap, l->heap_cap, sizeof(struct loop_timer *));
	}
	t->at = at;
	t->order = l->next_order++;
	sift_up(l, l->heap_count++, t);
}

void loop_timer_set_in(struct loop *l, struct loop_timer *t, int64_t in_ns)
{
	loop_timer_set(l, t, mono_add_ns(mono_now(), in_ns));
}

bool loop_timer_is_set(const struct loop_timer *t)
{
	return t->slot != 0;
}

void loop_guard_add(struct loop *l, struct loop_guard *g)
{
	g->next = l->guards;
	l->guards = g;
}

void loop_guard_remove(struct loop *l, struct loop_guard *g)
{
	struct loop_guard **at = &l->guards;

	while (*at && *at != g)
		at = &(*at)->next;
	if (*at)
		*at = g->next;
}

static void run_guards(struct loop *l)
{
	struct loop_guard *next;

	for (struct loop_guard *g = l->guards; g; g = next) {
		next = g->next;
		g->run(l, g);
	}
	if (l->guards)
		l->guarded = mono_now();
}

/* Before each callback. Without a guard it costs nothing. */
static void guard(struct loop *l)
{
	if (l->guards && mono_diff_ns(mono_now(), l->guarded) >= LOOP_GAP_NS)
		run_guards(l);
}

static void read_signals(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct signalfd_siginfo info;

	(void)what;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		l->on_signal(l, (int)info.ssi_signo, l->signal_ctx);
}

int loop_signals(struct loop *l, const int *signals, size_t count,
		 void (*on_signal)(struct loop *l, int signo, void *ctx), void *ctx)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	l->on_signal = on_signal;
	l->signal_ctx = ctx;
	l->signal_watch = (struct loop_watch){
		.ready = read_signals,
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.want = LOOP_READ,
	};
	return l->signal_watch.fd < 0 ? -errno : loop_watch(l, &l->signal_watch);
}

static bool plain_is_ready(const struct loop *l)
{
	for (const struct loop_watch *w = l->plain; w; w = w->plain_next)
		if (w->want & (LOOP_READ | LOOP_WRITE))
			return true;
	return false;
}

/*
 * Wakes us for the first timer. A timeout of epoll_wait would be set and cleared in each turn, and
 * setting a clock is what costs most of all in a virtual machine. One that rings too early is left
 * as it is: that turn finds nothing to do.
 */
static void set_alarm(struct loop *l, struct mono at, struct mono now)
{
	const struct itimerspec when = {
		.it_value = {.tv_sec = at.ns / NS_PER_S, .tv_nsec = at.ns % NS_PER_S}};

	if (mono_is_before(now, l->alarm_at) && !mono_is_before(at, l->alarm_at))
		return;
	l->alarm_at = at;
	BUG_ON(timerfd_settime(l->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL) != 0);
}

/* How long to wait, or -1 until something is told, the alarm too. */
static int64_t wait_ns(struct loop *l, int64_t max_wait_ns)
{
	struct mono now, at;

	l->spin_since = (struct mono){0};
	if (l->is_stopped || plain_is_ready(l))
		return 0;
	if (!l->heap_count)
		return max_wait_ns;
	now = mono_now();
	at = mono_add_ns(l->heap[0]->at, -l->spin_ns);
	if (mono_is_before(now, at)) {
		if (max_wait_ns < 0 || mono_diff_ns(at, now) < max_wait_ns)
			set_alarm(l, at, now);
		return max_wait_ns;
	}
	if (mono_is_before(now, l->heap[0]->at))
		l->spin_since = now;
	return 0;
}

void loop_set_spin(struct loop *l, int64_t spin_ns)
{
	l->spin_ns = spin_ns;
}

int64_t loop_spun_ns(const struct loop *l)
{
	return l->spun_ns;
}

void loop_set_rest(struct loop *l, int64_t rest_ns)
{
	l->rest_ns = rest_ns;
}

/* Not in epoll_wait: whoever becomes ready would wake us. */
static void rest(struct loop *l)
{
	const struct mono at = mono_add_ns(l->now, l->rest_ns);
	const struct timespec until = {.tv_sec = at.ns / NS_PER_S, .tv_nsec = at.ns % NS_PER_S};

	if (l->rest_ns && !l->is_stopped)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* epoll_pwait2 has nanoseconds; a kernel or sandbox without it gets milliseconds, rounded up. */
static int wait_events(struct loop *l, int64_t ns)
{
	static bool has_no_pwait2;
	struct timespec ts = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
	int n;

	if (!has_no_pwait2) {
		n = epoll_pwait2(l->epoll_fd, l->events, BATCH, ns < 0 ? NULL : &ts, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		has_no_pwait2 = true;
	}
	return epoll_wait(l->epoll_fd, l->events, BATCH,
			  ns < 0 ? -1
				 : (int)MIN_OF((ns + NS_PER_MS - 1) / NS_PER_MS, INT64_C(60000)));
}

static unsigned what_of(uint32_t bits)
{
	unsigned what = 0;

	if (bits & (EPOLLIN | EPOLLRDHUP))
		what |= LOOP_READ;
	if (bits & EPOLLRDHUP)
		what |= LOOP_END;
	if (bits & EPOLLOUT)
		what |= LOOP_WRITE;
	if (bits & (EPOLLHUP | EPOLLERR))
		what |= LOOP_HANGUP;
	return what;
}

static void run_events(struct loop *l)
{
	while (l->event_next < l->event_count) {
		struct epoll_event *ev;
		struct loop_watch *w;

		guard(l); /* may unwatch what comes next */
		ev = &l->events[l->event_next++];
		w = ev->data.ptr;
		if (w)
			w->ready(l, w, what_of(ev->events));
	}
	l->event_count = 0;
}

static void run_plain(struct loop *l)
{
	struct loop_watch *next;

	for (struct loop_watch *w = l->plain; w; w = next) {
		next = w->plain_next;
		if (w->want & (LOOP_READ | LOOP_WRITE))
			w->ready(l, w, w->want & (LOOP_READ | LOOP_WRITE));
	}
}

/* Timers set meanwhile for a time that has passed wait for the next turn: no starvation. */
static void run_timers(struct loop *l)
{
	uint64_t last_order = l->next_order;

	for (;;) {
		struct loop_timer *t;

		guard(l); /* may clear the first */
		if (!l->heap_count || mono_is_before(l->now, l->heap[0]->at) ||
		    l->heap[0]->order >= last_order)
			break;
		t = l->heap[0];
		loop_timer_clear(l, t);
		t->run(l, t);
	}
}

void loop_turn(struct loop *l, int64_t max_wait_ns)
{
	int n;

	rest(l);
	n = wait_events(l, wait_ns(l, max_wait_ns));
	BUG_ON(n < 0 && errno != EINTR);
	l->event_count = MAX_OF(n, 0);
	l->event_next = 0; /* from here on loop_unwatch purges this batch: timers run before it */
	run_guards(l);
	l->now = mono_now();
	if (l->spin_since.ns && n == 0)
		l->spun_ns += MIN_OF(mono_diff_ns(l->now, l->spin_since), SPIN_TURN_MAX_NS);
	if (!l->rest_ns)
		run_timers(l);
	run_events(l);
	if (l->rest_ns)
		run_timers(l);
	run_plain(l);
}

void loop_run(struct loop *l)
{
	while (!l->is_stopped)
		loop_turn(l, -1);
	l->is_stopped = false;
}

void loop_stop(struct loop *l)
{
	l->is_stopped = true;
}
