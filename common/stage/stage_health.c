/* stage_health.c - /metrics and /healthz, where somebody asked for them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/stage/stage_private.h"

#define TICK_NS (250 * NS_PER_MS)

static void set_tick(struct stage *st)
{
	st->tick_at = mono_add_ns(mono_now(), TICK_NS);
	loop_timer_set(st->loop, &st->tick, st->tick_at);
}

static void tick(struct loop *l, struct loop_timer *t)
{
	struct stage *st = CONTAINER_OF(t, struct stage, tick);
	int64_t late_ns = mono_diff_ns(mono_now(), st->tick_at);

	(void)l;
	st->metrics.loop_delay_ns = MAX_OF(st->metrics.loop_delay_ns, late_ns);
	set_tick(st);
}

static void write_metrics(struct buf *out, void *ctx)
{
	stage_metrics_write(ctx, out);
}

static bool is_well(char why[200], void *ctx)
{
	const struct stage *st = ctx;

	if (!st->is_open) {
		snprintf(why, 200, "still opening");
		return false;
	}
	if (st->is_stopping) {
		snprintf(why, 200, "stopping");
		return false;
	}
	return !st->port->is_well || st->port->is_well(st, why);
}

/* Without --metrics a socket of systemd is enough; without either there is nothing to do. */
int stage_health_open(struct stage *st)
{
	const struct health_owner owner = {write_metrics, is_well, st};
	char why[200] = "";
	int rc;

	if (st->opts.is_check)
		return EXIT_FINE;
	rc = health_open(st->loop, st->opts.metrics, &owner, &st->health, why);
	if (rc == 0) {
		st->tick.run = tick;
		set_tick(st);
	}
	if (rc == 0 || (rc == -ENOENT && !st->opts.metrics))
		return EXIT_FINE;
	log_error("--metrics: %s", why);
	return rc == -EADDRINUSE || rc == -EADDRNOTAVAIL ? EXIT_AGAIN : EXIT_USAGE;
}
