#include "common/stage/stage_metrics.h"

#include "common/prom/prom.h"
#include "common/stage/stage_private.h"

/* Scraped, not pushed: the limit of a group does not hold. */
#define SERIES_MAX 1000

static const char *const result_words[] = {
#define X(symbol, word) [symbol] = word,
	STAGE_RESULTS(X)
#undef X
};

void stage_metrics_count(struct stage_metrics *m, enum event_kind kind, enum stage_result what)
{
	m->events[MIN_OF(kind, EV_KIND_COUNT)][what]++;
}

/* A label that the table does not take is our bug; the page lives without that line. */
static void set(struct prom *p, enum prom_metric m, const char *const *labels, double value)
{
	int rc = prom_set(p, m, labels, value);

	(void)rc;
}

static void put_events(const struct stage_metrics *m, struct prom *p)
{
	for (size_t k = 0; k <= EV_KIND_COUNT; k++) {
		const char *type =
			k < EV_KIND_COUNT ? event_kind_name((enum event_kind)k) : "other";

		for (size_t r = 0; r < STAGE_RESULT_COUNT; r++) {
			const char *labels[] = {type, result_words[r]};

			if (m->events[k][r])
				set(p, PM_EVENTS_TOTAL, labels, (double)m->events[k][r]);
		}
	}
}

static void put_rejects(const struct stage *st, struct prom *p)
{
	for (size_t i = 0; i < st->counts.count; i++) {
		const struct stage_count *c = st->counts.items[i].value;
		const char *labels[] = {st->counts.items[i].key};

		set(p, PM_REJECTED_TOTAL, labels, (double)c->n);
	}
}

void stage_metrics_write(struct stage *st, struct buf *out)
{
	struct prom p = {.series_max = SERIES_MAX};

	put_events(&st->metrics, &p);
	put_rejects(st, &p);
	set(&p, PM_LOOP_DELAY, NULL, (double)st->metrics.loop_delay_ns / NS_PER_S);
	set(&p, PM_LAG, NULL, (double)st->metrics.lag_ms / MS_PER_S);
	if (st->is_open && st->def->metrics)
		st->def->metrics(st, &p, st->ctx);
	st->metrics.loop_delay_ns = 0;
	prom_write(&p, out);
	prom_release(&p);
}
