/* look.c - when a look is due, and the child that takes it. */
#include "cmd/loader/look.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/base/log.h"
#include "common/verdict/look.h"

enum { CHILD_DECIDED, CHILD_OPEN };

/* The looks that see more than the one before; a list that does not ascend ends there. */
static size_t read_looks(const struct json *list, uint64_t rounds, uint32_t out[])
{
	size_t count = 0;

	while (count + 1 < MIN_OF(json_len(list), (size_t)SEQUENTIAL_LOOKS_MAX)) {
		uint32_t n = look_rounds(json_real(json_elem(list, count)), rounds);

		if (count > 0 && n <= out[count - 1])
			break;
		out[count++] = n;
	}
	return count;
}

/* In the child: the tally is a copy, and nothing is counted into it any more. */
static int look_at_it(void *ctx)
{
	struct look *k = ctx;
	struct json *names = instances_json(&k->tally->instances);
	bool is_decided =
		look_decides(k->part, k->at, k->rounds[k->at], tally_join_calls(k->tally), names);

	return is_decided ? CHILD_DECIDED : CHILD_OPEN;
}

static void end_child(struct look *k)
{
	loop_unwatch(k->loop, &k->exit_watch);
	proc_release(&k->child);
	k->is_running = false;
}

static void on_exit_of_child(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct look *k = CONTAINER_OF(w, struct look, exit_watch);
	int code = proc_reap(&k->child);

	(void)l;
	(void)what;
	if (code == -EAGAIN)
		return;
	end_child(k);
	log_debug("look %zu of %zu: %s", k->at + 1, k->count + 1,
		  code == CHILD_DECIDED ? "decided" : "open");
	k->is_decided = code == CHILD_DECIDED;
	if (k->is_decided)
		k->decided(k->ctx);
	else
		k->at++;
}

static void on_time(struct loop *l, struct loop_timer *t)
{
	struct look *k = CONTAINER_OF(t, struct look, timer);
	int rc = proc_fork(look_at_it, k, &k->child);

	if (rc != 0) {
		log_warn("cannot look whether the run is decided: %s", strerror(-rc));
		k->at++;
		return;
	}
	k->is_running = true;
	k->exit_watch = (struct loop_watch){
		.ready = on_exit_of_child, .fd = k->child.pidfd, .want = LOOP_READ};
	if (loop_watch(l, &k->exit_watch) == 0)
		return;
	proc_kill(&k->child, SIGKILL);
	(void)proc_wait(&k->child);
	end_child(k);
	k->at++;
}

void look_init(struct look *k, struct loop *loop, const struct json *part, uint64_t rounds,
	       look_decided_fn *decided, void *ctx)
{
	*k = (struct look){.loop = loop, .part = part, .decided = decided, .ctx = ctx};
	k->timer.run = on_time;
	k->count = read_looks(json_at(part, "stop.looks"), rounds, k->rounds);
}

void look_release(struct look *k)
{
	if (!k->loop)
		return;
	loop_timer_clear(k->loop, &k->timer);
	if (!k->is_running)
		return;
	proc_kill(&k->child, SIGKILL);
	(void)proc_wait(&k->child);
	end_child(k);
}

/* The first look that sees this round; count for those that only the end sees. */
static size_t look_of(const struct look *k, int32_t round)
{
	size_t i = 0;

	while (i < k->count && round >= 0 && (uint32_t)round >= k->rounds[i])
		i++;
	return i;
}

void look_due(struct look *k, int32_t round)
{
	if (k->count > 0)
		k->due[look_of(k, round)]++;
}

static bool all_have_ended(const struct look *k)
{
	for (size_t i = 0; i <= k->at; i++)
		if (k->done[i] < k->due[i])
			return false;
	return true;
}

void look_done(struct look *k, int32_t round, int32_t next_round, struct tally *t)
{
	if (k->at >= k->count)
		return;
	k->done[look_of(k, round)]++;
	if (k->is_running || k->is_decided || next_round < 0 ||
	    (uint32_t)next_round < k->rounds[k->at] || !all_have_ended(k))
		return;
	k->tally = t;
	loop_timer_set_in(k->loop, &k->timer, 0);
}

struct json *look_json(const struct look *k)
{
	struct json *o = json_obj();

	json_put_int(o, "look", (int64_t)k->at + 1);
	json_put_int(o, "of", (int64_t)k->count + 1);
	json_put_int(o, "rounds", k->rounds[k->at]);
	return o;
}
